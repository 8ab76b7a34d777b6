import type { EncryptOptions, Input } from "#api";
import { type Environment, hostEnvironment, type Layout, REGISTRATION, WEB_CRYPTO_NONCE_BYTES } from "./environment.ts";
import { KunjiError } from "./errors.ts";
import { bytesOf, layoutWith, remaining } from "./input.ts";
import { certificateOf, type Recipient } from "./recipient.ts";
import { withBindings } from "./wasm.ts";

/** As much as any layout asks for: data key 32, OAEP seed 32, nonce 12, associated data 32. */
const RANDOM_BYTES = 108;
const TAG_BYTES = 16;

export async function encryptPacket(
  data: Input,
  recipient: Recipient,
  options: EncryptOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return await seal(data, recipient, layoutWith(options), hostEnvironment());
}

export async function encryptRegistrationPacket(data: Input, recipient: Recipient): Promise<Uint8Array<ArrayBuffer>> {
  return await seal(data, recipient, REGISTRATION, hostEnvironment());
}

export async function seal(
  data: Input,
  recipient: Recipient,
  layout: Layout,
  environment: Environment,
): Promise<Uint8Array<ArrayBuffer>> {
  const certificate = certificateOf(recipient);
  const content = await bytesOf(data);
  const random = new Uint8Array(RANDOM_BYTES);
  environment.random(random);
  try {
    const { subtle } = environment;
    const nonceBytes = layout.salt?.length ?? WEB_CRYPTO_NONCE_BYTES;
    if (subtle && content.length >= environment.webCryptoFrom && nonceBytes >= WEB_CRYPTO_NONCE_BYTES) {
      return await sealByWebCrypto(content, certificate, random, layout, environment, subtle);
    }
    const { registration, salt, aad } = layout;
    return await withBindings((bindings) =>
      bindings.seal(remaining(content), certificate, random, registration, salt, aad, environment.splitter),
    );
  } finally {
    random.fill(0);
  }
}

async function sealByWebCrypto(
  content: Uint8Array<ArrayBuffer>,
  certificate: Uint8Array,
  random: Uint8Array,
  { registration, salt, aad }: Layout,
  { splitter }: Environment,
  subtle: SubtleCrypto,
): Promise<Uint8Array<ArrayBuffer>> {
  const length = content.length;
  const inputs = await withBindings((bindings) => bindings.contentInputs(random, registration, salt, aad));
  const key = await importKey(subtle, inputs.key);
  // The RSA part is done here while the browser encrypts elsewhere.
  const encrypting = encrypt(subtle, key, inputs.nonce, inputs.aad, content);
  const wrapping = withBindings((bindings) =>
    bindings.surroundings(BigInt(length), certificate, random, registration, salt, aad, splitter),
  );
  const [text, { prefix, suffix }] = await Promise.all([encrypting, wrapping]);
  // Otherwise the bytes were transferred away meanwhile.
  if (text.length !== length + TAG_BYTES) throw cipherFailure(undefined);
  return concatenate(prefix, text, suffix);
}

async function importKey(subtle: SubtleCrypto, raw: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  try {
    return await subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt"]);
  } catch (cause) {
    throw cipherFailure(cause);
  } finally {
    raw.fill(0);
  }
}

async function encrypt(
  subtle: SubtleCrypto,
  key: CryptoKey,
  iv: Uint8Array<ArrayBuffer>,
  additionalData: Uint8Array<ArrayBuffer>,
  content: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, content));
  } catch (cause) {
    throw cipherFailure(cause);
  }
}

function concatenate(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  let whole: Uint8Array<ArrayBuffer>;
  try {
    whole = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  } catch (cause) {
    // There is no memory for it.
    throw cipherFailure(cause);
  }
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function cipherFailure(cause: unknown): KunjiError {
  return new KunjiError(
    "packet.cipher_failed",
    "the content could not be encrypted",
    "encrypt less at a time, and do not change the data meanwhile; nothing was made that could be sent",
    { cause },
  );
}
