import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { KeyWrapper } from '../sealing/vault.ts';

const POSITION =
  'CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY CHECK (one = 1), entries INTEGER) STRICT;';

export const KEYS_SCHEMA = `
  ${POSITION}
  CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS subject_key (
    id TEXT PRIMARY KEY,
    tenant TEXT,
    subject BLOB,               -- keyed hash of the person; null once destroyed
    wrapped BLOB,               -- null once destroyed
    month TEXT,                 -- with the fate of what it seals
    request TEXT                -- the erasure request that it belongs to
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS subject_key_subject ON subject_key (subject) WHERE subject IS NOT NULL;
  CREATE INDEX IF NOT EXISTS subject_key_request ON subject_key (request) WHERE request IS NOT NULL;
  CREATE TABLE IF NOT EXISTS erasure (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    subject BLOB,
    state TEXT NOT NULL,
    until INTEGER,
    pending BLOB,
    reason TEXT,
    actor TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS hold (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    covers TEXT NOT NULL,       -- tenant, subject, record
    subject BLOB,               -- null if it covers no person, or none that is known, and once released
    state TEXT NOT NULL,        -- new, placed, released
    release INTEGER NOT NULL,   -- wished to be released
    pending BLOB
  ) STRICT, WITHOUT ROWID;
`;

/** Two to this power of sealed parts, in the order they came, share a shelf. */
const SHELF_BITS = 14;

// Keys and hashes are random, so an index over all of them is written all over, and the more so the larger it is. With
// the shelf before them only the part of the index that belongs to the newest shelf is written, and it stays in memory.
export const BLOBS_SCHEMA = `
  ${POSITION}
  CREATE TABLE IF NOT EXISTS blob (
    id INTEGER PRIMARY KEY,
    k BLOB NOT NULL,
    h BLOB NOT NULL,
    record TEXT NOT NULL,
    bytes BLOB NOT NULL,
    keep_until INTEGER NOT NULL,
    hold INTEGER NOT NULL,
    written INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS blob_key ON blob (id >> ${SHELF_BITS}, k, h);
  -- How far the last sweep came, and how large the log was then; its minimum index when the first part was looked at.
  CREATE TABLE IF NOT EXISTS sweep (
    one INTEGER PRIMARY KEY CHECK (one = 1), part INTEGER NOT NULL, entries INTEGER NOT NULL, minimum INTEGER NOT NULL
  ) STRICT;
`;

/** The parts of one key, as a table `part`: begins a statement, whose first parameter is the key. */
export const PARTS_OF_KEY = `
  WITH RECURSIVE shelf (n) AS (
    SELECT max(id) >> ${SHELF_BITS} FROM blob UNION ALL SELECT n - 1 FROM shelf WHERE n > 0
  ), part AS NOT MATERIALIZED (
    SELECT blob.* FROM shelf CROSS JOIN blob ON id >> ${SHELF_BITS} = n AND k = ?1
  )`;

/** Opens one of the vault's databases, readable by its owner only. */
export function openDatabase(path: string, schema: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 5000 });
  if (existsSync(path)) chmodSync(path, 0o600);
  // Ten sealed parts to a page. It takes effect in a database that is new.
  database.exec('PRAGMA page_size = 8192');
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON');
  // Sealed parts come by the megabyte; moving them to the database every thousand pages would double the writing.
  database.exec('PRAGMA wal_autocheckpoint = 4096');
  database.exec(schema);
  return database;
}

/** The key that turns people into pseudonyms; wrapped like every other. */
export async function openPepper(keys: DatabaseSync, wrapper: KeyWrapper): Promise<Uint8Array> {
  const select = keys.prepare("SELECT value FROM meta WHERE name = 'pepper'");
  const kept = select.get()?.value;
  if (kept instanceof Uint8Array) return wrapper.unwrap(kept, 'pepper');
  const wrapped = await wrapper.wrap(randomBytes(32), 'pepper');
  keys.prepare("INSERT INTO meta (name, value) VALUES ('pepper', ?) ON CONFLICT DO NOTHING").run(wrapped);
  return openPepper(keys, wrapper);
}

/** Runs in one transaction, or not at all. */
export function inTransaction(database: DatabaseSync, run: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    run();
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** Statements of a database, each prepared once. */
export function statements(database: DatabaseSync): (sql: string) => StatementSync {
  const prepared = new Map<string, StatementSync>();
  return (sql) => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
}
