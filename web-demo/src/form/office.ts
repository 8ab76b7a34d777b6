import { fetchRecipient, parseRecipient, type Recipient } from "@kunji/client";
import { fetchSettings, type Settings } from "../shared/settings.ts";

/** Longest wait for the certificate. */
const CERTIFICATE_MILLISECONDS = 30_000;

/** For whom packets are encrypted, and what the server does with them. */
export interface Destination {
  readonly settings: Settings;
  readonly recipient: Recipient;
  /** The recipient's certificate, and those that vouch for it up to one that the form trusts (PEM). */
  readonly chain: readonly string[];
}

/** The office, as the server tells of it, and as it was told last when the device is offline. */
export class Office {
  #known: Omit<Destination, "recipient"> | undefined;

  /** Asks the server ahead of time, so that the form works offline from now on. */
  async prepare(): Promise<Settings> {
    const settings = await fetchSettings();
    // Whatever is wrong with the certificate is told when it is needed.
    void this.#fetch(settings).catch(() => {});
    return settings;
  }

  /**
   * Where a packet goes now. It is asked again each time, so that trying again can succeed; offline it is what is known,
   * and checked again. `told` hears the settings as soon as they are there.
   */
  async locate(told: (settings: Settings) => void): Promise<Destination> {
    const known = navigator.onLine ? undefined : this.#known;
    if (known === undefined) {
      const settings = await fetchSettings();
      told(settings);
      return await this.#fetch(settings);
    }
    told(known.settings);
    const { anchors } = known.settings;
    return { ...known, recipient: await parseRecipient(known.chain.join("\n"), { anchors }) };
  }

  async #fetch(settings: Settings): Promise<Destination> {
    let chain: readonly string[] = [];
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
    this.#known = { settings, chain };
    return { settings, recipient, chain };
  }
}

/** The certificates of an answer. Whether it is one at all is not decided here. */
async function readChain(answer: Response): Promise<readonly string[]> {
  try {
    const { certificate, chain } = (await answer.json()) as { certificate: string; chain: readonly string[] };
    return [certificate, ...chain];
  } catch {
    return [];
  }
}
