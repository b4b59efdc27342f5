import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Jurisdiction } from '../facts/jurisdictions.ts';
import { jurisdictionsOf } from '../facts/jurisdictions.ts';
import { InputError } from '../facts/problem.ts';
import { cached } from './cache.ts';
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

/** The code that reads law. */
export const LAW_CODE: readonly string[] = [
  import.meta.dirname,
  fileURLToPath(new URL('../facts', import.meta.url)),
];

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
 * Loads and validates a body of law; the validated form is {@link cached}.
 *
 * @throws InputError with every mistake in every file.
 */
export function loadLaw(directory: string = BUNDLED_LAW): LoadedLaw {
  const files = readLawFiles(directory, isLaw);
  const prefix = `${directory === BUNDLED_LAW ? 'law' : directory}/`;
  const { digest, places, vocabulary, controls, rulebooks } = cached<LawParts>(
    'law',
    { files, code: LAW_CODE, context: prefix },
    () => {
      const law = readLaw(files, prefix);
      const { jurisdictions, vocabulary, controls, rulebooks } = law;
      const places = [...jurisdictions.byId.values()];
      return { digest: hash('sha256', canonicalLaw(law)), places, vocabulary, controls, rulebooks };
    },
  );
  const jurisdictions = jurisdictionsOf(places);
  const law = { jurisdictions, vocabulary, controls, rulebooks, ...indexRules(rulebooks) };
  return { law, digest, directory };
}

/** What the rest of the law is made from. */
interface LawParts extends Pick<Law, 'vocabulary' | 'controls' | 'rulebooks'> {
  readonly digest: string;
  readonly places: readonly Jurisdiction[];
}
