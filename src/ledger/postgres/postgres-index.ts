import { createHash } from 'node:crypto';
import { LedgerError } from '../errors.ts';
import { indexed } from '../query/indexed.ts';
import {
  type Condition,
  conditionsOf,
  type IndexMark,
  type RecordIndex,
  type RecordRow,
} from '../query/record-index.ts';
import { type Sql, sqlState } from './connection.ts';
import { makeTables } from './tables.ts';

/**
 * Tables of the index, in a schema of their own: `DROP SCHEMA comity_index CASCADE` takes away nothing that cannot be
 * built again. A log is known by a number made of its origin, so that rows of two logs stay apart even when the schema
 * is dropped under a process that is reading. Words come as a `tsvector` that was made outside of the database, see
 * `wordsIn`.
 */
const SCHEMA = `
  CREATE SCHEMA IF NOT EXISTS comity_index;
  CREATE TABLE IF NOT EXISTS comity_index.log (id bigint PRIMARY KEY, origin text NOT NULL, entries bigint NOT NULL);
  CREATE TABLE IF NOT EXISTS comity_index.mark (
    log bigint NOT NULL, entries bigint NOT NULL, leaf bytea NOT NULL, PRIMARY KEY (log, entries)
  );
  CREATE TABLE IF NOT EXISTS comity_index.record (
    log bigint NOT NULL, idx bigint NOT NULL, id text NOT NULL, time bigint NOT NULL, event text NOT NULL,
    tenant text NOT NULL, system text NOT NULL, outcome text, producer text NOT NULL, trace text,
    words tsvector NOT NULL, PRIMARY KEY (log, idx)
  );
  CREATE INDEX IF NOT EXISTS record_time ON comity_index.record (log, time);
  CREATE INDEX IF NOT EXISTS record_system ON comity_index.record (log, system, time);
  CREATE INDEX IF NOT EXISTS record_outcome ON comity_index.record (log, outcome, time) WHERE outcome IS NOT NULL;
  CREATE INDEX IF NOT EXISTS record_trace ON comity_index.record (log, trace) WHERE trace IS NOT NULL;
  CREATE INDEX IF NOT EXISTS record_words ON comity_index.record USING gin (words);
  CREATE TABLE IF NOT EXISTS comity_index.tag (
    log bigint NOT NULL, kind text NOT NULL, value text NOT NULL, idx bigint NOT NULL,
    PRIMARY KEY (log, kind, value, idx)
  );
`;

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Opens the index of a log in PostgreSQL, creating it if need be. The connection stays the caller's. Everything lives
 * within transactions, so a pooler in transaction mode is safe.
 * @throws {LedgerError} `io-failed` if the user of the database may not create tables
 */
