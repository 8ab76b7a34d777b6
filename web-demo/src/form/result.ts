import { find, setShown } from "../shared/dom.ts";
import { formatBytes, formatMoment } from "../shared/format.ts";
import { t } from "../shared/language.ts";
import type { Text } from "../shared/texts.ts";
import { Happened } from "./happened.ts";
import type { Submitted } from "./submission.ts";

/** Longest time until a browser has begun to save a file; some ask first where to. */
const DOWNLOAD_MILLISECONDS = 60_000;

/** What came of the submission, in place of the form. */
export class Result {
  readonly #section = find("result", HTMLElement);
  readonly #title = find("result-title", HTMLElement);
  readonly #download = find("result-download", HTMLButtonElement);
  readonly #happened = new Happened();
  #packet: Uint8Array<ArrayBuffer> | undefined;
  #file = "";

  constructor() {
    this.#download.addEventListener("click", () => this.#save());
  }

  /** Shows the receipt, or offers the packet as a file if there is none. */
  show(submitted: Submitted): void {
    const { recipient, packet, receipt, isKept } = submitted;
    this.#title.textContent = t(titleOf(submitted));
    find("result-text", HTMLElement).textContent = textOf(submitted);
    find("result-id", HTMLElement).textContent = receipt?.id ?? "";
    setShown(receipt !== null, find("result-id-row", HTMLElement), find("result-review", HTMLElement));
    find("result-bytes", HTMLElement).textContent = formatBytes(receipt?.bytes ?? packet.length);
    find("result-thumbprint", HTMLElement).textContent = recipient.thumbprint;
    this.#packet = packet;
    this.#file = `registration-${recipient.thumbprint.slice(0, 8)}-${Date.now()}.packet`;
    setShown(receipt === null && !isKept, this.#download);
    setShown(true, this.#section);
    this.#title.focus();
    void this.#happened.show(submitted);
  }

  hide(): void {
    this.#packet = undefined;
    this.#happened.hide();
    setShown(false, this.#section);
  }

  /** A link to a blob: address can be followed where the page's policy forbids pictures from such addresses. */
  #save(): void {
    if (this.#packet === undefined) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.#packet]));
    link.download = this.#file;
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOAD_MILLISECONDS);
  }
}

function titleOf({ receipt, isKept }: Submitted): Text {
  if (isKept) return "Registration kept";
  return receipt ? "Registration received" : "Packet ready";
}

function textOf({ receipt, isKept }: Submitted): string {
  if (isKept) {
    return t(
      "The device was offline. The encrypted packet is kept on it, and sent as soon as it is online again with this page open.",
    );
  }
  return receipt
    ? t(
        "The office received the encrypted packet on {moment}. Keep the packet id: the office finds the registration by it.",
        { moment: formatMoment(new Date(receipt.received)) },
      )
    : t("This server takes no packets. Save the encrypted packet and bring it to the office in another way.");
}
