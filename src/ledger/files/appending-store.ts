import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HASH_BYTES, sameBytes } from '../../tlog/hash.ts';
import { type HashTile, TILE_WIDTH, tilePath, tileWidth } from '../../tlog/tile.ts';
import { LedgerError, prunedError } from '../errors.ts';
import {
  checkAdoption,
  KEY_BYTES,
  type LogStore,
  type NewEntry,
  type Placement,
  type Pruning,
  type SignedHead,
  type TreeHead,
} from '../log/store.ts';
import { type Disk, synced } from './disk.ts';
import { ROWS_BYTES, SEGMENT_ENTRIES, segmentFile } from './layout.ts';
import type { Lock } from './lock.ts';
import type { OpenedSegments } from './open-segments.ts';
import { cutEntries } from './pruning.ts';
import { replaceFile } from './published.ts';
import type { SealedSegments } from './sealed-segments.ts';
import { OpenSegment, rowKey, rowLeaf, type Seal, SegmentReader } from './segment.ts';
import type { State } from './state.ts';
import type { SegmentTree } from './tree.ts';

/** The store of a log in a directory that this process alone appends to. Opened by `openFilesStore`. */
export class AppendingStore implements LogStore {
  readonly kind = 'files';
  readonly maxConcurrentAppends = 1;
  readonly #directory: string;
  readonly #segments: string;
  readonly #disk: Disk;
  readonly #lock: Lock;
  readonly #kept: State;
  readonly #tree: SegmentTree;
  readonly #fatal: (error: LedgerError) => void;
  readonly #sealed: SealedSegments;
  #open: OpenSegment;
  #minimum: number;
  /** Entries that are durable. The tree may be ahead while a batch is being synced. */
  #size: number;
  #running: Promise<unknown> = Promise.resolve();
  #state: 'open' | 'failed' | 'closed' = 'open';

  constructor(
    directory: string,
    disk: Disk,
    lock: Lock,
    kept: State,
    opened: OpenedSegments,
    fatal: (error: LedgerError) => void,
  ) {
    this.#directory = directory;
    this.#segments = join(directory, 'segments');
    this.#disk = disk;
    this.#lock = lock;
    this.#kept = kept;
    this.#open = opened.open;
    this.#sealed = opened.sealed;
    this.#tree = opened.tree;
    this.#size = opened.tree.head().size;
    this.#minimum = kept.minimum();
    this.#fatal = fatal;
  }

  append(entries: readonly NewEntry[]): Promise<readonly Placement[]> {
    return this.#inTurn(async () => {
      const places: Placement[] = [];
      const fresh: NewEntry[] = [];
      const next = this.#size;
      for (const entry of entries) {
        const known = this.#find(entry);
        places.push(known ?? { kind: 'appended', index: next + fresh.length });
        if (known === undefined) fresh.push(entry);
      }
      for (let done = 0; done < fresh.length; ) {
        if (this.#open.room === 0) await this.#roll();
        const batch = fresh.slice(done, done + this.#open.room);
        await this.#write(batch);
        done += batch.length;
      }
      return places;
    });
  }

  grow(): Promise<TreeHead> {
    return this.#inTurn(async () => this.#tree.head());
  }

