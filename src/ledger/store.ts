import type { HashTile } from '../tlog/tile.ts';

/** Bytes of an idempotency key. */
export const KEY_BYTES = 16;

/** An entry on its way into a store. */
export interface NewEntry {
  readonly bytes: Uint8Array;
  /** Leaf hash of `bytes`. */
  readonly leaf: Uint8Array;
  /** Idempotency key, {@link KEY_BYTES} bytes: the same key never takes two places. */
  readonly key: Uint8Array;
}

/**
 * What became of an entry. `appended`: it now stands at `index`. `duplicate`: it stood there already, nothing was
 * appended. `conflict`: its key stands there with other bytes, nothing was appended.
 */
export interface Placement {
  readonly kind: 'appended' | 'duplicate' | 'conflict';
  readonly index: number;
}

/** A tree, named by what its log signs. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** A head as signed and kept. Once kept, it may be shown to others; nothing that conflicts with it may follow. */
export interface SignedHead extends TreeHead {
  /** The signed note (C2SP tlog-checkpoint), with all its signatures. */
  readonly note: string;
  /** Milliseconds since 1970 at which it was signed; never earlier than that of the head before. */
  readonly at: number;
}

/**
 * Where a log lives. One log, many implementations; each keeps these promises:
 *
 * - `append` gives contiguous places in the order given, and resolves only when the entries are durable. After a
 *   crash a prefix of an unresolved call may remain; a retry with the same keys finds it.
 * - `swapHead` is a durable compare-and-swap, also between processes.
 * - What `grow` returned stays readable at that size: tiles, bundles, and so every proof.
 *
 * Values read from a store are not authenticated: check them against a head that you trust.
 */
export interface LogStore {
  readonly kind: 'files' | 'postgres';

  /**
   * Appends entries with distinct keys. At most {@link maxConcurrentAppends} calls may be unresolved at a time.
   * @throws {LedgerError} `disk-full` · `io-failed` · `fenced` · `closed`; of this call nothing was appended then,
   *   or a prefix that a retry with the same keys finds
   */
  append(entries: readonly NewEntry[]): Promise<readonly Placement[]>;
  readonly maxConcurrentAppends: number;

  /** Brings the tree up to the entries that are durable, and names it. */
  grow(): Promise<TreeHead>;

  /** @throws {LedgerError} `not-found` beyond what `grow` has reached */
  readTile(tile: HashTile): Promise<Uint8Array>;
  /** The first `width` entries of bundle `index`, framed. @throws {LedgerError} `not-found` */
  readBundle(index: number, width: number): Promise<Uint8Array>;
  /** Idempotency keys of entries `from` up to, not including, `to`: {@link KEY_BYTES} bytes each. */
  readKeys(from: number, to: number): Promise<Uint8Array>;

  /** The newest signed head, if any. */
  head(): Promise<SignedHead | undefined>;
  /** Every signed head that was kept, from the oldest. */
  heads(): Promise<readonly SignedHead[]>;
  /**
   * Keeps `next` if the newest head still has the note `previous`. False: somebody else was faster.
   * @throws {LedgerError} `fenced` · `io-failed`
   */
  swapHead(previous: SignedHead | undefined, next: SignedHead): Promise<boolean>;
  /** Puts a kept head where readers without this process find it. A larger one is never replaced by a smaller one. */
  publish(head: SignedHead): Promise<void>;
  /** Note of the head that was published last, by whichever process. */
  published(): Promise<string | undefined>;

  close(): Promise<void>;
}
