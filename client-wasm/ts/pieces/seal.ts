// Sealing in pieces: what is read, encrypted, hashed and handed on at a time is one piece each.

import type { Environment, Layout } from "../environment.ts";
import { cipherFailure, KunjiError } from "../errors.ts";
import { withBindings } from "../wasm.ts";
import { attended, type Watch } from "../watch.ts";
import { type PieceCipher, Pieces, pieceCipherOfWasm, pieceCipherOfWebCrypto } from "./cipher.ts";
import type { ByteReader, Bytes } from "./reader.ts";

/** As much as any layout asks for: data key 32, OAEP seed 32, nonce 12, associated data 32. */
export const RANDOM_BYTES = 108;
export const TAG_BYTES = 16;

export interface SealedPieces {
  /** Of the whole packet, where the content's is known. */
  readonly length: number | undefined;
  /** The packet, to be iterated over once: nothing is kept once that ended, for whatever reason. */
  readonly parts: AsyncGenerator<Bytes, void, void>;
  /** Ends a read that waits, and forgets everything. */
  readonly cancel: (reason: unknown) => void;
}

/** Begins: what cannot be a packet fails here, before there are any bytes of one. */
export async function sealInPieces(
  reader: ByteReader,
  certificate: Uint8Array,
  layout: Layout,
  environment: Environment,
  watch: Watch,
): Promise<SealedPieces> {
  const { pieceBytes, splitter } = environment;
  const { registration, salt, aad } = layout;
  const forget = watch.onAbort((reason) => reader.cancel(reason));
  const random = new Uint8Array(RANDOM_BYTES);
  environment.random(random);
  let pieces: Pieces | undefined;
  const end = (reason: unknown) => {
    forget();
    random.fill(0);
    pieces?.wipe();
    reader.cancel(reason);
  };
  try {
    const inputs = await withBindings((bindings) => bindings.contentInputs(random, registration, salt, aad));
    const cipher = await cipherWith(inputs.key, random, environment.subtle);
    pieces = await Pieces.of(cipher);
    await pieces.setNonce(inputs.nonce);
    const first = await watch.during(reader.read(pieceBytes));
    const { prefix, suffix } = await withBindings((bindings) =>
      bindings.surroundings(BigInt(first.length), certificate, random, registration, salt, aad, splitter),
    );
    const around = prefix.length + TAG_BYTES + suffix.length;
    const length = reader.length === undefined ? undefined : reader.length + around;
    watch.total(reader.length);
    const texts = textsOf(reader, first, pieces, environment, watch);
    const parts = packetParts(prefix, texts, inputs.aad, suffix, pieces, pieceBytes, end);
    return { length, parts, cancel: end };
  } catch (error) {
    end(error);
    throw error;
  }
}

async function* packetParts(
  prefix: Bytes,
  texts: AsyncGenerator<Bytes, number, void>,
  aad: Bytes,
  suffix: Bytes,
  pieces: Pieces,
  pieceBytes: number,
  end: (reason: unknown) => void,
): AsyncGenerator<Bytes, void, void> {
  try {
    yield prefix;
    const length = yield* texts;
    yield await pieces.join(aad, pieceBytes, length);
    if (suffix.length > 0) yield suffix;
  } finally {
    end(new DOMException("nothing more is wanted", "AbortError"));
  }
}

/** The ciphertext. While a piece is hashed and handed on, the next is encrypted, and the one behind it read. */
async function* textsOf(
  reader: ByteReader,
  first: Bytes,
  pieces: Pieces,
  { pieceBytes, maxContentBytes }: Environment,
  watch: Watch,
): AsyncGenerator<Bytes, number, void> {
  let offset = 0;
  const encrypt = (piece: Bytes) => {
    // Under GCM's limit no counter block comes twice.
    if (offset + piece.length > maxContentBytes) throw tooLong();
    const encrypting = attended(pieces.crypt(offset, piece));
    offset += piece.length;
    return encrypting;
  };
  let piece = first;
  let encrypting = encrypt(piece);
  while (piece.length > 0) {
    const isLast = piece.length < pieceBytes;
    const reading = isLast ? new Uint8Array() : attended(reader.read(pieceBytes));
    const text = await encrypting.catch(failed);
    const hashing = attended(pieces.hash(text));
    const following = await watch.during(reading);
    if (following.length > 0) encrypting = encrypt(following);
    yield text;
    watch.check();
    await hashing.catch(failed);
    watch.advance(piece.length);
    piece = following;
  }
  return offset;
}

function failed(cause: unknown): never {
  throw cause instanceof KunjiError ? cause : cipherFailure(cause);
}

/** Wipes the raw key as soon as WebCrypto has it. */
async function cipherWith(key: Bytes, random: Bytes, subtle: SubtleCrypto | undefined): Promise<PieceCipher> {
  // The data key is what is drawn first, and random bytes are wiped at the end.
  if (!subtle) {
    key.fill(0);
    return pieceCipherOfWasm(random.subarray(0, key.length));
  }
  try {
    const [ctr, gcm] = await Promise.all([
      subtle.importKey("raw", key, "AES-CTR", false, ["encrypt"]),
      subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]),
    ]);
    return pieceCipherOfWebCrypto(subtle, ctr, gcm);
  } catch (cause) {
    throw cipherFailure(cause);
  } finally {
    key.fill(0);
  }
}

function tooLong(): KunjiError {
  return new KunjiError(
    "packet.too_long",
    "the content is longer than AES-GCM takes (64 GiB)",
    "split it into several packets",
  );
}
