import type { FetchOptions } from "#api";
import { KunjiError } from "./errors.ts";
import { wrongType } from "./input.ts";
import { checkAt, checkedOptions, type Recipient } from "./recipient.ts";
import { preload } from "./wasm.ts";

/** More than a chain in JSON can have. */
const MAX_BODY_BYTES = 512 * 1024;

/** Failures that a wrong clock may be the reason of. */
const ABOUT_DATES = new Set<string>(["recipient.expired", "recipient.not_yet_valid", "recipient.issuer_expired"]);

export async function fetchRecipient(url: string | URL, options: FetchOptions): Promise<Recipient> {
  const { anchors, now } = checkedOptions(options);
  // While the answer is under way. A failure shows when it is used.
  preload().catch(() => {});
  const response = await request(url, options);
  const pem = await readCertificate(response, options.signal);
  const instant = now ?? new Date();
  try {
    return await checkAt(pem, anchors, instant);
  } catch (error) {
    throw (await clockFailure(error, pem, anchors, instant, response)) ?? error;
  }
}

async function request(url: string | URL, { fetch = globalThis.fetch, signal }: FetchOptions): Promise<Response> {
  let target: string;
  try {
    target = new URL(url, globalThis.location?.href).href;
  } catch {
    throw wrongType("url", "an absolute URL, or in a page one relative to it");
  }
  let response: Response;
  try {
    response = await fetch(target, {
      headers: { accept: "application/json" },
      credentials: "omit",
      signal: signal ?? null,
    });
  } catch (cause) {
    throw unlessAborted(signal, cause);
  }
  if (!response.ok) {
    await response.body?.cancel().catch(() => {});
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

/** The PEM in an answer: of the certificate, then of its chain. */
async function readCertificate(response: Response, signal: AbortSignal | undefined): Promise<string> {
  const text = (await readText(response, signal)).trim();
  if (text.startsWith("-----BEGIN CERTIFICATE-----")) return text;
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw noCertificate();
  }
  // Kunji: {certificate, chain}; MOSIP: {response: {certificate}}.
  const holder = member(answer, "response") ?? answer;
  const certificate = member(holder, "certificate");
  const chain = member(holder, "chain") ?? [];
  if (typeof certificate !== "string" || !Array.isArray(chain) || !chain.every((pem) => typeof pem === "string")) {
    throw noCertificate();
  }
  return [certificate, ...chain].join("\n");
}

async function readText(response: Response, signal: AbortSignal | undefined): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  const reader = response.body?.getReader();
  try {
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) {
      length += chunk.value.byteLength;
      if (length > MAX_BODY_BYTES) {
        await reader?.cancel().catch(() => {});
        throw noCertificate();
      }
      text += decoder.decode(chunk.value, { stream: true });
    }
  } catch (cause) {
    throw cause instanceof KunjiError ? cause : unlessAborted(signal, cause);
  }
  return text + decoder.decode();
}

/** The clock is wrong if the certificate is valid by the server's. That explains; it never makes one pass. */
async function clockFailure(
  error: unknown,
  pem: string,
  anchors: readonly string[],
  here: Date,
  response: Response,
): Promise<KunjiError | undefined> {
  const there = new Date(response.headers.get("date") ?? Number.NaN);
  if (!(error instanceof KunjiError) || !ABOUT_DATES.has(error.code) || Number.isNaN(there.getTime())) return undefined;
  try {
    await checkAt(pem, anchors, there);
  } catch {
    return undefined;
  }
  return new KunjiError(
    "recipient.clock",
    `this machine's clock says ${here.toISOString()}, the server's ${there.toISOString()}: by this one the certificate is not valid`,
    "set this machine's date, time and time zone",
    { cause: error },
  );
}

function unlessAborted(signal: AbortSignal | undefined, cause: unknown): unknown {
  if (signal?.aborted) return signal.reason;
  return new KunjiError(
    "network.unreachable",
    "the server could not be reached",
    "check the connection and the address; from another origin, the server must allow it (CORS)",
    { cause },
  );
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
