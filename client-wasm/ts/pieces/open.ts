// Opening in pieces, in two passes: the first verifies, the second decrypts a piece only if it is the one that was
// verified. Between the two nothing is kept but 16 bytes for each piece.

import type { BinaryInput, ReopenableSource } from "#api";
import type { Environment, Layout } from "../environment.ts";
import { decryptionFailure, KunjiError, webCryptoMissing } from "../errors.ts";
import type { Frame, Span } from "../host.ts";
import { isArrayBuffer, isTagged, isUint8Array, plain, wrongType } from "../input.ts";
import { unwrapPieceKeys, usableKey } from "../unwrap.ts";
import { withBindings } from "../wasm.ts";
import { attended, type Watch } from "../watch.ts";
import { isEqual, Pieces, pieceCipherOfWebCrypto } from "./cipher.ts";
import { type ByteReader, type Bytes, readerOfBlob, readerOfBytes, readerOfStream, skip } from "./reader.ts";
import { TAG_BYTES } from "./seal.ts";

/** What can be read twice. */
export interface Source {
  readonly size: number;
  open(): Promise<ByteReader>;
}

export interface OpenedPieces {
  readonly length: number;
  /** The content, verified, to be iterated over once. */
  readonly parts: AsyncGenerator<Bytes, void, void>;
  /** Ends a read that waits, and forgets everything. */
  readonly cancel: (reason: unknown) => void;
}

/** More than stands between what `headBytes` covers and the ciphertext. */
const BLOCK_OF_AAD_BYTES = 32;

export async function openInPieces(
  source: Source,
  privateKey: CryptoKey,
  layout: Layout,
  environment: Environment,
  watch: Watch,
): Promise<OpenedPieces> {
  const { subtle, pieceBytes } = environment;
  if (!subtle) throw webCryptoMissing();
  const modulusLength = usableKey(privateKey);
  return await reading(source, watch, async (reader) => {
    const headBytes = (await withBindings((bindings) => bindings.headBytes())) + BLOCK_OF_AAD_BYTES;
    const head = await watch.during(reader.read(headBytes));
    // A source that ends within its head has no other size.
    const size = head.length < headBytes ? Math.min(head.length, source.size) : source.size;
    const frame = await frameOf(head, size, modulusLength, layout, environment);
    reader.unread(head);
    await skip(reader, frame.text.start, pieceBytes);
    const wrapped = head.slice(frame.wrappedKey.start, frame.wrappedKey.end);
    const { ctr, gcm } = await unwrapPieceKeys(subtle, privateKey, wrapped);
    const pieces = await Pieces.of(pieceCipherOfWebCrypto(subtle, ctr, gcm));
    try {
      const length = frame.text.end - frame.text.start - TAG_BYTES;
      watch.total(2 * length);
      await verify({ reader, head, frame, length, pieces, layout, pieceBytes, size }, watch);
      return secondPass(source, frame.text.start, length, pieces, pieceBytes, watch);
    } catch (error) {
      pieces.wipe();
      throw opaque(error, watch);
    }
  });
}

async function frameOf(
  head: Bytes,
  size: number,
  modulusLength: number,
  { registration, salt, aad }: Layout,
  { splitter }: Environment,
): Promise<Frame> {
  return await withBindings((bindings) =>
    bindings.readFrame(head, BigInt(size), modulusLength, registration, salt, aad, splitter),
  );
}

interface Verification {
  readonly reader: ByteReader;
  readonly head: Bytes;
  readonly frame: Frame;
  readonly length: number;
  readonly pieces: Pieces;
  readonly layout: Layout;
  readonly pieceBytes: number;
  readonly size: number;
}

