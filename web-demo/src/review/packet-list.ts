import { find, findIn, isBusy, setBusy, setShown } from "../shared/dom.ts";
import { formatBytes, formatMoment } from "../shared/format.ts";
import type { PacketEntry } from "./session.ts";

/** The list of packets, each with a button that opens it. */
export class PacketList {
  readonly #list = find("packet-list", HTMLUListElement);
  readonly #empty = find("packets-empty", HTMLElement);
  readonly #template = find("packet-template", HTMLTemplateElement);
  readonly #onOpen: (entry: PacketEntry) => Promise<void>;

  /** @param onOpen - shows the packet; its button is busy until then. */
  constructor(onOpen: (entry: PacketEntry) => Promise<void>) {
    this.#onOpen = onOpen;
  }

  show(entries: readonly PacketEntry[]): void {
    this.#list.replaceChildren(...entries.map((entry) => this.#item(entry)));
    setShown(entries.length > 0, this.#list);
    setShown(entries.length === 0, this.#empty);
  }

  clear(): void {
    this.#list.replaceChildren();
    setShown(false, this.#list, this.#empty);
  }

  /** Marks the packet that is shown beside the list; none without an id. */
  mark(id?: string): void {
    for (const button of this.#list.querySelectorAll("button")) {
      if (button.dataset.id === id) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }

  /** Brings the reader to the packet's button, or to the list's title. */
  focus(id: string): void {
    const buttons = [...this.#list.querySelectorAll("button")];
    const target = buttons.find((button) => button.dataset.id === id) ?? find("packets-title", HTMLElement);
    target.focus();
  }

  #item(entry: PacketEntry): Node {
    const item = this.#template.content.cloneNode(true) as DocumentFragment;
    const time = findIn(item, "time", HTMLTimeElement);
    time.dateTime = entry.received;
    time.textContent = formatMoment(new Date(entry.received));
    findIn(item, ".packet-size", HTMLElement).textContent = formatBytes(entry.bytes);
    findIn(item, ".packet-id", HTMLElement).textContent = entry.id;
    const button = findIn(item, "button", HTMLButtonElement);
    button.dataset.id = entry.id;
    button.addEventListener("click", async () => {
      if (isBusy(button)) return;
      setBusy(button, true);
      await this.#onOpen(entry);
      setBusy(button, false);
    });
    return item;
  }
}
