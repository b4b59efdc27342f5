import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const bin = join(ROOT, 'node_modules', '.bin');

/** npm as a user runs it, with the Node of this project first on the path. */
function npm(args: readonly string[], cwd: string): string {
  const env = {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
    npm_config_loglevel: 'error',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
  };
  return execFileSync('npm', [...args], { cwd, encoding: 'utf8', env, shell: process.platform === 'win32' });
}

test('the packed package installs into an empty project, with a working command and working subpaths', () => {
  const folder = mkdtempSync(join(tmpdir(), 'comity-package-'));
  npm(['pack', '--pack-destination', folder], ROOT);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  expect(tarball).toBeDefined();
  const project = mkdtempSync(join(tmpdir(), 'comity-user-'));
  writeFileSync(
    join(project, 'package.json'),
    '{"name": "user", "version": "1.0.0", "type": "module", "private": true}',
  );
  npm(['install', join(folder, tarball ?? '')], project);
  expect(npm(['exec', '--', 'comity', '--version'], project)).toMatch(/^\d+\.\d+\.\d+/);
  npm(
    ['exec', '--', 'comity', 'init', '--yes', '--name', 'Bot', '--market', 'EU', '-f', 'system.infers=yes'],
    project,
  );
  expect(npm(['exec', '--', 'comity', 'where'], project)).toMatch(/Bot[\s\S]*EU +cannot-tell/);
  writeFileSync(
    join(project, 'use.ts'),
    `import { assessFeature, loadLaw, readManifest, type Outcome } from 'comity';
import { gather } from 'comity/facts';
import { Interpreter } from 'comity/rules';
import { assess } from 'comity/assess';
import { MemoryTree } from 'comity/tlog';
import { compile } from 'comity/kernel';
import { openLog } from 'comity/ledger';
import schema from 'comity/schema/comity.schema.json' with { type: 'json' };
const outcome: Outcome = 'allowed';
console.log([assessFeature, loadLaw, readManifest, gather, Interpreter, assess, MemoryTree, compile, openLog].every((it) => typeof it === 'function'), schema.title, outcome, loadLaw().law.rules.size > 100);
`,
  );
  expect(execFileSync(process.execPath, ['use.ts'], { cwd: project, encoding: 'utf8' })).toBe(
    'true Comity manifest allowed true\n',
  );
});
