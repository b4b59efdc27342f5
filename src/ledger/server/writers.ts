import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LedgerError, quoted } from '../errors.ts';
import { writeKeyFile } from '../sealing/key-file.ts';

const WRITERS_FILE = 'writers.json';

/** Who may append. What is kept of a token is its hash, so the file lets nobody in. */
export interface Writer {
  /** The producer whose records it may send. */
  readonly id: string;
  /** SHA-256 of its token, hexadecimal. */
  readonly token: string;
}

/** Finds the writer that a token belongs to, in a time that does not depend on how nearly it is right. */
export type Authenticate = (authorization: string | undefined) => Writer | undefined;

/** The writers of a log in a directory. @throws {LedgerError} `damaged` */
export function readWriters(directory: string): readonly Writer[] {
  const path = join(directory, WRITERS_FILE);
  if (!existsSync(path)) return [];
  const json: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (Array.isArray(json) && json.every(isWriter)) return json;
  throw new LedgerError('damaged', `${quoted(WRITERS_FILE)} is not a list of writers`, 'restore the file');
}

/**
 * Lets a producer append.
 * @returns its token, which is kept nowhere
 * @throws {LedgerError} `already-exists` · `key-invalid` for an id that no record may carry
 */
export function addWriter(directory: string, id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/+*-]{0,255}$/.test(id)) {
    throw new LedgerError(
      'key-invalid',
      `${quoted(id)} cannot name a producer`,
      'use letters, digits and `._:/+*-`',
    );
  }
  const writers = readWriters(directory);
  if (writers.some((writer) => writer.id === id)) {
    throw new LedgerError(
      'already-exists',
      `${quoted(id)} is a writer already`,
      'remove it first to give it a new token',
    );
  }
  // The prefix lets scanners for leaked secrets find it.
  const token = `comity_w_${randomBytes(32).toString('base64url')}`;
  saveWriters(directory, [...writers, { id, token: hashOf(token).toString('hex') }]);
  return token;
}

/** Takes the right to append away. @throws {LedgerError} `not-found` */
export function removeWriter(directory: string, id: string): void {
  const writers = readWriters(directory);
  const left = writers.filter((writer) => writer.id !== id);
  if (left.length === writers.length) {
    throw new LedgerError(
      'not-found',
      `${quoted(id)} is not a writer`,
      'see `writers.json` for those that are',
    );
  }
  saveWriters(directory, left);
}

/** Checks `Authorization: Bearer <token>`. */
export function authenticator(writers: readonly Writer[]): Authenticate {
  const known = writers.map((writer) => ({ writer, hash: Buffer.from(writer.token, 'hex') }));
  return (authorization) => {
    const token = /^Bearer +(\S{1,512})$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return undefined;
    const hash = hashOf(token);
    let found: Writer | undefined;
    // All of them, so that the time says nothing about which one.
    for (const one of known) if (timingSafeEqual(one.hash, hash)) found = one.writer;
    return found;
  };
}

function saveWriters(directory: string, writers: readonly Writer[]): void {
  writeKeyFile(join(directory, WRITERS_FILE), JSON.stringify(writers, null, 2));
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function isWriter(value: unknown): value is Writer {
  if (typeof value !== 'object' || value === null) return false;
  const { id, token } = value as Readonly<Record<string, unknown>>;
  return typeof id === 'string' && typeof token === 'string' && /^[0-9a-f]{64}$/.test(token);
}
