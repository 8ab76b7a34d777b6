// What runs in the worker: the package's own functions, for the page that started it.

import type { BinaryInput, Input, Progress } from "#api";
import { KunjiError } from "../errors.ts";
import {
  decryptPacket,
  decryptPacketStream,
  decryptRegistrationPacket,
  encryptPacket,
  encryptPacketStream,
  encryptRegistrationPacket,
} from "../index.ts";
import { checkedElsewhere, type Recipient } from "../recipient.ts";
import { receivedParts, sendParts } from "./parts.ts";
import { type Answer, type Call, type Failure, type Handed, postFailure } from "./protocol.ts";

type Bytes = Uint8Array<ArrayBuffer>;

interface Made {
  readonly readable: ReadableStream<Bytes>;
  readonly length: number | undefined;
}

const encrypting = { encryptPacket, encryptPacketStream, encryptRegistrationPacket };
const decrypting = { decryptPacket, decryptPacketStream, decryptRegistrationPacket };

addEventListener("message", ({ data }: MessageEvent<Call>) => void answer(data));

async function answer(call: Call): Promise<void> {
  const { port } = call;
  const controller = new AbortController();
  port.onmessage = () => {
    port.close();
    controller.abort();
  };
  const say = (message: Answer, transferred: Transferable[] = []) => port.postMessage(message, transferred);
  const onProgress = (progress: Progress) => say({ kind: "progress", progress });
  const options = {
    ...call.options,
    signal: controller.signal,
    onProgress: call.reportsProgress ? onProgress : undefined,
  };
  try {
    const made = await run(call, options);
    if (made instanceof Uint8Array) return say({ kind: "bytes", bytes: made }, [made.buffer]);
    const { port1, port2 } = new MessageChannel();
    sendParts(port1, made.readable.getReader(), { owned: true, failureOf });
    say({ kind: "stream", port: port2, length: made.length }, [port2]);
  } catch (error) {
    postFailure(port, failureOf(error), (failure) => ({ kind: "failure", failure }) satisfies Answer);
  }
}

function run({ operation, data, key }: Call, options: object): Promise<Bytes | Made> {
  const given = received(data);
  if (operation in encrypting) {
    return encrypting[operation as keyof typeof encrypting](given as Input, recipientOf(key as string), options);
  }
  return decrypting[operation as keyof typeof decrypting](given as BinaryInput, key as CryptoKey, options);
}

function received(data: Handed): unknown {
  if (data.kind === "value") return data.value;
  if (data.kind === "stream") return streamFrom(data.port);
  const { size, port } = data;
  const open = () =>
    new Promise<ReadableStream<Bytes>>((resolve) => {
      port.onmessage = ({ data }: MessageEvent<MessagePort>) => resolve(streamFrom(data));
      port.postMessage("open");
    });
  return { size, open };
}

function streamFrom(port: MessagePort): ReadableStream<Bytes> {
  return receivedParts(port, errorOf).readable;
}

/** A failure of the page's own source, as an error: what it was is its cause. */
function errorOf({ message, cause }: Failure): unknown {
  return cause ?? new Error(message);
}

/** The page takes none but those that it has checked. */
function recipientOf(pem: string): Recipient {
  const base64 = pem.replaceAll(/-----.*?-----|\s/g, "");
  return checkedElsewhere(pem, new Uint8Array([...atob(base64)].map((character) => character.charCodeAt(0))));
}

function failureOf(error: unknown): Failure {
  if (error instanceof KunjiError)
    return { code: error.code, message: error.message, hint: error.hint, cause: error.cause };
  return { code: undefined, message: String(error), hint: "", cause: error };
}
