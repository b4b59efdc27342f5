import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadLaw } from '../rules/load.ts';
import { loadCases } from './load-cases.ts';

const loaded = loadLaw();
let folder: string;
let cache: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'comity-cases-'));
  cache = mkdtempSync(join(tmpdir(), 'comity-cache-'));
  vi.stubEnv('XDG_CACHE_HOME', cache);
  vi.stubEnv('COMITY_CACHE', 'on');
});
afterEach(() => vi.unstubAllEnvs());

function write(title: string, outcome = 'allowed'): void {
  writeFileSync(
    join(folder, 'one.yaml'),
    `cases:\n  - id: one\n    title: ${title}\n    market: EU\n    as_of: 2026-11-25\n    facts: {}\n    expect: {outcome: ${outcome}}\n`,
  );
}

describe('worked cases', () => {
  test('are the same from the cache as from the files', () => {
    write('first');
    const fresh = loadCases(loaded, [folder]);
    expect(readdirSync(join(cache, 'comity'))).toHaveLength(1);
    expect(loadCases(loaded, [folder])).toEqual(fresh);
    expect(fresh.map(({ id, at }) => [id, at.file])).toEqual([['one', join(folder, 'one.yaml')]]);
  });

  test('are read again once a file, or the law, is another', () => {
    write('first');
    loadCases(loaded, [folder]);
    write('second');
    expect(loadCases(loaded, [folder])[0]?.title).toBe('second');
    loadCases({ ...loaded, digest: 'other' }, [folder]);
    expect(readdirSync(join(cache, 'comity'))).toHaveLength(3);
  });

  test('with a mistake are reported every time, and kept never', () => {
    write('first', 'alowed');
    for (let i = 0; i < 2; i++) expect(() => loadCases(loaded, [folder])).toThrow(/`alowed`/);
    expect(() => readdirSync(join(cache, 'comity'))).toThrow();
  });
});
