const PATTERN = /^(\d{4})-(\d{2})-(\d{2})$/;

/** A calendar day, ISO 8601 `YYYY-MM-DD`. Days compare as strings. */
export type Day = string & { readonly day: unique symbol };

/** Reads a calendar day; undefined for anything else, impossible days included. */
export function parseDay(text: string): Day | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(Date.UTC(year, month - 1, day));
  const real =
    date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return real && year >= 1000 ? (text as Day) : undefined;
}

/** The same day of the month, `months` later; the last day of that month where it is shorter. */
export function addMonths(day: Day, months: number): Day {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  const first = new Date(Date.UTC(year, month - 1 + months, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  return new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth(), Math.min(date, last)))
    .toISOString()
    .slice(0, 10) as Day;
}

/** Whole days from `a` to `b`; negative when `b` is earlier. */
export function daysBetween(a: Day, b: Day): number {
  return Math.round((Date.parse(`${b}T00:00:00Z`) - Date.parse(`${a}T00:00:00Z`)) / 86_400_000);
}

/** The current day in UTC. */
export function today(): Day {
  return new Date().toISOString().slice(0, 10) as Day;
}
