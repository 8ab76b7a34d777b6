// What a page hands to its worker: bytes as a copy or for good, streams part by part, and the rest as it is.

import type { ReopenableSource } from "#api";
import { sendParts } from "./parts.ts";
import type { Failure, Handed } from "./protocol.ts";

export interface Source {
  readonly handed: Handed;
  /** Tells a stream of the caller that nothing more of it is wanted. */
  readonly cancel: (reason: unknown) => void;
}

/** `transferred` gets what crosses. With `whole` bytes leave the page, and are not copied. */
export function handOver(data: unknown, whole: boolean, transferred: Transferable[]): Source {
  const type = Object.prototype.toString.call(data);
  if (type === "[object Uint8Array]") {
    const bytes = data as Uint8Array;
    return handBytes(whole && bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice());
  }
  if (type === "[object ArrayBuffer]")
    return handBytes(new Uint8Array(whole ? (data as ArrayBuffer) : (data as ArrayBuffer).slice(0)));
  if (type === "[object ReadableStream]") return handStream(data as ReadableStream, transferred);
  if (typeof (data as Partial<ReopenableSource> | null)?.open === "function") {
    return handReopenable(data as ReopenableSource, transferred);
  }
  return { handed: { kind: "value", value: data }, cancel() {} };

  function handBytes(value: Uint8Array): Source {
    transferred.push(value.buffer as ArrayBuffer);
    return { handed: { kind: "value", value }, cancel() {} };
  }
}

/** Parts are copied: the one who made the stream may have handed them to others as well. */
function handStream(stream: ReadableStream<unknown>, transferred: Transferable[]): Source {
  const reader = stream.getReader();
  const { port1, port2 } = new MessageChannel();
  transferred.push(port2);
  sendParts(port1, reader, { owned: false, failureOf });
  return {
    handed: { kind: "stream", port: port2 },
    cancel(reason) {
      port1.close();
      reader.cancel(reason).catch(() => {});
    },
  };
}

function handReopenable(source: ReopenableSource, transferred: Transferable[]): Source {
  const { port1, port2 } = new MessageChannel();
  transferred.push(port2);
  let opened: Source | undefined;
  port1.onmessage = async () => {
    const ports: Transferable[] = [];
    try {
      opened = handStream(await source.open(), ports);
    } catch (error) {
      opened = handStream(broken(error), ports);
    }
    port1.postMessage(ports[0], ports);
  };
  return {
    handed: { kind: "reopenable", size: source.size, port: port2 },
    cancel(reason) {
      port1.close();
      opened?.cancel(reason);
    },
  };
}

function broken(error: unknown): ReadableStream {
  return new ReadableStream({ start: (controller) => controller.error(error) });
}

function failureOf(error: unknown): Failure {
  return { code: undefined, message: String(error), hint: "", cause: error };
}
