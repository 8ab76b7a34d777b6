import type { FetchOptions } from "#api";
import { KunjiError } from "./errors.ts";
import { isTagged, isUint8Array, wrongType } from "./input.ts";
import { checkAt, checkedOptions, type Recipient } from "./recipient.ts";
import { preload } from "./wasm.ts";

/** More than a chain in JSON can have. */
const MAX_BODY_BYTES = 512 * 1024;

/** For request and answer together. */
const TIME_LIMIT_SECONDS = 30;

/** Failures that a wrong clock may be the reason of. */
const ABOUT_DATES = new Set<string>(["recipient.expired", "recipient.not_yet_valid", "recipient.issuer_expired"]);

const ONE_CERTIFICATE = /^\s*-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\s*$/;

interface Answer {
  readonly pem: string;
  /** The server's clock, where the answer tells it. */
  readonly serverTime: Date | undefined;
}

export async function fetchRecipient(url: string | URL, options: FetchOptions): Promise<Recipient> {
  const { anchors, now } = checkedOptions(options);
  const { fetch = globalThis.fetch, signal } = options;
  if (typeof fetch !== "function") throw wrongType("options.fetch", "a function, or nothing");
  if (signal !== undefined && !isTagged(signal, "AbortSignal")) {
    throw wrongType("options.signal", "an AbortSignal, or nothing");
  }
  const target = targetOf(url);
  // While the answer is under way. A failure shows when it is used.
  preload().catch(() => {});
  const { pem, serverTime } = await withinTime(signal, (within) => ask(target, fetch, within));
  const instant = now ?? new Date();
  try {
    return await checkAt(pem, anchors, instant);
  } catch (error) {
    // An instant that the caller chose says nothing about this machine's clock.
    if (now || !serverTime) throw error;
    throw (await clockFailure(error, pem, anchors, instant, serverTime)) ?? error;
  }
}

function targetOf(url: string | URL): string {
  let target: URL;
  try {
    target = new URL(url, globalThis.location?.href);
  } catch {
    throw wrongType("url", "an absolute URL, or in a page one relative to it");
  }
  // It would be refused, with its password in the message.
  if (target.username || target.password) throw wrongType("url", "an address without user name and password");
  return target.href;
}

/** Runs `work` until it ends, the caller's signal is aborted, or the time is over, whether it heeds its signal or not. */
async function withinTime<T>(signal: AbortSignal | undefined, work: (within: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let stop = (_: unknown) => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = (reason) => {
      reject(reason);
      controller.abort(reason);
    };
  });
  const onAbort = () => stop(signal?.reason);
  if (signal?.aborted) throw signal.reason;
  signal?.addEventListener("abort", onAbort);
  const timer = setTimeout(() => {
    stop(unreachable(`the server did not answer within ${TIME_LIMIT_SECONDS} seconds`, undefined));
  }, TIME_LIMIT_SECONDS * 1000);
  try {
    return await Promise.race([work(controller.signal), stopped]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

async function ask(target: string, fetch: typeof globalThis.fetch, signal: AbortSignal): Promise<Answer> {
  const response = await request(target, fetch, signal);
  const pem = certificateIn(await readText(response));
  return { pem, serverTime: serverTimeOf(response.headers) };
}

async function request(target: string, fetch: typeof globalThis.fetch, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(target, {
      headers: { accept: "application/json" },
      // Not what was valid when it was stored.
      cache: "no-cache",
      credentials: "omit",
      signal,
    });
  } catch (cause) {
    throw unreachable("the server could not be reached", cause);
  }
  if (!isResponse(response)) throw noResponse();
  if (!response.ok) {
    // Not awaited: nobody is interested in when it ends.
    response.body?.cancel().catch(() => {});
    throw new KunjiError(
      "network.refused",
      `the server answered with HTTP status ${response.status}`,
      response.status === 404
        ? "check application and reference in the address, and that the certificate is public"
        : "try again later; if it stays, look into the server's log",
    );
  }
  return response;
}

/** Whether it is one as browsers make them: a caller's own `fetch` may answer with anything. */
function isResponse(value: Partial<Response> | null | undefined): value is Response {
  const body = value?.body;
  return typeof value?.headers?.get === "function" && (body === null || typeof body?.getReader === "function");
}

/** The PEM in an answer: of the certificate, then of its chain. */
function certificateIn(body: string): string {
  const text = body.trim();
  if (text.startsWith("-----BEGIN CERTIFICATE-----")) return text;
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw noCertificate();
  }
  // MOSIP reports errors beside what it answers.
  const errors = member(answer, "errors") ?? [];
  // Kunji: {certificate, chain}; MOSIP: {response: {certificate}}.
  const holder = member(answer, "response") ?? answer;
  const certificate = member(holder, "certificate");
  const chain = member(holder, "chain") ?? [];
  // One only: otherwise the next would take the place of a certificate that is none.
  const isOne = typeof certificate === "string" && ONE_CERTIFICATE.test(certificate);
  const isChain = Array.isArray(chain) && chain.every((pem) => typeof pem === "string");
  if (!isOne || !isChain || !Array.isArray(errors) || errors.length > 0) throw noCertificate();
  return [certificate, ...chain].join("\n");
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  try {
    const reader = response.body?.getReader();
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
      if (!isUint8Array(chunk.value)) throw noResponse();
      length += chunk.value.byteLength;
      if (length > MAX_BODY_BYTES) {
        reader?.cancel().catch(() => {});
        throw noCertificate();
      }
      text += decoder.decode(chunk.value, { stream: true });
    }
  } catch (cause) {
    throw cause instanceof KunjiError ? cause : unreachable("the answer broke off", cause);
  }
  return text + decoder.decode();
}

/** `Date` of an answer that comes from the server itself: one that waited in a cache tells when it was made. */
function serverTimeOf(headers: Headers): Date | undefined {
  const date = headers.get("date");
  const age = headers.get("age") ?? "0";
  if (date === null || age.trim() !== "0") return undefined;
  const time = new Date(date);
  // RFC 9110, 5.6.7: IMF-fixdate, and nothing else that JavaScript takes for a date.
  return time.toUTCString() === date ? time : undefined;
}

/** The clock may be wrong if the certificate is valid by the server's. That explains; it never makes one pass. */
async function clockFailure(
  error: unknown,
  pem: string,
  anchors: readonly string[],
  here: Date,
  there: Date,
): Promise<KunjiError | undefined> {
  if (!(error instanceof KunjiError) || !ABOUT_DATES.has(error.code)) return undefined;
  try {
    await checkAt(pem, anchors, there);
  } catch {
    return undefined;
  }
  return new KunjiError(
    "recipient.clock",
    `this machine's clock says ${here.toISOString()}, the server's ${there.toISOString()}: by this one the certificate is not valid`,
    "compare with another clock first; if this machine's is wrong, set its date, time and time zone",
    { cause: error },
  );
}

function unreachable(message: string, cause: unknown): KunjiError {
  return new KunjiError(
    "network.unreachable",
    message,
    "check the connection and the address; from another origin, the server must allow it (CORS)",
    cause === undefined ? undefined : { cause },
  );
}

function noResponse(): KunjiError {
  return wrongType("the answer of options.fetch", "a function that answers as the global fetch does");
}

function noCertificate(): KunjiError {
  return new KunjiError(
    "network.response",
    "the server's answer is not a certificate",
    "check that the address is that of a certificate, and what the server says there",
  );
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
