import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** Rooms in the order in which they may know each other: a room imports only from rooms listed before it. */
const ROOMS = [
  'facts',
  'rules',
  'assess',
  'kernel',
  'solve',
  'tlog',
  'ledger',
  'notices',
  'marks',
  'rights',
  'guard',
  'gateway',
  'explain',
  'documents',
  'incidents',
  'server',
  'cli',
];
/** The law side and the log side do not know each other. */
const LAW_SIDE = ['facts', 'rules', 'assess', 'kernel', 'solve'];
const LOG_SIDE = ['tlog', 'ledger'];
/** Files of these rooms that run only in Node; the rest must run in a browser. */
const NODE_ONLY = ['rules/load.ts', 'rules/cache.ts'];
const BROWSER_ROOMS = ['facts', 'rules', 'tlog', 'notices'];

const SRC = dirname(fileURLToPath(import.meta.url));
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'"]*?from\s*'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s*'([^']+)'/g;

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && path.includes('/'));
const roomOf = (path: string): string => path.split('/')[0] ?? '';
const importsOf = (path: string): readonly string[] =>
  [...readFileSync(join(SRC, path), 'utf8').matchAll(IMPORT)].map(
    (match) => match[1] ?? match[2] ?? match[3] ?? '',
  );
const inside = (path: string, target: string): string =>
  relative(SRC, resolve(SRC, dirname(path), target)).replaceAll('\\', '/');
const isTest = (path: string): boolean => /\.(test|case)\.ts$/.test(path) || path.includes('/testdata/');

/** What is wrong with an import, or undefined. */
function wrongImport(path: string, target: string): string | undefined {
  if (!target.startsWith('.')) return undefined;
  const to = inside(path, target);
  if (to.startsWith('..'))
    return to === '../package.json' ? undefined : `${path} reaches outside src/: ${target}`;
  const [from, room] = [roomOf(path), roomOf(to)];
  if (room === from || (isTest(path) && !LOG_SIDE.includes(from))) return undefined;
  if (ROOMS.indexOf(room) > ROOMS.indexOf(from)) return `${path} imports from the later room ${room}/`;
  if (LOG_SIDE.includes(from) && LAW_SIDE.includes(room))
    return `${path} of the log side imports from the law side, ${room}/`;
  return undefined;
}

describe('the layout', () => {
  test('has only rooms that the architecture names', () => {
    expect([...new Set(files.map(roomOf))].filter((room) => !ROOMS.includes(room))).toEqual([]);
  });

  test('lets a room import only from rooms before it', () => {
    expect(
      files.flatMap((path) => importsOf(path).flatMap((target) => wrongImport(path, target) ?? [])),
    ).toEqual([]);
  });

  test('would notice an import that points the wrong way', () => {
    expect(wrongImport('facts/x.ts', '../assess/assess.ts')).toMatch(/later room/);
    expect(wrongImport('ledger/x.ts', '../facts/date.ts')).toMatch(/law side/);
    expect(wrongImport('assess/x.ts', '../facts/date.ts')).toBeUndefined();
  });

  test('keeps the pure rooms free of Node', () => {
    const impure = files
      .filter((path) => BROWSER_ROOMS.includes(roomOf(path)) && !isTest(path) && !NODE_ONLY.includes(path))
      .filter((path) => importsOf(path).some((target) => target.startsWith('node:')));
    expect(impure).toEqual([]);
  });

  test('has no file whose name says nothing', () => {
    expect(files.filter((path) => /(^|\/)(utils?|helpers?|common|misc|managers?)(\.|\/)/.test(path))).toEqual(
      [],
    );
  });

  test('keeps countries out of the code: law is data', () => {
    const codes = /['"](EU|KR|CN|JP|GB|DE|FR|US-[A-Z]{2,3})['"]/;
    expect(
      files
        .filter((path) => !isTest(path))
        .filter((path) => codes.test(readFileSync(join(SRC, path), 'utf8'))),
    ).toEqual([]);
  });
});
