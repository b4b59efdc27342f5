import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { LedgerError, quoted } from './errors.ts';

/** Writes a secret so that only its owner can read it. */
export function writeKeyFile(path: string, text: string): void {
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  chmodSync(path, 0o600);
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
