/** Longest wait for a whole answer. */
const TIMEOUT_MILLISECONDS = 60_000;

/** The server answered with an error, or not at all. */
export class ServerFailure extends Error {
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  /** The code of the server's error, or `network.unreachable`, or `http.<status>`. */
  readonly code: string;

  constructor(status: number, code: string, options?: ErrorOptions) {
    super(`${status} ${code}`, options);
    this.name = "ServerFailure";
    this.status = status;
    this.code = code;
  }

  /** No answer came. */
  static unreachable(cause?: unknown): ServerFailure {
    return new ServerFailure(0, "network.unreachable", { cause });
  }

  /** An answer that reports an error: a problem document (RFC 9457), an OAuth error (RFC 6749 5.2), or MOSIP's list. */
  static fromAnswer(status: number, body: string): ServerFailure {
    return new ServerFailure(status, readErrorCode(body) ?? `http.${status}`);
  }
}

/** GETs JSON, or whatever `init` says. */
export async function requestJson(url: string, init: RequestInit = {}): Promise<unknown> {
  return request(url, init, (response) => response.json());
}

/** GETs bytes, or whatever `init` says. */
export async function requestBytes(url: string, init: RequestInit = {}): Promise<Uint8Array<ArrayBuffer>> {
  return request(url, init, async (response) => new Uint8Array(await response.arrayBuffer()));
}

async function request<T>(url: string, init: RequestInit, read: (response: Response) => Promise<T>): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  const signal = init.signal ? AbortSignal.any([init.signal, timeout]) : timeout;
  try {
    const response = await fetch(url, { cache: "no-store", credentials: "omit", ...init, signal });
    if (!response.ok) throw ServerFailure.fromAnswer(response.status, await response.text());
    return await read(response);
  } catch (error) {
    throw error instanceof ServerFailure ? error : ServerFailure.unreachable(error);
  }
}

type ErrorList = readonly { readonly errorCode?: unknown }[];

function readErrorCode(body: string): string | undefined {
  try {
    const { code, error, errors } = JSON.parse(body) as { code?: unknown; error?: unknown; errors?: ErrorList };
    return [code, error, errors?.[0]?.errorCode].find((value) => typeof value === "string");
  } catch {
    return undefined;
  }
}
