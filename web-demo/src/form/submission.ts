import { encryptPacket, fetchRecipient, type Recipient } from "@kunji/client";
import { formatBytes, formatDay } from "../shared/format.ts";
import { encodeRegistration, type Registration } from "../shared/registration.ts";
import { fetchSettings } from "../shared/settings.ts";
import { type Receipt, sendPacket } from "./send.ts";
import type { Steps } from "./steps.ts";

/** Longest wait for the certificate. */
const CERTIFICATE_MILLISECONDS = 30_000;

/** What came of a submission. */
export interface Submitted {
  readonly recipient: Recipient;
  readonly packet: Uint8Array<ArrayBuffer>;
  /** Null when the server takes no packets: then the packet is still here only. */
  readonly receipt: Receipt | null;
}

/**
 * The whole way: the certificate is fetched and checked, the registration encrypted for it, and the packet, nothing
 * else, sent. Everything is fetched again each time, so that trying again can succeed.
 */
export async function submit(registration: Registration, steps: Steps): Promise<Submitted> {
  steps.begin(true);
  steps.start("certificate", "Checking the certificate.");
  const settings = await fetchSettings();
  if (!settings.inbox) {
    steps.begin(false);
    steps.start("certificate", "Checking the certificate.");
  }
  const recipient = await fetchRecipient(settings.certificateUrl, {
    anchors: settings.anchors,
    // Browsers may keep certificates for an hour; one that was just renewed should not be waited for.
    fetch: (url, init) => fetch(url, { ...init, cache: "no-cache" }),
    signal: AbortSignal.timeout(CERTIFICATE_MILLISECONDS),
  });
  steps.finish("certificate", `trusted, and valid until ${formatDay(recipient.notAfter)}`);

  steps.start("encrypt", "Certificate checked. Encrypting.");
  const packet = await encryptPacket(encodeRegistration(registration), recipient);
  steps.finish("encrypt", `one packet of ${formatBytes(packet.length)}`);
  if (!settings.inbox) return { recipient, packet, receipt: null };

  steps.start("send", "Encrypted. Sending the packet.");
  const receipt = await sendPacket(packet, (share) => {
    steps.detail("send", `${Math.floor(share * 100)} %`);
    if (share === 1) {
      steps.finish("send", "100 %");
      steps.start("receipt", "Sent. Waiting for the receipt.");
    }
  });
  steps.finish("send", "100 %");
  steps.finish("receipt", "the office has stored the packet");
  return { recipient, packet, receipt };
}
