import { DatabaseSync } from 'node:sqlite';
import { sameBytes } from '../../tlog/hash.ts';
import type { AuditRecord } from '../record/record.ts';
import { indexed } from './indexed.ts';
import {
  type Condition,
  conditionsOf,
  type IndexMark,
  type RecordIndex,
  type RecordRow,
} from './record-index.ts';

/** An index of another version is built again. */
const VERSION = 2;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS mark (entries INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS record (
    idx INTEGER PRIMARY KEY, id TEXT NOT NULL, time INTEGER NOT NULL, event TEXT NOT NULL, tenant TEXT NOT NULL,
    system TEXT NOT NULL, outcome TEXT, producer TEXT NOT NULL, trace TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS record_time ON record (time);
  CREATE INDEX IF NOT EXISTS record_system ON record (system, time);
  CREATE INDEX IF NOT EXISTS record_outcome ON record (outcome, time) WHERE outcome IS NOT NULL;
  CREATE INDEX IF NOT EXISTS record_trace ON record (trace) WHERE trace IS NOT NULL;
  CREATE TABLE IF NOT EXISTS tag (kind TEXT, value TEXT, idx INTEGER, PRIMARY KEY (kind, value, idx)) STRICT, WITHOUT ROWID;
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content = '', tokenize = "ascii tokenchars '._-'");
  PRAGMA user_version = ${VERSION};
`;

const DROP = ['position', 'mark', 'record', 'tag', 'words']
  .map((table) => `DROP TABLE IF EXISTS ${table};`)
  .join('\n');

/** Opens an index in a file, or in memory with `:memory:`. Losing it costs nothing but time, so it is not synced. */
export function openRecordIndex(path: string): RecordIndex {
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
  const inTransaction = <T>(run: () => T): T => {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = run();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  };
  inTransaction(() => {
    const version = database.prepare('PRAGMA user_version').get()?.user_version;
    if (version !== VERSION) database.exec(`${DROP}\n${SCHEMA}`);
  });
  const statements = {
    mark: database.prepare('SELECT entries, leaf FROM mark WHERE entries <= ? ORDER BY entries DESC LIMIT 1'),
    move: database.prepare('INSERT INTO mark (entries, leaf) VALUES (?, ?)'),
    record: database.prepare(
      'INSERT INTO record (idx, id, time, event, tenant, system, outcome, producer, trace) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    tag: database.prepare('INSERT OR IGNORE INTO tag (kind, value, idx) VALUES (?, ?, ?)'),
    words: database.prepare('INSERT INTO words (rowid, text) VALUES (?, ?)'),
    forget: ['mark', 'record', 'tag'].map((table) => database.prepare(`DELETE FROM ${table}`)),
    // A table without content of its own does not know its rows; it can only be emptied as a whole.
    forgetWords: database.prepare("INSERT INTO words (words) VALUES ('delete-all')"),
  };

  const markAt = (upTo: number): IndexMark => {
    const { entries, leaf } = statements.mark.get(upTo) ?? {};
    return { entries: Number(entries ?? 0), leaf: leaf instanceof Uint8Array ? leaf : undefined };
  };
  const add = (index: number, record: AuditRecord): void => {
    const { id, time, event, tenant, system, outcome, producer, trace, tags, words } = indexed(record);
    statements.record.run(index, id, time, event, tenant, system, outcome ?? null, producer, trace ?? null);
    for (const [tag, value] of tags) statements.tag.run(tag, value, index);
    statements.words.run(index, words.join(' '));
  };

  return {
    mark: async (upTo = Number.MAX_SAFE_INTEGER) => markAt(upTo),
    apply: async (from, records, leaf) =>
      inTransaction(() => {
        if (markAt(Number.MAX_SAFE_INTEGER).entries !== from) return false;
        for (const [i, record] of records.entries()) if (record !== undefined) add(from + i, record);
        statements.move.run(from + records.length, leaf);
        return true;
      }),
    async query(query) {
      const { conditions, limit } = conditionsOf(query);
      const { sql, values } = whereOf(conditions);
      return database
        .prepare(
          `SELECT idx, id, time, event, system, outcome FROM record WHERE ${sql} ORDER BY idx LIMIT ${limit}`,
        )
        .all(...values)
        .map(rowOf);
    },
    clear: async (at) =>
      inTransaction(() => {
        if (!sameMark(markAt(Number.MAX_SAFE_INTEGER), at)) return;
        for (const statement of [...statements.forget, statements.forgetWords]) statement.run();
      }),
    async close() {
      database.close();
    },
  };
}

export function sameMark(a: IndexMark, b: IndexMark): boolean {
  return a.entries === b.entries && sameBytes(a.leaf ?? new Uint8Array(), b.leaf ?? new Uint8Array());
}

function whereOf(conditions: readonly Condition[]): {
  readonly sql: string;
  readonly values: readonly (string | number)[];
} {
  const values: (string | number)[] = [];
  const mark = (value: string | number): string => {
    values.push(value);
    return '?';
  };
  return { sql: ['true', ...conditions.map((condition) => termOf(condition, mark))].join(' AND '), values };
}

function termOf(condition: Condition, mark: (value: string | number) => string): string {
  switch (condition.kind) {
    case 'compare':
      return `${condition.column} ${condition.is} ${mark(condition.value)}`;
    case 'tag':
      return `idx IN (SELECT idx FROM tag WHERE kind = ${mark(condition.tag)} AND value IN (${condition.values.map(mark).join(', ')}))`;
    case 'words': {
      // Words are letters, digits and `._-`, so nothing in the quotes has to be escaped.
      const phrases = condition.phrases.map(
        ({ words, prefix }) => `"${words.join(' ')}"${prefix ? ' *' : ''}`,
      );
      return `idx IN (SELECT rowid FROM words WHERE words MATCH ${mark(phrases.join(' AND '))})`;
    }
  }
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
