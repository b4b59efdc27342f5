import { ENTRY_FRAME_BYTES } from '../../tlog/bundle.ts';
import { sameBytes, type TreeHasher } from '../../tlog/hash.ts';
import { LedgerError } from '../errors.ts';
import type { Disk } from './disk.ts';
import { BUNDLES_AT, ROW_BYTES, ROWS_AT, SEGMENT_ENTRIES } from './layout.ts';
import { rowDurable, rowEnd, rowHolds, rowLeaf, type SegmentReader } from './segment.ts';

/** What is left of a segment after its process died. */
export interface Recovered {
  /** All rows, those after `count` zeroed. */
  readonly rows: Buffer;
  /** Entries that are whole, from the first. */
  readonly count: number;
  /** Rows beyond `count` that had been written in part: a batch that nobody was told about. */
  readonly torn: number;
}

/**
 * Finds the entries of a segment that are whole. A broken entry among those that had been synced is not a torn
 * write: that is damage, and nothing is repaired silently.
 * @throws {LedgerError} `damaged`
 */
export function inspectSegment(reader: SegmentReader, hasher: TreeHasher): Recovered {
  const rows = Buffer.alloc(SEGMENT_ENTRIES * ROW_BYTES);
  rows.set(reader.rows(0, SEGMENT_ENTRIES));
  let count = 0;
  while (count < SEGMENT_ENTRIES && rowHolds(rows, count)) count++;
  count = Math.min(count, wholeEntries(reader, rows, count, hasher));

  const used = usedRows(rows);
  let synced = 0;
  for (let position = count; position < used; position++) {
    if (rowHolds(rows, position)) synced = Math.max(synced, rowDurable(rows, position));
  }
  if (synced > count) {
    throw new LedgerError(
      'damaged',
      `entry ${reader.segment * SEGMENT_ENTRIES + count} is unreadable, but ${synced - count} entries from it on were durable`,
      'restore the segment from a mirror or a backup; do not append to it',
    );
  }
  rows.fill(0, count * ROW_BYTES);
  return { rows, count, torn: Math.max(0, used - count) };
}

/** Removes what a torn write left behind, so that no later crash can bring it back. Sync the file after it. */
export function clearTail(disk: Disk, reader: SegmentReader, recovered: Recovered): void {
  const { rows, count, torn } = recovered;
  if (torn > 0) {
    const at = count * ROW_BYTES;
    disk.write(reader.fd, rows.subarray(at, at + torn * ROW_BYTES), ROWS_AT + at);
  }
  disk.truncate(reader.fd, BUNDLES_AT + (count === 0 ? 0 : rowEnd(rows, count - 1)));
}

/** Rows up to the last that is not all zeroes. */
function usedRows(rows: Buffer): number {
  let end = rows.length;
  while (end > 0 && rows.subarray(end - ROW_BYTES, end).equals(NO_ROW)) end -= ROW_BYTES;
  return end / ROW_BYTES;
}

const NO_ROW = Buffer.alloc(ROW_BYTES);

/** How many of the first `count` entries have the bytes that their rows promise. */
function wholeEntries(reader: SegmentReader, rows: Uint8Array, count: number, hasher: TreeHasher): number {
  const CHUNK = 1024;
  for (let from = 0; from < count; from += CHUNK) {
    const to = Math.min(from + CHUNK, count);
    const start = from === 0 ? 0 : rowEnd(rows, from - 1);
    const bytes = reader.raw(BUNDLES_AT + start, Math.max(0, rowEnd(rows, to - 1) - start));
    let at = 0;
    for (let position = from; position < to; position++) {
      const end = rowEnd(rows, position) - start;
      if (!isEntry(bytes, at, end, rowLeaf(rows, position), hasher)) return position;
      at = end;
    }
  }
  return count;
}

function isEntry(bytes: Uint8Array, at: number, end: number, leaf: Uint8Array, hasher: TreeHasher): boolean {
  const length = end - at - ENTRY_FRAME_BYTES;
  if (length < 0 || end > bytes.length) return false;
  if ((bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0) !== length) return false;
  return sameBytes(hasher.leaf(bytes.subarray(at + ENTRY_FRAME_BYTES, end)), leaf);
}
