// One attempt to send a packet.

import type { Transport } from "#queue";

/** What a failure is called if the transport says neither yes nor why. */
const NOT_ACKNOWLEDGED = "not_acknowledged";

const FIRST_DELAY = 30_000;
const LONGEST_DELAY = 3_600_000;

/** Undefined if the packet was acknowledged, and otherwise a name for why not. Aborted: fails with that reason. */
export async function attempt(
  transport: Transport,
  packet: Uint8Array<ArrayBuffer>,
  about: { readonly id: string; readonly label: string | undefined; readonly attempts: number },
  timeLimit: number,
  caller: AbortSignal | undefined,
): Promise<string | undefined> {
  caller?.throwIfAborted();
  const controller = new AbortController();
  const { signal } = controller;
  // A transport may be deaf.
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  stopped.catch(() => {});
  const onAbort = () => controller.abort(caller?.reason);
  caller?.addEventListener("abort", onAbort);
  const timer = setTimeout(() => controller.abort(new DOMException("it took too long", "TimeoutError")), timeLimit);
  try {
    const sending = Promise.resolve(transport(packet, { ...about, signal }));
    // Anything but a plain yes is a no: an answer, say, of any status.
    return (await Promise.race([sending, stopped])) === true ? undefined : NOT_ACKNOWLEDGED;
  } catch (error) {
    caller?.throwIfAborted();
    return nameOf(error);
  } finally {
    clearTimeout(timer);
    caller?.removeEventListener("abort", onAbort);
  }
}

/** Not its message, which may have anything in it: only ciphertext is kept. */
function nameOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  const text = typeof code === "string" ? code : typeof name === "string" ? name : NOT_ACKNOWLEDGED;
  return text.slice(0, 100);
}

/** How long a packet waits after so many failures, in milliseconds. */
export function delayAfter(attempts: number, random: number): number {
  return Math.min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY) * (0.5 + random / 2);
}
