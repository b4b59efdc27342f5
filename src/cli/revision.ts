import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { InputError } from '../facts/problem.ts';
import type { Law, LawFile } from '../rules/law.ts';
import { readLaw } from '../rules/law.ts';
import { loadLaw } from '../rules/load.ts';

const MAX_OUTPUT = 256 * 1024 * 1024;

function git(args: readonly string[], input?: string): Buffer {
  return execFileSync('git', args, {
    maxBuffer: MAX_OUTPUT,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  });
}

/**
 * The files of a folder at a git revision of the repository that holds the current directory.
 *
 * @throws InputError when there is no such revision, or no such folder in it.
 */
export function filesAtRevision(
  revision: string,
  folder: string,
  keep: (path: string) => boolean,
): readonly LawFile[] {
  let names: readonly string[];
  try {
    // `--end-of-options`: a revision that begins with a dash must not become an option.
    git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]);
    names = git([
      'ls-tree',
      '-r',
      '-z',
      '--name-only',
      '--full-tree',
      revision,
      '--',
      ...(folder === '' ? [] : [`${folder}/`]),
    ])
      .toString('utf8')
      .split('\0')
      .filter((name) => name !== '' && keep(name));
  } catch {
    throw new InputError([
      {
        code: 'unreadable',
        message: `\`${revision}\` is neither a directory nor a git revision here`,
        help: 'name a directory, a branch, a tag or a commit',
      },
    ]);
  }
  if (names.length === 0 && folder !== '')
    throw new InputError([{ code: 'missing', message: `revision \`${revision}\` has no \`${folder}/\`` }]);
  const contents = splitBatch(
    git(['cat-file', '--batch'], names.map((name) => `${revision}:${name}\n`).join('')),
  );
  return names.map((name, i) => ({
    path: folder === '' ? name : name.slice(folder.length + 1),
    text: contents[i] ?? '',
  }));
}

/** The output of `git cat-file --batch`: a line `<id> <type> <size>`, the content, a line feed. */
function splitBatch(output: Buffer): readonly string[] {
  const contents: string[] = [];
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf(0x0a, at);
    const size = Number(output.subarray(at, end).toString('latin1').split(' ')[2]);
    contents.push(output.subarray(end + 1, end + 1 + size).toString('utf8'));
    at = end + 1 + size + 1;
  }
  return contents;
}

/** The folder of the repository that holds the current directory. */
export function repositoryRoot(): string {
  try {
    return git(['rev-parse', '--show-toplevel']).toString('utf8').trim();
  } catch {
    throw new InputError([
      {
        code: 'usage',
        message: 'the current directory is in no git repository',
        help: 'run it inside the repository whose manifests are compared',
      },
    ]);
  }
}

/** A body of law by directory or by git revision (its `law/`). */
export function lawAt(place: string): Law {
  if (existsSync(place) && statSync(place).isDirectory()) return loadLaw(place).law;
  const files = filesAtRevision(
    place,
    'law',
    (name) => name.endsWith('.yaml') && !name.startsWith('law/cases/'),
  );
  return readLaw(files, `${place}:law/`);
}
