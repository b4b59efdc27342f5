import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LedgerError, prunedError } from '../errors.ts';
import type { Pruning, SignedHead } from '../log/store.ts';

/** What a log in a directory has decided: its signed heads, a table that only grows, and its prunings. */
export interface State {
  newest(): SignedHead | undefined;
  all(): readonly SignedHead[];
  swap(previous: SignedHead | undefined, next: SignedHead): boolean;
  /** The minimum index that is in effect. */
  minimum(): number;
  prunings(): readonly Pruning[];
  /** @throws {LedgerError} `pruned` · `io-failed` */
  keepPruning(pruning: Pruning): void;
  close(): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS head (
    number INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS pruning (
    minimum INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    announcement BLOB NOT NULL,
    policy TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
`;

/** How long a reader waits for a writer. */
const TIMEOUT_MS = 5000;

/** A change was left half done, and who may only read cannot take it back (SQLITE_READONLY_ROLLBACK). */
const HALF_DONE = 776;

/** Opens a database for reading, after a change that a killed process left half done was taken back. */
function openForReading(path: string): DatabaseSync {
  const open = (readOnly: boolean): DatabaseSync => {
    const database = new DatabaseSync(path, { readOnly, timeout: TIMEOUT_MS });
    try {
      database.prepare('SELECT 1 FROM sqlite_schema').get();
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  };
  try {
    return open(true);
  } catch (error) {
    if (!(error instanceof Error && 'errcode' in error && error.errcode === HALF_DONE)) throw error;
  }
  try {
    // SQLite itself takes the change back for whoever may write, unless its process is alive after all.
    open(false).close();
  } catch (cause) {
    throw new LedgerError(
      'io-failed',
      '`state.db` was left in the middle of a change that cannot be taken back here',
      'open the log once for appending, or let this user write to its directory',
      { cause },
    );
  }
  return open(true);
}

/** Opens `state.db` of a log directory, creating it unless `readOnly`. */
export function openState(directory: string, options: { readonly readOnly?: boolean } = {}): State {
  const readOnly = options.readOnly ?? false;
  const path = join(directory, 'state.db');
  const database = readOnly ? openForReading(path) : new DatabaseSync(path, { timeout: TIMEOUT_MS });
  if (!readOnly) {
    // EXTRA also syncs the directory after the journal is unlinked: without it a crash could bring an old head back.
    database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA');
    database.exec(SCHEMA);
  }
  const newest = database.prepare('SELECT size, root, note, at FROM head ORDER BY number DESC LIMIT 1');
  const all = database.prepare('SELECT size, root, note, at FROM head ORDER BY number');
  // A log of a version that could not prune has no such table until it is opened for appending.
  const prunes = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'pruning'").get() !== undefined;
  const first = (): SignedHead | undefined => {
    const row = newest.get();
    return row === undefined ? undefined : headOf(row);
  };
  const minimum = (): number => {
    if (!prunes) return 0;
    const row = database
      .prepare("SELECT coalesce(max(minimum), 0) AS minimum FROM pruning WHERE state <> 'planned'")
      .get();
    return Number(row?.minimum);
  };
  const durably = <T>(what: string, run: () => T): T => {
    if (readOnly) throw new Error('state is open for reading only');
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = run();
      database.exec('COMMIT');
      return result;
    } catch (cause) {
      if (database.isTransaction) database.exec('ROLLBACK');
      if (cause instanceof LedgerError) throw cause;
      throw new LedgerError(
        'io-failed',
        `${what} could not be kept`,
        'check the disk that holds `state.db`',
        {
          cause,
        },
      );
    }
  };

  return {
    newest: first,
    all: () => all.all().map(headOf),
    swap(previous, next) {
      return durably('signed head', () => {
        const kept = first();
        if (kept?.note !== previous?.note || kept?.size !== previous?.size) return false;
        database
          .prepare('INSERT INTO head (size, root, note, at) VALUES (?, ?, ?, ?)')
          .run(next.size, next.root, next.note, next.at);
        return true;
      });
    },
    minimum,
    prunings() {
      if (!prunes) return [];
      return database
        .prepare(
          "SELECT state, minimum, announcement, policy, at FROM pruning ORDER BY state = 'planned', minimum",
        )
        .all()
        .map(pruningOf);
    },
    keepPruning(pruning) {
      durably('pruning', () => {
        const before = minimum();
        if (pruning.minimum < before) throw prunedError(before);
        database.exec("DELETE FROM pruning WHERE state = 'planned'");
        database
          .prepare(
            'INSERT OR REPLACE INTO pruning (minimum, state, announcement, policy, at) VALUES (?, ?, ?, ?, ?)',
          )
          .run(pruning.minimum, pruning.state, pruning.announcement, pruning.policy, pruning.at);
      });
    },
    close: () => database.close(),
  };
}

/** Reads from `state.db` as it is now; `otherwise` where there is none. */
export function readState<T>(directory: string, otherwise: T, read: (state: State) => T): T {
  if (!existsSync(join(directory, 'state.db'))) return otherwise;
  const state = openState(directory, { readOnly: true });
  try {
    return read(state);
  } finally {
    state.close();
  }
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
  throw damaged('signed head');
}

function pruningOf({ state, minimum, announcement, policy, at }: Row): Pruning {
  if (
    (state === 'planned' || state === 'announced' || state === 'done') &&
    typeof minimum === 'number' &&
    announcement instanceof Uint8Array &&
    typeof policy === 'string' &&
    typeof at === 'number'
  ) {
    return { state, minimum, announcement: new Uint8Array(announcement), policy, at };
  }
  throw damaged('pruning');
}

function damaged(what: string): LedgerError {
  return new LedgerError(
    'damaged',
    `\`state.db\` holds a row that is no ${what}`,
    'restore `state.db` from a backup',
  );
}
