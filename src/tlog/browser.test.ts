import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const directory = new URL('./', import.meta.url);
const sources = readdirSync(directory).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));

test.each(sources)('%s needs nothing that a browser lacks', (name) => {
  const source = readFileSync(new URL(name, directory), 'utf8');
  expect(source).not.toMatch(/from 'node:|import\('node:|\brequire\(/);
  expect(source).not.toMatch(/\b(?:Buffer|process|global|setImmediate|__dirname)\b[.([]/);
});

test.each(sources)('%s imports nothing but its own room, and noble only where it says so', (name) => {
  const source = readFileSync(new URL(name, directory), 'utf8');
  const imports = [...source.matchAll(/from '([^']+)'/g)].map(([, path = '']) => path);
  const foreign = imports.filter((path) => !/^\.\/[a-z0-9-]+\.ts$/.test(path));
  expect(foreign.filter((path) => !(name === 'noble.ts' && path.startsWith('@noble/')))).toEqual([]);
});
