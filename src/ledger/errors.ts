/** What can go wrong in the ledger. Closed: a caller may switch on it exhaustively. */
export type LedgerErrorCode =
  /** Not a `comity.audit/1` record: unknown event, unknown field, wrong type, forbidden content. */
  | 'record-invalid'
  /** More bytes than an entry may have (C2SP tlog-tiles frames entries with a 16-bit length). */
  | 'entry-too-large'
  /** The same idempotency key came with other bytes. */
  | 'idempotency-conflict'
  /** The queue is full: try again after `retryAfterMs`. */
  | 'overloaded'
  | 'closed'
  /** No entry, hash, bundle or checkpoint at that place. */
  | 'not-found'
  /** The bytes of the entry were removed after its retention ended; its hash and its proofs are still there. */
  | 'pruned'
  | 'already-exists'
  /** Another process holds the log. */
  | 'locked'
  /** This replica was fenced off by a newer epoch. */
  | 'fenced'
  /** The disk has no room; nothing of the batch was acknowledged. */
  | 'disk-full'
  /** A write or a rename failed; nothing of the batch was acknowledged. */
  | 'io-failed'
  /** What is stored contradicts itself or a head that was signed. */
  | 'damaged'
  /** The tree is smaller than a head that was signed: a restored backup, or entries cut off. */
  | 'truncated'
  /** The stored head is not the one that this process saw last. */
  | 'head-moved'
  /** The store would acknowledge what is not durable. */
  | 'not-durable'
  | 'key-invalid'
  /** The key of this person was destroyed: what it sealed is gone. */
  | 'erased'
  | 'blob-invalid'
  | 'bundle-invalid'
  | 'query-invalid'
  /** A quorum file that cannot be read. */
  | 'quorum-invalid'
  /** A quorum that lets a fork go unseen. */
  | 'quorum-unsound';

/** The only error that the ledger throws for bad input and for states of its store that a caller can act on. */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;
  /** What to do next, one sentence. */
  readonly help: string;
  /** Milliseconds until a retry makes sense; set on `overloaded` only. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: LedgerErrorCode,
    message: string,
    help: string,
    more: { readonly cause?: unknown; readonly retryAfterMs?: number } = {},
  ) {
    super(message, more.cause === undefined ? {} : { cause: more.cause });
    this.name = 'LedgerError';
    this.code = code;
    this.help = help;
    this.retryAfterMs = more.retryAfterMs;
  }
}

/** The error of asking for the bytes of entries below the minimum index. */
export function prunedError(minimum: number): LedgerError {
  return new LedgerError(
    'pruned',
    `entries 0 to ${minimum - 1} were pruned: their bytes are gone`,
    'their hashes and proofs are still there; the bytes may be in an evidence archive or a backup made before',
  );
}

/** A value as it may appear in a message: cut short, because it may be an attacker's megabyte. */
export function quoted(value: string): string {
  const shown = value.length > 80 ? `${value.slice(0, 77)}...` : value;
  return `\`${shown.replace(/[^\x20-\x7e]/g, '?')}\``;
}
