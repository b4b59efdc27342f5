import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Step {
  readonly name: string;
  readonly run?: string;
}
const steps = (
  parse(readFileSync(join(ROOT, 'action.yml'), 'utf8')) as {
    readonly runs: { readonly steps: readonly Step[] };
  }
).runs.steps;

/** Runs one step of the action as the runner would: its script in bash, its inputs in the environment. */
function step(
  name: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): { readonly code: number | null; readonly err: string } {
  const script = steps.find((one) => one.name === name)?.run ?? '';
  const { status, stderr } = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { code: status, err: stderr };
}

test('the steps of the action check, compare, and post or update one comment', () => {
  const repository = mkdtempSync(join(tmpdir(), 'comity-action-'));
  const git = (...args: readonly string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      cwd: repository,
      encoding: 'utf8',
    });
  git('init', '-q');
  writeFileSync(join(repository, 'README.md'), 'x\n');
  git('add', '-A');
  git('commit', '-qm', 'base');
  const base = git('rev-parse', 'HEAD').trim();
  writeFileSync(
    join(repository, 'comity.yaml'),
    readFileSync(join(ROOT, 'examples/voice-coach/comity.yaml')),
  );
  git('add', '-A');
  git('commit', '-qm', 'feature');

  // `gh` is stood in for by a recorder: what is tested is what the steps ask of it.
  const bin = mkdtempSync(join(tmpdir(), 'comity-bin-'));
  writeFileSync(
    join(bin, 'gh'),
    '#!/usr/bin/env bash\necho "$@" >> "$GH_LOG"\nif [[ "$*" == *--paginate* ]]; then echo "$GH_EXISTING"; fi\n',
  );
  chmodSync(join(bin, 'gh'), 0o755);
  const log = join(bin, 'gh.log');
  const env = {
    PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
    COMITY: `${process.execPath} ${join(ROOT, 'src/cli/main.ts')}`,
    COMITY_PATH: '.',
    FAIL_ON: 'not-allowed',
    BASE: base,
    PR: '7',
    GITHUB_REPOSITORY: 'o/r',
    GH_TOKEN: 't',
    GH_LOG: log,
    GH_EXISTING: '',
    GITHUB_OUTPUT: join(bin, 'output'),
    GITHUB_STEP_SUMMARY: join(bin, 'summary.md'),
  };
  expect(step('Check', repository, env)).toMatchObject({ code: 0 });
  expect(readFileSync(env.GITHUB_OUTPUT, 'utf8')).toBe('code=1\n');
  expect(readFileSync(env.GITHUB_STEP_SUMMARY, 'utf8')).toContain('not-allowed');
  expect(JSON.parse(readFileSync(join(repository, 'comity.sarif'), 'utf8')).version).toBe('2.1.0');
  expect(step('Diff', repository, env)).toMatchObject({ code: 0 });
  expect(readFileSync(join(repository, 'comity-comment.md'), 'utf8')).toMatch(/not offered → not-allowed/);
  expect(step('Comment', repository, env)).toMatchObject({ code: 0 });
  expect(step('Comment', repository, { ...env, GH_EXISTING: '42' })).toMatchObject({ code: 0 });
  const calls = readFileSync(log, 'utf8').trim().split('\n');
  expect(calls[1]).toBe('api repos/o/r/issues/7/comments -F body=@comity-comment.md');
  expect(calls[3]).toBe('api -X PATCH repos/o/r/issues/comments/42 -F body=@comity-comment.md');
  expect(step('Result', repository, { ...env, CODE: '1' }).code).toBe(1);
});
