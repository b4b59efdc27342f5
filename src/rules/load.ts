import { createHash, hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deserialize, serialize } from 'node:v8';
import type { Jurisdiction } from '../facts/jurisdictions.ts';
import { jurisdictionsOf } from '../facts/jurisdictions.ts';
import { InputError } from '../facts/problem.ts';
import { canonicalLaw } from './digest.ts';
import type { Law, LawFile } from './law.ts';
import { indexRules, isLaw, readLaw } from './law.ts';

/** A body of law with the digest that names it. */
export interface LoadedLaw {
  readonly law: Law;
  /** SHA-256 of the canonical law, hex. */
  readonly digest: string;
  readonly directory: string;
}

/** The law that comes with this package. */
export const BUNDLED_LAW = fileURLToPath(new URL('../../law', import.meta.url));

/**
 * Reads the YAML files under a directory, sorted by path.
 *
 * @param wanted which ones, by their path relative to the directory; all by default.
 * @throws InputError when the directory cannot be read.
 */
export function readLawFiles(
  directory: string,
  wanted: (path: string) => boolean = () => true,
): readonly LawFile[] {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
      .filter(wanted)
      .sort()
      .map((path) => ({ path, text: readFileSync(join(directory, path), 'utf8') }));
  } catch (error) {
    throw new InputError([
      {
        code: 'unreadable',
        message: `cannot read the law in \`${directory}\`: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
        help: 'name a directory that has `jurisdictions.yaml`, `facts/` and `controls/`',
      },
    ]);
  }
}

/**
 * Loads and validates a body of law. The validated form is cached under a key made of every byte of it, of the
 * program and of the runtime, so that a stale one can never be read; `COMITY_CACHE=off` switches the cache off.
 *
 * @throws InputError with every mistake in every file.
 */
export function loadLaw(directory: string = BUNDLED_LAW): LoadedLaw {
  const files = readLawFiles(directory, isLaw);
  const cacheFile =
    process.env.COMITY_CACHE === 'off' ? undefined : join(cacheDirectory(), `${cacheKey(files)}.law`);
  const cached = cacheFile === undefined ? undefined : readCache(cacheFile);
  if (cached !== undefined) return { ...cached, directory };
  const law = readLaw(files, `${directory === BUNDLED_LAW ? 'law' : directory}/`);
  const digest = hash('sha256', canonicalLaw(law));
  if (cacheFile !== undefined) writeCache(cacheFile, law, digest);
  return { law, digest, directory };
}

function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'comity');
}

function cacheKey(files: readonly LawFile[]): string {
  const key = createHash('sha256').update(`${process.versions.v8}\0${programStamp()}\0`);
  for (const { path, text } of files) key.update(`${path}\0${text.length}\0${text}`);
  return key.digest('hex');
}

/** The code that reads law, by name, size and time of change: another program may read the same law differently. */
function programStamp(): string {
  const rooms = [
    dirname(fileURLToPath(import.meta.url)),
    fileURLToPath(new URL('../facts', import.meta.url)),
  ];
  return rooms
    .flatMap((room) =>
      readdirSync(room).map((name) => {
        const { size, mtimeMs } = statSync(join(room, name));
        return `${name}:${size}:${mtimeMs}`;
      }),
    )
    .join('|');
}

interface CachedLaw {
  readonly digest: string;
  readonly places: readonly Jurisdiction[];
  readonly vocabulary: Law['vocabulary'];
  readonly controls: Law['controls'];
  readonly rulebooks: Law['rulebooks'];
}

function readCache(file: string): { readonly law: Law; readonly digest: string } | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return undefined;
  }
  // A torn or foreign file must not be trusted: its own checksum stands in front.
  const body = bytes.subarray(64);
  if (bytes.subarray(0, 64).toString('latin1') !== hash('sha256', body)) return undefined;
  const { digest, places, vocabulary, controls, rulebooks } = deserialize(body) as CachedLaw;
  return {
    digest,
    law: {
      jurisdictions: jurisdictionsOf(places),
      vocabulary,
      controls,
      rulebooks,
      ...indexRules(rulebooks),
    },
  };
}

/** The cache only saves time: where it cannot be written, nothing is lost. */
function writeCache(file: string, law: Law, digest: string): void {
  const cached: CachedLaw = {
    digest,
    places: [...law.jurisdictions.byId.values()],
    vocabulary: law.vocabulary,
    controls: law.controls,
    rulebooks: law.rulebooks,
  };
  const body = serialize(cached);
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, Buffer.concat([Buffer.from(hash('sha256', body), 'latin1'), body]), {
      mode: 0o600,
    });
    renameSync(temporary, file);
  } catch {
    return;
  }
}
