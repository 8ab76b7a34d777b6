import type { PhotoType } from "./photo.ts";

/** Width and height in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** What a picture's header says of its size, without decoding it; undefined if it says nothing. */
export function readPictureSize(type: PhotoType, bytes: Uint8Array): PictureSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const { width, height } = READERS[type](view);
    return width > 0 && height > 0 ? { width, height } : undefined;
  } catch (error) {
    // The file ends within its header, or has none.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const READERS: Readonly<Record<PhotoType, (view: DataView) => PictureSize>> = {
  "image/jpeg": readJpeg,
  "image/png": readPng,
  "image/webp": readWebp,
};

/** ISO/IEC 15948: the header is the first chunk. */
function readPng(view: DataView): PictureSize {
  if (readName(view, 12) !== "IHDR") throw new RangeError("no header");
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** ITU-T T.81 annex B: the frame header is somewhere before the first scan. Decoders skip what is between segments. */
function readJpeg(view: DataView): PictureSize {
  let at = 2;
  for (;;) {
    while (view.getUint8(at) !== 0xff) at += 1;
    while (view.getUint8(at) === 0xff) at += 1;
    const marker = view.getUint8(at);
    at += 1;
    if (isFrame(marker)) return { width: view.getUint16(at + 5), height: view.getUint16(at + 3) };
    if (marker === 0xd9 || marker === 0xda) throw new RangeError("no header");
    if (!standsAlone(marker)) at += view.getUint16(at);
  }
}

/** Start of frame: 0xC0 to 0xCF without the tables (DHT, DAC) and the extension (JPG) among them. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Markers without a segment: RST0 to RST7, SOI, TEM; 0 is none at all. */
function standsAlone(marker: number): boolean {
  return marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

/** RFC 9649: the first chunk is a lossy frame, a lossless one, or the canvas of what follows. */
function readWebp(view: DataView): PictureSize {
  switch (readName(view, 12)) {
    case "VP8 ":
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    case "VP8L": {
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case "VP8X":
      return { width: readUint24(view, 24) + 1, height: readUint24(view, 27) + 1 };
    default:
      throw new RangeError("no header");
  }
}

function readUint24(view: DataView, at: number): number {
  return view.getUint16(at, true) + view.getUint8(at + 2) * 0x1_0000;
}

function readName(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((offset) => view.getUint8(at + offset)));
}
