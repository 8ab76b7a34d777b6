import type { BinaryInput, DecryptOptions } from "#api";
import { type Environment, hostEnvironment, type Layout, REGISTRATION, WEB_CRYPTO_NONCE_BYTES } from "./environment.ts";
import { KunjiError } from "./errors.ts";
import type { Span } from "./host.ts";
import { binaryOf, layoutWith, remaining } from "./input.ts";
import { unwrapKey, unwrapRaw, usableKey } from "./unwrap.ts";
import { withBindings } from "./wasm.ts";

export async function decryptPacket(
  packet: BinaryInput,
  privateKey: CryptoKey,
  options: DecryptOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return await open(packet, privateKey, layoutWith(options), hostEnvironment());
}

export async function decryptRegistrationPacket(
  packet: BinaryInput,
  privateKey: CryptoKey,
): Promise<Uint8Array<ArrayBuffer>> {
  return await open(packet, privateKey, REGISTRATION, hostEnvironment());
}

export async function open(
  packet: BinaryInput,
  privateKey: CryptoKey,
  layout: Layout,
  environment: Environment,
): Promise<Uint8Array<ArrayBuffer>> {
  const { subtle, splitter, webCryptoFrom } = environment;
  if (!subtle) {
    throw new KunjiError(
      "runtime.unsupported",
      "this page has no WebCrypto, which holds the private key",
      "open the page over HTTPS, or on localhost",
    );
  }
  const modulusLength = usableKey(privateKey);
  const bytes = await binaryOf(packet);
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
    // Not even the cause: it would tell what failed.
    throw new KunjiError(
      "packet.decryption_failed",
      "the packet cannot be decrypted",
      "check salt and AAD, that the key is the right one, and that the packet was not altered",
    );
  }
}
