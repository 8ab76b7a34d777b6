// How a caller follows a call, and ends it.

import type { Progress } from "#api";
import { isTagged, wrongType } from "./input.ts";

/** So long a call has the thread to itself: less than a frame. */
const BUSY_MILLISECONDS = 10;

export class Watch {
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  #bytes = 0;
  #total: number | undefined;
  #busySince = performance.now();

  constructor(options: { readonly signal?: unknown; readonly onProgress?: unknown } = {}) {
    const { signal, onProgress } = options;
    if (signal !== undefined && !isTagged(signal, "AbortSignal")) {
      throw wrongType("options.signal", "an AbortSignal, or nothing");
    }
    if (onProgress !== undefined && typeof onProgress !== "function") {
      throw wrongType("options.onProgress", "a function, or nothing");
    }
    this.#signal = signal as AbortSignal | undefined;
    this.#onProgress = onProgress as ((progress: Progress) => void) | undefined;
  }

  /** Throws the signal's reason once it is aborted. */
  check(): void {
    if (this.#signal?.aborted) throw this.#signal.reason;
  }

  /** Waits, and then checks. */
  async during<T>(work: T | Promise<T>): Promise<T> {
    attended(work);
    this.check();
    try {
      return await work;
    } finally {
      this.check();
    }
  }

  /** Runs `stop` when the signal is aborted, until the function that comes back is called. */
  onAbort(stop: (reason: unknown) => void): () => void {
    const signal = this.#signal;
    const listener = () => stop(signal?.reason);
    signal?.addEventListener("abort", listener);
    return () => signal?.removeEventListener("abort", listener);
  }

  total(bytes: number | undefined): void {
    this.#total = bytes;
  }

  advance(bytes: number): void {
    this.#bytes += bytes;
    this.#onProgress?.({ bytes: this.#bytes, total: this.#total });
  }

  /**
   * Lets the page draw, and an abort arrive, between two pieces. Chromium runs WebCrypto in the thread that asks, and
   * all that waits for nothing else is one task.
   */
  async pause(): Promise<void> {
    if (performance.now() - this.#busySince < BUSY_MILLISECONDS) return;
    await nextTask();
    this.#busySince = performance.now();
    this.check();
  }
}

/** Resolves in a task of its own, which timers in pages that are not seen do not. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** A promise whose failure shows when it is waited for, which may be never. */
export function attended<T>(work: T): T {
  if (work instanceof Promise) work.catch(() => {});
  return work;
}
