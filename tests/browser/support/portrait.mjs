// A photo made here, so that no person's is in the repository: its pixels, and a PNG of them.
import { crc32, deflateSync } from "node:zlib";

export const WIDTH = 240;
export const HEIGHT = 300;

/** Red, green and blue at a place. */
function colour(x, y) {
  const inside = (centreX, centreY, radiusX, radiusY) =>
    ((x - centreX) / radiusX) ** 2 + ((y - centreY) / radiusY) ** 2 < 1;
  if (inside(104, 128, 5, 6) || inside(136, 128, 5, 6)) return [48, 36, 30];
  if (inside(120, 160, 18, 8) && y > 160) return [150, 74, 62];
  if (inside(120, 132, 46, 60) && y > 100 - Math.abs(x - 120) / 4) return [196 - Math.floor(x / 12), 146, 112];
  if (inside(120, 118, 58, 66)) return [44, 34, 30];
  if (inside(120, 196, 22, 30)) return [170, 124, 94];
  if (inside(120, 300, 98, 96)) return [38, 92 + Math.floor(y / 12), 108];
  return [206 - Math.floor(y / 6), 216 - Math.floor(y / 7), 224 - Math.floor(x / 12)];
}

/** The pixels as a canvas gives them: red, green, blue and opacity, row by row. */
export function pixels() {
  const bytes = Buffer.alloc(WIDTH * HEIGHT * 4, 255);
  for (let y = 0; y < HEIGHT; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) bytes.set(colour(x, y), (y * WIDTH + x) * 4);
  }
  return bytes;
}

/** The pixels as a PNG (ISO/IEC 15948). */
export function png() {
  const all = pixels();
  const rows = [];
  for (let y = 0; y < HEIGHT; y += 1) rows.push(Buffer.of(0), all.subarray(y * WIDTH * 4, (y + 1) * WIDTH * 4));
  return encode(WIDTH, HEIGHT, [8, 6], Buffer.concat(rows));
}

/** A black PNG of so many pixels: a few kilobytes, however many they are. */
export function blankPng(width, height) {
  return encode(width, height, [1, 0], Buffer.alloc((Math.ceil(width / 8) + 1) * height));
}

/** `format` is the bit depth and the colour type. */
function encode(width, height, format, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set(format, 8);
  const signature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const data = deflateSync(rows);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  whole.set(body, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}
