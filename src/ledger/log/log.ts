import { decodeBundle } from '../../tlog/bundle.ts';
import { parseCheckpoint, signCheckpoint } from '../../tlog/checkpoint.ts';
import { HASH_BYTES, sameBytes, type TreeHasher } from '../../tlog/hash.ts';
import type { NoteSigner } from '../../tlog/note.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { TiledTree } from '../../tlog/tiled-tree.ts';
import { LedgerError } from '../errors.ts';
import type { Clock } from '../record/time.ts';
import { type Appended, Appender, type AppenderLimits, DEFAULT_LIMITS } from './appender.ts';
import { nodeHasher } from './node-hash.ts';
import type { LogStore, SignedHead, TreeHead } from './store.ts';

/**
 * Asks witnesses to cosign a head that was just kept, and returns its note with whatever signatures came. `previous`
 * is the head published before, for their consistency proof. It decides itself how long to wait.
 */
export type Cosign = (head: SignedHead, previous: SignedHead | undefined) => Promise<string>;

export interface LogOptions {
  /** Name of the log: the first line of its checkpoints. */
  readonly origin: string;
  readonly store: LogStore;
  /** The keys of the log. More than one while a key is being replaced. */
  readonly signers: readonly NoteSigner[];
  readonly cosign?: Cosign;
  readonly limits?: AppenderLimits;
  /** Least time between two checkpoints, in milliseconds. Default 1000. 0: only when `publish` is called. */
  readonly publishEveryMs?: number;
  /** Told when a checkpoint could not be published; the next one is tried as usual. Default: a warning of the process. */
  readonly onProblem?: (problem: unknown) => void;
  readonly now?: Clock;
}

/** A log that this process appends to. */
export interface Log {
  readonly origin: string;
  readonly store: LogStore;
  readonly hasher: TreeHasher;
  /**
   * Appends an entry; resolves once it is durable. Without a `key` the beginning of the entry's own leaf hash is its idempotency key.
   * @throws {LedgerError} `entry-too-large` · `overloaded` · `idempotency-conflict` · `disk-full` · `io-failed` · `fenced` · `closed`
   */
  append(bytes: Uint8Array, key?: Uint8Array): Promise<Appended>;
  /** Appends entries in order; resolves once all are durable. */
  appendAll(
    entries: readonly { readonly bytes: Uint8Array; readonly key?: Uint8Array }[],
  ): Promise<readonly Appended[]>;
  /** The newest head that was published. */
  published(): SignedHead | undefined;
  /**
   * Signs, keeps and publishes the head of what is durable now, unless that head is published already.
   * @throws {LedgerError} `damaged` if the store no longer holds what was signed before: nothing is signed then
   */
  publish(): Promise<SignedHead>;
  /** A tree of the published size, or of an earlier one, to prove from. */
  tree(size?: number): TiledTree;
  /** Bytes of one entry. @throws {LedgerError} `not-found` · `pruned` */
  read(index: number): Promise<Uint8Array>;
  /** Entries `from` up to, not including, `to`, in order. @throws {LedgerError} `not-found` · `pruned` */
  entries(from: number, to: number): AsyncIterable<readonly Uint8Array[]>;
  /**
   * Appends the entry that announces a new key, then publishes a head signed by the keys so far and the new one.
   * All of them go on signing until {@link retire}.
   */
  rotate(successor: NoteSigner, announcement: Uint8Array, key?: Uint8Array): Promise<SignedHead>;
  /** Stops signing with a key. @throws {LedgerError} `key-invalid` if no other key is left */
  retire(keyId: number): void;
  /** Settles what was accepted, publishes a last head, and closes the store. */
  close(): Promise<void>;
}

/** What can be asked of a log without appending to it. */
export type LogView = Pick<Log, 'origin' | 'store' | 'hasher' | 'published' | 'tree' | 'read' | 'entries'>;

/** Opens a log on a store. The store is closed with the log. */
export async function openLog(options: LogOptions): Promise<Log> {
  const log = new StoredLog(options);
  await log.start();
  return log;
}

