import { DatabaseSync } from 'node:sqlite';
import { LedgerError } from '../errors.ts';

/** The newest checkpoint of one log that a witness cosigned. */
export interface WitnessedHead {
  readonly size: number;
  readonly root: Uint8Array;
  /** With the log's signatures that were verified, and the witness's own. */
  readonly note: string;
}

/** What a witness remembers: for every log the newest head it cosigned. It never forgets, and never goes back. */
export interface WitnessState {
  head(origin: string): WitnessedHead | undefined;
  /**
   * Looks at the newest head and decides on the next one, with nobody else in between, also in other processes. What
   * `decide` returns is durable when this returns; undefined changes nothing.
   */
  update(origin: string, decide: (head: WitnessedHead | undefined) => WitnessedHead | undefined): void;
  close(): void;
}

/** Opens the memory of a witness, creating it if need be. */
export function openWitnessState(path: string): WitnessState {
  const database = new DatabaseSync(path, { timeout: 5000 });
  // EXTRA also syncs the directory after the journal is gone: a head that was cosigned must survive a power cut.
  database.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA');
  database.exec(
    'CREATE TABLE IF NOT EXISTS head (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL) STRICT',
  );
  const select = database.prepare('SELECT size, root, note FROM head WHERE origin = ?');
  const insert = database.prepare(
    'INSERT OR REPLACE INTO head (origin, size, root, note) VALUES (?, ?, ?, ?)',
  );
  const head = (origin: string): WitnessedHead | undefined => headOf(select.get(origin));
  return {
    head,
    update(origin, decide) {
      database.exec('BEGIN IMMEDIATE');
      try {
        const next = decide(head(origin));
        if (next !== undefined) insert.run(origin, next.size, next.root, next.note);
        database.exec('COMMIT');
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    },
    close: () => database.close(),
  };
}

function headOf(row: Readonly<Record<string, unknown>> | undefined): WitnessedHead | undefined {
  if (row === undefined) return undefined;
  const { size, root, note } = row;
  if (typeof size === 'number' && root instanceof Uint8Array && typeof note === 'string') {
    return { size, root: new Uint8Array(root), note };
  }
  throw new LedgerError(
    'damaged',
    'witness’s memory holds a row that is no head',
    'restore it; do not start from an empty one',
  );
}
