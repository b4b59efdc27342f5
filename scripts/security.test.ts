import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('SECURITY.md names tests that exist', () => {
  const root = new URL('../', import.meta.url);
  const text = readFileSync(new URL('SECURITY.md', root), 'utf8');
  const named = [...text.matchAll(/`((?:src|scripts)\/[^`]+)`/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
});
