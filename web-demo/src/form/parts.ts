import { parsePacket } from "@kunji/client/layouts";
import { t } from "../shared/language.ts";

/** A part of a packet, as `docs/packet-format.md` names it. */
export interface Part {
  readonly name: string;
  readonly what: string;
  /** Where it stands in the packet. */
  readonly start: number;
  readonly end: number;
  /** Whether its bytes are text. */
  readonly isText: boolean;
}

const HEADER_BYTES = 6;
const THUMBPRINT_BYTES = 32;
const BLOCK_BYTES = 32;
const TAG_BYTES = 16;

/** The parts of a packet that carries all that opening needs beside the key, from its first byte to its last. */
export async function partsOf(packet: Uint8Array<ArrayBuffer>): Promise<readonly Part[]> {
  const { hasHeader, readings } = await parsePacket(packet);
  const reading = readings[0];
  if (!hasHeader || reading === undefined) throw new Error("the packet has another layout");
  const { wrappedKey, splitter, body, modulusLength } = reading;
  const text = body.start + BLOCK_BYTES;
  const tag = body.end - TAG_BYTES;
  return [
    { name: t("Header"), what: t("Says which layout follows."), start: 0, end: HEADER_BYTES, isText: true },
    {
      name: t("Thumbprint"),
      what: t("SHA-256 of the office’s certificate: for whom the packet is."),
      start: HEADER_BYTES,
      end: HEADER_BYTES + THUMBPRINT_BYTES,
      isText: false,
    },
    {
      name: t("Wrapped key"),
      what: t("The key of this packet, encrypted for the office by RSA-OAEP with {bits} bits.", {
        bits: modulusLength,
      }),
      ...wrappedKey,
      isText: false,
    },
    { name: t("Splitter"), what: t("Says where the wrapped key ends."), ...splitter, isText: true },
    {
      name: t("Random block"),
      what: t("Drawn for this packet: nonce and associated data of the encryption."),
      start: body.start,
      end: text,
      isText: false,
    },
    {
      name: t("Ciphertext"),
      what: t("Name, date of birth and photo, encrypted by AES-256-GCM."),
      start: text,
      end: tag,
      isText: false,
    },
    {
      name: t("Tag"),
      what: t("Whoever changes a single bit of the packet is found out by it."),
      start: tag,
      end: body.end,
      isText: false,
    },
  ];
}
