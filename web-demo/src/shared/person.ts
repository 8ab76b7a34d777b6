/** Most characters of a name. */
export const MAX_NAME_CHARACTERS = 200;

/** Longest life, in years. */
export const MAX_AGE_YEARS = 130;

const DAY_MILLISECONDS = 86_400_000;

/**
 * Controls, the marks that reorder the text around them (Unicode Standard Annex 9), line breaks and half characters.
 * Joiners and direction marks are not among them: names of many scripts need them.
 */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** What can be wrong with a name. */
export type NameFault = "missing" | "long" | "characters";

/** A name has at least one character that is seen, and nothing that changes how the text around it is read. */
export function findNameFault(name: string): NameFault | undefined {
  if (!/[^\p{Cc}\p{Cf}\p{Z}]/u.test(name)) return "missing";
  if ([...name].length > MAX_NAME_CHARACTERS) return "long";
  return FORBIDDEN.test(name) ? "characters" : undefined;
}

/** Whether `YYYY-MM-DD` is a day of the calendar within a human life; `now` may be a day behind in its time zone. */
export function isDateOfBirth(text: string, now: Date): boolean {
  const date = new Date(`${text}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== text) return false;
  const youngest = now.getTime() + DAY_MILLISECONDS;
  return date.getUTCFullYear() >= now.getUTCFullYear() - MAX_AGE_YEARS - 1 && date.getTime() <= youngest;
}
