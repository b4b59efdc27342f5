import { hash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Manifest } from '../facts/manifest.ts';
import type { Probe } from './evidence.ts';

/** Looks at evidence files beside the manifest. Paths that leave the folder of the repository are not followed. */
export function probeBeside(manifest: Manifest, from = process.cwd()): Probe {
  const base = dirname(resolve(from, manifest.file));
  return ({ kind, ref }) => {
    if (kind === 'measured')
      return { kind: 'unchecked', why: 'a measurement needs a ledger to query; none is connected' };
    const path = resolve(base, ref);
    if (/^[a-z][a-z0-9+.-]*:/i.test(ref))
      return { kind: 'unchecked', why: 'only files are checked, not addresses' };
    if (relative(root(base), path).startsWith('..'))
      return { kind: 'unchecked', why: 'outside the repository' };
    try {
      return { kind: 'file', sha256: hash('sha256', readFileSync(path)) };
    } catch {
      return { kind: 'absent' };
    }
  };
}

/** The folder of the repository that holds a manifest, or the folder of the manifest itself. */
function root(directory: string): string {
  for (let at = directory; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (dirname(at) === at) return directory;
  }
}
