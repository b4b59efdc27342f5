import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { HASH_BYTES, sameBytes } from '../../tlog/hash.ts';
import { type HashTile, TILE_WIDTH, tilePath, tileWidth } from '../../tlog/tile.ts';
import { TiledTree } from '../../tlog/tiled-tree.ts';
import { LedgerError, prunedError, quoted } from '../errors.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { KEY_BYTES, type LogStore, type Pruning, type TreeHead } from '../log/store.ts';
import { systemDisk } from './disk.ts';
import { SEGMENT_ENTRIES, segmentFile } from './layout.ts';
import { SealedSegments, sealOf } from './sealed-segments.ts';
import { rowHolds, rowKey, rowLeaf } from './segment.ts';
import { readState } from './state.ts';
import { SegmentTree } from './tree.ts';

/**
 * Opens a log in a directory for reading, beside a process that may be appending to it: nothing is locked, repaired or
 * written. It shows the log as it was published when it was opened, and holds that against its entries first.
 * @throws {LedgerError} `not-found` · `damaged` · `truncated`; whatever would write throws `closed`
 */
export async function openReadingStore(directory: string): Promise<LogStore> {
  const segments = join(directory, 'segments');
  if (!existsSync(segments)) {
    throw new LedgerError(
      'not-found',
      `${quoted(directory)} holds no log`,
      'create one with `comity log init`',
    );
  }
  const file = join(directory, 'checkpoint');
  const note = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  const head = note === undefined ? undefined : parseCheckpoint(note).checkpoint;
  const store = new ReadingStore(directory, segments, note, head?.size ?? 0);
  if (head === undefined) return store;
  const tree = new TiledTree((tile) => store.readTile(tile), head.size, nodeHasher());
  if (sameBytes(await tree.root(), head.root)) return store;
  await store.close();
  throw new LedgerError(
    'damaged',
    `entries lead to another root than the head of ${head.size} that was published`,
    'run `comity log fsck` to find where history differs',
  );
}

class ReadingStore implements LogStore {
  readonly kind = 'files';
  readonly maxConcurrentAppends = 1;
  readonly #directory: string;
  readonly #note: string | undefined;
  readonly #size: number;
  readonly #tree: SegmentTree;
  readonly #readers: SealedSegments;
  #minimum: number;

  constructor(directory: string, segments: string, note: string | undefined, size: number) {
    this.#directory = directory;
    this.#note = note;
    this.#size = size;
    const full = Math.floor(size / SEGMENT_ENTRIES);
    for (let segment = 0; segment * SEGMENT_ENTRIES < size; segment++) checkPresent(segments, segment);
    // A segment that is full is sealed only when the next is begun; its hashes are made from its rows until then.
    const sealed = Math.max(0, size % SEGMENT_ENTRIES === 0 ? full - 1 : full);
    const seals = Array.from({ length: sealed }, (_, i) => {
      // The process that appends may prune while this one reads, so what is in effect is read after what is there.
      return sealOf(systemDisk, segments, i, () => this.#readMinimum());
    });
    this.#minimum = this.#readMinimum();
    this.#readers = new SealedSegments(systemDisk, segments, seals);
    this.#tree = new SegmentTree(
      nodeHasher(),
      seals.map(({ root }) => root),
    );
    const first = sealed * SEGMENT_ENTRIES;
    if (size === first) return;
    const rows = this.#readers.reader(sealed).rows(0, size - first);
    for (let position = 0; position < size - first; position++) {
      if (!rowHolds(rows, position)) throw truncated(first + position, size);
      this.#tree.append(rowLeaf(rows, position));
    }
  }

  async grow(): Promise<TreeHead> {
    return this.#tree.head();
  }

