import { type PictureSize, readPictureSize } from "./picture-size.ts";

/** The kinds of picture that every browser draws. */
export type PhotoType = "image/jpeg" | "image/png" | "image/webp";

export interface Photo {
  readonly type: PhotoType;
  /** The file as it was chosen. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Longest edge of a drawn photo, in pixels. */
const MAX_EDGE = 640;

/** Most pixels that are decoded: 200 MB of memory. A file of a few kilobytes can have many times as many. */
const MAX_PIXELS = 50_000_000;

/** The picture has too many pixels to be decoded. */
export class TooManyPixels extends Error {}

/** What the first bytes say the file is. Its name and declared type may say anything. */
export function detectPhotoType(bytes: Uint8Array): PhotoType | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (start.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  return start.startsWith("RIFF") && start.endsWith("WEBP") ? "image/webp" : undefined;
}

/**
 * Draws the photo on the canvas, scaled down to at most {@link MAX_EDGE}, and returns its own size. Rejects if the
 * browser cannot decode it, and with {@link TooManyPixels} before it tries to. A canvas needs no address, so the page's policy can forbid blob: and data: images.
 */
export async function drawPhoto(canvas: HTMLCanvasElement, photo: Photo): Promise<PictureSize> {
  const size = readPictureSize(photo.type, photo.bytes);
  if (size === undefined) throw new Error("the picture has no size");
  if (size.width * size.height > MAX_PIXELS) throw new TooManyPixels();
  const bitmap = await createImageBitmap(new Blob([photo.bytes], { type: photo.type }));
  try {
    const { width, height } = bitmap;
    const scale = Math.min(1, MAX_EDGE / Math.max(width, height));
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("the browser gave no canvas");
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return { width, height };
  } finally {
    bitmap.close();
  }
}

/** Takes the pixels out of the canvas. */
export function clearCanvas(canvas: HTMLCanvasElement): void {
  canvas.width = 0;
  canvas.height = 0;
}
