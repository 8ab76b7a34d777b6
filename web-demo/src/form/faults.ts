import { find, setShown } from "../shared/dom.ts";
import { translated } from "../shared/language.ts";

/** A fault of one field: what to say, and the control to go to. */
export interface Fault {
  readonly message: string;
  readonly controlId: string;
}

/** The ids of the fields, as in the page. */
export type FieldId = "name" | "birth" | "photo";

const FIELDS: readonly FieldId[] = ["name", "birth", "photo"];

/** What is wrong with the entries: a message next to each field, and a summary with links above all. */
export class Faults {
  readonly #summary = find("fault-summary", HTMLElement);
  readonly #list = find("fault-list", HTMLUListElement);
  readonly #current = new Map<FieldId, Fault>();

  /** Shows the fault next to the field, or takes it away. */
  set(field: FieldId, fault: Fault | undefined): void {
    this.#clear(field);
    if (fault === undefined) return;
    this.#current.set(field, fault);
    find(`${field}-field`, HTMLElement).classList.add("faulty");
    find(`${field}-fault`, HTMLElement).textContent = `${translated(fault.message)}.`;
    find(fault.controlId, HTMLInputElement).setAttribute("aria-invalid", "true");
  }

  has(field: FieldId): boolean {
    return this.#current.has(field);
  }

  /** Whether every field is right. */
  get none(): boolean {
    return this.#current.size === 0;
  }

  /** Lists the faults above the form and brings the reader there. */
  summarize(): void {
    const items = FIELDS.flatMap((field) => this.#current.get(field) ?? []).map(({ message, controlId }) => {
      const link = document.createElement("a");
      link.href = `#${controlId}`;
      link.textContent = translated(message);
      link.addEventListener("click", (event) => {
        event.preventDefault();
        find(controlId, HTMLInputElement).focus();
      });
      const item = document.createElement("li");
      item.append(link);
      return item;
    });
    this.#list.replaceChildren(...items);
    setShown(true, this.#summary);
    this.#summary.focus();
  }

  hideSummary(): void {
    setShown(false, this.#summary);
  }

  #clear(field: FieldId): void {
    this.#current.delete(field);
    const group = find(`${field}-field`, HTMLElement);
    group.classList.remove("faulty");
    find(`${field}-fault`, HTMLElement).textContent = "";
    for (const control of group.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
  }
}