  async readTile(tile: HashTile): Promise<Uint8Array> {
    const { level, index, width } = tile;
    if (width < 1 || tileWidth(level, index, this.#size) < width) throw notFound(tilePath(tile));
    if (level === 0) return this.#leaves(index * TILE_WIDTH, width);
    if (level > 1) return this.#tree.upperTile(level, index, width) ?? fail(tilePath(tile));
    const tiles = index === this.#open.segment ? this.#tree.openTile : this.#reader(index).tile();
    return tiles.slice(0, width * HASH_BYTES);
  }

  async readBundle(index: number, width: number): Promise<Uint8Array> {
    const first = index * TILE_WIDTH;
    if (width < 1 || width > TILE_WIDTH || first + width > this.#size) {
      throw notFound(`entries ${first} to ${first + width - 1}`);
    }
    if (first < this.#minimum) throw prunedError(this.#minimum);
    const position = first % SEGMENT_ENTRIES;
    return this.#reader(Math.floor(first / SEGMENT_ENTRIES)).bundles(position, position + width);
  }

  async readKeys(from: number, to: number): Promise<Uint8Array> {
    if (from < 0 || to < from || to > this.#size) throw notFound(`entries ${from} to ${to - 1}`);
    const keys = new Uint8Array((to - from) * KEY_BYTES);
    for (let at = from; at < to; ) {
      const position = at % SEGMENT_ENTRIES;
      const count = Math.min(to - at, SEGMENT_ENTRIES - position);
      const rows = this.#rows(Math.floor(at / SEGMENT_ENTRIES), position, position + count);
      for (let i = 0; i < count; i++) keys.set(rowKey(rows, i), (at - from + i) * KEY_BYTES);
      at += count;
    }
    return keys;
  }

  findKeys(keys: readonly Uint8Array[]): Promise<readonly (number | undefined)[]> {
    return this.#inTurn(async () =>
      keys.map((key) => {
        const place = this.#place(key);
        return place === undefined ? undefined : place.segment * SEGMENT_ENTRIES + place.position;
      }),
    );
  }

  async head(): Promise<SignedHead | undefined> {
    return this.#kept.newest();
  }

  async heads(): Promise<readonly SignedHead[]> {
    return this.#kept.all();
  }

  async swapHead(previous: SignedHead | undefined, next: SignedHead): Promise<boolean> {
    this.#checkOpen();
    return this.#kept.swap(previous, next);
  }

  async publish(head: SignedHead): Promise<void> {
    this.#checkOpen();
    try {
      await replaceFile(this.#disk, this.#directory, 'checkpoint', Buffer.from(head.note, 'utf8'));
    } catch (cause) {
      throw ioError('checkpoint could not be published', cause);
    }
  }

  async published(): Promise<string | undefined> {
    const path = join(this.#directory, 'checkpoint');
    return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  }

  async minimum(): Promise<number> {
    return this.#minimum;
  }

  async prunings(): Promise<readonly Pruning[]> {
    return this.#kept.prunings();
  }

  async keepPruning(pruning: Pruning): Promise<void> {
    this.#checkOpen();
    this.#kept.keepPruning(pruning);
    this.#minimum = this.#kept.minimum();
  }

  removePruned(onProgress: (done: number, total: number) => void = () => undefined): Promise<number> {
    return this.#inTurn(() => {
      const segments = Math.min(this.#minimum / SEGMENT_ENTRIES, this.#open.segment);
      return cutEntries(this.#disk, this.#segments, segments, onProgress);
    });
  }

  adoptPruned(leaves: Uint8Array, keys: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#open.room === 0) await this.#roll();
      checkAdoption(this.#size, this.#minimum, leaves, keys);
      this.#open.layOutPruned(leaves, keys);
      // Written as one batch, so that a crash leaves a torn batch: nothing of it is kept.
      await this.#writeRows(
        Array.from({ length: SEGMENT_ENTRIES }, (_, i) => leaves.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES)),
      );
      await this.#roll();
    });
  }

  async close(): Promise<void> {
    await this.#running;
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#open.reader.close();
    this.#sealed.close();
    this.#kept.close();
    this.#lock.release();
  }

  /** Runs after everything that was asked for before. */
  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#running.then(() => {
      this.#checkOpen();
      return run();
    });
    this.#running = result.catch(() => undefined);
    return result;
  }

  #checkOpen(): void {
    if (this.#state === 'open') return;
    throw new LedgerError(
      'closed',
      this.#state === 'failed' ? 'log stopped after a disk failure' : 'log is closed',
      'open the log again; what was acknowledged is there',
    );
  }

  /** Where the key of an entry stands already. */
  #find(entry: NewEntry): Placement | undefined {
    const place = this.#place(entry.key);
    return place === undefined ? undefined : this.#known(entry, place.segment, place.position);
  }

  #place(key: Uint8Array): { readonly segment: number; readonly position: number } | undefined {
    const position = this.#open.findKey(key);
    return position >= 0 ? { segment: this.#open.segment, position } : this.#sealed.findKey(key);
  }

  #known(entry: NewEntry, segment: number, position: number): Placement {
    const leaf = rowLeaf(this.#rows(segment, position, position + 1), 0);
    const kind = sameBytes(leaf, entry.leaf) ? 'duplicate' : 'conflict';
    return { kind, index: segment * SEGMENT_ENTRIES + position };
  }

  async #write(batch: readonly NewEntry[]): Promise<void> {
    try {
      this.#open.writeBundles(batch);
    } catch (cause) {
      throw ioError('entries could not be written', cause);
    }
    await this.#writeRows(batch.map((entry) => entry.leaf));
  }

  /** Makes entries that are laid out durable, and counts them in. */
  async #writeRows(leaves: readonly Uint8Array[]): Promise<void> {
    try {
      this.#open.writeRows(leaves.length);
    } catch (cause) {
      throw this.#stop('entries may have been written in part', cause);
    }
    const durable = synced(this.#disk, this.#open.reader.fd);
    // The processor hashes while the disk syncs. Nobody sees the tree before the batch is durable.
    for (const leaf of leaves) this.#tree.append(leaf);
    try {
      await durable;
    } catch (cause) {
      throw this.#stop('fdatasync failed, so what the disk holds is unknown', cause);
    }
    this.#open.commit(leaves.length);
    this.#size += leaves.length;
  }

  /** Seals the full segment and starts the next. Safe to repeat after it failed. */
  async #roll(): Promise<void> {
    const { segment, reader } = this.#open;
    const root = this.#tree.segmentRoot(segment) ?? fail(`root of segment ${segment}`);
    let seal: Seal;
    try {
      seal = this.#open.writeSeal(root, this.#tree.openTile);
    } catch (cause) {
      throw ioError(`segment ${segment} could not be sealed`, cause);
    }
    try {
      await synced(this.#disk, reader.fd);
    } catch (cause) {
      throw this.#stop('fdatasync failed, so what the disk holds is unknown', cause);
    }
    try {
      await OpenSegment.create(this.#disk, this.#segments, segment + 1);
    } catch (cause) {
      throw ioError(`segment ${segment + 1} could not be created`, cause);
    }
    const path = join(this.#segments, segmentFile(segment + 1));
    const next = new SegmentReader(this.#disk, path, segment + 1, 'r+');
    reader.close();
    this.#sealed.add(seal);
    this.#open = new OpenSegment(this.#disk, next, Buffer.alloc(ROWS_BYTES), 0);
  }

  #stop(message: string, cause: unknown): LedgerError {
    this.#state = 'failed';
    const why = cause instanceof Error ? cause.message : String(cause);
    const error = new LedgerError(
      'io-failed',
      `${message}: ${why}`,
      'check the disk, then start again: acknowledged entries are kept, the others are retried by their senders',
      { cause },
    );
    this.#fatal(error);
    return error;
  }

  #leaves(from: number, count: number): Uint8Array {
    const position = from % SEGMENT_ENTRIES;
    const rows = this.#rows(Math.floor(from / SEGMENT_ENTRIES), position, position + count);
    const leaves = new Uint8Array(count * HASH_BYTES);
    for (let i = 0; i < count; i++) leaves.set(rowLeaf(rows, i), i * HASH_BYTES);
    return leaves;
  }

  #rows(segment: number, from: number, to: number): Uint8Array {
    return segment === this.#open.segment ? this.#open.rows(from, to) : this.#reader(segment).rows(from, to);
  }

  #reader(segment: number): SegmentReader {
    return segment === this.#open.segment ? this.#open.reader : this.#sealed.reader(segment);
  }
}

function ioError(message: string, cause: unknown): LedgerError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const why = cause instanceof Error ? cause.message : String(cause);
  return new LedgerError(
    full ? 'disk-full' : 'io-failed',
    `${message}: ${why}`,
    full ? 'free space on the disk; senders may retry' : 'check the disk; senders may retry',
    { cause },
  );
}

function notFound(what: string): LedgerError {
  return new LedgerError(
    'not-found',
    `log does not hold ${what} yet`,
    'ask for a size that a checkpoint has reached',
  );
}

function fail(what: string): never {
  throw new Error(`tree lost ${what}`);
}
