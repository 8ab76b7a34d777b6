import { KunjiError } from "#client";

type QueueCode = "queue.full" | "queue.missing" | "queue.quota" | "queue.unavailable";

export function queueFailure(code: QueueCode, message: string, hint: string, cause?: unknown): KunjiError {
  return new KunjiError(code, message, hint, cause === undefined ? undefined : { cause });
}

export function unavailable(cause?: unknown): KunjiError {
  return queueFailure(
    "queue.unavailable",
    "the browser's database cannot be used",
    "open the page in an ordinary window of a browser with IndexedDB, and let it store data; nothing was kept",
    cause,
  );
}

export function quotaExceeded(cause: unknown): KunjiError {
  return queueFailure(
    "queue.quota",
    "the browser gives this page no more room",
    "send what waits, or free disk space; the packet was not kept",
    cause,
  );
}

export function missing(): KunjiError {
  return queueFailure("queue.missing", "no packet with this id waits", "list the queue again: it may have been sent");
}

export function wrongType(name: string, accepted: string): KunjiError {
  return new KunjiError("input.type", `${name} has a type that is not accepted`, `pass ${accepted}`);
}
