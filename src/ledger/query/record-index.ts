import { LedgerError, quoted } from '../errors.ts';
import type { AuditRecord } from '../record/record.ts';
import { type Phrase, phrasesOf } from './words.ts';

/** What to look for. Every condition given must hold. */
export interface RecordQuery {
  /** Event times, milliseconds since 1970: `from` included, `to` not. */
  readonly from?: number;
  readonly to?: number;
  readonly event?: string;
  readonly tenant?: string;
  /** `comity.system.id` */
  readonly system?: string;
  /** A market in `jur` or in `comity.market`. */
  readonly market?: string;
  /** A rule that decided, or that was among those considered. */
  readonly rule?: string;
  /** `comity.policy.verdict` or `comity.tool.outcome`. */
  readonly outcome?: string;
  readonly producer?: string;
  readonly trace?: string;
  /** Ids of keys: what is about one person ({@link Vault.keysOf} gives them). */
  readonly keys?: readonly string[];
  /** Words that the event and its attributes contain; `"…"` for a phrase, `*` at the end of a beginning. */
  readonly text?: string;
  /** Only records after this one, for the next page. */
  readonly after?: number;
  /** Only records before this one. */
  readonly before?: number;
  /** Default 100, at most 10 000. */
  readonly limit?: number;
}

/** A record that was found. Prove it by its index: rows are derived, and nothing vouches for them. */
export interface RecordRow {
  readonly index: number;
  readonly id: string;
  readonly time: number;
  readonly event: string;
  readonly system: string;
  readonly outcome: string | undefined;
}

/** How far an index has come: it holds all entries before `entries`, the last of which had the leaf hash `leaf`. */
export interface IndexMark {
  readonly entries: number;
  /** Undefined only where `entries` is 0. */
  readonly leaf: Uint8Array | undefined;
}

/**
 * An index over a log's records, in the order of the log. It can be dropped at any time and is built again. Any number
 * of processes may follow the log into one index.
 */
export interface RecordIndex {
  /** The last mark, or the last one that is no further than `upTo`. */
  mark(upTo?: number): Promise<IndexMark>;
  /**
   * Indexes the entries from `from` on, with a mark behind them, in one transaction. `undefined`: not a record.
   * False, and nothing happened, if the index does not end at `from` any more: somebody else was faster.
   */
  apply(from: number, records: readonly (AuditRecord | undefined)[], leaf: Uint8Array): Promise<boolean>;
  /** @throws {LedgerError} `query-invalid` */
  query(query: RecordQuery): Promise<readonly RecordRow[]>;
  /** Forgets everything, unless somebody moved the index on from this mark. */
  clear(at: IndexMark): Promise<void>;
  close(): Promise<void>;
}

/** A condition as a database understands it. */
export type Condition =
  | {
      readonly kind: 'compare';
      readonly column: 'time' | 'event' | 'tenant' | 'system' | 'outcome' | 'producer' | 'trace' | 'idx';
      readonly is: '=' | '<' | '>' | '>=';
      readonly value: string | number;
    }
  | { readonly kind: 'tag'; readonly tag: Tag; readonly values: readonly string[] }
  | { readonly kind: 'words'; readonly phrases: readonly Phrase[] };

/** What a record is found by beside its columns, any number of times. */
export type Tag = 'market' | 'rule' | 'key';

const DEFAULT_LIMIT = 100;
const HIGHEST_LIMIT = 10_000;

const COLUMNS = ['event', 'tenant', 'system', 'outcome', 'producer', 'trace'] as const;
const BOUNDS = [
  ['from', 'time', '>='],
  ['to', 'time', '<'],
  ['after', 'idx', '>'],
  ['before', 'idx', '<'],
] as const;

/** Reads a query. @throws {LedgerError} `query-invalid` */
export function conditionsOf(query: RecordQuery): {
  readonly conditions: readonly Condition[];
  readonly limit: number;
} {
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > HIGHEST_LIMIT) {
    throw new LedgerError(
      'query-invalid',
      `limit ${quoted(String(limit))} is not a number from 1 to ${HIGHEST_LIMIT}`,
      'ask for the next page with the last index',
    );
  }
  const conditions: Condition[] = [];
  for (const column of COLUMNS) {
    const value = query[column];
    if (value !== undefined) conditions.push({ kind: 'compare', column, is: '=', value });
  }
  for (const [name, column, is] of BOUNDS) {
    const value = query[name];
    if (value !== undefined) conditions.push({ kind: 'compare', column, is, value });
  }
  for (const tag of ['market', 'rule'] as const) {
    const value = query[tag];
    if (value !== undefined) conditions.push({ kind: 'tag', tag, values: [value] });
  }
  if (query.keys !== undefined) conditions.push({ kind: 'tag', tag: 'key', values: query.keys });
  if (query.text !== undefined) conditions.push({ kind: 'words', phrases: phrasesOf(query.text) });
  return { conditions, limit };
}
