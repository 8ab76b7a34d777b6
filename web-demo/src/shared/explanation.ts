import { find, findIn, setShown } from "./dom.ts";
import { translated } from "./language.ts";
import { ServerFailure } from "./server.ts";

/** A failure in the words of the person it happens to. */
export interface Explanation {
  readonly title: string;
  /** What to do. */
  readonly action: string;
  /** For whoever is asked for help. */
  readonly code: string;
}

/** What a page says of any failure that has no words of its own. */
export function explainAnyFailure(error: unknown): Explanation {
  if (!(error instanceof ServerFailure)) {
    return {
      title: "Something went wrong",
      action: "Reload the page and try again. If this message stays, tell the office about it.",
      code: error instanceof Error ? `unexpected.${error.name}` : "unexpected",
    };
  }
  const { status, code } = error;
  if (status === 0) {
    const action = "Check that this device is connected to the network, then try again.";
    return { title: "The server cannot be reached", action, code };
  }
  if (status === 429) return { title: "Too many attempts", action: "Wait a minute, then try again.", code };
  return { title: "The server has a problem", action: "Try again in a few minutes.", code };
}

/** The part of a page that says what failed. */
export class FailurePanel {
  readonly #panel: HTMLElement;

  /** @param id - of the panel. */
  constructor(id: string) {
    this.#panel = find(id, HTMLElement);
  }

  /** Shows the explanation and brings the reader there. */
  show({ title, action, code }: Explanation): void {
    findIn(this.#panel, ".notice-title", HTMLElement).textContent = translated(title);
    findIn(this.#panel, ".notice-action", HTMLElement).textContent = translated(action);
    findIn(this.#panel, ".notice-code code", HTMLElement).textContent = code;
    setShown(true, this.#panel);
    this.#panel.focus();
  }

  hide(): void {
    setShown(false, this.#panel);
  }
}
