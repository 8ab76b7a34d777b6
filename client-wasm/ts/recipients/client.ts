// Certificates of one server, kept as long as they may be, and renewed ahead of time.

import { KunjiError, parseRecipient, type Recipient } from "#client";
import type { KeyManagerOptions, RecipientName } from "#recipients";
import { type BundleEntry, readBundle, writeBundle } from "./bundle.ts";
import { Flight } from "./flight.ts";
import { type Fetched, isTemporary, isWithdrawn, type Known, request, type Seen } from "./request.ts";
import { addressOf, nameOf, type Settings, settingsOf, wrongType } from "./settings.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Requests that one call makes at most, a token's renewal aside. */
const ATTEMPTS = 4;
const FIRST_DELAY = SECOND / 2;
/** A server that wants more is not waited for. */
const LONGEST_DELAY = 30 * SECOND;

interface Held extends BundleEntry {
  readonly recipient: Recipient | undefined;
  readonly known: Known | undefined;
  /** Milliseconds since 1970: from then on the server is asked again. */
  renewAt: number;
  /** Renewals that failed since. */
  failures: number;
}

export class KeyManagerClient {
  readonly #settings: Settings;
  readonly #held = new Map<string, Held>();
  readonly #flights = new Map<string, Flight<Recipient>>();
  #clockSkew: number | undefined;

  constructor(options: KeyManagerOptions) {
    this.#settings = settingsOf(options);
    const { bundle } = options;
    for (const entry of bundle === undefined ? [] : readBundle(bundle)) {
      // Good for as long as it takes to ask the server.
      const held = { ...entry, recipient: undefined, known: undefined, renewAt: 0, failures: 0 };
      this.#held.set(keyOf(entry), held);
    }
  }

  get clockSkew(): number | undefined {
    return this.#clockSkew;
  }

  async recipient(
    application: string,
    reference: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Recipient> {
    const name = { application: nameOf("application", application), reference: nameOf("reference", reference) };
    options?.signal?.throwIfAborted();
    const usable = await this.#usable(keyOf(name));
    if (usable) {
      if (this.#now() >= usable.renewAt)
        this.#flight(name)
          .join()
          .catch(() => {});
      return usable.recipient;
    }
    return await this.#flight(name).join(options?.signal);
  }

  async bundle(
    names: readonly RecipientName[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<string> {
    if (!Array.isArray(names) || names.length === 0)
      throw wrongType("names", "an array of applications and references");
    const entries: BundleEntry[] = [];
    for (const { application, reference } of names) {
      await this.recipient(application, reference, options);
      const held = this.#held.get(keyOf({ application, reference }));
      if (held) entries.push(held);
    }
    return writeBundle(entries);
  }

  /** What is held, if it may be used now. What is fresh was checked when it came; it is checked again when it is not. */
  async #usable(key: string): Promise<{ recipient: Recipient; renewAt: number } | undefined> {
    const held = this.#held.get(key);
    if (!held) return undefined;
    const { recipient, renewAt } = held;
    const now = this.#now();
    if (recipient && now < renewAt && now >= recipient.notBefore.getTime() && now <= recipient.notAfter.getTime()) {
      return { recipient, renewAt };
    }
    const { anchors } = this.#settings;
    try {
      const pem = [held.certificate, ...held.chain].join("\n");
      return { recipient: await parseRecipient(pem, { anchors, now: new Date(now) }), renewAt };
    } catch (error) {
      // The caller's mistake, which no request mends.
      if (error instanceof KunjiError && /^(anchors|input)\./.test(error.code)) throw error;
      return undefined;
    }
  }

  /** The one request that is under way for a certificate. */
  #flight(name: RecipientName): Flight<Recipient> {
    const key = keyOf(name);
    const present = this.#flights.get(key);
    if (present && !present.isAborted) return present;
    const flight: Flight<Recipient> = new Flight(async (signal) => {
      try {
        return await this.#renew(name, signal);
      } finally {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
      }
    });
    this.#flights.set(key, flight);
    return flight;
  }

  async #renew(name: RecipientName, signal: AbortSignal): Promise<Recipient> {
    const key = keyOf(name);
    // The flight is known to others before anything happens in it.
    await undefined;
    const seen: Seen = { status: undefined, retryAfter: undefined, serverTime: undefined };
    try {
      const fetched = await this.#fetch(name, signal, seen);
      this.#held.set(key, this.#holding(name, fetched));
      return fetched.recipient;
    } catch (error) {
      const held = this.#held.get(key);
      if (isWithdrawn(error, seen)) this.#held.delete(key);
      else if (held) this.#postpone(held, seen);
      throw error;
    }
  }

  #holding({ application, reference }: RecipientName, { recipient, chain, known, maxAge }: Fetched): Held {
    const now = this.#now();
    // Well ahead of the end, whatever the server says; and never so often that it would be a burden.
    const longest = (recipient.notAfter.getTime() - now) / 3;
    const renewAt = now + Math.max(Math.min(maxAge ?? HOUR, longest), MINUTE);
    const fetchedAt = new Date(now).toISOString();
    const { pem: certificate } = recipient;
    return { application, reference, certificate, chain, fetchedAt, recipient, known, renewAt, failures: 0 };
  }

  /** The next renewal waits, longer each time. */
  #postpone(held: Held, { retryAfter = 0 }: Seen): void {
    const { random } = this.#settings;
    const delay = Math.min(MINUTE * 2 ** held.failures, HOUR) * (0.5 + random() / 2);
    held.renewAt = this.#now() + Math.max(delay, Math.min(retryAfter, HOUR));
    held.failures += 1;
  }

  /** Asks until there is an answer that asking again does not change. */
  async #fetch(name: RecipientName, signal: AbortSignal, seen: Seen): Promise<Fetched> {
    const { random, sleep, token } = this.#settings;
    let wasRefused = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#ask(name, wasRefused, signal, seen);
      } catch (error) {
        signal.throwIfAborted();
        if (seen.status === 401 && token && !wasRefused) {
          wasRefused = true;
          continue;
        }
        const { retryAfter = 0 } = seen;
        if (!isTemporary(error, seen) || attempt >= ATTEMPTS || retryAfter > LONGEST_DELAY) throw error;
        // Full jitter: clients that failed together do not come back together.
        const delay = random() * Math.min(FIRST_DELAY * 2 ** attempt, LONGEST_DELAY);
        await sleep(Math.max(delay, retryAfter), signal);
        signal.throwIfAborted();
      }
    }
  }

  async #ask(name: RecipientName, wasRefused: boolean, signal: AbortSignal, seen: Seen): Promise<Fetched> {
    Object.assign(seen, { status: undefined, retryAfter: undefined, serverTime: undefined });
    const { token: askForToken } = this.#settings;
    const token = askForToken && tokenOf(await askForToken(wasRefused));
    const address = addressOf(this.#settings, name.application, name.reference);
    const known = this.#held.get(keyOf(name))?.known;
    try {
      return await request(address, token, known, this.#settings, signal, seen);
    } finally {
      if (seen.serverTime !== undefined) this.#clockSkew = seen.serverTime - this.#now();
    }
  }

  #now(): number {
    const now = this.#settings.now?.() ?? new Date();
    return now.getTime();
  }
}

function keyOf({ application, reference }: RecipientName): string {
  return JSON.stringify([application, reference]);
}

/** RFC 6750, 2.1: nothing that would end a header. */
function tokenOf(token: unknown): string {
  if (typeof token === "string" && /^[\w.~+/-]+=*$/.test(token)) return token;
  throw wrongType("the result of options.token", "a token as text, without its scheme");
}
