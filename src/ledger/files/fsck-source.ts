import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENTRY_FRAME_BYTES } from '../../tlog/bundle.ts';
import { sameBytes } from '../../tlog/hash.ts';
import type { FsckEntry, FsckSource } from '../log/fsck.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { systemDisk } from './disk.ts';
import { BUNDLES_AT, ROW_BYTES, SEGMENT_ENTRIES, segmentFile } from './layout.ts';
import { rowDurable, rowEnd, rowHolds, rowKey, rowLeaf, SegmentReader } from './segment.ts';
import { readState } from './state.ts';

/** Entries of a segment that are read at once. */
const CHUNK = 1024;

/**
 * A log directory as it lies there. It is neither locked nor repaired, so a log can be checked while it is written to;
 * entries that arrive meanwhile may be missed.
 */
export function filesSource(directory: string): FsckSource {
  const segments = join(directory, 'segments');
  const unreadable: string[] = [];
  let torn = 0;

  async function* entries(): AsyncGenerator<FsckEntry> {
    const present = existsSync(segments) ? readdirSync(segments).filter((name) => name.endsWith('.seg')) : [];
    const last = Math.max(-1, ...present.map((name) => Number(name.slice(0, 10))));
    for (let number = 0; number <= last; number++) {
      let reader: SegmentReader;
      try {
        reader = new SegmentReader(systemDisk, join(segments, segmentFile(number)), number);
      } catch {
        // What follows would be counted in the wrong places.
        unreadable.push(`segment ${number}`);
        return;
      }
      try {
        const count = yield* segmentEntries(reader, number === last);
        if (count < SEGMENT_ENTRIES && number < last) {
          unreadable.push(`entries from ${number * SEGMENT_ENTRIES + count} on`);
          return;
        }
      } finally {
        reader.close();
      }
    }
  }

  /** Yields what a segment holds and returns how many entries that is. */
  async function* segmentEntries(reader: SegmentReader, isLast: boolean): AsyncGenerator<FsckEntry, number> {
    const hasher = nodeHasher();
    const rows = reader.rows(0, SEGMENT_ENTRIES);
    let count = 0;
    while (count < SEGMENT_ENTRIES && rowHolds(rows, count)) count++;
    for (let from = 0; from < count; from += CHUNK) {
      const to = Math.min(from + CHUNK, count);
      const start = from === 0 ? 0 : rowEnd(rows, from - 1);
      const bytes = reader.raw(BUNDLES_AT + start, rowEnd(rows, to - 1) - start);
      for (let position = from; position < to; position++) {
        const at = (position === 0 ? 0 : rowEnd(rows, position - 1)) - start;
        const end = rowEnd(rows, position) - start;
        const entry = bytes.subarray(at + ENTRY_FRAME_BYTES, end);
        const framed = (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0) === end - at - ENTRY_FRAME_BYTES;
        const leaf = rowLeaf(rows, position);
        const whole = framed && end <= bytes.length && sameBytes(hasher.leaf(entry), leaf);
        // A batch can be torn where the log ends, and nowhere else.
        if (!whole && isLast && onlyTornAfter(rows, position, count)) {
          torn = count - position;
          return position;
        }
        const key = rowKey(rows, position);
        if (end > bytes.length) yield { kind: 'gone', leaf, key };
        else yield { kind: whole ? 'whole' : 'altered', bytes: entry, key };
      }
    }
    const later = laterRows(rows, count);
    if (onlyTornAfter(rows, count, count + later)) torn = later;
    else unreadable.push(`entry ${reader.segment * SEGMENT_ENTRIES + count}`);
    return count;
  }

  return {
    entries,
    found: () => ({ unreadable, torn }),
    heads: async () => readState(directory, [], (state) => state.all()),
    minimum: async () => readState(directory, 0, (state) => state.minimum()),
    async published() {
      const file = join(directory, 'checkpoint');
      return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
    },
  };
}

/** Whether nothing from `position` on had been durable, as far as the rows tell: an unfinished batch. */
function onlyTornAfter(rows: Uint8Array, position: number, count: number): boolean {
  for (let i = position; i < count; i++)
    if (rowHolds(rows, i) && rowDurable(rows, i) > position) return false;
  return true;
}

/** Rows after the first that does not hold, up to the last that is not empty. */
function laterRows(rows: Uint8Array, count: number): number {
  for (let position = rows.length / ROW_BYTES - 1; position >= count; position--) {
    for (let i = position * ROW_BYTES; i < (position + 1) * ROW_BYTES; i++)
      if (rows[i] !== 0) return position + 1 - count;
  }
  return 0;
}
