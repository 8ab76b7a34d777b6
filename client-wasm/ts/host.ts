// Makes plain objects out of what the WebAssembly side has to say. Byte arrays that come in are views into its memory.

import type { ErrorCode } from "#api";
import type { PacketReading, ParsedPacket } from "#layouts";
import { KunjiError } from "./errors.ts";

type Copy = Uint8Array<ArrayBuffer>;

const copy = (view: Uint8Array): Copy => new Uint8Array(view);

export interface CheckedCertificate {
  readonly der: Copy;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Copy;
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

/** What a content is sealed with, and what stands around it. */
export interface BodyPlan {
  readonly prefix: Copy;
  readonly nonce: Copy;
  readonly aad: Copy;
  readonly suffix: Copy;
}

export interface KeyedBodyPlan extends BodyPlan {
  readonly key: Copy;
  readonly wrappedKey: Copy;
}

/** A sealed content, taken apart: `text` is ciphertext and tag. */
export interface Body {
  readonly nonce: Copy;
  readonly aad: Copy;
  readonly text: Copy;
}

export interface StoredEntry {
  readonly name: string;
  readonly stored: Copy;
  readonly isDeflated: boolean;
  readonly length: number;
  readonly crc32: number;
}

export function failure(code: string, message: string, hint: string): KunjiError {
  return new KunjiError(code as ErrorCode, message, hint);
}

export function checkedCertificate(
  der: Uint8Array,
  publicKey: Uint8Array,
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
    publicKey: copy(publicKey),
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

export function bodyPlan(
  key: Uint8Array,
  wrappedKey: Uint8Array,
  prefix: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  suffix: Uint8Array,
): KeyedBodyPlan {
  return {
    key: copy(key),
    wrappedKey: copy(wrappedKey),
    prefix: copy(prefix),
    nonce: copy(nonce),
    aad: copy(aad),
    suffix: copy(suffix),
  };
}

export function reading(
  modulusLength: number,
  hasThumbprint: boolean,
  wrappedKeyStart: bigint,
  splitterLength: bigint,
  bodyStart: bigint,
  bodyEnd: bigint,
): PacketReading {
  const [start, bytes, body, end] = [wrappedKeyStart, splitterLength, bodyStart, bodyEnd].map(Number) as Offsets;
  return {
    modulusLength: modulusLength as PacketReading["modulusLength"],
    hasThumbprint,
    wrappedKey: { start, end: body - bytes },
    splitter: { start: body - bytes, end: body },
    body: { start: body, end },
  };
}

type Offsets = [number, number, number, number];

export function parsedPacket(
  hasHeader: boolean,
  thumbprint: string | undefined,
  readings: PacketReading[],
): ParsedPacket {
  return { hasHeader, thumbprint, readings };
}

export function body(nonce: Uint8Array, aad: Uint8Array, text: Uint8Array): Body {
  return { nonce: copy(nonce), aad: copy(aad), text: copy(text) };
}

export function entry(
  name: string,
  stored: Uint8Array,
  isDeflated: boolean,
  length: number,
  crc32: number,
): StoredEntry {
  return { name, stored: copy(stored), isDeflated, length, crc32 };
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
