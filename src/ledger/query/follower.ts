import { sameBytes } from '../../tlog/hash.ts';
import type { LogView } from '../log.ts';
import type { AuditRecord } from '../record.ts';
import { recordValidator } from '../validate.ts';
import type { RecordIndex } from './record-index.ts';

/** Keeps an index up with a log. */
export interface Follower {
  /**
   * Indexes what was published since. An index that belongs to another history is cleared and built again.
   * @returns entries that are indexed now
   */
  catchUp(onProgress?: (indexed: number, total: number) => void): Promise<number>;
}

/** Only what a published head covers is indexed, so that everything that is found can be proved. */
export function follow(log: LogView, index: RecordIndex): Follower {
  const { parse } = recordValidator();
  let running: Promise<unknown> = Promise.resolve();

  const catchUp = async (onProgress?: (indexed: number, total: number) => void): Promise<number> => {
    const total = log.published()?.size ?? 0;
    if (!(await isOfThisLog(log, index, total))) index.clear();
    for await (const entries of log.entries(index.position(), total)) {
      const last = entries.at(-1);
      if (last === undefined) continue;
      index.apply(
        entries.map((bytes) => recordOf(parse, bytes)),
        log.hasher.leaf(last),
      );
      onProgress?.(index.position(), total);
    }
    return index.position();
  };

  return {
    catchUp(onProgress) {
      const result = running.then(() => catchUp(onProgress));
      running = result.catch(() => undefined);
      return result;
    },
  };
}

async function isOfThisLog(log: LogView, index: RecordIndex, total: number): Promise<boolean> {
  const position = index.position();
  if (position === 0) return true;
  const leaf = index.lastLeaf();
  if (position > total || leaf === undefined) return false;
  return sameBytes(log.hasher.leaf(await log.read(position - 1)), leaf);
}

/** A log may hold entries that are no records; they have a place and no row. */
function recordOf(parse: (bytes: Uint8Array) => AuditRecord, bytes: Uint8Array): AuditRecord | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  try {
    return parse(bytes);
  } catch {
    return undefined;
  }
}
