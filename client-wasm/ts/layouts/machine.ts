// Contents for the key of a registration machine.

import type { BinaryInput } from "#api";
import type { MachineKind, MachineOptions, OpenMachineOptions, WholeInput } from "#layouts";
import { type Environment, hostEnvironment } from "../environment.ts";
import { binaryOf, bytesOf, isUint8Array, WHOLE, wrongType } from "../input.ts";
import type { Bytes } from "../pieces/reader.ts";
import { usableKey } from "../unwrap.ts";
import { BodyKind, openBody, readBody, sealBody, withDataKey, withPlan, withRandom } from "./body.ts";
import { bytesOfBase64, optionsOf } from "./text.ts";

/** Data key 32, OAEP seed 32, nonce 12, associated data 32. */
const RANDOM_BYTES = 108;
const KINDS: readonly MachineKind[] = ["local", "android", "tpm"];
/** Of TPMs. */
const LABEL = new Uint8Array(1);

export async function encryptForMachine(
  data: WholeInput,
  publicKey: string | Uint8Array,
  options: MachineOptions = {},
): Promise<Bytes> {
  return await sealForMachine(data, publicKey, options, hostEnvironment());
}

export async function sealForMachine(
  data: WholeInput,
  publicKey: string | Uint8Array,
  options: MachineOptions,
  environment: Environment,
): Promise<Bytes> {
  const { kind = "local" } = optionsOf(options);
  if (!KINDS.includes(kind)) throw wrongType("options.kind", '"local", "android" or "tpm"');
  const content = await bytesOf(data, WHOLE);
  const key = isUint8Array(publicKey) ? publicKey : bytesOfBase64("publicKey", publicKey);
  return await withRandom(RANDOM_BYTES, environment, (random) =>
    withPlan(BodyKind[kind], key, random, (plan) => sealBody(plan.key, plan, content, environment)),
  );
}

export async function decryptForMachine(
  sealed: BinaryInput,
  privateKey: CryptoKey,
  options: OpenMachineOptions = {},
): Promise<Bytes> {
  return await openForMachine(sealed, privateKey, options, hostEnvironment());
}

export async function openForMachine(
  sealed: BinaryInput,
  privateKey: CryptoKey,
  options: OpenMachineOptions,
  environment: Environment,
): Promise<Bytes> {
  const { kind = "local" } = optionsOf(options);
  // WebCrypto has no OAEP with two hashes, which Android's needs.
  if (kind !== "local" && kind !== "tpm") throw wrongType("options.kind", '"local" or "tpm"');
  const modulusLength = usableKey(privateKey);
  const bytes = new Uint8Array(await binaryOf(sealed));
  const body = await readBody(BodyKind[kind], bytes, modulusLength);
  const oldBody = await readBody(BodyKind.machineAsItWas, bytes, modulusLength);
  const wrapped = bytes.slice(0, modulusLength / 8);
  const open = (key: Bytes) => openBody(key, body, environment).catch(() => openBody(key, oldBody, environment));
  return await withDataKey(privateKey, wrapped, environment, open, kind === "tpm" ? LABEL : undefined);
}
