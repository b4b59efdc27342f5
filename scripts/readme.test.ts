import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { counts } from './readme.ts';

test('the counts in the README are those of the law', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme, 'README.md is out of date: npm run readme').toContain(counts());
});
