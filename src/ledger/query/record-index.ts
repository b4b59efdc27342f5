import { DatabaseSync } from 'node:sqlite';
import { LedgerError, quoted } from '../errors.ts';
import type { AuditRecord } from '../record.ts';
import { fromRfc3339 } from '../time.ts';

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
  /** Words that attributes contain; `"…"` for a phrase, `*` at the end of a beginning. */
  readonly text?: string;
  /** Only records after this one, for the next page. */
  readonly after?: number;
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

/** An index over a log's records, in the order of the log. It can be dropped at any time and is built again. */
export interface RecordIndex {
  /** Entries that are indexed: all before this one. */
  position(): number;
  /** Leaf hash of the last indexed entry: an index of another history shows by it. */
  lastLeaf(): Uint8Array | undefined;
  /** Indexes entries from `position` on, with the new position, in one transaction. `undefined`: not a record. */
  apply(records: readonly (AuditRecord | undefined)[], lastLeaf: Uint8Array): void;
  /** @throws {LedgerError} `query-invalid` */
  query(query: RecordQuery): readonly RecordRow[];
  /** Forgets everything. */
  clear(): void;
  close(): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY CHECK (one = 1), entries INTEGER NOT NULL, leaf BLOB) STRICT;
  CREATE TABLE IF NOT EXISTS record (
    idx INTEGER PRIMARY KEY, id TEXT NOT NULL, time INTEGER NOT NULL, event TEXT NOT NULL, tenant TEXT NOT NULL,
    system TEXT NOT NULL, outcome TEXT, producer TEXT NOT NULL, trace TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS record_time ON record (time);
  CREATE INDEX IF NOT EXISTS record_system ON record (system, time);
  CREATE INDEX IF NOT EXISTS record_outcome ON record (outcome, time) WHERE outcome IS NOT NULL;
  CREATE INDEX IF NOT EXISTS record_trace ON record (trace) WHERE trace IS NOT NULL;
  CREATE TABLE IF NOT EXISTS tag (kind TEXT, value TEXT, idx INTEGER, PRIMARY KEY (kind, value, idx)) STRICT, WITHOUT ROWID;
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content = '', tokenize = "unicode61 tokenchars '._-'");
`;

const TABLES = ['position', 'record', 'tag', 'words'];

const DEFAULT_LIMIT = 100;
const HIGHEST_LIMIT = 10_000;

/** Opens an index in a file, or in memory with `:memory:`. Losing it costs nothing but time, so it is not synced. */
export function openRecordIndex(path: string): RecordIndex {
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
  database.exec(SCHEMA);
  const statements = {
    position: database.prepare('SELECT entries, leaf FROM position'),
    move: database.prepare('INSERT OR REPLACE INTO position (one, entries, leaf) VALUES (1, ?, ?)'),
    record: database.prepare(
      'INSERT INTO record (idx, id, time, event, tenant, system, outcome, producer, trace) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    tag: database.prepare('INSERT OR IGNORE INTO tag (kind, value, idx) VALUES (?, ?, ?)'),
    words: database.prepare('INSERT INTO words (rowid, text) VALUES (?, ?)'),
  };
  const position = (): number => Number(statements.position.get()?.entries ?? 0);

  const add = (index: number, record: AuditRecord): void => {
    const attributes = Object.entries(record.attributes);
    statements.record.run(
      index,
      record.id,
      fromRfc3339(record.time),
      record.event_name,
      record.resource['comity.tenant'],
      record.resource['comity.system.id'],
      outcomeOf(record) ?? null,
      record.producer.id,
      record.trace_id ?? null,
    );
    for (const [kind, value] of tagsOf(record)) statements.tag.run(kind, value, index);
    statements.words.run(
      index,
      `${record.event_name} ${attributes.map(([, value]) => wordsOf(value)).join(' ')}`,
    );
  };

  return {
    position,
    lastLeaf() {
      const leaf = statements.position.get()?.leaf;
      return leaf instanceof Uint8Array ? leaf : undefined;
    },
    apply(records, lastLeaf) {
      database.exec('BEGIN IMMEDIATE');
      try {
        const first = position();
        for (const [i, record] of records.entries()) if (record !== undefined) add(first + i, record);
        statements.move.run(first + records.length, lastLeaf);
        database.exec('COMMIT');
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
    query(query) {
      const { sql, values } = statementOf(query);
      try {
        return database
          .prepare(sql)
          .all(...values)
          .map(rowOf);
      } catch (cause) {
        if (query.text === undefined) throw cause;
        throw new LedgerError(
          'query-invalid',
          `${quoted(query.text)} cannot be searched for`,
          'write words, a `"phrase"`, or the beginning of a word with `*`',
          { cause },
        );
      }
    },
    clear() {
      database.exec(TABLES.map((table) => `DROP TABLE IF EXISTS ${table};`).join('\n'));
      database.exec(SCHEMA);
    },
    close: () => database.close(),
  };
}

/** Conditions that are one comparison with one value. */
const COMPARISONS = {
  from: 'time >= ?',
  to: 'time < ?',
  event: 'event = ?',
  tenant: 'tenant = ?',
  system: 'system = ?',
  outcome: 'outcome = ?',
  producer: 'producer = ?',
  trace: 'trace = ?',
  after: 'idx > ?',
  market: "idx IN (SELECT idx FROM tag WHERE kind = 'market' AND value = ?)",
  rule: "idx IN (SELECT idx FROM tag WHERE kind = 'rule' AND value = ?)",
  text: 'idx IN (SELECT rowid FROM words WHERE words MATCH ?)',
} as const;

const COMPARED = [
  'from',
  'to',
  'event',
  'tenant',
  'system',
  'outcome',
  'producer',
  'trace',
  'after',
  'market',
  'rule',
  'text',
] as const;

function statementOf(query: RecordQuery): { sql: string; values: (string | number)[] } {
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > HIGHEST_LIMIT) {
    throw new LedgerError(
      'query-invalid',
      `limit ${quoted(String(limit))} is not a number from 1 to ${HIGHEST_LIMIT}`,
      'ask for the next page with the last index',
    );
  }
  const conditions: string[] = ['true'];
  const values: (string | number)[] = [];
  for (const name of COMPARED) {
    const value = query[name];
    if (value === undefined) continue;
    conditions.push(COMPARISONS[name]);
    values.push(value);
  }
  if (query.keys !== undefined) {
    const marks = query.keys.map(() => '?').join(', ');
    conditions.push(`idx IN (SELECT idx FROM tag WHERE kind = 'key' AND value IN (${marks}))`);
    values.push(...query.keys);
  }
  const sql = `SELECT idx, id, time, event, system, outcome FROM record WHERE ${conditions.join(' AND ')} ORDER BY idx LIMIT ${limit}`;
  return { sql, values };
}

function* tagsOf(record: AuditRecord): Generator<readonly ['market' | 'rule' | 'key', string]> {
  for (const market of record.jur) yield ['market', market];
  for (const sealed of record.sealed ?? []) yield ['key', sealed.k];
  if ('comity.market' in record.attributes && record.attributes['comity.market'] !== undefined) {
    yield ['market', record.attributes['comity.market']];
  }
  if (record.event_name !== 'comity.policy.decision') return;
  const { 'comity.policy.rule.id': rule, 'comity.policy.rules': rules } = record.attributes;
  if (rule !== undefined) yield ['rule', rule];
  for (const considered of rules ?? []) yield ['rule', considered];
}

function outcomeOf(record: AuditRecord): string | undefined {
  if (record.event_name === 'comity.policy.decision') return record.attributes['comity.policy.verdict'];
  if (record.event_name === 'comity.tool.effect') return record.attributes['comity.tool.outcome'];
  return undefined;
}

function wordsOf(value: unknown): string {
  return Array.isArray(value) ? value.join(' ') : String(value);
}

function rowOf(row: Readonly<Record<string, unknown>>): RecordRow {
  const { idx, id, time, event, system, outcome } = row;
  return {
    index: Number(idx),
    id: String(id),
    time: Number(time),
    event: String(event),
    system: String(system),
    outcome: typeof outcome === 'string' ? outcome : undefined,
  };
}
