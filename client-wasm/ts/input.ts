// What callers pass is checked, and copied where it is small, before anything is awaited. The checks are those of the
// engine, not names: they hold for objects of other frames and test runners, and for no imitation.

import type { BinaryInput, Input } from "#api";
import type { Layout } from "./environment.ts";
import { KunjiError } from "./errors.ts";

/** What is wholly in memory while it is encrypted. */
export const WHOLE = "Uint8Array, ArrayBuffer, Blob or string";

/** The bytes of `data`, without a copy where there can be none. They may be gone by the time they are read. */
export async function bytesOf(
  data: Input,
  accepted = "Uint8Array, ArrayBuffer, Blob, ReadableStream or string",
): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof data === "string") return encoded(data);
  if (isUint8Array(data)) return plain("data", data);
  if (isArrayBuffer(data)) return plain("data", { buffer: data, byteOffset: 0, byteLength: undefined });
  if (isTagged(data, "Blob") || isTagged(data, "File")) return await readBlob(data as Blob);
  throw wrongType("data", accepted);
}

/** How many bytes there are, where that can be told without reading them. Text counts as short. */
export function sizeOf(data: Input): number | undefined {
  if (typeof data === "string") return data.length;
  if (isUint8Array(data) || isArrayBuffer(data)) return data.byteLength;
  return isTagged(data, "ReadableStream") ? undefined : ((data as Blob | undefined)?.size ?? 0);
}

/** As {@link bytesOf}, but text is none. */
export async function binaryOf(data: BinaryInput): Promise<Uint8Array<ArrayBuffer>> {
  const accepted = "Uint8Array, ArrayBuffer or Blob";
  if (typeof data === "string") throw wrongType("packet", accepted);
  return await bytesOf(data, accepted);
}

/** A layout with these options. */
export function layoutWith(options: { readonly salt?: unknown; readonly aad?: unknown }): Layout {
  if (typeof options !== "object" || options === null) throw wrongType("options", "an object, or nothing");
  const { salt, aad } = options;
  return {
    registration: false,
    salt: optionalBytes("options.salt", salt),
    aad: optionalBytes("options.aad", aad),
  };
}

/** Bytes that are there: those that were transferred away since the call have the length 0 and cannot be read. */
export function remaining(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.length === 0 ? new Uint8Array() : bytes;
}

export function wrongType(name: string, accepted: string): KunjiError {
  return new KunjiError("input.type", `${name} has a type that is not accepted`, `pass ${accepted}`);
}

const taggedAs = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag);

export function isUint8Array(value: unknown): value is Uint8Array {
  return taggedAs?.get?.call(value) === "Uint8Array";
}

export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  try {
    ArrayBuffer.prototype.slice.call(value, 0, 0);
    return true;
  } catch {
    // One that was transferred away is one all the same.
    return isTagged(value, "ArrayBuffer");
  }
}

/** For objects of the host, which say of what type they are. */
export function isTagged(value: unknown, type: string): boolean {
  return Object.prototype.toString.call(value) === `[object ${type}]`;
}

function optionalBytes(name: string, value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (!isUint8Array(value)) throw wrongType(name, "Uint8Array");
  return new Uint8Array(plain(name, value));
}

export function encoded(text: string): Uint8Array<ArrayBuffer> {
  if (/\p{Surrogate}/u.test(text)) {
    throw new KunjiError(
      "input.type",
      "the text has half a character in it, which has no bytes",
      "do not cut strings between the halves of a character; pass other bytes as Uint8Array",
    );
  }
  return new TextEncoder().encode(text);
}

interface View {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number | undefined;
}

/** WebCrypto takes no memory that is shared or can be resized. */
export function plain(name: string, { buffer, byteOffset, byteLength }: View): Uint8Array<ArrayBuffer> {
  let view: Uint8Array<ArrayBufferLike>;
  try {
    view = new Uint8Array(buffer, byteOffset, byteLength);
  } catch {
    throw wrongType(name, "bytes that were not transferred to elsewhere");
  }
  if (isArrayBuffer(buffer) && !(buffer as { resizable?: boolean }).resizable) return view as Uint8Array<ArrayBuffer>;
  try {
    return new Uint8Array(view);
  } catch (cause) {
    throw unreadable("there is no memory for a copy of the bytes", "pass less at a time", cause);
  }
}

async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw unreadableFile(cause);
  }
}

export function unreadableFile(cause: unknown): KunjiError {
  return unreadable(
    "the file cannot be read",
    "it may have been changed, moved or be too large since it was chosen; choose it again",
    cause,
  );
}

export function unreadable(message: string, hint: string, cause: unknown): KunjiError {
  return new KunjiError("input.unreadable", message, hint, { cause });
}
