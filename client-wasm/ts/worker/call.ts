// A call that the worker has not answered yet, or whose stream has not ended: it can fail at any moment.

import type { ByteStream, CallOptions, Progress } from "#api";
import { errorOf, wrongType } from "./failure.ts";
import { receivedParts } from "./parts.ts";
import type { Answer } from "./protocol.ts";
import type { Source } from "./source.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export class PendingCall {
  /** What the worker answers through. */
  readonly port: MessagePort;
  readonly made: Promise<Bytes | ByteStream>;
  readonly reportsProgress: boolean;
  readonly #port: MessagePort;
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  readonly #onEnd: (call: PendingCall) => void;
  #source: Source | undefined;
  #hasEnded = false;
  #resolve: (made: Bytes | ByteStream) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor({ signal, onProgress }: CallOptions, onEnd: (call: PendingCall) => void) {
    if (signal !== undefined && Object.prototype.toString.call(signal) !== "[object AbortSignal]") {
      throw wrongType("options.signal", "an AbortSignal, or nothing");
    }
    if (onProgress !== undefined && typeof onProgress !== "function") {
      throw wrongType("options.onProgress", "a function, or nothing");
    }
    if (signal?.aborted) throw signal.reason;
    this.#signal = signal;
    this.#onProgress = onProgress;
    this.#onEnd = onEnd;
    this.reportsProgress = onProgress !== undefined;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.port = port2;
    port1.onmessage = ({ data }: MessageEvent<Answer>) => this.#take(data);
    signal?.addEventListener("abort", this.#abort);
    this.made = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Where the content comes from. */
  reads(source: Source): void {
    this.#source = source;
  }

  /** Ends it, here and in the worker. */
  fail(error: unknown): void {
    if (this.#hasEnded) return;
    this.#port.postMessage("abort");
    this.#source?.cancel(error);
    this.#reject(error);
    this.#end();
  }

  readonly #abort = () => this.fail(this.#signal?.reason);

  #end(): void {
    this.#hasEnded = true;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#port.close();
    this.#onEnd(this);
  }

  #take(answer: Answer): void {
    if (this.#hasEnded) return;
    if (answer.kind === "progress") this.#report(answer.progress);
    else if (answer.kind === "failure") this.fail(errorOf(answer.failure));
    else if (answer.kind === "stream") this.#resolve({ readable: this.#stream(answer.port), length: answer.length });
    else {
      this.#resolve(answer.bytes);
      this.#end();
    }
  }

  #report(progress: Progress): void {
    try {
      this.#onProgress?.(progress);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The call lasts as long as its stream. */
  #stream(port: MessagePort): ReadableStream<Bytes> {
    const { readable, fail } = receivedParts(port, errorOf, (reason) => {
      // What was read to its end already does not hear of it.
      this.#source?.cancel(reason);
      this.#end();
    });
    this.#reject = fail;
    return readable;
  }
}
