import { LedgerError, quoted } from '../errors.ts';

/** Milliseconds since 1970, as `Date.now` gives them. Passed in wherever time matters, so that tests can set it. */
export type Clock = () => number;

/** Characters of a time with milliseconds. */
const RFC3339_MS = 24;

/** RFC 3339 text, UTC, of a time in milliseconds since 1970. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}

/** Gives the time as {@link rfc3339} text. Within a millisecond it is the same text, made once. */
export function timestamps(now: Clock): () => string {
  let [last, text] = [Number.NaN, ''];
  return () => {
    const ms = now();
    if (ms !== last) [last, text] = [ms, rfc3339(ms)];
    return text;
  };
}

/** Milliseconds since 1970 of an RFC 3339 time in UTC; parts below a millisecond are cut off. */
export function fromRfc3339(time: string): number {
  // Date.parse keeps at most milliseconds in a portable way, and knows no leap second.
  const plain = time.length <= RFC3339_MS && !time.includes(':60');
  const ms = Date.parse(
    plain ? time : time.replace(/(\.\d{3})\d+Z$/, '$1Z').replace(/:60(\.\d+)?Z$/, ':59.999Z'),
  );
  if (Number.isNaN(ms)) {
    throw new LedgerError('record-invalid', `${quoted(time)} is not a time`, 'write RFC 3339 in UTC');
  }
  return ms;
}

/**
 * A time plus an ISO 8601 duration of whole years, months and days (`P6M`, `P1Y6M`, `P30D`), in calendar
 * arithmetic: a month after 31 January is the last day of February.
 * @throws {LedgerError} `record-invalid`
 */
export function addDuration(ms: number, duration: string): number {
  const parts = /^P(?=\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?$/.exec(duration);
  if (parts === null) {
    throw new LedgerError(
      'record-invalid',
      `${quoted(duration)} is not a duration of whole years, months or days`,
      'write for example `P6M`',
    );
  }
  const [years, months, days] = [parts[1], parts[2], parts[3]].map((part) => Number(part ?? 0));
  const date = new Date(ms);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + (years ?? 0) * 12 + (months ?? 0));
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(day, last) + (days ?? 0));
  return date.getTime();
}
