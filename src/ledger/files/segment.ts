import { crc32 } from 'node:zlib';
import { ENTRY_FRAME_BYTES, writeEntry } from '../../tlog/bundle.ts';
import { HASH_BYTES } from '../../tlog/hash.ts';
import { LedgerError } from '../errors.ts';
import { KEY_BYTES, type NewEntry } from '../log/store.ts';
import type { Disk } from './disk.ts';
import { filterOf, firstSlot, KeySlots, sameKey } from './keys.ts';
import {
  BUNDLES_AT,
  FILTER_AT,
  FILTER_BYTES,
  ROW_BYTES,
  ROW_CHECK,
  ROW_DURABLE,
  ROW_END,
  ROW_KEY,
  ROWS_AT,
  SEAL_AT,
  SEAL_BYTES,
  SEGMENT_ENTRIES,
  SLOT_COUNT,
  SLOTS_AT,
  segmentFile,
  segmentTitle,
  TILE_AT,
  TILE_BYTES,
} from './layout.ts';
import { replaceFile } from './published.ts';

/** What is known of a full segment without looking into it. */
export interface Seal {
  readonly root: Uint8Array;
  readonly lowest: Uint8Array;
  readonly highest: Uint8Array;
  readonly filterCheck: number;
}

/** Reads what is in a segment file, whether it is full or not. */
export class SegmentReader {
  readonly #disk: Disk;
  readonly #fd: number;
  readonly segment: number;

