import { KunjiError } from "#client";
import type { Failure } from "./protocol.ts";

export function wrongType(name: string, accepted: string, cause?: unknown): KunjiError {
  return new KunjiError("input.type", `${name} has a type that is not accepted`, `pass ${accepted}`, { cause });
}

export function notStarted(cause: unknown): KunjiError {
  return new KunjiError(
    "runtime.load",
    "the worker could not be started, or it stopped",
    "try again; if it stays, check that kunji-worker.js of the package is served beside the script that was built from it, and that the page's policy lets it run (worker-src 'self')",
    { cause },
  );
}

export function closed(): KunjiError {
  return new KunjiError("runtime.closed", "the PacketWorker was closed", "make a new one, and encrypt again");
}

/** What the worker failed with. */
export function errorOf({ code, message, hint, cause }: Failure): unknown {
  return code === undefined ? (cause ?? new Error(message)) : new KunjiError(code, message, hint, { cause });
}
