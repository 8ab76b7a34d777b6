import type { EncryptOptions, EncryptRegistrationOptions, Input } from "#api";
import { type Environment, hostEnvironment, type Layout, REGISTRATION, WEB_CRYPTO_NONCE_BYTES } from "./environment.ts";
import { cipherFailure } from "./errors.ts";
import { bytesOf, layoutWith, remaining, sizeOf } from "./input.ts";
import { RANDOM_BYTES, type SealedPieces, sealInPieces, TAG_BYTES } from "./pieces/seal.ts";
import { certificateOf, type Recipient } from "./recipient.ts";
import { inputReader } from "./streams.ts";
import { withBindings } from "./wasm.ts";
import { Watch } from "./watch.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export async function encryptPacket(data: Input, recipient: Recipient, options: EncryptOptions = {}): Promise<Bytes> {
  return await seal(data, recipient, layoutWith(options), hostEnvironment(), new Watch(options));
}

export async function encryptRegistrationPacket(
  data: Input,
  recipient: Recipient,
  options: EncryptRegistrationOptions = {},
): Promise<Bytes> {
  return await seal(data, recipient, REGISTRATION, hostEnvironment(), new Watch(options));
}

export async function seal(
  data: Input,
  recipient: Recipient,
  layout: Layout,
  environment: Environment,
  watch = new Watch(),
): Promise<Bytes> {
  const certificate = certificateOf(recipient);
  const size = sizeOf(data);
  if (size === undefined || size > environment.sealInPiecesFrom) {
    return await collected(await sealInPieces(inputReader(data), certificate, layout, environment, watch), watch);
  }
  const content = await watch.during(bytesOf(data));
  watch.total(content.length);
  const packet = await watch.during(sealAtOnce(content, certificate, layout, environment));
  watch.advance(content.length);
  return packet;
}

/**
 * The whole of a packet that is made in pieces. A stream gives way when its reader does; here nobody else would, and
 * giving way in between would keep the browser from taking back what a stream's reader has let go.
 */
async function collected({ length, parts }: SealedPieces, watch: Watch): Promise<Bytes> {
  if (length === undefined) {
    const made: Bytes[] = [];
    for await (const part of parts) {
      made.push(part);
      await watch.pause();
    }
    return concatenate(...made);
  }
  const whole = allocate(length);
  let offset = 0;
  for await (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
    await watch.pause();
  }
  return whole;
}

async function sealAtOnce(
  content: Bytes,
  certificate: Uint8Array,
  layout: Layout,
  environment: Environment,
): Promise<Bytes> {
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
  content: Bytes,
  certificate: Uint8Array,
  random: Uint8Array,
  { registration, salt, aad }: Layout,
  { splitter }: Environment,
  subtle: SubtleCrypto,
): Promise<Bytes> {
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

async function importKey(subtle: SubtleCrypto, raw: Bytes): Promise<CryptoKey> {
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
  iv: Bytes,
  additionalData: Bytes,
  content: Bytes,
): Promise<Bytes> {
  try {
    return new Uint8Array(await subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, content));
  } catch (cause) {
    throw cipherFailure(cause);
  }
}

function concatenate(...parts: Uint8Array[]): Bytes {
  const whole = allocate(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function allocate(length: number): Bytes {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    // There is no memory for it.
    throw cipherFailure(cause);
  }
}
