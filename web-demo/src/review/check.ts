import { find, isBusy, setBusy, setShown } from "../shared/dom.ts";
import { FailurePanel } from "../shared/explanation.ts";
import { formatBytes, formatMoment } from "../shared/format.ts";
import { t } from "../shared/language.ts";
import { fetchSettings } from "../shared/settings.ts";
import type { Text } from "../shared/texts.ts";
import { type OpenedPacket, type VerifiedConfirmation, verifyConfirmation } from "./confirmation.ts";
import { explainCheck } from "./explain-confirmation.ts";

/** The part of the page where anyone checks a signed confirmation. */
export class Check {
  readonly #text = find("check-text", HTMLTextAreaElement);
  readonly #button = find("check-button", HTMLButtonElement);
  readonly #result = find("check-result", HTMLElement);
  readonly #title = find("check-result-title", HTMLElement);
  readonly #status = find("status", HTMLElement);
  readonly #failure = new FailurePanel("check-failure");
  readonly #opened: () => OpenedPacket | undefined;
  /** Counts what was asked for: what is done later than the next is not shown. */
  #turn = 0;

  /** @param opened - the packet that is on the page, if one is. */
  constructor(opened: () => OpenedPacket | undefined) {
    this.#opened = opened;
    find("check-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (!isBusy(this.#button)) void this.#check();
    });
    // What is said is about the text that stands there.
    this.#text.addEventListener("input", () => this.#forget());
  }

  /** Checks this confirmation as if somebody had pasted it. */
  async show(jws: string): Promise<void> {
    this.#text.value = jws;
    await this.#check();
  }

  /** Leaves nothing of a confirmation on the page. */
  clear(): void {
    this.#text.value = "";
    this.#forget();
  }

  #forget(): void {
    this.#turn += 1;
    setBusy(this.#button, false);
    this.#failure.hide();
    setShown(false, this.#result);
    for (const value of this.#result.querySelectorAll("dd > *, .comparison")) value.textContent = "";
  }

  async #check(): Promise<void> {
    this.#forget();
    const turn = this.#turn;
    setBusy(this.#button, true);
    this.#status.textContent = t("Checking the signature.");
    try {
      const settings = await fetchSettings();
      // Line breaks come with what is copied out of a message.
      const verified = await verifyConfirmation(this.#text.value.replaceAll(/\s/g, ""), settings);
      if (turn === this.#turn) this.#tell(verified);
    } catch (error) {
      if (turn === this.#turn) this.#failure.show(explainCheck(error));
    } finally {
      if (turn === this.#turn) {
        this.#status.textContent = "";
        setBusy(this.#button, false);
      }
    }
  }

  #tell({ confirmation: { packet, reviewer, opened }, signer, issuer }: VerifiedConfirmation): void {
    const said = {
      signer,
      issuer,
      packet: packet.id,
      bytes: formatBytes(packet.bytes),
      sha256: packet.sha256,
      received: formatMoment(new Date(packet.received)),
      reviewer,
      opened: formatMoment(new Date(opened)),
    };
    for (const [name, text] of Object.entries(said)) find(`check-${name}`, HTMLElement).textContent = text;
    const comparison = compare(packet, this.#opened());
    find("check-comparison", HTMLElement).textContent = comparison === undefined ? "" : t(comparison);
    setShown(true, this.#result);
    this.#title.focus();
  }
}

function compare(confirmed: OpenedPacket, opened: OpenedPacket | undefined): Text | undefined {
  if (opened === undefined) return undefined;
  if (confirmed.id !== opened.id) return "It is about another packet than the one that is open above.";
  return confirmed.sha256 === opened.sha256
    ? "It is the packet that is open above, byte for byte."
    : "It names the packet that is open above, but was signed for other bytes.";
}
