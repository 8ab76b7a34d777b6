// Certificates in the header of a signature, in all the forms in which they are found: base64 of DER, as the standard
// says, or of PEM text, either with line breaks in it.

import { base64, bytesOfBase64 } from "../layouts/text.ts";

const MAX_CERTIFICATES = 16;
const PEM = "-----BEGIN";

/** As PEM, in their order; undefined if they are no certificates. */
export function certificatesIn(x5c: unknown): string[] | undefined {
  if (x5c === undefined) return [];
  const isList = Array.isArray(x5c) && x5c.length <= MAX_CERTIFICATES && x5c.every((one) => typeof one === "string");
  if (!isList) return undefined;
  try {
    return (x5c as string[]).map(pemOf);
  } catch {
    return undefined;
  }
}

function pemOf(text: string): string {
  const bytes = bytesOfBase64("x5c", text.replace(/\s/g, ""));
  const decoded = new TextDecoder().decode(bytes.subarray(0, PEM.length));
  if (decoded === PEM) return new TextDecoder().decode(bytes);
  const lines = base64(bytes).match(/.{1,64}/g) ?? [];
  return `${PEM} CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
