import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { LedgerError, quoted } from '../errors.ts';

/** Writes a secret so that only its owner can read it. */
export function writeKeyFile(path: string, text: string): void {
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  chmodSync(path, 0o600);
}

/**
 * Writes a secret that has to outlast what is locked with it: durable when this returns, and never in the place of one
 * that is there already.
 */
export function createKeyFile(path: string, text: string): void {
  const draft = `${path}.${randomUUID()}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, `${text}\n`);
    fsyncSync(file);
    // Whoever is first makes the name; another process finds a whole file or none.
    linkSync(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    closeSync(file);
    rmSync(draft);
  }
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Reads a secret. @throws {LedgerError} `key-invalid` if it is missing, or if others may read it too */
export function readKeyFile(path: string): string {
  let mode: number;
  try {
    mode = statSync(path).mode;
  } catch (cause) {
    throw new LedgerError(
      'key-invalid',
      `key file ${quoted(path)} is missing`,
      'restore it from your key backup',
      { cause },
    );
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new LedgerError(
      'key-invalid',
      `key file ${quoted(path)} can be read by others`,
      `run \`chmod 600 ${path}\`, and rotate the key if somebody may have copied it`,
    );
  }
  return readFileSync(path, 'utf8').trim();
}
