import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const IMPORT = /(?:import|export)\s(?!type\b)[^'"]*?from\s*'([^']+)'/g;

/** What a module loads at run time, itself included. */
function loaded(module: URL, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(module.href)) return seen;
  seen.add(module.href);
  for (const [, target = ''] of readFileSync(module, 'utf8').matchAll(IMPORT)) {
    if (target.startsWith('.')) loaded(new URL(target, module), seen);
    else seen.add(target);
  }
  return seen;
}

test('the verifier loads nothing that a browser does not have', () => {
  const modules = ['./verify.ts', './verdict.ts', './records.ts', '../record/read-record.ts'].flatMap(
    (path) => [...loaded(new URL(path, import.meta.url))],
  );
  expect(modules.filter((module) => !module.startsWith('file:'))).toEqual([]);
  expect(
    modules.filter((module) => /\bBuffer\b|\bprocess\./.test(readFileSync(new URL(module), 'utf8'))),
  ).toEqual([]);
});
