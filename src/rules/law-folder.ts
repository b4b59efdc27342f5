import { InputError } from '../facts/problem.ts';
import type { Reader } from '../facts/reader.ts';
import type { SourceNode } from '../facts/source.ts';
import { parseSource } from '../facts/source.ts';
import type { LawFile } from './law.ts';

/**
 * Parses the files of one folder of `law/` in the order of their paths. Files that cannot be parsed are reported to the
 * reader and left out, so that the mistakes of all files come together.
 *
 * @param prefix put before paths in error messages, usually `law/`.
 */
export function parseFolder(
  reader: Reader,
  files: readonly LawFile[],
  folder: string,
  prefix: string,
): readonly { readonly name: string; readonly root: SourceNode }[] {
  return files
    .filter(({ path }) => path.startsWith(`${folder}/`))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .flatMap(({ path, text }) => {
      try {
        return [{ name: path.slice(folder.length + 1), root: parseSource(text, prefix + path) }];
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        reader.problems.push(...error.problems);
        return [];
      }
    });
}
