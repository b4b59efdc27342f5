import { join } from 'node:path';
import { LedgerError } from '../errors.ts';
import type { Disk } from './disk.ts';
import { filterMayHold } from './keys.ts';
import { SEGMENT_ENTRIES, segmentFile } from './layout.ts';
import { type Seal, SegmentReader } from './segment.ts';

/** Files kept open at a time. */
const MOST_OPEN = 64;

/** A filter in memory. */
interface Filter {
  readonly bytes: Uint8Array;
  /** Whether it was asked since the last segment was filled. */
  asked: boolean;
}

/**
 * The full segments of a log. For each the lowest and highest key are in memory; its filter (128 KiB) only while keys
 * fall between them. Records have keys that grow with time: theirs do so for a moment, around the end of a segment.
 */
export class SealedSegments {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #seals: Seal[];
  readonly #filters = new Map<number, Filter>();
  /** Open files, the one used last at the end. */
  readonly #readers = new Map<number, SegmentReader>();

  constructor(disk: Disk, directory: string, seals: readonly Seal[]) {
    this.#disk = disk;
    this.#directory = directory;
    this.#seals = [...seals];
  }

  /** Takes in the segment that was filled last. */
  add(seal: Seal): void {
    this.#seals.push(seal);
    // What nobody asked while a whole segment was filled would stay for ever. Keys that are hashes ask every filter, always.
    for (const [segment, filter] of this.#filters) {
      if (!filter.asked) this.#filters.delete(segment);
      filter.asked = false;
    }
  }

  reader(segment: number): SegmentReader {
    let reader = this.#readers.get(segment);
    if (reader === undefined) {
      reader = new SegmentReader(this.#disk, join(this.#directory, segmentFile(segment)), segment);
      for (const [oldest, other] of this.#readers) {
        if (this.#readers.size < MOST_OPEN) break;
        other.close();
        this.#readers.delete(oldest);
      }
    } else this.#readers.delete(segment);
    this.#readers.set(segment, reader);
    return reader;
  }

  /** Where a key stands. Newest segments first: retries come soon. */
  findKey(key: Uint8Array): { readonly segment: number; readonly position: number } | undefined {
    for (let segment = this.#seals.length - 1; segment >= 0; segment--) {
      const seal = this.#seals[segment];
      if (seal === undefined || Buffer.compare(key, seal.lowest) < 0 || Buffer.compare(key, seal.highest) > 0)
        continue;
      if (!filterMayHold(this.#filter(segment, seal), key)) continue;
      const position = this.reader(segment).findKey(key);
      if (position >= 0) return { segment, position };
    }
    return undefined;
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
  }

  #filter(segment: number, seal: Seal): Uint8Array {
    let filter = this.#filters.get(segment);
    if (filter === undefined) {
      filter = { bytes: this.reader(segment).filter(seal), asked: true };
      this.#filters.set(segment, filter);
    }
    filter.asked = true;
    return filter.bytes;
  }
}

/**
 * The seal of a full segment, whose entries must be there unless they were pruned.
 * @param minimum tells the minimum index that is in effect by now
 * @throws {LedgerError} `damaged`
 */
export function sealOf(disk: Disk, directory: string, segment: number, minimum: () => number): Seal {
  const reader = new SegmentReader(disk, join(directory, segmentFile(segment)), segment);
  const seal = reader.seal();
  const whole = reader.holdsEntries();
  reader.close();
  if (seal === undefined) {
    throw new LedgerError(
      'damaged',
      `segment ${segment} has no valid seal`,
      'run fsck and restore the segment',
    );
  }
  if (whole || segment * SEGMENT_ENTRIES < minimum()) return seal;
  throw new LedgerError(
    'damaged',
    `segment ${segment} has lost the bytes of its entries, and \`state.db\` knows of no pruning`,
    'if the log was pruned, `state.db` is older than its segments: restore both from the same moment, or from a mirror',
  );
}
