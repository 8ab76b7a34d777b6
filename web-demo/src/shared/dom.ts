/** The element of `type` with this id. Each is part of the page's own HTML, so a missing one is a bug. */
export function find<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`#${id} is not a ${type.name} of this page`);
  return element;
}

/** The first element of `type` that matches `selector` below `parent`. */
export function findIn<T extends Element>(parent: ParentNode, selector: string, type: new () => T): T {
  const element = parent.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`${selector} is not a ${type.name} of this page`);
  return element;
}

/** Shows these elements, or hides them from everyone. */
export function setShown(shown: boolean, ...elements: readonly HTMLElement[]): void {
  for (const element of elements) element.hidden = !shown;
}

/**
 * Marks a button as busy. It keeps the focus, which the `disabled` attribute would take from people who use a
 * keyboard; the caller ignores presses meanwhile.
 */
export function setBusy(button: HTMLButtonElement, busy: boolean): void {
  button.setAttribute("aria-disabled", String(busy));
}

/** Whether the button is marked as busy. */
export function isBusy(button: HTMLButtonElement): boolean {
  return button.getAttribute("aria-disabled") === "true";
}
