import { MAX_ENTRY_BYTES } from '../../tlog/bundle.ts';
import type { TreeHasher } from '../../tlog/hash.ts';
import { LedgerError } from '../errors.ts';
import { KEY_BYTES, type LogStore, type NewEntry, type Placement } from './store.ts';

export interface AppenderLimits {
  /** Entries in one batch: one fdatasync, or one statement. */
  readonly batchEntries: number;
  /** Bytes in one batch. */
  readonly batchBytes: number;
  /** Bytes of entries that may wait or be under way; beyond, senders are told to come back. */
  readonly queueBytes: number;
}

export const DEFAULT_LIMITS: AppenderLimits = {
  batchEntries: 2048,
  batchBytes: 8 * 2 ** 20,
  queueBytes: 64 * 2 ** 20,
};

/** Where an entry was put: its place, and whether it was there before. */
export interface Appended {
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly duplicate: boolean;
}

interface Waiting extends NewEntry {
  readonly name: string;
  /** The call that asked for it together with others, whose order is to be kept. */
  readonly together: object | undefined;
  readonly settle: ((error: LedgerError | undefined, index: number, duplicate: boolean) => void)[];
}

/** An entry costs more than its bytes while it waits: the object, its promise, its key. */
const OVERHEAD_BYTES = 512;

/**
 * Group commit. Entries that arrive while a batch is being made durable form the next batch, so that the load sets
 * the size of batches and no timer delays anybody. An entry is acknowledged only when its batch is durable.
 */
export class Appender {
  readonly #store: LogStore;
  readonly #hasher: TreeHasher;
  readonly #limits: AppenderLimits;
  /** Entries that wait or are under way, by key: a second sender of the same entry joins the first. */
  readonly #pending = new Map<string, Waiting>();
  #queue: Waiting[] = [];
  #bytes = 0;
  #running = 0;
  /** Calls of which a part is under way: their next part waits, or a parallel batch could overtake it. */
  readonly #unfinished = new Set<object>();
  #scheduled = false;
  #closed = false;
  #drained: (() => void)[] = [];
  /** Bytes a millisecond, a moving average: how soon room will be free. */
  #rate = 1000;

  constructor(store: LogStore, hasher: TreeHasher, limits: AppenderLimits = DEFAULT_LIMITS) {
    this.#store = store;
    this.#hasher = hasher;
    this.#limits = limits;
  }

