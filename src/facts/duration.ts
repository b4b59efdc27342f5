/** An ISO 8601 duration (`P6M`, `PT72H`, `P10Y`), as written. */
export type Duration = string & { readonly duration: unique symbol };

const PATTERN = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/;
/** Mean Gregorian lengths, in minutes: only used to order durations of different units. */
const MINUTES = { year: 525_949.2, month: 43_829.1, week: 10_080, day: 1_440, hour: 60, minute: 1 } as const;

/** Reads a duration; undefined for anything else, the empty `P` included. */
export function parseDuration(text: string): Duration | undefined {
  return PATTERN.test(text) && /\d/.test(text) ? (text as Duration) : undefined;
}

/**
 * Length in minutes, with mean months and years (six months are longer than 180 days, one year is 365.2425 days).
 * Law that needs the exact day counts from a date; this is for comparing one demand with another.
 */
export function minutesOf(duration: Duration): number {
  const [, years, months, weeks, days, hours, minutes] = PATTERN.exec(duration) ?? [];
  const part = (text: string | undefined, unit: number): number =>
    text === undefined ? 0 : Number(text) * unit;
  return (
    part(years, MINUTES.year) +
    part(months, MINUTES.month) +
    part(weeks, MINUTES.week) +
    part(days, MINUTES.day) +
    part(hours, MINUTES.hour) +
    part(minutes, MINUTES.minute)
  );
}

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/(\d+)Y/, 'year'],
  [/^P(?:\d+Y)?(\d+)M/, 'month'],
  [/(\d+)W/, 'week'],
  [/(\d+)D/, 'day'],
  [/T.*?(\d+)H/, 'hour'],
  [/T(?:\d+H)?(\d+)M/, 'minute'],
];

/** In words: `6 months`, `10 years`, `72 hours`. */
export function formatDuration(duration: Duration): string {
  return UNITS.flatMap(([pattern, unit]) => {
    const n = pattern.exec(duration)?.[1];
    return n === undefined ? [] : [`${n} ${unit}${n === '1' ? '' : 's'}`];
  }).join(' ');
}
