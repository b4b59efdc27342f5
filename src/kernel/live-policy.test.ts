import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { InputError } from '../facts/problem.ts';
import { smallLawFiles } from '../rules/testdata/small-law.ts';
import { compile } from './compile.ts';
import type { LivePolicy, PolicyChange, WatchOptions } from './live-policy.ts';
import { watch } from './live-policy.ts';

vi.setConfig({ testTimeout: 30_000 });

const RULE = (from: string): string =>
  `rules:\n  - {id: ban, cite: § 1, effective: [{from: ${from}}], when: {user.young: true}, prohibit: it}\n`;
const YOUNG = { 'user.young': true };

let folder: string;
let lawFolder: string;
let manifestFile: string;
let open: LivePolicy[];
let clock: number;
let changes: PolicyChange[];
let problems: Error[];

function writeLaw(body: string): void {
  for (const { path, text } of smallLawFiles({ 'aa/act': body })) {
    mkdirSync(dirname(join(lawFolder, path)), { recursive: true });
    writeFileSync(join(lawFolder, path), text);
  }
}

function writeManifest(markets: string): void {
  writeFileSync(manifestFile, `comity: 1\nname: Assistant\nmarkets: {${markets}}\nfacts: {t.c: true}\n`);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'comity-live-'));
  lawFolder = join(folder, 'law');
  manifestFile = join(folder, 'comity.yaml');
  [open, changes, problems] = [[], [], []];
  clock = Date.parse('2025-03-01T12:00:00Z');
  writeLaw(RULE('2025-01-01'));
  writeManifest('AA: {}');
});

afterEach(() => {
  for (const live of open) live.close();
  rmSync(folder, { recursive: true, force: true });
});

async function watched(options: WatchOptions = {}): Promise<LivePolicy> {
  const live = await watch(manifestFile, {
    law: lawFolder,
    now: () => clock,
    settleMs: 20,
    onChange: (change) => changes.push(change),
    onProblem: (error) => problems.push(error),
    ...options,
  });
  open.push(live);
  return live;
}

