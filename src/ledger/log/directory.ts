import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatSignerKey, formatVerifierKey, parseSignerKey, type SignerKey } from '../../tlog/note-key.ts';
import { LedgerError, quoted } from '../errors.ts';
import { createFilesStore, type FilesStoreOptions, openFilesStore } from '../files/files-store.ts';
import { openReadingStore } from '../files/reading-store.ts';
import { readKeyFile, writeKeyFile } from '../sealing/key-file.ts';
import { type Log, type LogOptions, type LogView, openLog, viewOf } from './log.ts';
import { generateLogKey, logSigner, verifierKeyOf } from './node-signatures.ts';

const KEY_FILE = 'log.key';
const ABOUT_FILE = 'log.json';

/** What everybody may know about a log in a directory. */
export interface LogDescription {
  readonly v: 'comity.log/1';
  readonly origin: string;
  /** Verifier keys of the log, oldest first. */
  readonly keys: readonly string[];
}

/**
 * Creates a log in a directory: its segments, its signing key (readable by this user only) and its description.
 * @returns the description; give its verifier key to those who will verify
 * @throws {LedgerError} `already-exists` · {TlogError} `malformed-key` for an origin that cannot name a key
 */
export async function createLogDirectory(directory: string, origin: string): Promise<LogDescription> {
  const key = generateLogKey(origin);
  await createFilesStore(directory);
  writeKeyFile(join(directory, KEY_FILE), formatSignerKey(key));
  const about: LogDescription = {
    v: 'comity.log/1',
    origin,
    keys: [formatVerifierKey(verifierKeyOf(key))],
  };
  writeFileSync(join(directory, ABOUT_FILE), `${JSON.stringify(about, null, 2)}\n`);
  return about;
}

/** @throws {LedgerError} `not-found` · `damaged` */
export function describeLogDirectory(directory: string): LogDescription {
  let text: string;
  try {
    text = readFileSync(join(directory, ABOUT_FILE), 'utf8');
  } catch (cause) {
    throw new LedgerError(
      'not-found',
      `${quoted(directory)} holds no log`,
      'create one with `comity log init`',
      { cause },
    );
  }
  const about: unknown = JSON.parse(text);
  if (isDescription(about)) return about;
  throw new LedgerError('damaged', `${quoted(ABOUT_FILE)} does not describe a log`, 'restore the file');
}

/**
 * Opens a log in a directory for appending.
 * @throws {LedgerError} `not-found` · `locked` · `damaged` · `truncated` · `key-invalid`
 */
export async function openLogDirectory(
  directory: string,
  options: Omit<LogOptions, 'origin' | 'store' | 'signers'> & { readonly files?: FilesStoreOptions } = {},
): Promise<Log> {
  const { origin } = describeLogDirectory(directory);
  const signer = logSigner(readLogKey(directory));
  const { store } = await openFilesStore(directory, options.files ?? {});
  return openLog({ ...options, origin, store, signers: [signer] });
}

/**
 * Opens what a log in a directory has published, for reading, beside a process that may be appending to it.
 * @throws {LedgerError} `not-found` · `damaged` · `truncated`
 */
export async function readLogDirectory(
  directory: string,
): Promise<LogView & { readonly close: () => Promise<void> }> {
  const { origin } = describeLogDirectory(directory);
  const store = await openReadingStore(directory);
  return { ...(await viewOf(origin, store)), close: () => store.close() };
}

/** The signing key of a log in a directory. @throws {LedgerError} `key-invalid` */
export function readLogKey(directory: string): SignerKey {
  return parseSignerKey(readKeyFile(join(directory, KEY_FILE)));
}

/** Puts a successor in the place of the signing key, after the log has announced it. */
export function replaceLogKey(directory: string, key: SignerKey): void {
  const about = describeLogDirectory(directory);
  writeKeyFile(join(directory, KEY_FILE), formatSignerKey(key));
  const keys = [...about.keys, formatVerifierKey(verifierKeyOf(key))];
  writeFileSync(join(directory, ABOUT_FILE), `${JSON.stringify({ ...about, keys }, null, 2)}\n`);
}

/** Brings the signing key and the description to the directory that a log was moved to. The key is then there only. */
export function moveLogIdentity(from: string, to: string): void {
  copyFileSync(join(from, ABOUT_FILE), join(to, ABOUT_FILE));
  const key = readLogKey(from);
  writeKeyFile(join(to, KEY_FILE), formatSignerKey(key));
  rmSync(join(from, KEY_FILE));
}

function isDescription(value: unknown): value is LogDescription {
  if (typeof value !== 'object' || value === null) return false;
  const { v, origin, keys } = value as Readonly<Record<string, unknown>>;
  return v === 'comity.log/1' && typeof origin === 'string' && Array.isArray(keys);
}
