// Packets as streams: what goes in and out may be larger than memory.

import type {
  BinaryInput,
  ByteStream,
  DecryptStreamOptions,
  EncryptStreamOptions,
  Input,
  ReopenableSource,
} from "#api";
import { type Environment, hostEnvironment, type Layout, REGISTRATION } from "./environment.ts";
import { encoded, isArrayBuffer, isTagged, isUint8Array, layoutWith, plain, wrongType } from "./input.ts";
import { openInPieces, type Source } from "./pieces/open.ts";
import { type ByteReader, type Bytes, readerOf, readerOfBlob, readerOfBytes, readerOfStream } from "./pieces/reader.ts";
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

export async function decryptPacketStream(
  packet: BinaryInput | ReopenableSource,
  privateKey: CryptoKey,
  options: DecryptStreamOptions = {},
): Promise<ByteStream & { readonly length: number }> {
  return await openStream(packet, privateKey, layoutOf(options), hostEnvironment(), new Watch(options));
}

export async function openStream(
  packet: BinaryInput | ReopenableSource,
  privateKey: CryptoKey,
  layout: Layout,
  environment: Environment,
  watch: Watch,
): Promise<ByteStream & { readonly length: number }> {
  const opened = await openInPieces(sourceOf(packet), privateKey, layout, environment, watch);
  return { readable: streamOf(opened, watch), length: opened.length };
}

/** What may be encrypted, to be read from its beginning. */
export function inputReader(data: Input): ByteReader {
  if (typeof data === "string") return readerOfBytes(encoded(data));
  return readerOf(data, "Uint8Array, ArrayBuffer, Blob, ReadableStream or string");
}

/** What can be read twice. */
export function sourceOf(packet: BinaryInput | ReopenableSource): Source {
  if (isUint8Array(packet) || isArrayBuffer(packet)) {
    const bytes = plain(
      "packet",
      isUint8Array(packet) ? packet : { buffer: packet, byteOffset: 0, byteLength: undefined },
    );
    return { size: bytes.length, open: async () => readerOfBytes(bytes) };
  }
  if (isTagged(packet, "Blob") || isTagged(packet, "File")) {
    return { size: (packet as Blob).size, open: async () => readerOfBlob(packet as Blob) };
  }
  const { size, open } = (packet ?? {}) as Partial<ReopenableSource>;
  if (!Number.isSafeInteger(size) || typeof open !== "function") {
    throw wrongType("packet", "Uint8Array, ArrayBuffer, Blob, or { size, open } with a function that opens a stream");
  }
  return {
    size: size as number,
    async open() {
      const stream = await open.call(packet);
      if (!isTagged(stream, "ReadableStream")) throw wrongType("the result of open()", "a ReadableStream");
      return readerOfStream(stream);
    },
  };
}

function layoutOf(options: EncryptStreamOptions | DecryptStreamOptions): Layout {
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
function streamOf({ parts, cancel }: Parts, watch: Watch): Stream {
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
