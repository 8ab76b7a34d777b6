import { readNames } from "../shared/certificate.ts";
import { find, findIn, setShown } from "../shared/dom.ts";
import { formatBytes, formatDay, formatMilliseconds } from "../shared/format.ts";
import { t } from "../shared/language.ts";
import type { Text } from "../shared/texts.ts";
import { type Part, partsOf } from "./parts.ts";
import type { Submitted, Timings } from "./submission.ts";

/** So many bytes of a part are shown. */
const SHOWN_BYTES = 16;

/** What became of the entries, step by step and byte by byte, for who wants to know. */
export class Happened {
  readonly #section = find("happened", HTMLDetailsElement);
  readonly #parts = find("happened-parts", HTMLOListElement);
  readonly #chain = find("happened-chain", HTMLOListElement);
  readonly #times = find("happened-times", HTMLElement);
  readonly #part = find("part-template", HTMLTemplateElement);
  /** Counts the submissions that were shown or hidden: one that is explained late is not shown. */
  #turn = 0;

  /** Explains this submission; shows nothing if it cannot: it is no part of the work. */
  async show({ packet, recipient, chain, timings }: Submitted): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const parts = await partsOf(packet);
      if (turn !== this.#turn) return;
      this.#parts.replaceChildren(...parts.map((part) => this.#partItem(part, packet)));
      this.#chain.replaceChildren(...chain.map(certificateItem));
      this.#times.replaceChildren(...timeRows(timings));
      find("happened-valid", HTMLElement).textContent = formatDay(recipient.notAfter);
      setShown(true, this.#section);
    } catch (error) {
      console.warn("the packet could not be explained", error);
      this.hide();
    }
  }

  hide(): void {
    this.#turn += 1;
    this.#section.open = false;
    setShown(false, this.#section);
    for (const list of [this.#parts, this.#chain, this.#times]) list.replaceChildren();
  }

  #partItem({ name, what, start, end, isText }: Part, packet: Uint8Array): Node {
    const item = this.#part.content.cloneNode(true) as DocumentFragment;
    const shown = packet.subarray(start, Math.min(end, start + SHOWN_BYTES));
    const bytes = isText ? new TextDecoder().decode(shown) : hex(shown);
    findIn(item, ".part-name", HTMLElement).textContent = name;
    findIn(item, ".part-place", HTMLElement).textContent = t("{size}, from byte {start}", {
      size: formatBytes(end - start),
      start,
    });
    findIn(item, ".part-bytes", HTMLElement).textContent = end - start > SHOWN_BYTES ? `${bytes} …` : bytes;
    findIn(item, ".part-what", HTMLElement).textContent = what;
    return item;
  }
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function certificateItem(pem: string): Node {
  const item = document.createElement("li");
  const { subject, issuer } = readNames(pem);
  const name = document.createElement("strong");
  name.textContent = subject;
  const by = subject === issuer ? t("vouches for itself: the form trusts it") : t("issued by {issuer}", { issuer });
  item.append(name, document.createElement("br"), by);
  return item;
}

function timeRows({ certificate, encrypt, send }: Timings): Node[] {
  const rows: [Text, number | undefined][] = [
    ["Fetch and check the certificate", certificate],
    ["Encrypt", encrypt],
    ["Send, and have it stored", send],
  ];
  return rows.flatMap(([name, milliseconds]) => {
    if (milliseconds === undefined) return [];
    const row = document.createElement("div");
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = t(name);
    value.textContent = formatMilliseconds(milliseconds);
    row.append(term, value);
    return [row];
  });
}
