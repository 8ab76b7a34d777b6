// Packets as streams: what goes in and out may be larger than memory.

import type { ByteStream, DecryptStreamOptions, EncryptStreamOptions, Input } from "#api";
import { type Environment, hostEnvironment, type Layout, REGISTRATION } from "./environment.ts";
import { encoded, layoutWith, wrongType } from "./input.ts";
import { type ByteReader, type Bytes, readerOf, readerOfBytes, readerOfStream } from "./pieces/reader.ts";
import { sealInPieces } from "./pieces/seal.ts";
import { certificateOf, type Recipient } from "./recipient.ts";
import { Watch } from "./watch.ts";

type Stream = ReadableStream<Bytes>;

export async function encryptPacketStream(
  data: Input,
  recipient: Recipient,
  options: EncryptStreamOptions = {},
): Promise<ByteStream> {
  return await sealStream(data, recipient, layoutOf(options), hostEnvironment(), new Watch(options));
}

export async function sealStream(
  data: Input,
  recipient: Recipient,
  layout: Layout,
  environment: Environment,
  watch: Watch,
): Promise<ByteStream> {
  const certificate = certificateOf(recipient);
  const sealed = await sealInPieces(inputReader(data), certificate, layout, environment, watch);
  return { readable: streamOf(sealed, watch), length: sealed.length };
}

export class PacketEncryptionStream {
  readonly readable: Stream;
  readonly writable: WritableStream<Uint8Array>;

  constructor(recipient: Recipient, options: EncryptStreamOptions = {}) {
    const certificate = certificateOf(recipient);
    const layout = layoutOf(options);
    const watch = new Watch(options);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const reader = readerOfStream(readable);
    async function* parts() {
      yield* (await sealInPieces(reader, certificate, layout, hostEnvironment(), watch)).parts;
    }
    this.writable = writable;
    this.readable = streamOf({ parts: parts(), cancel: (reason) => reader.cancel(reason) }, watch);
  }
}

/** What may be encrypted, to be read from its beginning. */
export function inputReader(data: Input): ByteReader {
  if (typeof data === "string") return readerOfBytes(encoded(data));
  return readerOf(data, "Uint8Array, ArrayBuffer, Blob, ReadableStream or string");
}

export function layoutOf(options: EncryptStreamOptions | DecryptStreamOptions): Layout {
  const layout = layoutWith(options);
  const { registration } = options;
  if (registration === undefined || registration === false) return layout;
  if (registration !== true) throw wrongType("options.registration", "true, or nothing");
  if (layout.salt || layout.aad) {
    throw wrongType("options.registration", "it without salt and aad: registration packets have their own");
  }
  return REGISTRATION;
}

interface Parts {
  readonly parts: AsyncGenerator<Bytes, void, void>;
  readonly cancel: (reason: unknown) => void;
}

/** Made as it is read, and no faster. */
export function streamOf({ parts, cancel }: Parts, watch: Watch): Stream {
  let forget = () => {};
  const stop = (reason: unknown) => {
    forget();
    cancel(reason);
    parts.return().catch(() => {});
  };
  const source: UnderlyingDefaultSource<Bytes> = {
    start(controller) {
      forget = watch.onAbort((reason) => {
        controller.error(reason);
        stop(reason);
      });
    },
    async pull(controller) {
      try {
        const { done, value } = await parts.next();
        if (!done) return controller.enqueue(value);
        forget();
        controller.close();
      } catch (error) {
        stop(error);
        throw error;
      }
    },
    cancel: stop,
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}
