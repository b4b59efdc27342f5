import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LedgerError, quoted } from '../errors.ts';

/** Held while a process may write to the directory. */
export interface Lock {
  release(): void;
}

/**
 * Takes the directory for this process. The lock is SQLite's own on `lock.db`, held by an open transaction, so the
 * operating system releases it when the process ends, however it ends.
 * @throws {LedgerError} `locked`
 */
export function lockDirectory(directory: string): Lock {
  const database = new DatabaseSync(join(directory, 'lock.db'), { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = DELETE');
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new LedgerError(
      'locked',
      `another process appends to ${quoted(directory)}`,
      'stop that process first, or send records to it instead',
      { cause },
    );
  }
  return {
    release() {
      database.exec('ROLLBACK');
      database.close();
    },
  };
}
