// What is encrypted or opened in pieces, read from its beginning to its end, whatever it is.

import { isArrayBuffer, isTagged, isUint8Array, plain, unreadable, unreadableFile, wrongType } from "../input.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export interface ByteReader {
  /** How many bytes there are, where that is known. */
  readonly length: number | undefined;
  /**
   * The next bytes: `count`, or as many as are left. They stand until the next but one read: memory that is used again
   * does not have to wait for the engine to collect it.
   */
  read(count: number): Promise<Bytes>;
  /** Puts the bytes that were read last back. */
  unread(bytes: Bytes): void;
  /** Nothing more is wanted: ends a read that waits, too. */
  cancel(reason: unknown): void;
}

export function readerOfBytes(bytes: Bytes): ByteReader {
  const { length } = bytes;
  let offset = 0;
  return {
    length,
    async read(count) {
      if (bytes.length !== length) throw wrongType("data", "bytes, and do not transfer them to elsewhere meanwhile");
      const piece = bytes.subarray(offset, offset + count);
      offset += piece.length;
      return piece;
    },
    unread(piece) {
      offset -= piece.length;
    },
    cancel() {},
  };
}

/** Reads a piece ahead: the disk works while the cipher does. */
export function readerOfBlob(blob: Blob): ByteReader {
  const length = blob.size;
  let offset = 0;
  let ahead: { readonly start: number; readonly count: number; readonly bytes: Promise<Bytes> } | undefined;
  const load = async (start: number, count: number) => {
    try {
      return new Uint8Array(await blob.slice(start, start + count).arrayBuffer());
    } catch (cause) {
      throw unreadableFile(cause);
    }
  };
  return {
    length,
    async read(count) {
      const wanted = Math.min(count, length - offset);
      const isAhead = ahead?.start === offset && ahead.count === wanted;
      const bytes = await (isAhead ? ahead?.bytes : load(offset, wanted));
      if (bytes?.length !== wanted) throw unreadableFile(undefined);
      offset += wanted;
      ahead = undefined;
      const next = Math.min(count, length - offset);
      if (next > 0) {
        ahead = { start: offset, count: next, bytes: load(offset, next) };
        // A failure shows when it is used.
        ahead.bytes.catch(() => {});
      }
      return bytes;
    },
    unread(bytes) {
      offset -= bytes.length;
    },
    cancel() {
      ahead = undefined;
    },
  };
}

export function readerOfStream(stream: ReadableStream<Uint8Array>): ByteReader {
  if (stream.locked) throw wrongType("data", "a stream that nobody else reads");
  const reader = stream.getReader();
  /** What is there but was not asked for yet. */
  let rest: Bytes = new Uint8Array();
  let buffers: [Bytes, Bytes] = [new Uint8Array(), new Uint8Array()];
  const bufferOf = (count: number): Bytes => {
    buffers = [buffers[1], buffers[0].length === count ? buffers[0] : new Uint8Array(count)];
    return buffers[1];
  };
  const nextChunk = async (): Promise<Bytes | undefined> => {
    let result: ReadableStreamReadResult<Uint8Array>;
    try {
      result = await reader.read();
    } catch (cause) {
      throw unreadable("the stream broke off", "open it again, and encrypt from its beginning", cause);
    }
    if (result.done) return undefined;
    if (!isUint8Array(result.value)) throw wrongType("a part of the stream", "a stream of Uint8Arrays");
    return plain("a part of the stream", result.value);
  };
  return {
    length: undefined,
    async read(count) {
      if (rest.length === 0) {
        const chunk = await nextChunk();
        if (!chunk || chunk.length === count) return chunk ?? new Uint8Array();
        rest = chunk;
      }
      if (rest.length >= count) {
        const piece = rest.subarray(0, count);
        rest = rest.subarray(count);
        return piece;
      }
      const piece = bufferOf(count);
      let filled = 0;
      for (let chunk: Bytes | undefined = rest; chunk; chunk = await nextChunk()) {
        const taken = chunk.subarray(0, count - filled);
        piece.set(taken, filled);
        filled += taken.length;
        rest = chunk.subarray(taken.length);
        if (filled === count) return piece;
      }
      return piece.subarray(0, filled);
    },
    unread(bytes) {
      const joined = new Uint8Array(bytes.length + rest.length);
      joined.set(bytes);
      joined.set(rest, bytes.length);
      rest = joined;
    },
    cancel(reason) {
      rest = new Uint8Array();
      reader.cancel(reason).catch(() => {});
    },
  };
}

/** Passes over `count` bytes. */
export async function skip(reader: ByteReader, count: number, pieceBytes: number): Promise<void> {
  for (let left = count; left > 0; ) {
    const { length } = await reader.read(Math.min(left, pieceBytes));
    if (length === 0) return;
    left -= length;
  }
}

/** A reader of what has a type that is accepted. */
export function readerOf(data: unknown, accepted: string): ByteReader {
  if (isUint8Array(data)) return readerOfBytes(plain("data", data));
  if (isArrayBuffer(data)) return readerOfBytes(plain("data", { buffer: data, byteOffset: 0, byteLength: undefined }));
  if (isTagged(data, "Blob") || isTagged(data, "File")) return readerOfBlob(data as Blob);
  if (isTagged(data, "ReadableStream")) return readerOfStream(data as ReadableStream<Uint8Array>);
  throw wrongType("data", accepted);
}
