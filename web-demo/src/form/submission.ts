import { encryptPacket, type Recipient } from "@kunji/client";
import { formatBytes, formatDay } from "../shared/format.ts";
import { t } from "../shared/language.ts";
import { encodeRegistration, type Registration } from "../shared/registration.ts";
import type { Office } from "./office.ts";
import type { Outbox } from "./outbox.ts";
import { type Receipt, sendPacket } from "./send.ts";
import type { Steps } from "./steps.ts";

/** What the steps took, in milliseconds. */
export interface Timings {
  readonly certificate: number;
  readonly encrypt: number;
  /** Undefined when the packet stays here. */
  readonly send: number | undefined;
}

/** What came of a submission. */
export interface Submitted {
  readonly recipient: Recipient;
  /** The recipient's certificate, and those that vouch for it up to one that the form trusts (PEM). */
  readonly chain: readonly string[];
  readonly timings: Timings;
  readonly packet: Uint8Array<ArrayBuffer>;
  /** Null when the packet is still here only: when the server takes no packets, or the device is offline. */
  readonly receipt: Receipt | null;
  /** Whether it is kept here, and sent later. */
  readonly isKept: boolean;
}

/**
 * The whole way: the certificate is fetched and checked, the registration encrypted for it, and the packet, nothing
 * else, sent, or kept while the device is offline.
 */
export async function submit(
  registration: Registration,
  steps: Steps,
  office: Office,
  outbox: Outbox,
): Promise<Submitted> {
  const isOnline = navigator.onLine;
  steps.begin(isOnline);
  steps.start("certificate", "Checking the certificate.");
  const certificateTime = stopwatch();
  const { settings, recipient, chain } = await office.locate(({ inbox }) => {
    if (!inbox) {
      steps.begin(false);
      steps.start("certificate", "Checking the certificate.");
    }
  });
  const certificate = certificateTime();
  steps.finish("certificate", t("trusted, and valid until {day}", { day: formatDay(recipient.notAfter) }));

  steps.start("encrypt", "Certificate checked. Encrypting.");
  const encryptTime = stopwatch();
  const packet = await encryptPacket(encodeRegistration(registration), recipient);
  const encrypt = encryptTime();
  steps.finish("encrypt", t("one packet of {size}", { size: formatBytes(packet.length) }));
  const made = { recipient, chain, packet };
  if (!settings.inbox || !isOnline) {
    if (settings.inbox) await outbox.keep(packet);
    return {
      ...made,
      timings: { certificate, encrypt, send: undefined },
      receipt: null,
      isKept: settings.inbox,
    };
  }

  steps.start("send", "Encrypted. Sending the packet.");
  const sendTime = stopwatch();
  const receipt = await sendPacket(packet, (share) => {
    steps.detail("send", `${Math.floor(share * 100)} %`);
    if (share === 1) {
      steps.finish("send", "100 %");
      steps.start("receipt", "Sent. Waiting for the receipt.");
    }
  });
  steps.finish("send", "100 %");
  steps.finish("receipt", t("the office has stored the packet"));
  return { ...made, timings: { certificate, encrypt, send: sendTime() }, receipt, isKept: false };
}

/** Tells the milliseconds since it was made. */
function stopwatch(): () => number {
  const start = performance.now();
  return () => performance.now() - start;
}
