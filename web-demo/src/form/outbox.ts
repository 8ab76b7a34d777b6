import { openQueue, type PacketQueue } from "@kunji/client/queue";
import { find, isBusy, setBusy, setShown } from "../shared/dom.ts";
import { t } from "../shared/language.ts";
import { sendPacket } from "./send.ts";

const NAME = "kunji-demo";

/** Packets that wait on this device until it is online again. They are ciphertext; the key to open them is elsewhere. */
export class Outbox {
  readonly #section = find("outbox", HTMLElement);
  readonly #text = find("outbox-text", HTMLElement);
  readonly #button = find("outbox-send", HTMLButtonElement);
  readonly #offline = find("offline", HTMLElement);
  readonly #status = find("status", HTMLElement);
  #opening: Promise<PacketQueue> | undefined;

  constructor() {
    this.#button.addEventListener("click", () => {
      if (!isBusy(this.#button)) void this.#send();
    });
    window.addEventListener("offline", () => {
      this.#showConnection();
      this.#status.textContent = t("This device is offline.");
    });
    window.addEventListener("online", () => {
      this.#showConnection();
      this.#status.textContent = t("This device is online again.");
      if (this.#opening !== undefined) void this.#send();
    });
    this.#showConnection();
    void this.#sendLeftovers();
  }

  /** Keeps the packet; resolves once it is on the disk. */
  async keep(packet: Uint8Array<ArrayBuffer>): Promise<void> {
    const queue = await this.#queue();
    await queue.add(packet);
    await this.#show(queue);
  }

  /** Sends what was left when the page was last closed. A queue is opened where there is one only: it asks for room. */
  async #sendLeftovers(): Promise<void> {
    const databases = (await globalThis.indexedDB?.databases?.()) ?? [];
    if (databases.some(({ name }) => name === NAME)) await this.#send();
  }

  /** Sends what waits, if anything does. What cannot be sent goes on waiting, and is shown. */
  async #send(): Promise<void> {
    setBusy(this.#button, true);
    try {
      const queue = await this.#queue();
      if (navigator.onLine && (await queue.list()).length > 0) {
        await queue.retry();
        const { sent } = await queue.send(async (packet) => {
          // A receipt says that the office has it, durably.
          await sendPacket(packet, () => {});
          return true;
        });
        if (sent > 0) this.#status.textContent = t("Kept registrations that were sent: {count}.", { count: sent });
      }
      await this.#show(queue);
    } catch (error) {
      console.warn("the outbox does not work", error);
    } finally {
      setBusy(this.#button, false);
    }
  }

  async #show(queue: PacketQueue): Promise<void> {
    const { length } = await queue.list();
    const sentences = [
      t("Encrypted registrations on this device: {count}. They are sent as soon as it is online.", { count: length }),
    ];
    if (!queue.isPersistent) {
      sentences.push(t("This browser may delete them when disk space is short: do not wait long."));
    }
    this.#text.textContent = sentences.join(" ");
    setShown(length > 0, this.#section);
  }

  #showConnection(): void {
    setShown(!navigator.onLine, this.#offline);
  }

  #queue(): Promise<PacketQueue> {
    this.#opening ??= openQueue({ name: NAME }).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }
}
