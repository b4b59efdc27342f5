import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LedgerError } from '../errors.ts';
import type { SignedHead } from '../store.ts';

/** The signed heads of a log in a directory: a table that only grows. */
export interface Heads {
  newest(): SignedHead | undefined;
  all(): readonly SignedHead[];
  swap(previous: SignedHead | undefined, next: SignedHead): boolean;
  close(): void;
}

/** Opens `state.db` of a log directory, creating it unless `readOnly`. */
export function openHeads(directory: string, options: { readonly readOnly?: boolean } = {}): Heads {
  const readOnly = options.readOnly ?? false;
  const database = new DatabaseSync(join(directory, 'state.db'), { readOnly, timeout: 5000 });
  if (!readOnly) {
    // EXTRA also syncs the directory after the journal is unlinked: without it a crash could bring an old head back.
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA');
    database.exec(
      `CREATE TABLE IF NOT EXISTS head (
         number INTEGER PRIMARY KEY,
         size INTEGER NOT NULL,
         root BLOB NOT NULL,
         note TEXT NOT NULL,
         at INTEGER NOT NULL
       ) STRICT`,
    );
  }
  const newest = database.prepare('SELECT size, root, note, at FROM head ORDER BY number DESC LIMIT 1');
  const all = database.prepare('SELECT size, root, note, at FROM head ORDER BY number');
  const insert = readOnly
    ? undefined
    : database.prepare('INSERT INTO head (size, root, note, at) VALUES (?, ?, ?, ?)');
  const first = (): SignedHead | undefined => {
    const row = newest.get();
    return row === undefined ? undefined : headOf(row);
  };

  return {
    newest: first,
    all: () => all.all().map(headOf),
    swap(previous, next) {
      if (insert === undefined) throw new Error('heads are open for reading only');
      database.exec('BEGIN IMMEDIATE');
      try {
        const kept = first();
        const same = kept?.note === previous?.note && kept?.size === previous?.size;
        if (same) insert.run(next.size, next.root, next.note, next.at);
        database.exec(same ? 'COMMIT' : 'ROLLBACK');
        return same;
      } catch (cause) {
        if (database.isTransaction) database.exec('ROLLBACK');
        throw new LedgerError(
          'io-failed',
          'signed head could not be kept',
          'check the disk that holds `state.db`',
          {
            cause,
          },
        );
      }
    },
    close: () => database.close(),
  };
}

type Row = Readonly<Record<string, unknown>>;

function headOf(row: Row): SignedHead {
  const { size, root, note, at } = row;
  if (
    typeof size === 'number' &&
    root instanceof Uint8Array &&
    typeof note === 'string' &&
    typeof at === 'number'
  ) {
    return { size, root: new Uint8Array(root), note, at };
  }
  throw new LedgerError(
    'damaged',
    '`state.db` holds a row that is no signed head',
    'restore `state.db` from a backup',
  );
}
