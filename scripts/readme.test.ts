import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { counts } from './readme.ts';
import { speed } from './speed.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the counts in the README are those of the law', () => {
  expect(readme, 'README.md is out of date: npm run readme').toContain(counts());
});

test('the figures in the README are those that the benchmarks kept', () => {
  expect(readme, 'README.md is out of date: npm run readme').toContain(speed());
});