const until = (holds: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(holds()).toBe(true), { timeout: 15_000, interval: 20 });
/** Until what was left for the end of the turn is done. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('a live policy follows the days', () => {
  test('steps into the next epoch at midnight, by the very call that comes first', async () => {
    writeLaw(RULE('2025-06-01'));
    clock = Date.parse('2025-05-31T23:59:59.999Z');
    const live = await watched();
    await turns();
    const before = live.decide(YOUNG);
    clock += 1;
    const after = live.decide(YOUNG);
    expect([before, after].map((decision) => decision.in('AA').outcome)).toEqual(['allowed', 'not-allowed']);
    expect([before, after].map(({ moment }) => moment.asOf)).toEqual(['2025-05-31', '2025-06-01']);
    await turns();
    expect(changes.map(({ why, policy }) => [why, policy.validFrom])).toEqual([['epoch', '2025-06-01']]);
    expect(problems).toEqual([]);
  });

  test('is right again after a sleep through several epochs, once the call that finds out is over', async () => {
    writeLaw(
      'rules: [{id: ban, cite: § 1, effective: [{from: 2025-01-01, to: 2026-01-01}, {from: 2027-01-01, to: 2028-01-01}], when: {user.young: true}, prohibit: it}]\n',
    );
    const live = await watched();
    await turns();
    clock = Date.parse('2028-06-01');
    live.decide(YOUNG);
    await turns();
    expect(live.decide(YOUNG).in('AA').outcome).toBe('allowed');
    expect(live.policy.validFrom).toBe('2028-01-01');
    expect(changes).toHaveLength(1);
  });

  test('notices by its own timer that an epoch ended', async () => {
    writeLaw(RULE('2025-06-01'));
    clock = Date.parse('2025-05-31T23:59:59.900Z');
    await watched();
    clock += 200;
    await until(() => changes.length === 1);
  });

  test('notices at its next look that the clock was set back', async () => {
    const live = await watched({ everySeconds: 0.05 });
    clock = Date.parse('2024-06-01');
    await until(() => changes.length === 1);
    expect(live.decide(YOUNG).in('AA').outcome).toBe('allowed');
  });
});

describe('a live policy follows the files', () => {
  test('takes up a changed law', async () => {
    const live = await watched();
    const before = live.decide(YOUNG);
    writeLaw(RULE('2026-01-01'));
    await until(() => changes.length === 1);
    const after = live.decide(YOUNG);
    expect([before, after].map((decision) => decision.in('AA').outcome)).toEqual(['not-allowed', 'allowed']);
    expect(after.digest).not.toBe(before.digest);
    expect(changes[0]).toMatchObject({ why: 'files', policy: { digest: after.digest } });
  });

  test('takes up a manifest that an editor puts in the place of the old, twice', async () => {
    const live = await watched();
    for (const [n, markets] of ['AA: {}, BB: {}', 'BB: {}'].entries()) {
      const old = manifestFile;
      manifestFile = join(folder, '.comity.yaml.swp');
      writeManifest(markets);
      renameSync(manifestFile, old);
      manifestFile = old;
      await until(() => changes.length === n + 1);
    }
    expect(live.policy.markets).toEqual(['BB']);
  });

  test('takes up a law folder that is put in the place of the old', async () => {
    const live = await watched({ everySeconds: 0.1 });
    const old = lawFolder;
    lawFolder = join(folder, 'new');
    writeLaw(RULE('2026-01-01'));
    renameSync(old, join(folder, 'old'));
    renameSync(lawFolder, old);
    await until(() => changes.length === 1);
    expect(live.decide(YOUNG).in('AA').outcome).toBe('allowed');
  });

  test('goes on with the old policy while a file is half written, and says where', async () => {
    const live = await watched();
    const before = live.decide(YOUNG);
    const path = join(lawFolder, 'aa/act.yaml');
    const whole = readFileSync(path, 'utf8').replace('2025-01-01', '2026-01-01');
    writeFileSync(path, whole.slice(0, whole.indexOf('prohibit')));
    await until(() => problems.length > 0);
    expect(live.decide(YOUNG)).toBe(before);
    expect(problems[0]).toBeInstanceOf(InputError);
    expect(problems[0]?.message).toMatch(/act\.yaml:\d+:\d+: /);
    await live.refresh();
    expect(problems).toHaveLength(1);
    writeFileSync(path, whole);
    await until(() => changes.length === 1);
    expect(live.decide(YOUNG).in('AA').outcome).toBe('allowed');
  });

  test('keeps a policy when the files are gone, and when the manifest contradicts itself', async () => {
    const live = await watched();
    rmSync(manifestFile);
    await until(() => problems.length === 1);
    writeFileSync(manifestFile, 'comity: 1\nname: A\nmarkets: {AA: {}}\nfacts: {t.a: true, t.b: false}\n');
    await until(() => problems.length === 2);
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/cannot read .*ENOENT/),
      expect.stringMatching(/comity\.yaml:4:\d+: .*contradicts/),
    ]);
    expect(live.decide(YOUNG).in('AA').outcome).toBe('not-allowed');
    expect(changes).toEqual([]);
  });

  test('does not wait for what is announced', async () => {
    const live = await watched({ everySeconds: 1000 });
    writeLaw(RULE('2026-01-01'));
    await live.refresh();
    expect(live.decide(YOUNG).in('AA').outcome).toBe('allowed');
  });

  test('decides while the law is being read', async () => {
    const live = await watched();
    writeLaw(RULE('2026-01-01'));
    let decided = 0;
    let done = false;
    const refreshed = live.refresh().then(() => {
      done = true;
    });
    while (!done) {
      live.decide(YOUNG);
      decided++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await refreshed;
    expect(decided).toBeGreaterThan(10);
  });

  test('leaves them alone once closed', async () => {
    const live = await watched();
    live.close();
    writeLaw(RULE('2026-01-01'));
    await live.refresh();
    expect(live.decide(YOUNG).in('AA').outcome).toBe('not-allowed');
    expect(changes).toEqual([]);
  });
});

test('decisions of the last policies are explained under their own law, older ones no longer', async () => {
  const live = await watched({ past: 2 });
  const ids = [live.decide(YOUNG).id];
  for (const from of ['2026-01-01', '2024-01-01', '2026-06-01']) {
    writeLaw(RULE(from));
    await live.refresh();
    ids.push(live.decide(YOUNG).id);
  }
  expect(ids.slice(1).map((id) => live.explain(id).markets[0]?.outcome)).toEqual([
    'allowed',
    'not-allowed',
    'allowed',
  ]);
  expect(() => live.explain(ids[0] ?? '')).toThrow(InputError);
  expect(live.explain(ids[2] ?? '', YOUNG).markets[0]?.outcome).toBe('not-allowed');
});

test('mistakes in the files as they are at the start are thrown', async () => {
  writeLaw('rules: [{id: r}]\n');
  await expect(watched()).rejects.toThrow(/act\.yaml:\d+:\d+/);
});

describe('compile', () => {
  test('reads a manifest and a law, for a day', async () => {
    const outcomeOn = async (asOf: string): Promise<string> =>
      (await compile(manifestFile, { asOf, law: lawFolder })).decide(YOUNG).in('AA').outcome;
    expect(await outcomeOn('2024-12-31')).toBe('allowed');
    expect(await outcomeOn('2025-01-01')).toBe('not-allowed');
  });

  test('has decisions confirmed', async () => {
    expect((await compile(manifestFile, { law: lawFolder })).recheck?.counts.sampled).toBe(0);
  });

  test.each([
    ['2025-02-30', /`asOf: 2025-02-30` is not a day/],
    ['today', /`asOf: today` is not a day/],
  ])('refuses the day %s', async (asOf, message) => {
    await expect(compile(manifestFile, { asOf, law: lawFolder })).rejects.toThrow(message);
  });

  test('says where a market is named that nobody knows', async () => {
    writeManifest('ZZ: {}');
    await expect(compile(manifestFile, { law: lawFolder })).rejects.toThrow(
      /comity\.yaml:3:11: unknown market `ZZ`/,
    );
  });

  test('says where what the manifest states contradicts the constraints of the law', async () => {
    writeFileSync(manifestFile, 'comity: 1\nname: A\nmarkets: {AA: {}}\nfacts:\n  t.a: true\n  t.b: false\n');
    await expect(compile(manifestFile, { law: lawFolder })).rejects.toThrow(
      /comity\.yaml:6:\d+: `t\.b` contradicts `t\.a`: a is a kind of b/,
    );
  });

  test('says which file it cannot read', async () => {
    await expect(compile(join(folder, 'none.yaml'), { law: lawFolder })).rejects.toThrow(
      /none\.yaml.*ENOENT/,
    );
    await expect(compile(manifestFile, { law: join(folder, 'none') })).rejects.toThrow(/none.*ENOENT/);
  });
});

test('a live policy keeps no process alive', () => {
  const program = `
    import { watch } from ${JSON.stringify(new URL('./live-policy.ts', import.meta.url).href)};
    const live = await watch(${JSON.stringify(manifestFile)}, { law: ${JSON.stringify(lawFolder)} });
    console.log(live.decide({ 'user.young': true }).in('AA').outcome);`;
  const file = join(folder, 'program.mjs');
  writeFileSync(file, program);
  const root = fileURLToPath(new URL('../..', import.meta.url));
  expect(execFileSync(process.execPath, [file], { cwd: root, encoding: 'utf8', timeout: 20_000 })).toBe(
    'not-allowed\n',
  );
});
