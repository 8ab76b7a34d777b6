// What a client is told when it is made, checked.

import { KunjiError } from "#client";
import type { KeyManagerOptions } from "#recipients";

export interface Settings {
  readonly base: string;
  readonly api: "kunji" | "mosip";
  readonly anchors: readonly string[];
  readonly token: ((wasRefused: boolean) => string | Promise<string>) | undefined;
  readonly fetch: typeof globalThis.fetch | undefined;
  /** Undefined: the machine's clock, which the server's may then be compared with. */
  readonly now: (() => Date) | undefined;
  readonly random: () => number;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

export function settingsOf(options: KeyManagerOptions): Settings {
  if (typeof options !== "object" || options === null) throw wrongType("options", "an object");
  const { url, api = "kunji", anchors, token, fetch, now, random = Math.random, sleep = sleepByTimer } = options;
  if (api !== "kunji" && api !== "mosip") throw wrongType("options.api", '"kunji" or "mosip"');
  const functions = { token, fetch, now, random, sleep };
  for (const [name, value] of Object.entries(functions)) {
    if (value !== undefined && typeof value !== "function")
      throw wrongType(`options.${name}`, "a function, or nothing");
  }
  if (!Array.isArray(anchors)) throw wrongType("options.anchors", "an array of PEM strings");
  return { base: baseOf(url), api, anchors: [...anchors], token, fetch, now, random, sleep };
}

function baseOf(url: string | URL): string {
  try {
    const base = new URL(url, globalThis.location?.href);
    if (base.username === "" && base.password === "") return `${base.origin}${base.pathname.replace(/\/*$/, "")}`;
  } catch {
    // Told below.
  }
  throw wrongType("options.url", "the address of the server, without user name and password");
}

/** The address of a certificate. */
export function addressOf({ base, api }: Settings, application: string, reference: string): string {
  const [first, second] = [encodeURIComponent(application), encodeURIComponent(reference)];
  return api === "kunji"
    ? `${base}/v1/certificates/${first}/${second}`
    : `${base}/v1/keymanager/getCertificate?applicationId=${first}&referenceId=${second}`;
}

function sleepByTimer(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    // Who aborted looks at the signal.
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

export function wrongType(name: string, accepted: string): KunjiError {
  return new KunjiError("input.type", `${name} has a type that is not accepted`, `pass ${accepted}`);
}

export function nameOf(name: string, value: unknown): string {
  if (typeof value !== "string" || value === "") throw wrongType(name, "a string that is not empty");
  return value;
}
