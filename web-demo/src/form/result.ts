import { find, setShown } from "../shared/dom.ts";
import { formatBytes, formatMoment } from "../shared/format.ts";
import type { Submitted } from "./submission.ts";

/** What came of the submission, in place of the form. */
export class Result {
  readonly #section = find("result", HTMLElement);
  readonly #title = find("result-title", HTMLElement);
  readonly #download = find("result-download", HTMLAnchorElement);

  /** Shows the receipt, or offers the packet as a file if there is none. */
  show({ recipient, packet, receipt }: Submitted): void {
    this.#title.textContent = receipt ? "Registration received" : "Packet ready";
    find("result-text", HTMLElement).textContent = receipt
      ? `The office received the encrypted packet on ${formatMoment(new Date(receipt.received))}. Keep the packet id: the office finds the registration by it.`
      : "This server takes no packets. Save the encrypted packet and bring it to the office in another way.";
    find("result-id", HTMLElement).textContent = receipt?.id ?? "";
    setShown(receipt !== null, find("result-id-row", HTMLElement), find("result-review", HTMLElement));
    find("result-bytes", HTMLElement).textContent = formatBytes(receipt?.bytes ?? packet.length);
    find("result-thumbprint", HTMLElement).textContent = recipient.thumbprint;
    if (receipt === null) this.#offer(packet, recipient.thumbprint);
    setShown(receipt === null, this.#download);
    setShown(true, this.#section);
    this.#title.focus();
  }

  hide(): void {
    if (this.#download.href !== "") URL.revokeObjectURL(this.#download.href);
    this.#download.removeAttribute("href");
    setShown(false, this.#section);
  }

  #offer(packet: Uint8Array, thumbprint: string): void {
    this.#download.href = URL.createObjectURL(new Blob([packet as Uint8Array<ArrayBuffer>]));
    this.#download.download = `registration-${thumbprint.slice(0, 8)}-${Date.now()}.packet`;
  }
}