/** What a store has published, without a right to append. */
export async function viewOf(origin: string, store: LogStore): Promise<LogView> {
  const hasher = nodeHasher();
  const note = await store.published();
  const published = note === undefined ? undefined : publishedHead(note, await store.head());
  return {
    origin,
    store,
    hasher,
    published: () => published,
    tree: (size) => new TiledTree((tile) => store.readTile(tile), size ?? published?.size ?? 0, hasher),
    read: (index) => readEntry(store, index),
    entries: (from, to) => readEntries(store, from, to),
  };
}

class StoredLog implements Log {
  readonly origin: string;
  readonly store: LogStore;
  readonly hasher = nodeHasher();
  readonly #options: LogOptions;
  readonly #appender: Appender;
  readonly #now: Clock;
  #signers: readonly NoteSigner[];
  #published: SignedHead | undefined;
  #publishing: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LogOptions) {
    if (options.signers.length === 0) {
      throw new LedgerError('key-invalid', 'log has no key to sign with', 'pass at least one signer');
    }
    this.#options = options;
    this.origin = options.origin;
    this.store = options.store;
    this.#signers = options.signers;
    this.#appender = new Appender(options.store, this.hasher, options.limits ?? DEFAULT_LIMITS);
    this.#now = options.now ?? Date.now;
  }

  async start(): Promise<void> {
    const kept = await this.store.head();
    if (kept !== undefined && this.#options.cosign === undefined) {
      // A crash may have come between keeping a head and publishing it.
      await this.store.publish(kept);
      this.#published = kept;
    } else {
      // With witnesses a kept head may lack their signatures: `publish` asks them again.
      const note = await this.store.published();
      if (note !== undefined) this.#published = publishedHead(note, kept);
    }
    const every = this.#options.publishEveryMs ?? 1000;
    if (every > 0) this.#schedule(every);
  }

  append(bytes: Uint8Array, key?: Uint8Array): Promise<Appended> {
    return this.#appender.append(bytes, key);
  }

  appendAll(
    entries: readonly { readonly bytes: Uint8Array; readonly key?: Uint8Array }[],
  ): Promise<readonly Appended[]> {
    return this.#appender.appendAll(entries);
  }

  published(): SignedHead | undefined {
    return this.#published;
  }

  publish(): Promise<SignedHead> {
    const result = this.#publishing.then(() => this.#publish());
    this.#publishing = result.catch(() => undefined);
    return result;
  }

  tree(size?: number): TiledTree {
    return new TiledTree(
      (tile) => this.store.readTile(tile),
      size ?? this.#published?.size ?? 0,
      this.hasher,
    );
  }

  read(index: number): Promise<Uint8Array> {
    return readEntry(this.store, index);
  }

  entries(from: number, to: number): AsyncIterable<readonly Uint8Array[]> {
    return readEntries(this.store, from, to);
  }

  async rotate(successor: NoteSigner, announcement: Uint8Array, key?: Uint8Array): Promise<SignedHead> {
    await this.append(announcement, key);
    this.#signers = [...this.#signers, successor];
    return this.publish();
  }

  retire(keyId: number): void {
    const left = this.#signers.filter((signer) => signer.keyId !== keyId);
    if (left.length === 0) {
      throw new LedgerError(
        'key-invalid',
        'log would have no key to sign with',
        'rotate to another key first',
      );
    }
    this.#signers = left;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#appender.close();
    try {
      if ((this.#options.publishEveryMs ?? 1000) > 0) await this.publish();
      await this.#publishing;
    } finally {
      await this.store.close();
    }
  }

  #schedule(every: number): void {
    this.#timer = setTimeout(() => {
      this.publish()
        .catch((problem: unknown) => (this.#options.onProblem ?? warn)(problem))
        .finally(() => {
          if (!this.#closed) this.#schedule(every);
        });
    }, every);
    this.#timer.unref();
  }

  async #publish(): Promise<SignedHead> {
    const kept = await this.#keep();
    if (kept.note === this.#published?.note) return this.#published;
    const witnessed = await this.#cosign(kept);
    await this.store.publish(witnessed);
    this.#published = witnessed;
    return witnessed;
  }

  /** Makes the head durable before anybody can see it; follows a faster replica if there is one. */
  async #keep(): Promise<SignedHead> {
    for (;;) {
      const previous = await this.store.head();
      const tree = await this.store.grow();
      await this.#checkExtends(previous, tree);
      if (previous?.size === tree.size && this.#signedByAll(previous)) return previous;
      const { size, root } = tree;
      const note = signCheckpoint({ origin: this.origin, size, root, extensions: [] }, this.#signers);
      // Heads stay in order of time even when the clock does not.
      const next = { size, root, note, at: Math.max(this.#now(), previous?.at ?? 0) };
      if (await this.store.swapHead(previous, next)) return next;
    }
  }

  /** Whether a head carries the signatures of all current keys; a rotation makes that false once. */
  #signedByAll(head: SignedHead): boolean {
    const lines = head.note
      .split('\n')
      .filter((line) => line.startsWith('— '))
      .map((line) => line.split(' '));
    return this.#signers.every((signer) =>
      lines.some(([, name, signature = '']) => {
        const id = Buffer.from(signature, 'base64').subarray(0, 4);
        return name === signer.name && id.length === 4 && id.readUInt32BE(0) === signer.keyId;
      }),
    );
  }

  /** A log must never sign two histories, whatever happened to its store in between. */
  async #checkExtends(previous: SignedHead | undefined, tree: TreeHead): Promise<void> {
    if (previous === undefined) return;
    if (tree.size < previous.size) {
      throw new LedgerError(
        'truncated',
        `store holds ${tree.size} entries, but a head of ${previous.size} was signed`,
        'restore the store from the same moment as its heads',
      );
    }
    const root = await this.tree(tree.size).root(previous.size);
    if (sameBytes(root, previous.root)) return;
    throw new LedgerError(
      'damaged',
      `store no longer leads to the head of ${previous.size} entries that was signed`,
      'run fsck to find where history differs; nothing is signed until it is repaired',
    );
  }

  async #cosign(head: SignedHead): Promise<SignedHead> {
    if (this.#options.cosign === undefined) return head;
    const note = await this.#options.cosign(head, this.#published);
    if (note === head.note) return head;
    const witnessed = { ...head, note };
    // Should a replica have kept a newer head meanwhile, that one will be published with its own cosignatures.
    return (await this.store.swapHead(head, witnessed)) ? witnessed : head;
  }
}

/** Leaf hash of one entry, also of one that was pruned. @throws {LedgerError} `not-found` */
export async function readLeaf(store: LogStore, index: number): Promise<Uint8Array> {
  const position = index % TILE_WIDTH;
  const tile = {
    kind: 'hashes',
    level: 0,
    index: Math.floor(index / TILE_WIDTH),
    width: position + 1,
  } as const;
  return (await store.readTile(tile)).slice(position * HASH_BYTES);
}

/** Bytes of one entry. @throws {LedgerError} `not-found` · `pruned` */
export async function readEntry(store: LogStore, index: number): Promise<Uint8Array> {
  const position = index % TILE_WIDTH;
  const bundle = await store.readBundle(Math.floor(index / TILE_WIDTH), position + 1);
  const entry = decodeBundle(bundle, position + 1)[position];
  if (entry === undefined) throw new Error(`bundle of entry ${index} lost it`);
  return entry;
}

/**
 * Entries `from` up to, not including, `to`, in order, a bundle at a time.
 * @throws {LedgerError} `not-found` · `pruned`
 */
export async function* readEntries(
  store: LogStore,
  from: number,
  to: number,
): AsyncGenerator<readonly Uint8Array[]> {
  for (let at = from; at < to; ) {
    const index = Math.floor(at / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, to - index * TILE_WIDTH);
    const entries = decodeBundle(await store.readBundle(index, width), width);
    yield entries.slice(at - index * TILE_WIDTH);
    at = index * TILE_WIDTH + width;
  }
}

function warn(problem: unknown): void {
  process.emitWarning(problem instanceof Error ? problem : String(problem));
}

/** A head as others saw it. Its time is not in the note; what was kept since is no older. */
function publishedHead(note: string, kept: SignedHead | undefined): SignedHead {
  const { size, root } = parseCheckpoint(note).checkpoint;
  return { size, root, note, at: kept?.at ?? 0 };
}