/** The first pass. */
async function verify(verification: Verification, watch: Watch): Promise<void> {
  const { reader, head, frame, length, pieces, layout, pieceBytes, size } = verification;
  let hashing = Promise.resolve();
  for (let left = length; left > 0; ) {
    const piece = await watch.during(reader.read(Math.min(left, pieceBytes)));
    if (piece.length === 0) break;
    await hashing;
    watch.advance(piece.length);
    await watch.pause();
    hashing = attended(pieces.hash(piece));
    left -= piece.length;
  }
  await hashing;
  const tail = await watch.during(reader.read(size - frame.text.end + TAG_BYTES));
  const tailStart = frame.text.end - TAG_BYTES;
  const part = ({ start, end }: Span) =>
    start >= tailStart ? tail.slice(start - tailStart, end - tailStart) : head.slice(start, end);
  const given = (bytes: Uint8Array | undefined) => new Uint8Array(bytes ?? []);
  await pieces.setNonce(frame.nonce ? part(frame.nonce) : given(layout.salt));
  const aad = frame.aad ? part(frame.aad) : given(layout.aad);
  const tag = await pieces.join(aad, pieceBytes, length);
  if (!isEqual(tag, tail.slice(0, TAG_BYTES))) throw decryptionFailure();
}

function secondPass(
  source: Source,
  start: number,
  length: number,
  pieces: Pieces,
  pieceBytes: number,
  watch: Watch,
): OpenedPieces {
  let reader: ByteReader | undefined;
  const forget = watch.onAbort((reason) => reader?.cancel(reason));
  const end = (reason: unknown) => {
    forget();
    pieces.wipe();
    reader?.cancel(reason);
  };
  async function* decrypted(): AsyncGenerator<Bytes, void, void> {
    // What is compared and decrypted is a copy that nobody else has.
    const copy = new Uint8Array(Math.min(pieceBytes, length));
    try {
      reader = await watch.during(source.open());
      await skip(reader, start, pieceBytes);
      for (let offset = 0, index = 0; offset < length; index++) {
        const read = await watch.during(reader.read(Math.min(length - offset, pieceBytes)));
        copy.set(read);
        const piece = copy.subarray(0, read.length);
        const [isSame, content] = await Promise.all([pieces.isSame(index, piece), pieces.crypt(offset, piece)]);
        if (!isSame) throw decryptionFailure();
        yield content;
        offset += piece.length;
        watch.advance(piece.length);
        await watch.pause();
      }
    } catch (error) {
      throw opaque(error, watch);
    } finally {
      end(new DOMException("nothing more is wanted", "AbortError"));
    }
  }
  return { length, parts: decrypted(), cancel: end };
}

/** Runs `work` on the source's bytes from their beginning. */
async function reading<T>(source: Source, watch: Watch, work: (reader: ByteReader) => Promise<T>): Promise<T> {
  const reader = await watch.during(source.open());
  const forget = watch.onAbort((reason) => reader.cancel(reason));
  try {
    return await work(reader);
  } finally {
    forget();
    reader.cancel(new DOMException("nothing more is wanted", "AbortError"));
  }
}

/** From the use of the private key on, what has to do with keys is one error. What has to do with reading is told. */
function opaque(error: unknown, watch: Watch): unknown {
  watch.check();
  const isOfReading = error instanceof KunjiError && error.code.startsWith("input.");
  return isOfReading ? error : decryptionFailure();
}

/** What can be read twice. */
export function sourceOf(packet: BinaryInput | ReopenableSource): Source {
  if (isUint8Array(packet) || isArrayBuffer(packet)) {
    const bytes = plain(
      "packet",
      isUint8Array(packet) ? packet : { buffer: packet, byteOffset: 0, byteLength: undefined },
    );
    return { size: bytes.length, open: async () => readerOfBytes(bytes) };
  }
  if (isTagged(packet, "Blob") || isTagged(packet, "File")) {
    return { size: (packet as Blob).size, open: async () => readerOfBlob(packet as Blob) };
  }
  const { size, open } = (packet ?? {}) as Partial<ReopenableSource>;
  if (!Number.isSafeInteger(size) || typeof open !== "function") {
    throw wrongType("packet", "Uint8Array, ArrayBuffer, Blob, or { size, open } with a function that opens a stream");
  }
  return {
    size: size as number,
    async open() {
      const stream = await open.call(packet);
      if (!isTagged(stream, "ReadableStream")) throw wrongType("the result of open()", "a ReadableStream");
      return readerOfStream(stream);
    },
  };
}
