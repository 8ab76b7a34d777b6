import { find, setShown } from "../shared/dom.ts";
import { formatBytes } from "../shared/format.ts";
import { t } from "../shared/language.ts";
import { clearCanvas, detectPhotoType, drawPhoto, type Photo, TooManyPixels } from "../shared/photo.ts";
import { Camera } from "./camera.ts";
import type { Checked } from "./fields.ts";

/** With its base64 and the rest of the record it stays well under the 16 MiB that the server takes. */
const MAX_PHOTO_BYTES = 8_000_000;

const TOO_LARGE = t("This photo is larger than {size}. Choose a smaller one", { size: formatBytes(MAX_PHOTO_BYTES) });
const TOO_MANY_PIXELS = "This photo has more than 50 megapixels. Choose a smaller one";
const UNREADABLE = "This file is not a picture that can be read. Choose a JPEG, PNG or WebP picture";

/** The field for the photo, from a file or the camera, with its preview. */
export class PhotoField {
  readonly #input = find("photo", HTMLInputElement);
  readonly #preview = find("photo-preview", HTMLElement);
  readonly #canvas = find("photo-canvas", HTMLCanvasElement);
  readonly #caption = find("photo-caption", HTMLElement);
  readonly #remove = find("photo-remove", HTMLButtonElement);
  readonly #camera = new Camera((photo) => this.#fill(photo));
  /** Of the file chosen last; a slower reading of an earlier one does not overtake it. */
  #reading: Promise<Checked<Photo | null>> = Promise.resolve({ value: null });
  readonly #onChange: () => void;

  /** @param onChange - called once a choice has been looked at. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.#input.addEventListener("change", () => {
      // Without a file the dialogue was cancelled, and browsers differ in what they then keep.
      const file = this.#input.files?.[0];
      if (file !== undefined) this.#choose(file);
    });
    this.#remove.addEventListener("click", () => {
      this.clear();
      this.#onChange();
      this.#input.focus();
    });
  }

  /** The photo, or what is wrong with the chosen file; waits for a file that is being read. */
  async check(): Promise<Checked<Photo | null>> {
    const reading = this.#reading;
    const checked = await reading;
    return reading === this.#reading ? checked : this.check();
  }

  /** Nothing more comes from the camera until somebody asks for it. */
  closeCamera(): void {
    this.#camera.close();
  }

  /** As if no file had been chosen. */
  clear(): void {
    this.closeCamera();
    this.#reading = Promise.resolve({ value: null });
    this.#input.value = "";
    this.#hidePreview();
  }

  /** Has the field for files hold the photo, which then is as good as one that was chosen there. */
  #fill(photo: File): void {
    const files = new DataTransfer();
    files.items.add(photo);
    this.#input.files = files.files;
    this.#choose(this.#input.files[0] ?? photo);
  }

  #choose(file: File): void {
    const canvas = document.createElement("canvas");
    const reading = readPhoto(file, canvas);
    this.#reading = reading.then(({ checked }) => checked);
    void reading.then(({ checked, caption }) => {
      if (file !== this.#input.files?.[0]) return;
      if (checked.value) this.#showPreview(canvas, caption);
      else this.#hidePreview();
      setShown(true, this.#remove);
      this.#onChange();
    });
  }

  #showPreview(drawn: HTMLCanvasElement, caption: string): void {
    this.#canvas.width = drawn.width;
    this.#canvas.height = drawn.height;
    this.#canvas.getContext("2d")?.drawImage(drawn, 0, 0);
    this.#caption.textContent = caption;
    setShown(true, this.#preview);
  }

  #hidePreview(): void {
    clearCanvas(this.#canvas);
    setShown(false, this.#preview, this.#remove);
  }
}

async function readPhoto(
  file: File,
  canvas: HTMLCanvasElement,
): Promise<{ checked: Checked<Photo | null>; caption: string }> {
  const refuse = (fault: string) => ({ checked: { fault, place: undefined }, caption: "" });
  if (file.size > MAX_PHOTO_BYTES) return refuse(TOO_LARGE);
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const type = detectPhotoType(bytes);
    if (type === undefined) return refuse(UNREADABLE);
    const photo = { type, bytes };
    const { width, height } = await drawPhoto(canvas, photo);
    return {
      checked: { value: photo },
      caption: t("{width} × {height} pixels, {size}", { width, height, size: formatBytes(file.size) }),
    };
  } catch (error) {
    return refuse(error instanceof TooManyPixels ? TOO_MANY_PIXELS : UNREADABLE);
  }
}
