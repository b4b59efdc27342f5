import { createHash, hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import type { LawFile } from './law.ts';

/** What a value in the cache is made from. */
export interface CachedFrom {
  readonly files: readonly LawFile[];
  /** Directories of the code that makes it: another program may read the same files differently. */
  readonly code: readonly string[];
  /** Whatever else it depends on. */
  readonly context: string;
}

/**
 * Makes a value from files, or takes it from the cache. The key is made of every byte of the files, of the program
 * and of the runtime, so that a stale value can never be read; `COMITY_CACHE=off` switches the cache off.
 *
 * @param kind of the value, a word.
 * @param make gives a value that `node:v8` can serialise. What it throws is thrown, and nothing is kept.
 */
export function cached<T>(kind: string, from: CachedFrom, make: () => T): T {
  if (process.env.COMITY_CACHE === 'off') return make();
  const path = join(cacheDirectory(), `${cacheKey(from)}.${kind}`);
  const known = readCache(path);
  // The key covers all that the value depends on, so it is what `make` gives.
  if (known !== undefined) return known as T;
  const value = make();
  writeCache(path, value);
  return value;
}

function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'comity');
}

function cacheKey({ files, code, context }: CachedFrom): string {
  const key = createHash('sha256').update(
    `${process.versions.v8}\0${code.map(stamp).join('|')}\0${context}\0`,
  );
  for (const { path, text } of files) key.update(`${path}\0${text.length}\0${text}`);
  return key.digest('hex');
}

/** The files of a directory by name, size and time of change. */
function stamp(directory: string): string {
  return readdirSync(directory)
    .map((name) => {
      const { size, mtimeMs } = statSync(join(directory, name));
      return `${name}:${size}:${mtimeMs}`;
    })
    .join('|');
}

function readCache(path: string): unknown {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return undefined;
  }
  // A torn or foreign file must not be trusted: its own checksum stands in front.
  const body = bytes.subarray(64);
  return bytes.subarray(0, 64).toString('latin1') === hash('sha256', body) ? deserialize(body) : undefined;
}

/** The cache only saves time: where it cannot be written, nothing is lost. */
function writeCache(path: string, value: unknown): void {
  const body = serialize(value);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, Buffer.concat([Buffer.from(hash('sha256', body), 'latin1'), body]), {
      mode: 0o600,
    });
    renameSync(temporary, path);
  } catch {
    return;
  }
}
