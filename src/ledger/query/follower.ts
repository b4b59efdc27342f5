import { sameBytes } from '../../tlog/hash.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { type LogView, readLeaf } from '../log/log.ts';
import type { AuditRecord } from '../record/record.ts';
import { recordValidator } from '../record/validate.ts';
import type { IndexMark, RecordIndex, RecordQuery, RecordRow } from './record-index.ts';

/** Keeps an index up with a log. */
export interface Follower {
  /**
   * Indexes what was published since. An index that belongs to another history is cleared and built again; one that
   * somebody brought further than this log was published here is left as it is.
   * @returns entries of this log that are indexed now: all that were published
   */
  catchUp(onProgress?: (indexed: number, total: number) => void): Promise<number>;
  /** Catches up and asks; gives nothing that the published head does not cover. @throws {LedgerError} `query-invalid` */
  query(query: RecordQuery): Promise<readonly RecordRow[]>;
}

type Parse = (entry: Uint8Array) => AuditRecord;

/** Only what a published head covers is indexed, so that everything that is found can be proved. */
export function follow(log: LogView, index: RecordIndex): Follower {
  const { parse } = recordValidator();
  let running: Promise<unknown> = Promise.resolve();

  const catchUp = async (onProgress?: (indexed: number, total: number) => void): Promise<number> => {
    const total = log.published()?.size ?? 0;
    for (;;) {
      const last = await index.mark();
      if (!(await isOfThisLog(log, index, total, parse))) await index.clear(last);
      else if (last.entries >= total) return total;
      else await extend(log, index, last.entries, total, parse, onProgress);
    }
  };

  return {
    catchUp(onProgress) {
      const result = running.then(() => catchUp(onProgress));
      running = result.catch(() => undefined);
      return result;
    },
    async query(query) {
      const total = await this.catchUp();
      return index.query({ ...query, before: Math.min(query.before ?? total, total) });
    },
  };
}

/** Indexes entries until all are, or until another follower gets ahead. */
async function extend(
  log: LogView,
  index: RecordIndex,
  from: number,
  total: number,
  parse: Parse,
  onProgress?: (indexed: number, total: number) => void,
): Promise<void> {
  let at = from;
  // What was pruned has places and no rows.
  for (const minimum = await log.store.minimum(); at < Math.min(minimum, total); ) {
    const next = Math.min(total, at - (at % TILE_WIDTH) + TILE_WIDTH);
    const nothing = Array.from({ length: next - at }, () => undefined);
    if (!(await index.apply(at, nothing, await readLeaf(log.store, next - 1)))) return;
    at = next;
    onProgress?.(at, total);
  }
  for await (const entries of log.entries(at, total)) {
    const last = entries.at(-1);
    if (last === undefined) continue;
    const records = entries.map((bytes) => recordOf(parse, bytes));
    if (!(await index.apply(at, records, log.hasher.leaf(last)))) return;
    at += entries.length;
    onProgress?.(at, total);
  }
}

/**
 * Whether what is indexed is what this log holds. Where the index ends beyond the published head (another follower saw
 * a newer one; or the log came back from a backup), its last mark before that head says so, and the ids after it.
 */
async function isOfThisLog(log: LogView, index: RecordIndex, total: number, parse: Parse): Promise<boolean> {
  const mark = await index.mark(total);
  if (!(await holds(log, mark))) return false;
  const { entries: end } = await index.mark();
  if (end <= total) return true;
  let at = mark.entries;
  for await (const entries of log.entries(at, total)) {
    const rows = await index.query({ after: at - 1, before: at + entries.length, limit: entries.length });
    const known = new Map(rows.map((row) => [row.index, row.id]));
    for (const [i, bytes] of entries.entries())
      if (known.get(at + i) !== recordOf(parse, bytes)?.id) return false;
    at += entries.length;
  }
  return true;
}

async function holds(log: LogView, { entries, leaf }: IndexMark): Promise<boolean> {
  if (leaf === undefined) return entries === 0;
  return sameBytes(await readLeaf(log.store, entries - 1), leaf);
}

/** A log may hold entries that are no records; they have a place and no row. */
function recordOf(parse: Parse, bytes: Uint8Array): AuditRecord | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  try {
    return parse(bytes);
  } catch {
    return undefined;
  }
}
