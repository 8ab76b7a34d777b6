import { find, setShown } from "../shared/dom.ts";
import { formatBytes, formatCalendarDate } from "../shared/format.ts";
import { t } from "../shared/language.ts";
import { clearCanvas, drawPhoto, TooManyPixels } from "../shared/photo.ts";
import type { Registration } from "../shared/registration.ts";

/** A photo ready to be shown, if there is one, and something said about it. */
export interface DrawnPhoto {
  readonly canvas: HTMLCanvasElement | null;
  readonly text: string;
}

/** Draws the registration's photo off the page. */
export async function drawRecordPhoto({ photo }: Registration): Promise<DrawnPhoto> {
  if (photo === null) return { canvas: null, text: t("No photo was given.") };
  const canvas = document.createElement("canvas");
  try {
    const { width, height } = await drawPhoto(canvas, photo);
    return {
      canvas,
      text: t("{width} × {height} pixels, {size}", { width, height, size: formatBytes(photo.bytes.length) }),
    };
  } catch (error) {
    const text =
      error instanceof TooManyPixels
        ? t("The photo has too many pixels to be shown.")
        : t("The photo cannot be shown by this browser.");
    return { canvas: null, text };
  }
}

/** The decrypted registration on the page. */
export class RecordView {
  readonly #section = find("record", HTMLElement);
  readonly #hint = find("record-hint", HTMLElement);
  readonly #title = find("record-title", HTMLElement);
  readonly #name = find("record-name", HTMLElement);
  readonly #birth = find("record-birth", HTMLElement);
  readonly #packet = find("record-packet", HTMLElement);
  readonly #canvas = find("record-photo", HTMLCanvasElement);
  readonly #photoText = find("record-photo-text", HTMLElement);

  /** Shows the registration and brings the reader there. */
  show(registration: Registration, photo: DrawnPhoto, packetId: string): void {
    this.#name.textContent = registration.name;
    this.#birth.textContent = formatCalendarDate(registration.dateOfBirth);
    this.#packet.textContent = packetId;
    this.#photoText.textContent = photo.text;
    if (photo.canvas !== null) this.#show(photo.canvas);
    setShown(true, this.#section);
    setShown(false, this.#hint);
    this.#title.focus();
  }

  /** Takes everything about the registration off the page. */
  clear(): void {
    for (const element of [this.#name, this.#birth, this.#packet, this.#photoText]) element.textContent = "";
    clearCanvas(this.#canvas);
    setShown(false, this.#canvas, this.#section);
    setShown(true, this.#hint);
  }

  #show(drawn: HTMLCanvasElement): void {
    this.#canvas.width = drawn.width;
    this.#canvas.height = drawn.height;
    this.#canvas.getContext("2d")?.drawImage(drawn, 0, 0);
    clearCanvas(drawn);
    setShown(true, this.#canvas);
  }
}