  async readTile(tile: HashTile): Promise<Uint8Array> {
    const { level, index, width } = tile;
    if (width < 1 || tileWidth(level, index, this.#size) < width) throw notFound(tilePath(tile));
    if (level === 0) return this.#each(index * TILE_WIDTH, width, HASH_BYTES, rowLeaf);
    if (level > 1) {
      const upper = this.#tree.upperTile(level, index, width);
      if (upper === undefined) throw new Error(`tree lost ${tilePath(tile)}`);
      return upper;
    }
    const last = Math.floor((this.#size - 1) / SEGMENT_ENTRIES);
    const tiles = index === last ? this.#tree.openTile : this.#readers.reader(index).tile();
    return tiles.slice(0, width * HASH_BYTES);
  }

  async readBundle(index: number, width: number): Promise<Uint8Array> {
    const first = index * TILE_WIDTH;
    if (width < 1 || width > TILE_WIDTH || first + width > this.#size) {
      throw notFound(`entries ${first} to ${first + width - 1}`);
    }
    this.#checkKept(first);
    const position = first % SEGMENT_ENTRIES;
    try {
      return this.#readers.reader(Math.floor(first / SEGMENT_ENTRIES)).bundles(position, position + width);
    } catch (error) {
      // The process that appends may have pruned since.
      this.#minimum = this.#readMinimum();
      this.#checkKept(first);
      throw error;
    }
  }

  async readKeys(from: number, to: number): Promise<Uint8Array> {
    if (from < 0 || to < from || to > this.#size) throw notFound(`entries ${from} to ${to - 1}`);
    return this.#each(from, to - from, KEY_BYTES, rowKey);
  }

  async head() {
    return (await this.heads()).at(-1);
  }

  async heads() {
    return readState(this.#directory, [], (state) => state.all());
  }

  async published(): Promise<string | undefined> {
    return this.#note;
  }

  async minimum(): Promise<number> {
    return this.#minimum;
  }

  async prunings(): Promise<readonly Pruning[]> {
    return readState(this.#directory, [], (state) => state.prunings());
  }

  findKeys(): Promise<never> {
    return refused();
  }

  append(): Promise<never> {
    return refused();
  }

  swapHead(): Promise<never> {
    return refused();
  }

  publish(): Promise<never> {
    return refused();
  }

  keepPruning(): Promise<never> {
    return refused();
  }

  removePruned(): Promise<never> {
    return refused();
  }

  adoptPruned(): Promise<never> {
    return refused();
  }

  async close(): Promise<void> {
    this.#readers.close();
  }

  #readMinimum(): number {
    return readState(this.#directory, 0, (state) => state.minimum());
  }

  #checkKept(index: number): void {
    if (index < this.#minimum) throw prunedError(this.#minimum);
  }

  /** One field of each of `count` rows, end to end. */
  #each(
    from: number,
    count: number,
    bytes: number,
    field: (rows: Uint8Array, position: number) => Uint8Array,
  ): Uint8Array {
    const fields = new Uint8Array(count * bytes);
    for (let done = 0; done < count; ) {
      const position = (from + done) % SEGMENT_ENTRIES;
      const here = Math.min(count - done, SEGMENT_ENTRIES - position);
      const reader = this.#readers.reader(Math.floor((from + done) / SEGMENT_ENTRIES));
      const rows = reader.rows(position, position + here);
      for (let i = 0; i < here; i++) fields.set(field(rows, i), (done + i) * bytes);
      done += here;
    }
    return fields;
  }
}

function checkPresent(segments: string, segment: number): void {
  if (existsSync(join(segments, segmentFile(segment)))) return;
  throw new LedgerError(
    'damaged',
    `segment file ${quoted(segmentFile(segment))} is missing`,
    'restore it from a mirror or a backup',
  );
}

function truncated(entry: number, size: number): LedgerError {
  return new LedgerError(
    'truncated',
    `entry ${entry} cannot be read, but a head of ${size} entries was published`,
    'run `comity log fsck`, and restore the log from a mirror or a backup',
  );
}

function notFound(what: string): LedgerError {
  return new LedgerError(
    'not-found',
    `published log does not hold ${what}`,
    'ask for what its checkpoint covers',
  );
}

function refused(): Promise<never> {
  return Promise.reject(new LedgerError('closed', 'log is open for reading only', 'open it for appending'));
}
