// Makes plain objects out of what the WebAssembly side has to say. Byte arrays that come in are views into its memory.

import type { ErrorCode } from "#api";
import { KunjiError } from "./errors.ts";

type Copy = Uint8Array<ArrayBuffer>;

const copy = (view: Uint8Array): Copy => new Uint8Array(view);

export interface CheckedCertificate {
  readonly der: Copy;
  readonly pem: string;
  readonly thumbprint: string;
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly modulusLength: number;
}

export interface ContentInputs {
  readonly key: Copy;
  readonly nonce: Copy;
  readonly aad: Copy;
}

export interface Surroundings {
  readonly prefix: Copy;
  readonly suffix: Copy;
}

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Frame {
  readonly wrappedKey: Span;
  /** Ciphertext and tag. */
  readonly text: Span;
  /** Undefined: the caller's salt. */
  readonly nonce: Span | undefined;
  /** Undefined: what the caller gave. */
  readonly aad: Span | undefined;
}

export function failure(code: string, message: string, hint: string): KunjiError {
  return new KunjiError(code as ErrorCode, message, hint);
}

export function checkedCertificate(
  der: Uint8Array,
  pem: string,
  thumbprint: string,
  subject: string,
  notBefore: bigint,
  notAfter: bigint,
  modulusLength: number,
): CheckedCertificate {
  const milliseconds = (seconds: bigint) => Number(seconds) * 1000;
  return {
    der: copy(der),
    pem,
    thumbprint,
    subject,
    notBefore: milliseconds(notBefore),
    notAfter: milliseconds(notAfter),
    modulusLength,
  };
}

export function contentInputs(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array): ContentInputs {
  return { key: copy(key), nonce: copy(nonce), aad: copy(aad) };
}

export function surroundings(prefix: Uint8Array, suffix: Uint8Array): Surroundings {
  return { prefix: copy(prefix), suffix: copy(suffix) };
}

export function frame(
  wrappedKeyStart: bigint,
  wrappedKeyEnd: bigint,
  textStart: bigint,
  textEnd: bigint,
  nonceStart: bigint | undefined,
  nonceEnd: bigint | undefined,
  aadStart: bigint | undefined,
  aadEnd: bigint | undefined,
): Frame {
  const span = (start: bigint, end: bigint): Span => ({ start: Number(start), end: Number(end) });
  const spanOrNone = (start: bigint | undefined, end: bigint | undefined) =>
    start === undefined || end === undefined ? undefined : span(start, end);
  return {
    wrappedKey: span(wrappedKeyStart, wrappedKeyEnd),
    text: span(textStart, textEnd),
    nonce: spanOrNone(nonceStart, nonceEnd),
    aad: spanOrNone(aadStart, aadEnd),
  };
}
