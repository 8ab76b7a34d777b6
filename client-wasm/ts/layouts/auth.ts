// Requests to ID Authentication, and the biometric blocks in them.

import type {
  AuthRequest,
  BiometricBlock,
  Capture,
  SealedAuthRequest,
  SealedBiometricBlock,
  WholeInput,
} from "#layouts";
import { type Environment, hostEnvironment } from "../environment.ts";
import { decryptionFailure } from "../errors.ts";
import type { KeyedBodyPlan } from "../host.ts";
import { bytesOf, WHOLE } from "../input.ts";
import { isEqual } from "../pieces/cipher.ts";
import type { Bytes } from "../pieces/reader.ts";
import { certificateOf, type Recipient } from "../recipient.ts";
import { usableKey } from "../unwrap.ts";
import { withBindings } from "../wasm.ts";
import { BodyKind, openBody, readBody, sealBody, withDataKey, withPlan, withRandom } from "./body.ts";
import { base64Url, bytesOfBase64, optionsOf, textOf } from "./text.ts";

/** Data key 32, OAEP seed 32, two nonces of 16. */
const AUTH_RANDOM_BYTES = 96;
/** Data key 32, OAEP seed 32. */
const BLOCK_RANDOM_BYTES = 64;

export async function encryptAuthRequest(request: WholeInput, recipient: Recipient): Promise<SealedAuthRequest> {
  return await sealAuthRequest(request, recipient, hostEnvironment());
}

export async function sealAuthRequest(
  request: WholeInput,
  recipient: Recipient,
  environment: Environment,
): Promise<SealedAuthRequest> {
  const certificate = certificateOf(recipient);
  // Sealed and hashed are the same bytes.
  const json = new Uint8Array(await bytesOf(request, WHOLE));
  return await withRandom(AUTH_RANDOM_BYTES, environment, async (random) => {
    const sealed = async (kind: BodyKind, content: Bytes) =>
      await withPlan(kind, certificate, random, async (plan) => ({
        sessionKey: base64Url(plan.wrappedKey),
        text: base64Url(await sealBody(plan.key, plan, content, environment)),
      }));
    const member = await sealed(BodyKind.authRequest, json);
    const hash = await sealed(BodyKind.authRequestHash, await hashOf(json));
    const thumbprint = Uint8Array.from(recipient.thumbprint.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    return {
      request: member.text,
      requestHMAC: hash.text,
      requestSessionKey: member.sessionKey,
      thumbprint: base64Url(thumbprint),
    };
  });
}

export async function decryptAuthRequest(request: AuthRequest, privateKey: CryptoKey): Promise<Bytes> {
  return await openAuthRequest(request, privateKey, hostEnvironment());
}

export async function openAuthRequest(
  request: AuthRequest,
  privateKey: CryptoKey,
  environment: Environment,
): Promise<Bytes> {
  const wrappedBytes = usableKey(privateKey) / 8;
  const { request: sealed, requestHMAC, requestSessionKey } = optionsOf(request);
  const body = await readBody(BodyKind.authRequest, bytesOfBase64("request", sealed));
  const hash = await readBody(BodyKind.authRequestHash, bytesOfBase64("requestHMAC", requestHMAC));
  // Some clients put the thumbprint in front of it.
  const wrapped = bytesOfBase64("requestSessionKey", requestSessionKey).slice(-wrappedBytes);
  return await withDataKey(privateKey, wrapped, environment, async (key) => {
    const results = await Promise.allSettled([openBody(key, body, environment), openBody(key, hash, environment)]);
    const [json, given] = results.map((result) => (result.status === "fulfilled" ? result.value : undefined));
    if (!json || !given) throw decryptionFailure();
    if (!isEqual(await hashOf(json), given)) throw decryptionFailure();
    return json;
  });
}

async function hashOf(json: Bytes): Promise<Bytes> {
  return new TextEncoder().encode(await withBindings((bindings) => bindings.authRequestHash(json)));
}

export async function encryptBiometricBlock(
  data: WholeInput,
  recipient: Recipient,
  capture: Capture,
): Promise<SealedBiometricBlock> {
  return await sealBiometricBlock(data, recipient, capture, hostEnvironment());
}

export async function sealBiometricBlock(
  data: WholeInput,
  recipient: Recipient,
  capture: Capture,
  environment: Environment,
): Promise<SealedBiometricBlock> {
  const certificate = certificateOf(recipient);
  const bound = captureOf(capture);
  const content = await bytesOf(data, WHOLE);
  return await withRandom(BLOCK_RANDOM_BYTES, environment, (random) => {
    const sealed = async (plan: KeyedBodyPlan) => ({
      data: base64Url(await sealBody(plan.key, plan, content, environment)),
      sessionKey: base64Url(plan.wrappedKey),
      thumbprint: recipient.thumbprint.toUpperCase(),
    });
    return withPlan(BodyKind.biometricBlock, certificate, random, sealed, bound);
  });
}

export async function decryptBiometricBlock(
  block: BiometricBlock,
  privateKey: CryptoKey,
  capture: Capture,
): Promise<Bytes> {
  return await openBiometricBlock(block, privateKey, capture, hostEnvironment());
}

export async function openBiometricBlock(
  block: BiometricBlock,
  privateKey: CryptoKey,
  capture: Capture,
  environment: Environment,
): Promise<Bytes> {
  usableKey(privateKey);
  const { data, sessionKey } = optionsOf(block);
  const wrapped = bytesOfBase64("sessionKey", sessionKey);
  const body = await readBody(BodyKind.biometricBlock, bytesOfBase64("data", data), 0, captureOf(capture));
  return await withDataKey(privateKey, wrapped, environment, (key) => openBody(key, body, environment));
}

function captureOf(capture: Capture): Capture {
  const { timestamp, transactionId } = optionsOf(capture);
  return { timestamp: textOf("timestamp", timestamp), transactionId: textOf("transactionId", transactionId) };
}
