import type { RecipientOptions } from "#api";
import type { CheckedCertificate } from "./host.ts";
import { wrongType } from "./input.ts";
import { withBindings } from "./wasm.ts";

/** What sealing needs of a recipient. Not a property: a recipient that was not checked has none. */
const certificates = new WeakMap<Recipient, Uint8Array>();

export class Recipient {
  readonly thumbprint: string;
  readonly subject: string;
  readonly modulusLength: 2048 | 3072 | 4096;
  readonly pem: string;
  // Dates can be changed: everybody gets one of their own.
  declare readonly notBefore: Date;
  declare readonly notAfter: Date;

  constructor(checked: CheckedCertificate) {
    this.thumbprint = checked.thumbprint;
    this.subject = checked.subject;
    this.modulusLength = checked.modulusLength as 2048 | 3072 | 4096;
    this.pem = checked.pem;
    Object.defineProperty(this, "notBefore", { get: () => new Date(checked.notBefore), enumerable: true });
    Object.defineProperty(this, "notAfter", { get: () => new Date(checked.notAfter), enumerable: true });
    Object.freeze(this);
  }
}

/** DER of the certificate that was checked. */
export function certificateOf(recipient: Recipient): Uint8Array {
  const certificate = certificates.get(recipient);
  if (!certificate) throw wrongType("recipient", "the result of parseRecipient or fetchRecipient");
  return certificate;
}

export async function parseRecipient(pem: string, options: RecipientOptions): Promise<Recipient> {
  if (typeof pem !== "string") throw wrongType("pem", "a string");
  const { anchors, now } = checkedOptions(options);
  return await checkAt(pem, anchors, now ?? new Date());
}

/** Checks `pem` at the instant `now`. */
export async function checkAt(pem: string, anchors: readonly string[], now: Date): Promise<Recipient> {
  return recipientOf(await checkCertificate(pem, anchors, now, false));
}

/** For the certificate of a recipient that was checked already, in the page that this worker belongs to. */
export function checkedElsewhere(pem: string, der: Uint8Array): Recipient {
  return recipientOf({ pem, der } as CheckedCertificate);
}

function recipientOf(checked: CheckedCertificate): Recipient {
  const recipient = new Recipient(checked);
  certificates.set(recipient, checked.der);
  return recipient;
}

/** Checks a certificate that is to be encrypted for, or `signs`. */
export async function checkCertificate(
  pem: string,
  anchors: readonly string[],
  now: Date,
  signs: boolean,
): Promise<CheckedCertificate> {
  const seconds = BigInt(Math.floor(now.getTime() / 1000));
  return await withBindings((bindings) => bindings.checkCertificate(pem, anchors, seconds, signs));
}

/** A copy of the options, if they are what they should be. */
export function checkedOptions(options: RecipientOptions): RecipientOptions {
  const given: unknown = options?.anchors;
  // Array.from makes undefined out of what a sparse array lacks.
  const anchors: unknown[] = Array.isArray(given) ? Array.from(given) : [undefined];
  if (!anchors.every((anchor) => typeof anchor === "string")) {
    throw wrongType("options.anchors", "an array of PEM strings");
  }
  const { now } = options;
  return { anchors, now: now === undefined ? undefined : new Date(instantOf(now)) };
}

function instantOf(now: Date): number {
  let milliseconds = Number.NaN;
  try {
    // By the method, since a frame has a constructor of its own.
    milliseconds = Date.prototype.getTime.call(now);
  } catch {
    // It is no Date.
  }
  if (!Number.isFinite(milliseconds)) throw wrongType("options.now", "a valid Date");
  return milliseconds;
}
