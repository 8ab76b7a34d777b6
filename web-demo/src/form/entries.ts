import { find } from "../shared/dom.ts";
import type { Registration } from "../shared/registration.ts";
import { Faults, type FieldId } from "./faults.ts";
import { type Checked, checkDateOfBirth, checkName, type DatePart } from "./fields.ts";
import { PhotoField } from "./photo-field.ts";

const DATE_CONTROLS: Readonly<Record<DatePart, string>> = {
  day: "birth-day",
  month: "birth-month",
  year: "birth-year",
};

/** What the person types and chooses. */
export class Entries {
  readonly #name = find("name", HTMLInputElement);
  readonly #day = find(DATE_CONTROLS.day, HTMLInputElement);
  readonly #month = find(DATE_CONTROLS.month, HTMLInputElement);
  readonly #year = find(DATE_CONTROLS.year, HTMLInputElement);
  readonly #fieldset = find("entries", HTMLFieldSetElement);
  readonly #faults = new Faults();
  // A file that cannot be used is told at once: the person is at that field, and has finished with it.
  readonly #photo = new PhotoField(() => void this.#checkPhoto());

  constructor() {
    this.#name.addEventListener("input", () => this.#recheck("name", () => this.#checkName()));
    for (const part of [this.#day, this.#month, this.#year]) {
      part.addEventListener("input", () => this.#recheck("birth", () => this.#checkDateOfBirth()));
    }
  }

  /** The registration; undefined, and the faults shown, if a field is not right. */
  async read(): Promise<Registration | undefined> {
    const name = this.#checkName();
    const dateOfBirth = this.#checkDateOfBirth();
    const photo = await this.#checkPhoto();
    if (name === undefined || dateOfBirth === undefined || photo === undefined) {
      this.#faults.summarize();
      return undefined;
    }
    return { name, dateOfBirth, photo };
  }

  /** Whether the fields can be changed. */
  setEditable(editable: boolean): void {
    if (!editable) this.#photo.closeCamera();
    this.#fieldset.disabled = !editable;
  }

  clear(): void {
    for (const input of [this.#name, this.#day, this.#month, this.#year]) input.value = "";
    this.#photo.clear();
  }

  focusFirst(): void {
    this.#name.focus();
  }

  /** Takes a message away as soon as it is no longer true, but never complains while somebody types. */
  #recheck(field: FieldId, check: () => unknown): void {
    if (this.#faults.has(field)) check();
    if (this.#faults.none) this.#faults.hideSummary();
  }

  #checkName(): string | undefined {
    return this.#settle("name", checkName(this.#name.value), () => "name");
  }

  #checkDateOfBirth(): string | undefined {
    const typed = { day: this.#day.value, month: this.#month.value, year: this.#year.value };
    return this.#settle("birth", checkDateOfBirth(typed, new Date()), (part) => DATE_CONTROLS[part]);
  }

  async #checkPhoto(): Promise<Registration["photo"] | undefined> {
    return this.#settle("photo", await this.#photo.check(), () => "photo");
  }

  #settle<T, Place>(field: FieldId, checked: Checked<T, Place>, control: (place: Place) => string): T | undefined {
    if (checked.fault === undefined) {
      this.#faults.set(field, undefined);
      if (this.#faults.none) this.#faults.hideSummary();
      return checked.value;
    }
    this.#faults.set(field, { message: checked.fault, controlId: control(checked.place) });
    return undefined;
  }
}
