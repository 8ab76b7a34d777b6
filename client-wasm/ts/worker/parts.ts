// A stream on the two sides of a port: one part crosses for each that is asked for, and no copy of it stays behind.

import { type Failure, postFailure } from "./protocol.ts";

type Bytes = Uint8Array<ArrayBuffer>;

type Request = "next" | "cancel";

type Part =
  | { readonly kind: "part"; readonly part: Bytes }
  | { readonly kind: "end" }
  | { readonly kind: "failure"; readonly failure: Failure };

/** Sends what is asked for at the other side. Whose buffers are `owned` does not need them any more. */
export function sendParts(
  port: MessagePort,
  reader: ReadableStreamDefaultReader<unknown>,
  { owned, failureOf }: { readonly owned: boolean; readonly failureOf: (error: unknown) => Failure },
): void {
  const next = async () => {
    try {
      const { done, value } = await reader.read();
      // What is no part fails at the other side.
      const part = done ? undefined : transferable(value, owned);
      port.postMessage({ kind: done ? "end" : "part", part }, part ? [part.buffer] : []);
    } catch (error) {
      postFailure(port, failureOf(error), (failure) => ({ kind: "failure", failure }));
    }
  };
  port.onmessage = ({ data }: MessageEvent<Request>) => {
    if (data === "next") {
      next();
    } else {
      port.close();
      reader.cancel().catch(() => {});
    }
  };
}

/** Bytes whose buffer may cross: their own, if nobody else needs it and it holds nothing else, or a copy. */
function transferable(value: unknown, owned: boolean): Bytes | undefined {
  if (Object.prototype.toString.call(value) !== "[object Uint8Array]") return undefined;
  const bytes = value as Bytes;
  return owned && bytes.length === bytes.buffer.byteLength ? bytes : bytes.slice();
}

export interface ReceivedParts {
  readonly readable: ReadableStream<Bytes>;
  /** Ends it with this error, when nothing comes from the other side any more. */
  readonly fail: (error: unknown) => void;
}

/** What comes through the port as it is read. `onEnd` is told that it ended, and why its reader ended it, if it did. */
export function receivedParts(
  port: MessagePort,
  errorOf: (failure: Failure) => unknown,
  onEnd: (reason?: unknown) => void = () => {},
): ReceivedParts {
  let fail = (_: unknown) => {};
  const end = (reason?: unknown) => {
    port.close();
    onEnd(reason);
  };
  const source: UnderlyingDefaultSource<Bytes> = {
    start(controller) {
      fail = (error) => {
        controller.error(error);
        end();
      };
      port.onmessage = ({ data }: MessageEvent<Part>) => {
        if (data.kind === "part") {
          controller.enqueue(data.part);
        } else if (data.kind === "failure") {
          fail(errorOf(data.failure));
        } else {
          controller.close();
          end();
        }
      };
    },
    pull() {
      port.postMessage("next" satisfies Request);
    },
    cancel(reason) {
      port.postMessage("cancel" satisfies Request);
      end(reason);
    },
  };
  const readable = new ReadableStream(source, { highWaterMark: 0 });
  return { readable, fail: (error) => fail(error) };
}
