// Binary values as JSON members have them.

import { KunjiError } from "../errors.ts";
import { wrongType } from "../input.ts";
import type { Bytes } from "../pieces/reader.ts";

/** Base64 with the url-safe alphabet, unpadded. */
export function base64Url(bytes: Uint8Array): string {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Base64 with the standard alphabet, padded. */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

/** The bytes of base64 in either alphabet, padded or not. */
export function bytesOfBase64(name: string, text: unknown): Bytes {
  if (typeof text !== "string") throw wrongType(name, "base64 text");
  const isOneAlphabet = /^([\w-]*|[A-Za-z0-9+/]*)={0,2}$/.test(text);
  try {
    if (!isOneAlphabet) throw undefined;
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, ""));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    throw new KunjiError(
      "encoding.base64",
      `${name} is not base64`,
      "use one alphabet throughout, without blanks and line breaks",
    );
  }
}

/** As many arguments as every engine takes. */
const CHUNK = 8192;

export function textOf(name: string, value: unknown): string {
  if (typeof value !== "string") throw wrongType(name, "a string");
  return value;
}

/** The options, if they are an object. */
export function optionsOf<T extends object>(options: T): T {
  if (typeof options !== "object" || options === null) throw wrongType("options", "an object");
  return options;
}
