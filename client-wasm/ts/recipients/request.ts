// One request for a certificate, by `fetchRecipient`, so that there is one place where answers are bounded, read and
// checked. What it does not tell, the headers, is seen by the `fetch` that it is given.

import { fetchRecipient, KunjiError, type Recipient } from "#client";
import type { Settings } from "./settings.ts";

/** What the server said last, and what it may be asked about instead of sending it again. */
export interface Known {
  readonly body: string;
  readonly etag: string;
}

export interface Fetched {
  readonly recipient: Recipient;
  /** PEM, in the order of the answer. */
  readonly chain: readonly string[];
  readonly known: Known | undefined;
  /** How long the answer may be kept, in milliseconds, if it says so. */
  readonly maxAge: number | undefined;
}

/** What was seen of an answer, good or not. */
export interface Seen {
  status: number | undefined;
  /** In milliseconds. */
  retryAfter: number | undefined;
  /** Milliseconds since 1970, by the server's clock. */
  serverTime: number | undefined;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

export async function request(
  address: string,
  token: string | undefined,
  known: Known | undefined,
  settings: Settings,
  signal: AbortSignal,
  seen: Seen,
): Promise<Fetched> {
  const { anchors, now } = settings;
  const send = settings.fetch ?? globalThis.fetch;
  let copy: ReadableStream<Uint8Array> | undefined;
  let headers: Headers | undefined;
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const response = await send(url, {
      ...init,
      cache: "no-store",
      // A token is for this server and no other.
      redirect: token === undefined ? "follow" : "error",
      headers: headersFor(init?.headers, token, known),
    });
    if (typeof response?.headers?.get !== "function") return response;
    headers = response.headers;
    note(response, seen);
    if (response.status === 304 && known) return new Response(known.body, { headers: withDate(response.headers) });
    if (response.status !== 200 || typeof response.body?.tee !== "function") return response;
    const [read, kept] = response.body.tee();
    copy = kept;
    return new Response(read, { headers: withDate(response.headers) });
  };
  try {
    const recipient = await fetchRecipient(address, { anchors, now: now?.(), signal, fetch });
    // All of it has come, and was no more than is read of an answer.
    const body = copy ? await new Response(copy).text() : (known?.body ?? "");
    copy = undefined;
    const etag = headers?.get("etag") ?? known?.etag;
    return {
      recipient,
      chain: certificatesIn(body).filter((pem) => pem.trim() !== recipient.pem.trim()),
      known: etag === undefined ? undefined : { body, etag },
      maxAge: maxAgeOf(headers?.get("cache-control")),
    };
  } finally {
    copy?.cancel().catch(() => {});
  }
}

function headersFor(given: HeadersInit | undefined, token: string | undefined, known: Known | undefined): Headers {
  const headers = new Headers(given);
  if (known) headers.set("if-none-match", known.etag);
  if (token !== undefined) {
    headers.set("authorization", `Bearer ${token}`);
    // The reference server reads nothing else. Browsers let no script set it.
    headers.set("cookie", `Authorization=${token}`);
  }
  return headers;
}

/** What `fetchRecipient` looks at. */
function withDate(headers: Headers): Record<string, string> {
  const names = ["date", "age"].map((name) => [name, headers.get(name)]);
  return Object.fromEntries(names.filter(([, value]) => value !== null));
}

function note({ status, headers }: Response, seen: Seen): void {
  seen.status = status;
  const seconds = /^\d{1,9}$/.exec(headers.get("retry-after")?.trim() ?? "");
  seen.retryAfter = seconds ? Number(seconds[0]) * 1000 : undefined;
  const time = new Date(headers.get("date") ?? "");
  // RFC 9110, 5.6.7; and not of an answer that waited in a cache.
  const isNow = (headers.get("age") ?? "0").trim() === "0" && time.toUTCString() === headers.get("date");
  seen.serverTime = isNow ? time.getTime() : undefined;
}

function maxAgeOf(cacheControl: string | null | undefined): number | undefined {
  const seconds = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/i.exec(cacheControl ?? "");
  return seconds ? Number(seconds[1]) * 1000 : undefined;
}

/** All certificates in an answer that was read and checked: PEM, or JSON with PEM in it. */
function certificatesIn(body: string): string[] {
  if (body.trim().startsWith("-----")) return body.match(CERTIFICATE) ?? [];
  const found: string[] = [];
  JSON.parse(body, (_, value: unknown) => {
    if (typeof value === "string") found.push(...(value.match(CERTIFICATE) ?? []));
    return value;
  });
  return found;
}

/** Whether the same request may succeed soon. */
export function isTemporary(error: unknown, { status }: Seen): boolean {
  if (!(error instanceof KunjiError)) return false;
  if (error.code === "network.unreachable" || error.code === "runtime.load") return true;
  const isBusy = status !== undefined && (status >= 500 || [408, 425, 429].includes(status));
  return error.code === "network.refused" && isBusy;
}

/** Whether the server has no such certificate any more, or one that must not be used: no longer the one that was. */
export function isWithdrawn(error: unknown, { status }: Seen): boolean {
  if (!(error instanceof KunjiError)) return false;
  if (error.code === "network.refused") return status === 404 || status === 410;
  return error.code !== "recipient.clock" && /^(recipient|certificate|pem)\./.test(error.code);
}
