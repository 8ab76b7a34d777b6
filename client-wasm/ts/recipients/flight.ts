/** Work that several callers wait for. It is aborted once none of them does any more. */
export class Flight<T> {
  readonly #controller = new AbortController();
  readonly #result: Promise<T>;
  #waiting = 0;

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#result = work(this.#controller.signal);
    // Told to those who wait.
    this.#result.catch(() => {});
  }

  get isAborted(): boolean {
    return this.#controller.signal.aborted;
  }

  /** The result, or the reason of this caller's own signal. */
  async join(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) throw signal.reason;
    this.#waiting += 1;
    let onAbort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => {
        this.#leave();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort);
    });
    try {
      return await Promise.race([this.#result, aborted]);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #leave(): void {
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#controller.abort();
  }
}
