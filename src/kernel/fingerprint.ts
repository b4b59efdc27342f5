import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { isLaw } from '../rules/law.ts';

/** What lies on disk, by content: equal fingerprints are equal bytes. */
export interface Fingerprint {
  readonly law: string;
  readonly manifest: string;
}

/** Reads without holding up the event loop. What cannot be read has a fingerprint too: loading it says what is wrong. */
export async function fingerprintOf(lawDirectory: string, manifestFile: string): Promise<Fingerprint> {
  const [law, manifest] = await Promise.all([
    readable(() => hashOfLaw(lawDirectory)),
    readable(async () =>
      createHash('sha256')
        .update(await readFile(manifestFile))
        .digest('hex'),
    ),
  ]);
  return { law, manifest };
}

async function hashOfLaw(directory: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter(isLaw)
    .sort();
  for (const path of paths) {
    const bytes = await readFile(join(directory, path));
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

async function readable(read: () => Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (error) {
    return `unreadable: ${(error as NodeJS.ErrnoException).code ?? String(error)}`;
  }
}