export async function openPostgresIndex(sql: Sql, origin: string): Promise<RecordIndex> {
  // Signed, as PostgreSQL's integers are.
  const log = String(createHash('sha256').update(origin).digest().readBigInt64BE());
  try {
    await makeTables(sql, 'comity_index.tag', SCHEMA);
    await sql`INSERT INTO comity_index.log (id, origin, entries) VALUES (${log}, ${origin}, 0) ON CONFLICT DO NOTHING`;
  } catch (cause) {
    if (sqlState(cause) !== INSUFFICIENT_PRIVILEGE) throw cause;
    throw new LedgerError(
      'io-failed',
      'user of the database may not make the index',
      'let it create the schema `comity_index` and write there',
      { cause },
    );
  }

  const markAt = async (on: Pick<Sql, 'unsafe'>, upTo: number): Promise<IndexMark> => {
    const [row] = await on.unsafe<{ entries: number; leaf: Buffer }[]>(
      'SELECT entries, leaf FROM comity_index.mark WHERE log = $1 AND entries <= $2 ORDER BY entries DESC LIMIT 1',
      [log, upTo],
    );
    return { entries: row?.entries ?? 0, leaf: row === undefined ? undefined : new Uint8Array(row.leaf) };
  };

  return {
    mark: (upTo = Number.MAX_SAFE_INTEGER) => markAt(sql, upTo),
    apply: (from, records, leaf) =>
      sql.begin(async (transaction) => {
        // Followers that froze in here must not keep the others waiting for ever.
        await transaction`SET LOCAL idle_in_transaction_session_timeout = '10s'`;
        // A crash may take the newest rows together with their mark: they are made again.
        await transaction`SET LOCAL synchronous_commit = off`;
        const [place] = await transaction<{ entries: number }[]>`
          SELECT entries FROM comity_index.log WHERE id = ${log} FOR UPDATE`;
        if (place === undefined)
          throw new LedgerError('closed', 'index was dropped meanwhile', 'open it again: it is built anew');
        if (place.entries !== from) return false;
        const rows = records.flatMap((record, i) =>
          record === undefined ? [] : [{ log, idx: from + i, ...indexed(record) }],
        );
        const texts = rows.map(({ tags: _, words, ...row }) => ({ ...row, words: vectorOf(words) }));
        await transaction`
          INSERT INTO comity_index.record
          SELECT * FROM json_populate_recordset(NULL::comity_index.record, ${JSON.stringify(texts)}::text::json)`;
        const tags = rows.flatMap((row) =>
          row.tags.map(([kind, value]) => ({ log, kind, value, idx: row.idx })),
        );
        await transaction`
          INSERT INTO comity_index.tag
          SELECT * FROM json_populate_recordset(NULL::comity_index.tag, ${JSON.stringify(tags)}::text::json)
          ON CONFLICT DO NOTHING`;
        const entries = from + records.length;
        await transaction`
          INSERT INTO comity_index.mark (log, entries, leaf) VALUES (${log}, ${entries}, ${Buffer.from(leaf)})`;
        await transaction`UPDATE comity_index.log SET entries = ${entries} WHERE id = ${log}`;
        return true;
      }),
    async query(query) {
      const { conditions, limit } = conditionsOf(query);
      const { where, values } = whereOf(log, conditions);
      // PostgreSQL knows no text with this character; there can be no record with it either.
      if (values.some((value) => typeof value === 'string' && value.includes('\0'))) return [];
      const rows = await sql.unsafe<FoundRow[]>(
        `SELECT idx, id, time, event, system, outcome FROM comity_index.record
         WHERE ${where} ORDER BY idx LIMIT ${limit}`,
        values,
      );
      return rows.map(rowOf);
    },
    clear: (at) =>
      sql.begin(async (transaction) => {
        await transaction`SELECT FROM comity_index.log WHERE id = ${log} FOR UPDATE`;
        const now = await markAt(transaction, Number.MAX_SAFE_INTEGER);
        if (now.entries !== at.entries || !sameLeaf(now, at)) return;
        for (const table of ['mark', 'record', 'tag']) {
          await transaction.unsafe(`DELETE FROM comity_index.${table} WHERE log = $1`, [log]);
        }
        await transaction`UPDATE comity_index.log SET entries = 0 WHERE id = ${log}`;
      }),
    async close() {},
  };
}

function sameLeaf(a: IndexMark, b: IndexMark): boolean {
  return Buffer.compare(a.leaf ?? Buffer.of(), b.leaf ?? Buffer.of()) === 0;
}

function whereOf(log: string, conditions: readonly Condition[]) {
  const values: (string | number)[] = [log];
  const mark = (value: string | number): string => `$${values.push(value)}`;
  return {
    where: ['log = $1', ...conditions.map((condition) => termOf(condition, mark))].join(' AND '),
    values,
  };
}

function termOf(condition: Condition, mark: (value: string | number) => string): string {
  switch (condition.kind) {
    case 'compare':
      return `${condition.column} ${condition.is} ${mark(condition.value)}`;
    case 'tag':
      if (condition.values.length === 0) return 'false';
      return `idx IN (SELECT idx FROM comity_index.tag WHERE log = $1 AND kind = ${mark(condition.tag)} AND value IN (${condition.values.map(mark).join(', ')}))`;
    case 'words':
      return `words @@ ${mark(queryOf(condition))}::text::tsquery`;
  }
}

/** Words are letters, digits and `._-`, so nothing in the quotes has to be escaped. */
function vectorOf(words: readonly string[]): string {
  return words.map((word, i) => `'${word}':${Math.min(i + 1, LAST_POSITION)}`).join(' ');
}

/** PostgreSQL counts the words of a text no further; a phrase beyond is not found. */
const LAST_POSITION = 16_383;

function queryOf({ phrases }: Extract<Condition, { kind: 'words' }>): string {
  return phrases
    .map(({ words, prefix }) => {
      const last = words.length - 1;
      return words.map((word, i) => `'${word}'${prefix && i === last ? ':*' : ''}`).join(' <-> ');
    })
    .map((phrase) => `(${phrase})`)
    .join(' & ');
}

interface FoundRow {
  readonly idx: number;
  readonly id: string;
  readonly time: number;
  readonly event: string;
  readonly system: string;
  readonly outcome: string | null;
}

function rowOf({ idx, id, time, event, system, outcome }: FoundRow): RecordRow {
  return { index: idx, id, time, event, system, outcome: outcome ?? undefined };
}
