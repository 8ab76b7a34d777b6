// Certificates in a file, for where there is no network.

import { KunjiError, parseRecipient } from "#client";
import type { BundledRecipient, ParseBundleOptions } from "#recipients";
import { nameOf, wrongType } from "./settings.ts";

const FORMAT = "kunji.recipients/1";

/** More than any office has. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

export interface BundleEntry {
  readonly application: string;
  readonly reference: string;
  /** PEM. */
  readonly certificate: string;
  readonly chain: readonly string[];
  /** As in RFC 3339. */
  readonly fetchedAt: string;
}

export function writeBundle(entries: readonly BundleEntry[]): string {
  const recipients = entries.map(({ application, reference, certificate, chain, fetchedAt }) => {
    return { application, reference, certificate, chain, fetchedAt };
  });
  return `${JSON.stringify({ format: FORMAT, recipients }, null, 2)}\n`;
}

/** What a bundle says. Nothing of it is checked but its form. */
export function readBundle(text: string): BundleEntry[] {
  if (typeof text !== "string") throw wrongType("bundle", "the text of a bundle");
  let bundle: { format?: unknown; recipients?: unknown } | null = null;
  try {
    bundle = text.length > MAX_CHARACTERS ? null : JSON.parse(text);
  } catch {
    // Told below.
  }
  const { format, recipients } = bundle ?? {};
  if (format !== FORMAT || !Array.isArray(recipients) || !recipients.every(isEntry)) {
    throw new KunjiError(
      "bundle.malformed",
      "the text is no bundle of recipients",
      "pass what KeyManagerClient.bundle made, unchanged",
    );
  }
  return recipients;
}

function isEntry(value: unknown): value is BundleEntry {
  if (typeof value !== "object" || value === null) return false;
  const { application, reference, certificate, chain, fetchedAt } = value as Record<keyof BundleEntry, unknown>;
  const texts = [application, reference, certificate, fetchedAt, ...(Array.isArray(chain) ? chain : [undefined])];
  return texts.every((text) => typeof text === "string") && Number.isFinite(Date.parse(fetchedAt as string));
}

export async function parseBundle(bundle: string, options: ParseBundleOptions): Promise<BundledRecipient> {
  const application = nameOf("options.application", options?.application);
  const reference = nameOf("options.reference", options?.reference);
  const { anchors, now } = options;
  const entry = readBundle(bundle).find((one) => one.application === application && one.reference === reference);
  if (!entry) {
    throw new KunjiError(
      "bundle.missing",
      `the bundle has no certificate for ${application} and ${reference}`,
      "have one made that names it",
    );
  }
  const pem = [entry.certificate, ...entry.chain].join("\n");
  const fetchedAt = new Date(entry.fetchedAt);
  try {
    return { recipient: await parseRecipient(pem, { anchors, now }), fetchedAt };
  } catch (error) {
    if (now !== undefined || !isBefore(error, fetchedAt)) throw error;
    throw new KunjiError(
      "recipient.clock",
      `this machine's clock says ${new Date().toISOString()}, but the certificate was fetched at ${fetchedAt.toISOString()}`,
      "set this machine's date, time and time zone",
      { cause: error },
    );
  }
}

/** Whether it fails for being too early on a machine where it is earlier than when the bundle was made. */
function isBefore(error: unknown, fetchedAt: Date): boolean {
  return error instanceof KunjiError && error.code === "recipient.not_yet_valid" && Date.now() < fetchedAt.getTime();
}
