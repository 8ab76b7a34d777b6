/** A multiple of 3, so that the pieces' encodings can be joined; small enough to be spread into arguments. */
const PIECE_BYTES = 3 * 4096;

/** Base64 of RFC 4648 section 4. */
export function encodeBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    pieces.push(btoa(String.fromCharCode(...bytes.subarray(at, at + PIECE_BYTES))));
  }
  return pieces.join("");
}

/** Undoes {@link encodeBase64}; throws on text that is no base64. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
