import { join } from 'node:path';
import { type Range, rangesOf } from '../../ledger/evidence/multiproof.ts';
import type { LogView } from '../../ledger/log/log.ts';
import { openPostgresIndex } from '../../ledger/postgres/postgres-index.ts';
import { follow } from '../../ledger/query/follower.ts';
import type { RecordIndex, RecordQuery, RecordRow } from '../../ledger/query/record-index.ts';
import { openRecordIndex } from '../../ledger/query/sqlite-index.ts';
import { fromRfc3339 } from '../../ledger/record/time.ts';
import type { Arguments, Io, Option } from '../command.ts';
import { mistake } from '../command.ts';
import { countOf, countOption } from '../ledger-input.ts';
import type { LogPlace } from './places.ts';
import { personOf, SUBJECT_OPTIONS } from './subject.ts';
import { withVaultOf } from './vault.ts';

/** What records can be found by. */
export const RECORD_OPTIONS: Readonly<Record<string, Option>> = {
  from: { type: 'string', value: 'TIME', help: 'records from this time on (2026-11-25 or RFC 3339)' },
  to: { type: 'string', value: 'TIME', help: 'records before this time' },
  event: { type: 'string', value: 'NAME', help: 'records of this event' },
  tenant: { type: 'string', value: 'ID', help: 'records of this tenant' },
  system: { type: 'string', value: 'ID', help: 'records of this system' },
  market: { type: 'string', value: 'CODE', help: 'records that speak to the law of this market' },
  rule: { type: 'string', value: 'ID', help: 'records that this rule decided, or was considered in' },
  outcome: { type: 'string', value: 'WORD', help: 'records with this verdict or outcome' },
  producer: { type: 'string', value: 'ID', help: 'records of this producer' },
  trace: { type: 'string', value: 'ID', help: 'records of this trace' },
  ...SUBJECT_OPTIONS,
  text: { type: 'string', value: 'WORDS', help: 'records with these words; "a phrase", begin*' },
};

const WORDS = [
  'event',
  'tenant',
  'system',
  'market',
  'rule',
  'outcome',
  'producer',
  'trace',
  'text',
] as const;

/** The conditions of the command line; undefined if there are none. Whom records are about only the vault can tell. */
export async function queryOf(
  place: LogPlace,
  log: LogView,
  args: Arguments,
  io: Io,
): Promise<RecordQuery | undefined> {
  const conditions = conditionsOf(args);
  const person = personOf(args);
  if (person === undefined) return conditions;
  const keys = await withVaultOf(place, log, args, io, (vault) =>
    vault.keysOf(person.tenant, person.subject),
  );
  return { ...conditions, keys };
}

function conditionsOf(args: Arguments): RecordQuery | undefined {
  const words = WORDS.flatMap((name) => {
    const value = args.text(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const times = (['from', 'to'] as const).flatMap((name) => {
    const value = timeOption(args, name);
    return value === undefined ? [] : [[name, value] as const];
  });
  const conditions = [...words, ...times];
  return conditions.length === 0 ? undefined : Object.fromEntries(conditions);
}

/** An option that is a time, in milliseconds since 1970. */
export function timeOption(args: Arguments, name: string): number | undefined {
  const value = args.text(name);
  return value === undefined ? undefined : timeOf(name, value);
}

function timeOf(name: string, text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  if (/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(time)) {
    try {
      return fromRfc3339(time);
    } catch {
      // Told below, with the option that is wrong.
    }
  }
  throw mistake(
    `\`--${name} ${text}\` is not a time`,
    'write `2026-11-25` or `2026-11-25T08:00:00Z`',
    'bad-date',
  );
}

/** Rows in a page of the index. */
const PAGE = 10_000;

/** Finds records by the index of the log, which is brought up to date first. */
export async function findRecords(
  place: LogPlace,
  log: LogView,
  query: RecordQuery,
  limit: number,
  io: Io,
): Promise<readonly RecordRow[]> {
  const index = await openIndex(place, log.origin);
  try {
    const follower = follow(log, index);
    await follower.catchUp((indexed, total) => io.progress(`indexed ${indexed} of ${total} entries`));
    io.progress('');
    const rows: RecordRow[] = [];
    while (rows.length < limit) {
      const after = rows.at(-1)?.index ?? query.after;
      const page = await follower.query({
        ...query,
        ...(after === undefined ? {} : { after }),
        limit: Math.min(PAGE, limit - rows.length),
      });
      if (page.length === 0) break;
      rows.push(...page);
    }
    return rows;
  } finally {
    await index.close();
  }
}

/** Where the entries are: in their database, where every replica finds it, or in a file beside them. */
export async function openIndex({ directory, sql }: LogPlace, origin: string): Promise<RecordIndex> {
  return sql === undefined ? openRecordIndex(join(directory, 'index.db')) : openPostgresIndex(sql, origin);
}

/** Which entries the command line names: `--records 3,7-9`, `--all`, or those that a query finds. */
export async function chosenRanges(
  place: LogPlace,
  log: LogView,
  args: Arguments,
  io: Io,
): Promise<readonly Range[]> {
  const size = log.published()?.size ?? 0;
  const query = await queryOf(place, log, args, io);
  const ways = [args.texts('records').length > 0, args.flag('all'), query !== undefined].filter(Boolean);
  if (ways.length !== 1) {
    throw mistake(
      ways.length === 0 ? 'which entries?' : 'entries are chosen in more than one way',
      'name them with one of `--records 3,7-9`, `--all`, or conditions such as `--market`',
    );
  }
  if (args.flag('all')) {
    const from = Math.min(await log.store.minimum(), size);
    if (from > 0) io.err(`entries 0 to ${from - 1} are left out: they were pruned\n`);
    return from === size ? [] : [{ from, to: size }];
  }
  if (query === undefined) return namedRanges(args.texts('records'), size);
  const rows = await findRecords(place, log, query, countOption(args, 'limit', 1) ?? Infinity, io);
  return rangesOf(rows.map(({ index }) => index));
}

/** Reads `3,7-9`: single entries, and runs of them with both ends included. */
export function namedRanges(parts: readonly string[], size: number): readonly Range[] {
  const ranges = parts.map((part) => {
    const [first = '', last = first, ...excess] = part.split('-');
    const [from, to] = [countOf(first, 'entry'), countOf(last, 'entry') + 1];
    if (excess.length > 0 || to <= from) {
      throw mistake(`\`${part}\` is no run of entries`, 'write the lower index first: `7-9`');
    }
    if (to > size) {
      throw mistake(
        `entry ${to - 1} is not among the ${size} that are published`,
        'indices count from 0',
        'unknown-name',
      );
    }
    return { from, to };
  });
  return joined(ranges);
}

/** The same entries in order, none twice, runs that touch made one. */
function joined(ranges: readonly Range[]): readonly Range[] {
  const out: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    if (last === undefined || range.from > last.to) out.push(range);
    else out[out.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
  }
  return out;
}
