import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../facts/problem.ts';
import { parseSource } from '../facts/source.ts';
import { cached } from '../rules/cache.ts';
import { LAW_CODE, type LoadedLaw } from '../rules/load.ts';
import { type Case, readCases } from './case.ts';

/**
 * Reads the worked cases of files and directories; what was read before comes from the cache.
 *
 * @param naming only files in which this text occurs.
 * @throws InputError with every mistake in every file.
 */
export function loadCases(
  { law, digest }: LoadedLaw,
  paths: readonly string[],
  naming = '',
): readonly Case[] {
  const files = paths
    .flatMap(caseFiles)
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
    .filter(({ text }) => text.includes(naming));
  return cached('cases', { files, code: [...LAW_CODE, import.meta.dirname], context: digest }, () =>
    readCases(
      files.map(({ path, text }) => parseSource(text, path)),
      law,
    ),
  );
}

/** The YAML files of a directory, or one file. */
function caseFiles(path: string): readonly string[] {
  try {
    if (statSync(path).isFile()) return [path];
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.yaml') || name.endsWith('.yml'))
      .sort()
      .map((name) => join(path, name));
  } catch {
    throw new InputError([
      { code: 'unreadable', message: `cannot read \`${path}\``, help: 'name a directory or a file of cases' },
    ]);
  }
}