  constructor(disk: Disk, path: string, segment: number, flags: 'r' | 'r+' = 'r') {
    this.#disk = disk;
    this.#fd = disk.open(path, flags);
    this.segment = segment;
    const title = segmentTitle(segment);
    if (Buffer.from(this.raw(0, title.length)).toString('latin1') !== title) {
      disk.close(this.#fd);
      throw new LedgerError(
        'damaged',
        `segment ${segment} does not begin with \`${title.trim()}\``,
        'restore the file; it is not a segment of this version',
      );
    }
  }

  get fd(): number {
    return this.#fd;
  }

  /** Whether the file is as long as the rows of a full segment promise; if not, the bytes of its entries are gone. */
  holdsEntries(): boolean {
    const last = this.rows(SEGMENT_ENTRIES - 1, SEGMENT_ENTRIES);
    return rowHolds(last, 0) && this.#disk.size(this.#fd) >= BUNDLES_AT + rowEnd(last, 0);
  }

  /** Rows `from` to `to` (not included); shorter if the file ends before. */
  rows(from: number, to: number): Uint8Array {
    return this.raw(ROWS_AT + from * ROW_BYTES, (to - from) * ROW_BYTES);
  }

  /** Framed entries `from` to `to` (not included), as they stand in bundles. */
  bundles(from: number, to: number): Uint8Array {
    if (to <= from) return new Uint8Array(0);
    const start = from === 0 ? 0 : rowEnd(this.rows(from - 1, from), 0);
    const end = rowEnd(this.rows(to - 1, to), 0);
    const bytes = end > start ? this.raw(BUNDLES_AT + start, end - start) : new Uint8Array(0);
    if (bytes.length === end - start && end > start) return bytes;
    throw new LedgerError(
      'damaged',
      `entries ${from} to ${to - 1} of segment ${this.segment} are cut short`,
      'run fsck and restore the segment from a mirror or a backup',
    );
  }

  /** Tile of level 1. Only of a sealed segment. */
  tile(): Uint8Array {
    return this.raw(TILE_AT, TILE_BYTES);
  }

  /** What a sealed segment says about itself; undefined while it is not sealed, or if its seal is damaged. */
  seal(): Seal | undefined {
    const seal = Buffer.from(this.raw(SEAL_AT, SEAL_BYTES));
    if (seal.length < SEAL_BYTES) return undefined;
    const body = seal.subarray(0, SEAL_BYTES - 4);
    if (body.every((byte) => byte === 0) || crc32(body) !== seal.readUInt32BE(SEAL_BYTES - 4))
      return undefined;
    return {
      root: new Uint8Array(seal.subarray(0, HASH_BYTES)),
      lowest: new Uint8Array(seal.subarray(HASH_BYTES, HASH_BYTES + KEY_BYTES)),
      highest: new Uint8Array(seal.subarray(HASH_BYTES + KEY_BYTES, HASH_BYTES + 2 * KEY_BYTES)),
      filterCheck: seal.readUInt32BE(HASH_BYTES + 2 * KEY_BYTES),
    };
  }

  /** Filter over the keys of a sealed segment. @throws {LedgerError} `damaged` */
  filter(seal: Seal): Uint8Array {
    const filter = this.raw(FILTER_AT, FILTER_BYTES);
    if (crc32(filter) === seal.filterCheck) return filter;
    throw damagedKeys(this.segment);
  }

  /** Position of a key in a sealed segment, or -1. @throws {LedgerError} `damaged` */
  findKey(key: Uint8Array): number {
    const first = firstSlot(key);
    for (let step = 0; step < SLOT_COUNT; step++) {
      const at = (first + step) & (SLOT_COUNT - 1);
      const slot = Buffer.from(this.raw(SLOTS_AT + 4 * at, 4)).readUInt32LE(0);
      if (slot === 0) return -1;
      const row = this.rows(slot - 1, slot);
      if (!rowHolds(row, 0)) break;
      if (sameKey(row, ROW_KEY, key)) return slot - 1;
    }
    throw damagedKeys(this.segment);
  }

  close(): void {
    this.#disk.close(this.#fd);
  }

  /** Bytes as they stand in the file; shorter if it ends before. */
  raw(at: number, length: number): Uint8Array {
    const target = new Uint8Array(length);
    return target.subarray(0, this.#disk.read(this.#fd, target, at));
  }
}

/** The segment that is being filled. Its rows and the hash table over its keys are in memory (4.5 MiB). */
export class OpenSegment {
  readonly #disk: Disk;
  readonly reader: SegmentReader;
  readonly #rows: Buffer;
  readonly #keys = new KeySlots();
  #count = 0;
  #bytes = 0;
  #scratch = Buffer.allocUnsafe(64 * 1024);

  /** Takes over a file whose first `count` rows are known to be good. */
  constructor(disk: Disk, reader: SegmentReader, rows: Buffer, count: number) {
    this.#disk = disk;
    this.reader = reader;
    this.#rows = rows;
    this.#count = count;
    this.#bytes = count === 0 ? 0 : rowEnd(rows, count - 1);
    for (let position = 0; position < count; position++) this.#keys.add(rows, position);
  }

  /** Creates the file with room for its rows, so that committing a row never needs space. Whatever the disk throws is thrown. */
  static create(disk: Disk, directory: string, segment: number): Promise<void> {
    const start = Buffer.alloc(BUNDLES_AT);
    start.write(segmentTitle(segment), 'latin1');
    return replaceFile(disk, directory, segmentFile(segment), start);
  }

  get segment(): number {
    return this.reader.segment;
  }

  get count(): number {
    return this.#count;
  }

  get room(): number {
    return SEGMENT_ENTRIES - this.#count;
  }

  leaf(position: number): Uint8Array {
    return new Uint8Array(this.#rows.subarray(position * ROW_BYTES, position * ROW_BYTES + HASH_BYTES));
  }

  findKey(key: Uint8Array): number {
    return this.#keys.find(key, this.#rows);
  }

  /** Rows of entries that are committed. */
  rows(from: number, to: number): Uint8Array {
    return this.#rows.subarray(from * ROW_BYTES, to * ROW_BYTES);
  }

  /**
   * Lays out the entries after the committed ones and hands their bundle bytes to the kernel. If that fails
   * nothing has happened: what was written is overwritten by the next batch.
   */
  writeBundles(entries: readonly NewEntry[]): void {
    let bytes = 0;
    for (const entry of entries) bytes += ENTRY_FRAME_BYTES + entry.bytes.length;
    if (bytes > this.#scratch.length) this.#scratch = Buffer.allocUnsafe(bytes * 2);
    let end = 0;
    let at = this.#count * ROW_BYTES;
    for (const entry of entries) {
      end = writeEntry(this.#scratch, end, entry.bytes);
      writeRow(this.#rows, at, entry, this.#bytes + end, this.#count);
      at += ROW_BYTES;
    }
    this.#disk.write(this.reader.fd, this.#scratch.subarray(0, bytes), BUNDLES_AT + this.#bytes);
  }

  /** Lays out a whole segment whose entries were pruned: rows, and no bytes. */
  layOutPruned(leaves: Uint8Array, keys: Uint8Array): void {
    for (let i = 0; i < SEGMENT_ENTRIES; i++) {
      const leaf = leaves.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES);
      const key = keys.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES);
      writeRow(this.#rows, i * ROW_BYTES, { leaf, key }, ENTRY_FRAME_BYTES * (i + 1), this.#count);
    }
  }

  /** Hands the rows to the kernel. From here on a crash may bring the entries back, so a failure is final. */
  writeRows(count: number): void {
    const from = this.#count * ROW_BYTES;
    this.#disk.write(this.reader.fd, this.#rows.subarray(from, from + count * ROW_BYTES), ROWS_AT + from);
  }

  /** Counts entries in that are now durable. */
  commit(count: number): void {
    for (let i = 0; i < count; i++) this.#keys.add(this.#rows, this.#count + i);
    this.#count += count;
    this.#bytes = rowEnd(this.#rows, this.#count - 1);
  }

  /** Writes what makes a full segment usable without its rows in memory. Sync the file after it. */
  writeSeal(root: Uint8Array, tile: Uint8Array): Seal {
    const { fd } = this.reader;
    const filter = filterOf(this.#rows, this.#count);
    const seal: Seal = { root, ...this.#keyRange(), filterCheck: crc32(filter) };
    this.#disk.write(fd, tile, TILE_AT);
    this.#disk.write(fd, filter, FILTER_AT);
    this.#disk.write(fd, new Uint8Array(this.#keys.slots.buffer), SLOTS_AT);
    const bytes = Buffer.concat([seal.root, seal.lowest, seal.highest, Buffer.alloc(8)]);
    bytes.writeUInt32BE(seal.filterCheck, SEAL_BYTES - 8);
    bytes.writeUInt32BE(crc32(bytes.subarray(0, SEAL_BYTES - 4)), SEAL_BYTES - 4);
    this.#disk.write(fd, bytes, SEAL_AT);
    return seal;
  }

  #keyRange(): { readonly lowest: Uint8Array; readonly highest: Uint8Array } {
    let [lowest, highest] = [rowKey(this.#rows, 0), rowKey(this.#rows, 0)];
    for (let position = 1; position < this.#count; position++) {
      const key = this.#rows.subarray(position * ROW_BYTES + ROW_KEY, position * ROW_BYTES + ROW_END);
      if (key.compare(lowest) < 0) lowest = new Uint8Array(key);
      else if (key.compare(highest) > 0) highest = new Uint8Array(key);
    }
    return { lowest, highest };
  }
}

function damagedKeys(segment: number): LedgerError {
  return new LedgerError(
    'damaged',
    `table of keys of segment ${segment} is damaged`,
    'restore the segment from a mirror or a backup',
  );
}

function writeRow(
  rows: Buffer,
  at: number,
  entry: Pick<NewEntry, 'leaf' | 'key'>,
  end: number,
  durable: number,
): void {
  rows.set(entry.leaf, at);
  rows.set(entry.key, at + ROW_KEY);
  rows.writeUInt32BE(Math.floor(end / 2 ** 32), at + ROW_END);
  rows.writeUInt32BE(end >>> 0, at + ROW_END + 4);
  rows.writeUInt32BE(durable, at + ROW_DURABLE);
  rows.writeUInt32BE(crc32(rows.subarray(at, at + ROW_CHECK)), at + ROW_CHECK);
}

/** Where the entry of row `position` ends, from the first bundle. */
export function rowEnd(rows: Uint8Array, position: number): number {
  const at = position * ROW_BYTES + ROW_END;
  const view = new DataView(rows.buffer, rows.byteOffset + at, 8);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}

/** Entries of the segment that were durable when row `position` was written. */
export function rowDurable(rows: Uint8Array, position: number): number {
  return new DataView(rows.buffer, rows.byteOffset + position * ROW_BYTES + ROW_DURABLE, 4).getUint32(0);
}

export function rowKey(rows: Uint8Array, position: number): Uint8Array {
  const at = position * ROW_BYTES + ROW_KEY;
  // A copy: a view, which `slice` of a Buffer is, would keep all rows of its segment in memory.
  return new Uint8Array(rows.subarray(at, at + KEY_BYTES));
}

export function rowLeaf(rows: Uint8Array, position: number): Uint8Array {
  return new Uint8Array(rows.subarray(position * ROW_BYTES, position * ROW_BYTES + HASH_BYTES));
}

/** Whether a row is whole. A row of zeroes is not. */
export function rowHolds(rows: Uint8Array, position: number): boolean {
  const at = position * ROW_BYTES;
  if (rows.length < at + ROW_BYTES) return false;
  const check = new DataView(rows.buffer, rows.byteOffset + at + ROW_CHECK, 4).getUint32(0);
  return check === crc32(rows.subarray(at, at + ROW_CHECK)) && rowEnd(rows, position) > 0;
}
