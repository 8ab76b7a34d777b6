// Contents under a PIN.

import type { BinaryInput } from "#api";
import type { PinOptions, WholeInput } from "#layouts";
import { type Environment, hostEnvironment } from "../environment.ts";
import { KunjiError, webCryptoMissing } from "../errors.ts";
import { binaryOf, bytesOf, encoded, WHOLE } from "../input.ts";
import type { Bytes } from "../pieces/reader.ts";
import { BodyKind, openBody, readBody, sealBody, withPlan, withRandom } from "./body.ts";
import { optionsOf, textOf } from "./text.ts";

/** Salt 32, nonce 12. */
const RANDOM_BYTES = 44;
const KEY_BITS = 256;
const DEFAULT_ITERATIONS = 100_000;
const MAX_ITERATIONS = 10_000_000;

export async function encryptWithPin(data: WholeInput, pin: string, options: PinOptions = {}): Promise<Bytes> {
  return await sealWithPin(data, pin, options, hostEnvironment());
}

export async function sealWithPin(
  data: WholeInput,
  pin: string,
  options: PinOptions,
  environment: Environment,
): Promise<Bytes> {
  const iterations = iterationsOf(options);
  const password = encoded(textOf("pin", pin));
  const content = await bytesOf(data, WHOLE);
  return await withRandom(RANDOM_BYTES, environment, (random) =>
    withPlan(BodyKind.pin, new Uint8Array(), random, (plan) =>
      withKey(password, plan.aad, iterations, environment, (key) => sealBody(key, plan, content, environment)),
    ),
  );
}

export async function decryptWithPin(sealed: BinaryInput, pin: string, options: PinOptions = {}): Promise<Bytes> {
  return await openWithPin(sealed, pin, options, hostEnvironment());
}

export async function openWithPin(
  sealed: BinaryInput,
  pin: string,
  options: PinOptions,
  environment: Environment,
): Promise<Bytes> {
  const iterations = iterationsOf(options);
  const password = encoded(textOf("pin", pin));
  const body = await readBody(BodyKind.pin, await binaryOf(sealed));
  return await withKey(password, body.aad, iterations, environment, (key) => openBody(key, body, environment));
}

function iterationsOf(options: PinOptions): number {
  const { iterations = DEFAULT_ITERATIONS } = optionsOf(options);
  if (Number.isInteger(iterations) && iterations >= 1 && iterations <= MAX_ITERATIONS) return iterations;
  throw new KunjiError(
    "layout.iterations",
    "a number of iterations that is not supported",
    `use 1 to ${MAX_ITERATIONS}, and ${DEFAULT_ITERATIONS} unless told otherwise`,
  );
}

/** PBKDF2-HMAC-SHA-512; RFC 8018 section 5.2. */
async function withKey<T>(
  password: Bytes,
  salt: Bytes,
  iterations: number,
  { subtle }: Environment,
  use: (key: Bytes) => Promise<T>,
): Promise<T> {
  if (!subtle) throw webCryptoMissing("derives keys from PINs");
  const pin = await subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  password.fill(0);
  const parameters = { name: "PBKDF2", hash: "SHA-512", salt, iterations };
  const key = new Uint8Array(await subtle.deriveBits(parameters, pin, KEY_BITS));
  try {
    return await use(key);
  } finally {
    key.fill(0);
  }
}
