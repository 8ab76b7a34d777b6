// The page's language is set before anything is written in it.
import "./language.ts";

const locale = document.documentElement.lang;
const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const longDate = new Intl.DateTimeFormat(locale, { dateStyle: "long" });
const calendarDate = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" });

/** A moment, in the reader's time zone. */
export function formatMoment(moment: Date): string {
  return dateTime.format(moment);
}

/** The day of a moment, in the reader's time zone. */
export function formatDay(moment: Date): string {
  return longDate.format(moment);
}

/** A calendar date `YYYY-MM-DD`, the same in every time zone. */
export function formatCalendarDate(date: string): string {
  return calendarDate.format(new Date(`${date}T00:00:00Z`));
}

/** A number of bytes in the largest unit that leaves one digit or more. */
export function formatBytes(bytes: number): string {
  const [value, unit] =
    bytes < 1000 ? [bytes, "byte"] : bytes < 1_000_000 ? [bytes / 1000, "kilobyte"] : [bytes / 1_000_000, "megabyte"];
  const unitDisplay = unit === "byte" ? "long" : "short";
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay, maximumFractionDigits: 1 }).format(value);
}

/** A time that something took. */
export function formatMilliseconds(milliseconds: number): string {
  const maximumFractionDigits = milliseconds < 10 ? 1 : 0;
  return new Intl.NumberFormat(locale, { style: "unit", unit: "millisecond", maximumFractionDigits }).format(
    milliseconds,
  );
}
