import { find, findIn, setShown } from "../shared/dom.ts";
import { t } from "../shared/language.ts";
import type { Text } from "../shared/texts.ts";

/** The steps from the entries to the receipt, in their order. */
export type StepName = "certificate" | "encrypt" | "send" | "receipt";

type StepState = "waiting" | "working" | "done" | "failed";

const STEPS: readonly StepName[] = ["certificate", "encrypt", "send", "receipt"];

/** The list of steps that shows how far the work is. */
export class Steps {
  readonly #section = find("progress", HTMLElement);
  readonly #status = find("status", HTMLElement);
  #working: StepName | undefined;

  /** Shows all steps as not yet begun; `sending` is false when the packet stays here. */
  begin(sending: boolean): void {
    for (const name of STEPS) this.#set(name, "waiting", "");
    setShown(sending, this.#item("send"), this.#item("receipt"));
    this.#working = undefined;
    setShown(true, this.#section);
    this.#section.scrollIntoView({ block: "nearest" });
  }

  /** The step has begun, `announcement` says so. */
  start(name: StepName, announcement: Text): void {
    this.#set(name, "working", "");
    this.#working = name;
    this.#status.textContent = t(announcement);
  }

  /** Something about the step that is under way. */
  detail(name: StepName, text: string): void {
    findIn(this.#item(name), ".step-detail", HTMLElement).textContent = text;
  }

  /** The step is done. */
  finish(name: StepName, detail: string): void {
    this.#set(name, "done", detail);
    if (this.#working === name) this.#working = undefined;
  }

  /** The step under way has failed. */
  fail(): void {
    if (this.#working !== undefined) this.#set(this.#working, "failed", "");
    this.#status.textContent = "";
  }

  hide(): void {
    setShown(false, this.#section);
    this.#status.textContent = "";
  }

  #set(name: StepName, state: StepState, detail: string): void {
    const item = this.#item(name);
    item.dataset.state = state;
    findIn(item, ".step-state", HTMLElement).textContent = t(state === "waiting" ? "not begun" : state);
    this.detail(name, detail);
  }

  #item(name: StepName): HTMLLIElement {
    return find(`step-${name}`, HTMLLIElement);
  }
}
