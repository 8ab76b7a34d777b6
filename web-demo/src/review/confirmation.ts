import { type VerifiedJws, verifyJws } from "@kunji/client/jws";
import { readNames } from "../shared/certificate.ts";
import type { Settings } from "../shared/settings.ts";

/** The packet that a reviewer has opened, as it lay in the inbox. */
export interface OpenedPacket {
  readonly id: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  /** RFC 3339. */
  readonly received: string;
}

/** What the office signs: that a reviewer has opened a packet. */
export interface Confirmation {
  readonly packet: OpenedPacket;
  readonly reviewer: string;
  /** RFC 3339, by the clock of the reviewer's machine. */
  readonly opened: string;
}

/** A confirmation whose signature is good, and the office's. */
export interface VerifiedConfirmation {
  readonly confirmation: Confirmation;
  readonly signer: string;
  readonly issuer: string;
}

/** The office has signed it, but it is no confirmation. */
export class NoConfirmation extends Error {}

/** The signature is good, and not that of the office. */
export class OtherSigner extends Error {}

const FORMAT = "kunji.demo-confirmation/1";

const SHA256 = /^[0-9a-f]{64}$/;

/** The confirmation as UTF-8 JSON. */
export function encodeConfirmation(confirmation: Confirmation): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ format: FORMAT, ...confirmation }));
}

/**
 * Verifies a confirmation: the authority vouches for the signer, who is the office's application, and the content is
 * one. Rejects with a `KunjiError`, {@link OtherSigner} or {@link NoConfirmation}.
 */
export async function verifyConfirmation(
  jws: string,
  { anchors, application }: Settings,
): Promise<VerifiedConfirmation> {
  const { payload, signer } = await verifyJws(jws, { anchors });
  if (applicationOf(signer) !== application) throw new OtherSigner(signer.subject);
  const { subject, issuer } = readNames(signer.pem);
  return { confirmation: decodeConfirmation(payload), signer: subject, issuer };
}

/** The key manager writes it behind the common name, in brackets. */
function applicationOf({ pem }: VerifiedJws["signer"]): string | undefined {
  const [commonName = ""] = readNames(pem).subject.split(", ");
  return /\((\w+)\)$/.exec(commonName)?.[1];
}

function decodeConfirmation(bytes: Uint8Array): Confirmation {
  const value = parse(bytes);
  const packet = objectIn(value.packet);
  const { id, sha256, bytes: size, received } = packet;
  const { reviewer, opened } = value;
  const isWhole =
    value.format === FORMAT &&
    typeof id === "string" &&
    typeof sha256 === "string" &&
    SHA256.test(sha256) &&
    typeof size === "number" &&
    isTime(received) &&
    typeof reviewer === "string" &&
    isTime(opened);
  if (!isWhole) throw new NoConfirmation("something is missing");
  return { packet: { id, sha256, bytes: size, received }, reviewer, opened };
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    return objectIn(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new NoConfirmation("the content is no JSON object", { cause });
  }
}

function objectIn(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new NoConfirmation("the content is no object");
  return value as Record<string, unknown>;
}

function isTime(value: unknown): value is string {
  return typeof value === "string" && !Number.isNaN(Date.parse(value));
}
