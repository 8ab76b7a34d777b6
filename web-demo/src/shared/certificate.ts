import { decodeBase64 } from "./base64.ts";

/** What is shown of a certificate's names. */
export interface CertificateNames {
  readonly subject: string;
  readonly issuer: string;
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

const VERSION = 0xa0;

/**
 * Subject and issuer of a certificate (RFC 5280 section 4.1), each as the values of its name, most special first. For
 * being shown only: who may be trusted is decided elsewhere.
 */
export function readNames(pem: string): CertificateNames {
  const [certificate] = elementsIn(decodeBase64(pem.replaceAll(/-----.*?-----|\s/g, "")));
  const [signed] = elementsIn(contentOf(certificate));
  const fields = elementsIn(contentOf(signed)).filter(({ tag }) => tag !== VERSION);
  // Serial number and algorithm stand before the issuer, the validity between the two.
  return { issuer: nameIn(fields[2]), subject: nameIn(fields[4]) };
}

function nameIn(name: Element | undefined): string {
  const values = elementsIn(contentOf(name)).map((relative) => {
    const [attribute] = elementsIn(relative.content);
    const [, value] = elementsIn(contentOf(attribute));
    return new TextDecoder().decode(contentOf(value));
  });
  return values.reverse().join(", ");
}

function contentOf(element: Element | undefined): Uint8Array {
  if (element === undefined) throw new RangeError("the certificate has too few parts");
  return element.content;
}

/** The elements (ITU-T X.690) that these bytes are. */
function elementsIn(bytes: Uint8Array): Element[] {
  const elements: Element[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    const tag = view.getUint8(at);
    let length = view.getUint8(at + 1);
    at += 2;
    if (length > 0x80) {
      const octets = length & 0x7f;
      length = 0;
      for (let i = 0; i < octets; i += 1) length = length * 256 + view.getUint8(at + i);
      at += octets;
    }
    elements.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return elements;
}
