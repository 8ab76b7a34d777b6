import type { BinaryInput, ByteStream, ReopenableSource } from "#api";
import { type Environment, type Layout, WEB_CRYPTO_NONCE_BYTES } from "./environment.ts";
import { decryptionFailure, webCryptoMissing } from "./errors.ts";
import type { Span } from "./host.ts";
import { binaryOf, remaining, sizeOf, unreadable } from "./input.ts";
import { type OpenedPieces, openInPieces, sourceOf } from "./pieces/open.ts";
import { streamOf } from "./streams.ts";
import { unwrapKey, unwrapRaw, usableKey } from "./unwrap.ts";
import { withBindings } from "./wasm.ts";
import { Watch } from "./watch.ts";

export async function open(
  packet: BinaryInput,
  privateKey: CryptoKey,
  layout: Layout,
  environment: Environment,
  watch = new Watch(),
): Promise<Uint8Array<ArrayBuffer>> {
  const { subtle } = environment;
  if (!subtle) throw webCryptoMissing();
  usableKey(privateKey);
  if ((sizeOf(packet) ?? 0) > environment.openInPiecesFrom) {
    return await collected(await openInPieces(sourceOf(packet), privateKey, layout, environment, watch));
  }
  const bytes = await watch.during(binaryOf(packet));
  watch.total(bytes.length);
  const content = await watch.during(openAtOnce(bytes, privateKey, layout, environment, subtle));
  watch.advance(bytes.length);
  return content;
}

export async function openStream(
  packet: BinaryInput | ReopenableSource,
  privateKey: CryptoKey,
  layout: Layout,
  environment: Environment,
  watch: Watch,
): Promise<ByteStream & { readonly length: number }> {
  const opened = await openInPieces(sourceOf(packet), privateKey, layout, environment, watch);
  return { readable: streamOf(opened, watch), length: opened.length };
}

/** The whole of a content that is opened in pieces, or nothing of it. */
async function collected({ length, parts }: OpenedPieces): Promise<Uint8Array<ArrayBuffer>> {
  const whole = allocated(length);
  let offset = 0;
  try {
    for await (const part of parts) {
      whole.set(part, offset);
      offset += part.length;
      part.fill(0);
    }
  } catch (error) {
    whole.fill(0);
    throw error;
  }
  return whole;
}

function allocated(length: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw unreadable("there is no memory for the content", "open it as a stream: decryptPacketStream", cause);
  }
}

async function openAtOnce(
  bytes: Uint8Array<ArrayBuffer>,
  privateKey: CryptoKey,
  layout: Layout,
  { splitter, webCryptoFrom }: Environment,
  subtle: SubtleCrypto,
): Promise<Uint8Array<ArrayBuffer>> {
  const modulusLength = usableKey(privateKey);
  const { registration, salt, aad } = layout;
  // All that can be told from public bytes is told before the key is used.
  const frame = await withBindings((bindings) => {
    const head = remaining(bytes).subarray(0, bindings.headBytes());
    return bindings.readFrame(head, BigInt(bytes.length), modulusLength, registration, salt, aad, splitter);
  });
  const part = ({ start, end }: Span) => remaining(bytes).subarray(start, end);
  const nonce = frame.nonce ? part(frame.nonce) : (salt ?? new Uint8Array());
  const additionalData = frame.aad ? part(frame.aad) : (aad ?? new Uint8Array());
  const text = part(frame.text);
  try {
    if (nonce.length >= WEB_CRYPTO_NONCE_BYTES && text.length >= webCryptoFrom) {
      const key = await unwrapKey(subtle, privateKey, part(frame.wrappedKey));
      const algorithm = { name: "AES-GCM", iv: new Uint8Array(nonce), additionalData: new Uint8Array(additionalData) };
      return new Uint8Array(await subtle.decrypt(algorithm, key, text));
    }
    const dataKey = await unwrapRaw(subtle, privateKey, part(frame.wrappedKey));
    try {
      return await withBindings((bindings) =>
        bindings.open(remaining(bytes), dataKey, modulusLength, registration, salt, aad, splitter),
      );
    } finally {
      dataKey.fill(0);
    }
  } catch {
    throw decryptionFailure();
  }
}
