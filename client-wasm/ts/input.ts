import type { BinaryInput, Input } from "#api";
import { KunjiError } from "./errors.ts";

/** The bytes of `data`, without a copy where there can be none. */
export async function bytesOf(
  data: Input,
  accepted = "Uint8Array, ArrayBuffer, Blob or string",
): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (isUint8Array(data)) return plain(data);
  // By name, since frames and test runners each have their own constructors.
  switch (typeName(data)) {
    case "ArrayBuffer":
      return plain(new Uint8Array(data as ArrayBuffer));
    case "Blob":
    case "File":
      return await readBlob(data as Blob);
    default:
      throw wrongType("data", accepted);
  }
}

/** As {@link bytesOf}, but text is none. */
export async function binaryOf(data: BinaryInput): Promise<Uint8Array<ArrayBuffer>> {
  const accepted = "Uint8Array, ArrayBuffer or Blob";
  if (typeof data === "string") throw wrongType("packet", accepted);
  return await bytesOf(data, accepted);
}

/** A `Uint8Array` option, if it is given. */
export function optionalBytes(name: string, value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined;
  if (!isUint8Array(value)) throw wrongType(name, "Uint8Array");
  return value;
}

export function wrongType(name: string, accepted: string): KunjiError {
  return new KunjiError("input.type", `${name} has a type that is not accepted`, `pass ${accepted}`);
}

export function isUint8Array(value: unknown): value is Uint8Array {
  return typeName(value) === "Uint8Array";
}

function typeName(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** WebCrypto takes no memory that is shared or can be resized. */
function plain(view: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = view;
  const isPlain = typeName(buffer) === "ArrayBuffer" && !(buffer as { resizable?: boolean }).resizable;
  return isPlain ? (view as Uint8Array<ArrayBuffer>) : new Uint8Array(view);
}

async function readBlob(blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new KunjiError(
      "input.unreadable",
      "the file cannot be read",
      "it may have been changed, moved or be too large since it was chosen; choose it again",
      { cause },
    );
  }
}
