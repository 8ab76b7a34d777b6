// Contents whose key travels elsewhere: sealed and opened by WebCrypto, or by WebAssembly where there is none and for
// what is short.

import { type Environment, WEB_CRYPTO_NONCE_BYTES } from "../environment.ts";
import { cipherFailure, decryptionFailure, KunjiError, webCryptoMissing } from "../errors.ts";
import type { Body, BodyPlan, KeyedBodyPlan } from "../host.ts";
import { remaining } from "../input.ts";
import type { Bytes } from "../pieces/reader.ts";
import { unwrapRaw } from "../unwrap.ts";
import { withBindings } from "../wasm.ts";

/** As the WebAssembly side numbers the layouts. */
export const BodyKind = {
  authRequest: 0,
  authRequestHash: 1,
  biometricBlock: 2,
  pin: 3,
  local: 4,
  android: 5,
  tpm: 6,
  machineAsItWas: 7,
} as const;

export type BodyKind = (typeof BodyKind)[keyof typeof BodyKind];

/** What a biometric block is bound to, and nothing else is. */
interface Bound {
  readonly timestamp: string;
  readonly transactionId: string;
}

const UNBOUND: Bound = { timestamp: "", transactionId: "" };

/** Runs `use` on what a content for `subject` is sealed with, and wipes the key. */
export async function withPlan<T>(
  kind: BodyKind,
  subject: Uint8Array,
  random: Bytes,
  use: (plan: KeyedBodyPlan) => Promise<T>,
  { timestamp, transactionId }: Bound = UNBOUND,
): Promise<T> {
  const plan = await withBindings((bindings) => bindings.planBody(kind, subject, random, timestamp, transactionId));
  try {
    return await use(plan);
  } finally {
    plan.key.fill(0);
  }
}

export async function readBody(
  kind: BodyKind,
  sealed: Bytes,
  modulusLength = 0,
  { timestamp, transactionId }: Bound = UNBOUND,
): Promise<Body> {
  return await withBindings((bindings) => bindings.readBody(kind, sealed, modulusLength, timestamp, transactionId));
}

const DATA_KEY_BYTES = 32;
const GCM = "AES-GCM";

/** `prefix ‖ C ‖ T ‖ suffix`. The caller wipes the key. */
export async function sealBody(key: Bytes, plan: BodyPlan, content: Bytes, environment: Environment): Promise<Bytes> {
  const { prefix, suffix } = plan;
  const text = await sealText(key, plan, content, environment);
  const whole = new Uint8Array(prefix.length + text.length + suffix.length);
  whole.set(prefix);
  whole.set(text, prefix.length);
  whole.set(suffix, prefix.length + text.length);
  return whole;
}

async function sealText(
  raw: Bytes,
  { nonce, aad }: BodyPlan,
  content: Bytes,
  { subtle, webCryptoFrom }: Environment,
): Promise<Bytes> {
  const { length } = content;
  if (length === 0) throw new KunjiError("packet.empty_content", "the content is empty", "pass at least one byte");
  if (!subtle || length < webCryptoFrom) {
    return await withBindings((bindings) => bindings.sealContent(raw, nonce, aad, remaining(content)));
  }
  try {
    const key = await subtle.importKey("raw", raw, GCM, false, ["encrypt"]);
    return new Uint8Array(await subtle.encrypt({ name: GCM, iv: nonce, additionalData: aad }, key, content));
  } catch (cause) {
    throw cipherFailure(cause);
  }
}

/** The content, or one error whatever does not fit. The caller wipes the key. */
export async function openBody(
  raw: Bytes,
  { nonce, aad, text }: Body,
  { subtle, webCryptoFrom }: Environment,
): Promise<Bytes> {
  try {
    if (!subtle || nonce.length < WEB_CRYPTO_NONCE_BYTES || text.length < webCryptoFrom) {
      return await withBindings((bindings) => bindings.openContent(raw, nonce, aad, text));
    }
    const key = await subtle.importKey("raw", raw, GCM, false, ["decrypt"]);
    return new Uint8Array(await subtle.decrypt({ name: GCM, iv: nonce, additionalData: aad }, key, text));
  } catch (error) {
    // A trap has nothing to do with keys.
    if (error instanceof KunjiError && error.code === "runtime.failed") throw error;
    throw decryptionFailure();
  }
}

/** Runs `use` on the data key, and wipes it. A key that cannot be unwrapped is replaced by one that opens nothing. */
export async function withDataKey<T>(
  privateKey: CryptoKey,
  wrapped: Bytes,
  { subtle }: Environment,
  use: (key: Bytes) => Promise<T>,
  label?: Bytes,
): Promise<T> {
  if (!subtle) throw webCryptoMissing();
  let key: Bytes;
  try {
    key = await unwrapRaw(subtle, privateKey, wrapped, label);
  } catch {
    key = new Uint8Array();
  }
  if (key.length !== DATA_KEY_BYTES) {
    key.fill(0);
    key = new Uint8Array(DATA_KEY_BYTES);
  }
  try {
    return await use(key);
  } finally {
    key.fill(0);
  }
}

/** Runs `use` on random bytes, and wipes them. */
export async function withRandom<T>(
  length: number,
  { random }: Environment,
  use: (bytes: Bytes) => Promise<T>,
): Promise<T> {
  const bytes = new Uint8Array(length);
  random(bytes);
  try {
    return await use(bytes);
  } finally {
    bytes.fill(0);
  }
}
