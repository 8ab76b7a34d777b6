import { find, isBusy, setBusy, setShown } from "../shared/dom.ts";
import { t } from "../shared/language.ts";
import { clearCanvas } from "../shared/photo.ts";
import type { Text } from "../shared/texts.ts";

/** What is asked of the camera: it is pointed at somebody else, and a face needs no more pixels. */
const WANTED: MediaStreamConstraints = {
  video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 960 } },
};

const JPEG_QUALITY = 0.92;

const REFUSED: Text = "The camera may not be used. Allow it in the browser’s settings for this page, or choose a file.";
const MISSING: Text = "This device has no camera that can be used. Choose a file.";
const BROKEN: Text =
  "The camera is used by another program, or is broken. Close that program and try again, or choose a file.";
const GONE: Text = "The camera went away. Connect it and try again, or choose a file.";

/** By the names of the Media Capture and Streams specification. */
const FAULTS = new Map<string, Text>([
  ["NotAllowedError", REFUSED],
  ["SecurityError", REFUSED],
  ["NotFoundError", MISSING],
  ["OverconstrainedError", MISSING],
]);

/** The camera beside the field for files: on only while its picture is seen. */
export class Camera {
  readonly #button = find("camera-open", HTMLButtonElement);
  readonly #section = find("camera", HTMLElement);
  readonly #video = find("camera-picture", HTMLVideoElement);
  readonly #take = find("camera-take", HTMLButtonElement);
  readonly #said = find("camera-said", HTMLElement);
  readonly #fault = find("camera-fault", HTMLElement);
  readonly #onPhoto: (photo: File) => void;
  #stream: MediaStream | undefined;
  /** Counts the openings and closings: a camera that comes after the next of them is switched off again. */
  #turn = 0;

  /** @param onPhoto - is given each photo that is taken. */
  constructor(onPhoto: (photo: File) => void) {
    this.#onPhoto = onPhoto;
    // Not there on pages without HTTPS, and then nothing can be offered.
    setShown("mediaDevices" in navigator, this.#button);
    this.#button.addEventListener("click", () => {
      if (!isBusy(this.#button)) void this.#open();
    });
    this.#take.addEventListener("click", () => {
      if (!isBusy(this.#take)) void this.#shoot();
    });
    find("camera-close", HTMLButtonElement).addEventListener("click", () => {
      this.close();
      this.#button.focus();
    });
    window.addEventListener("pagehide", () => this.close());
  }

  /** Switches the camera off, and takes its picture and what was said of it off the page. */
  close(): void {
    this.#turn += 1;
    switchOff(this.#stream);
    this.#stream = undefined;
    this.#video.srcObject = null;
    this.#tell("");
    setBusy(this.#button, false);
    setShown(false, this.#section);
  }

  async #open(): Promise<void> {
    this.close();
    const turn = this.#turn;
    setBusy(this.#button, true);
    let stream: MediaStream | undefined;
    try {
      stream = await navigator.mediaDevices.getUserMedia(WANTED);
      if (turn !== this.#turn) return switchOff(stream);
      this.#stream = stream;
      this.#video.srcObject = stream;
      await this.#video.play();
      if (turn !== this.#turn) return;
      for (const track of stream.getTracks()) track.addEventListener("ended", () => this.#lose(turn));
      setShown(true, this.#section);
      this.#tell(t("The camera is on. Nothing is taken until you press the button."));
      this.#take.focus();
    } catch (error) {
      if (turn !== this.#turn) return switchOff(stream);
      this.#fail(FAULTS.get(error instanceof DOMException ? error.name : "") ?? BROKEN);
    } finally {
      if (turn === this.#turn) setBusy(this.#button, false);
    }
  }

  /** Keeps what is seen now. */
  async #shoot(): Promise<void> {
    const turn = this.#turn;
    setBusy(this.#take, true);
    const photo = await frameOf(this.#video);
    setBusy(this.#take, false);
    if (turn !== this.#turn) return;
    if (photo === null) {
      this.#fail(BROKEN);
      return;
    }
    this.close();
    this.#tell(t("The photo was taken."));
    this.#button.focus();
    this.#onPhoto(photo);
  }

  #lose(turn: number): void {
    if (turn === this.#turn) this.#fail(GONE);
  }

  #fail(fault: Text): void {
    const hadFocus = this.#section.contains(document.activeElement);
    this.close();
    this.#fault.textContent = t(fault);
    if (hadFocus) this.#button.focus();
  }

  #tell(text: string): void {
    this.#said.textContent = text;
    this.#fault.textContent = "";
  }
}

function switchOff(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** The picture that is shown, as a JPEG; null if the browser makes none. */
async function frameOf(video: HTMLVideoElement): Promise<File | null> {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
  clearCanvas(canvas);
  return blob && new File([blob], "camera.jpg", { type: blob.type });
}
