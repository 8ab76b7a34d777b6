import { encryptPacket, fetchRecipient, type Recipient } from "@kunji/client";
import { formatBytes, formatDay } from "../shared/format.ts";
import { encodeRegistration, type Registration } from "../shared/registration.ts";
import { fetchSettings } from "../shared/settings.ts";
import { type Receipt, sendPacket } from "./send.ts";
import type { Steps } from "./steps.ts";

/** Longest wait for the certificate. */
const CERTIFICATE_MILLISECONDS = 30_000;

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
  let chain: readonly string[] = [];
  const certificateTime = stopwatch();
  const recipient = await fetchRecipient(settings.certificateUrl, {
    anchors: settings.anchors,
    fetch: async (url, init) => {
      // Browsers may keep certificates for an hour; one that was just renewed should not be waited for.
      const answer = await fetch(url, { ...init, cache: "no-cache" });
      if (answer.ok) chain = await readChain(answer.clone());
      return answer;
    },
    signal: AbortSignal.timeout(CERTIFICATE_MILLISECONDS),
  });
  const certificate = certificateTime();
  steps.finish("certificate", `trusted, and valid until ${formatDay(recipient.notAfter)}`);

  steps.start("encrypt", "Certificate checked. Encrypting.");
  const encryptTime = stopwatch();
  const packet = await encryptPacket(encodeRegistration(registration), recipient);
  const encrypt = encryptTime();
  steps.finish("encrypt", `one packet of ${formatBytes(packet.length)}`);
  const made = { recipient, chain, packet };
  if (!settings.inbox) return { ...made, timings: { certificate, encrypt, send: undefined }, receipt: null };

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
  steps.finish("receipt", "the office has stored the packet");
  return { ...made, timings: { certificate, encrypt, send: sendTime() }, receipt };
}

/** Tells the milliseconds since it was made. */
function stopwatch(): () => number {
  const start = performance.now();
  return () => performance.now() - start;
}

/** The certificates of an answer, to be shown. Whether the answer is one at all is not decided here. */
async function readChain(answer: Response): Promise<readonly string[]> {
  try {
    const { certificate, chain } = (await answer.json()) as { certificate: string; chain: readonly string[] };
    return [certificate, ...chain];
  } catch {
    return [];
  }
}
