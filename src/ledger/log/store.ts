import { HASH_BYTES } from '../../tlog/hash.ts';
import type { HashTile } from '../../tlog/tile.ts';
import { LedgerError } from '../errors.ts';

/** Bytes of an idempotency key. */
export const KEY_BYTES = 16;

/** Entries that are pruned together: those of one hash of tile level 2, and of one segment file. */
export const PRUNE_STEP = 65_536;

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
 * A decision to remove the bytes of the oldest entries (C2SP tlog-tiles, Pruning). `planned`: nothing has happened yet,
 * and it may be dropped. `announced`: the log holds its announcement, and the minimum index is in effect; bytes may be
 * left. `done`: they are gone.
 */
export interface Pruning {
  readonly state: 'planned' | 'announced' | 'done';
  /** First entry whose bytes are kept: a multiple of {@link PRUNE_STEP}. */
  readonly minimum: number;
  /** Canonical bytes of the `comity.log.pruned` record. */
  readonly announcement: Uint8Array;
  /** The written retention policy: without one nothing may be pruned. */
  readonly policy: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/**
 * Where a log lives. One log, many implementations; each keeps these promises:
 *
 * - `append` gives contiguous places in the order given, and resolves only when the entries are durable. After a
 *   crash a prefix of an unresolved call may remain; a retry with the same keys finds it.
 * - `swapHead` is a durable compare-and-swap, also between processes.
 * - What `grow` returned stays readable at that size: tiles, and so every proof; bundles from the minimum index on.
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
  /** The first `width` entries of bundle `index`, framed. @throws {LedgerError} `not-found` · `pruned` */
  readBundle(index: number, width: number): Promise<Uint8Array>;
  /** Idempotency keys of entries `from` up to, not including, `to`: {@link KEY_BYTES} bytes each. */
  readKeys(from: number, to: number): Promise<Uint8Array>;

  /**
   * Where the entries with these idempotency keys stand; undefined for those that were never appended.
   * @throws {LedgerError} `closed` if the log is open for reading only: no index is kept then
   */
  findKeys(keys: readonly Uint8Array[]): Promise<readonly (number | undefined)[]>;

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

  /** The first entry whose bytes are here; 0 in a log that was never pruned. */
  minimum(): Promise<number>;
  /** Every pruning that was kept, by its minimum; at most one is `planned`, and it is the last. */
  prunings(): Promise<readonly Pruning[]>;
  /**
   * Keeps a pruning, durably, in the place of the one with its minimum and of any that is `planned`.
   * @throws {LedgerError} `pruned` if its minimum is below the one in effect · `fenced` · `io-failed`
   */
  keepPruning(pruning: Pruning): Promise<void>;
  /**
   * Removes what is left of the bytes below the minimum index. Safe to repeat after it was interrupted.
   * @returns bytes that were removed
   */
  removePruned(onProgress?: (done: number, total: number) => void): Promise<number>;
  /**
   * Takes in the next {@link PRUNE_STEP} entries of a log that is being moved, whose bytes are gone: their leaf hashes
   * and keys, end to end. Only below a minimum index that is in effect, and at a multiple of the step.
   * @throws {LedgerError} `damaged` elsewhere
   */
  adoptPruned(leaves: Uint8Array, keys: Uint8Array): Promise<void>;

  close(): Promise<void>;
}

/** Whether a store of `size` entries may take in the next step without its bytes. @throws {LedgerError} `damaged` */
export function checkAdoption(size: number, minimum: number, leaves: Uint8Array, keys: Uint8Array): void {
  const whole = leaves.length === PRUNE_STEP * HASH_BYTES && keys.length === PRUNE_STEP * KEY_BYTES;
  if (whole && size % PRUNE_STEP === 0 && size + PRUNE_STEP <= minimum) return;
  throw new LedgerError(
    'damaged',
    `store of ${size} entries and minimum index ${minimum} cannot take in ${leaves.length / HASH_BYTES} entries without their bytes`,
    'move a pruned log into an empty store',
  );
}
