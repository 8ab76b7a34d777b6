import { findNameFault, MAX_AGE_YEARS, MAX_NAME_CHARACTERS, type NameFault } from "../shared/person.ts";

const NAME_FAULTS: Readonly<Record<NameFault, string>> = {
  missing: "Enter the full name",
  long: `The name can have ${MAX_NAME_CHARACTERS} characters at most`,
  characters: "The name holds characters that cannot be seen. Delete it and type it again",
};

/** The three parts of a date as they were typed. */
export interface TypedDate {
  readonly day: string;
  readonly month: string;
  readonly year: string;
}

export type DatePart = keyof TypedDate;

/** What a field holds, or what is wrong with it and where. */
export type Checked<T, Place = undefined> =
  | { readonly value: T; readonly fault?: never; readonly place?: never }
  | { readonly fault: string; readonly place: Place; readonly value?: never };

/** The name without the space around it. */
export function checkName(typed: string): Checked<string> {
  const value = typed.trim();
  const fault = findNameFault(value);
  return fault === undefined ? { value } : { fault: NAME_FAULTS[fault], place: undefined };
}

/** A day that exists, not after `today`, within a human life. */
export function checkDateOfBirth(typed: TypedDate, today: Date): Checked<string, DatePart> {
  const parts: readonly DatePart[] = ["day", "month", "year"];
  const missing = parts.filter((part) => typed[part].trim() === "");
  const [firstMissing] = missing;
  if (firstMissing !== undefined) {
    const what = missing.length === parts.length ? "" : ` with a ${missing.join(" and a ")}`;
    return { fault: `Enter the date of birth${what}`, place: firstMissing };
  }
  const notNumber = parts.find((part) => !/^\d+$/.test(typed[part].trim()));
  if (notNumber !== undefined) return { fault: `The ${notNumber} must be a number`, place: notNumber };
  return checkCalendar(Number(typed.day), Number(typed.month), Number(typed.year), today);
}

function checkCalendar(day: number, month: number, year: number, today: Date): Checked<string, DatePart> {
  if (month < 1 || month > 12) return { fault: "The month must be between 1 and 12", place: "month" };
  if (year < today.getFullYear() - MAX_AGE_YEARS) {
    return { fault: "Enter the year with four digits, for example 1987", place: "year" };
  }
  const date = new Date(0);
  date.setFullYear(year, month - 1, day);
  if (date.getDate() !== day || date.getMonth() !== month - 1) {
    return { fault: "This day does not exist in the calendar: check day and month", place: "day" };
  }
  if (new Date(year, month - 1, day) > today) {
    return { fault: "The date of birth must be in the past", place: "year" };
  }
  return { value: [pad(year, 4), pad(month, 2), pad(day, 2)].join("-") };
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}