  /** Bytes that wait or are under way. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  /**
   * Appends an entry and resolves once it is durable. The bytes must not be changed before.
   * @param key idempotency key, 16 bytes; without one, the beginning of the entry's leaf hash is its key
   * @throws {LedgerError} `entry-too-large` · `overloaded` · `idempotency-conflict` · `disk-full` · `io-failed` · `fenced` · `closed`
   */
  append(bytes: Uint8Array, key?: Uint8Array): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const leaf = this.#accept(bytes, key, undefined, (error, index, duplicate) => {
        if (error === undefined) resolve({ index, leaf, duplicate });
        else reject(error);
      });
    });
  }

  /**
   * Appends entries in order, all accepted or none, and resolves once every one is durable. They share no fate
   * beyond acceptance: others' entries may stand between them.
   */
  async appendAll(
    entries: readonly { readonly bytes: Uint8Array; readonly key?: Uint8Array | undefined }[],
  ): Promise<readonly Appended[]> {
    let cost = 0;
    for (const { bytes } of entries) cost += bytes.length + OVERHEAD_BYTES;
    this.#checkRoom(cost);
    return new Promise((resolve, reject) => {
      const results: Appended[] = new Array(entries.length);
      let left = entries.length;
      if (left === 0) resolve(results);
      for (const [i, { bytes, key }] of entries.entries()) {
        const leaf = this.#accept(bytes, key, results, (error, index, duplicate) => {
          if (error !== undefined) return reject(error);
          results[i] = { index, leaf, duplicate };
          left -= 1;
          if (left === 0) resolve(results);
        });
      }
    });
  }

  /** Refuses new entries and resolves when those accepted are settled. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
    });
  }

  #accept(
    bytes: Uint8Array,
    givenKey: Uint8Array | undefined,
    together: object | undefined,
    settle: Waiting['settle'][number],
  ): Uint8Array {
    if (this.#closed) throw new LedgerError('closed', 'log is closed', 'open the log again');
    if (bytes.length > MAX_ENTRY_BYTES) {
      throw new LedgerError(
        'entry-too-large',
        `entry has ${bytes.length} bytes, but at most ${MAX_ENTRY_BYTES} fit`,
        'seal large texts: the entry then holds only their digests',
      );
    }
    const leaf = this.#hasher.leaf(bytes);
    const key = givenKey ?? leaf.slice(0, KEY_BYTES);
    if (key.length !== KEY_BYTES)
      throw new TypeError(`idempotency key has ${key.length} bytes, not ${KEY_BYTES}`);
    const name = nameOf(key);
    const twin = this.#pending.get(name);
    if (twin !== undefined) {
      if (Buffer.compare(twin.leaf, leaf) !== 0) throw conflict();
      twin.settle.push(settle);
      return leaf;
    }
    if (together === undefined) this.#checkRoom(bytes.length + OVERHEAD_BYTES);
    const waiting: Waiting = { bytes, leaf, key, name, together, settle: [settle] };
    this.#bytes += bytes.length + OVERHEAD_BYTES;
    this.#pending.set(name, waiting);
    this.#queue.push(waiting);
    this.#schedule();
    return leaf;
  }

  #checkRoom(bytes: number): void {
    if (this.#bytes + bytes <= this.#limits.queueBytes || this.#bytes === 0) return;
    const retryAfterMs = Math.max(10, Math.ceil(this.#bytes / this.#rate));
    throw new LedgerError(
      'overloaded',
      `log has ${this.#bytes} bytes waiting`,
      `try again in ${retryAfterMs} ms`,
      {
        retryAfterMs,
      },
    );
  }

  /** Starts a batch once everything that arrived together is queued. */
  #schedule(): void {
    if (this.#scheduled || this.#running >= this.#store.maxConcurrentAppends || this.#queue.length === 0)
      return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const batch = this.#take();
      // Nothing may be taken now: the end of a batch that is under way schedules again.
      if (batch.length === 0) return;
      void this.#run(batch);
      this.#schedule();
    });
  }

  #take(): readonly Waiting[] {
    let [count, bytes] = [0, 0];
    for (const entry of this.#queue) {
      if (count === this.#limits.batchEntries) break;
      if (entry.together !== undefined && this.#unfinished.has(entry.together)) break;
      bytes += entry.bytes.length;
      if (bytes > this.#limits.batchBytes && count > 0) break;
      count += 1;
    }
    const batch = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    return batch;
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    this.#running += 1;
    const last = batch.at(-1)?.together;
    if (last !== undefined) this.#unfinished.add(last);
    const began = performance.now();
    let places: readonly Placement[] | undefined;
    let failure: LedgerError | undefined;
    try {
      places = await this.#store.append(batch);
    } catch (cause) {
      failure =
        cause instanceof LedgerError
          ? cause
          : new LedgerError('io-failed', 'store could not append', 'see the cause; senders may retry', {
              cause,
            });
    }
    let done = 0;
    for (const [i, entry] of batch.entries()) {
      this.#pending.delete(entry.name);
      done += entry.bytes.length + OVERHEAD_BYTES;
      settle(entry, failure, places?.[i]);
    }
    this.#bytes -= done;
    this.#rate = 0.8 * this.#rate + 0.2 * (done / Math.max(0.1, performance.now() - began));
    this.#running -= 1;
    if (last !== undefined) this.#unfinished.delete(last);
    this.#schedule();
    if (this.#pending.size === 0) for (const resolve of this.#drained.splice(0)) resolve();
  }
}

/** A key as a string, which maps need: two bytes to a character. */
function nameOf(key: Uint8Array): string {
  const pair = (at: number): number => ((key[at] ?? 0) << 8) | (key[at + 1] ?? 0);
  return String.fromCharCode(pair(0), pair(2), pair(4), pair(6), pair(8), pair(10), pair(12), pair(14));
}

function settle(entry: Waiting, failure: LedgerError | undefined, place: Placement | undefined): void {
  const error =
    failure ?? (place === undefined || place.kind === 'conflict' ? conflict(place?.index) : undefined);
  let duplicate = place?.kind === 'duplicate';
  for (const tell of entry.settle) {
    tell(error, place?.index ?? 0, duplicate);
    duplicate = true;
  }
}

function conflict(index?: number): LedgerError {
  const where = index === undefined ? 'under way' : `at index ${index}`;
  return new LedgerError(
    'idempotency-conflict',
    `idempotency key stands for another entry ${where}`,
    'give a new record a new id; send a retry with the same bytes',
  );
}
