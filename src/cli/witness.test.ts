import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { comity } from './testdata/run.ts';
import { type Serving, serving } from './testdata/serve.ts';

const COUNTRIES = ['de', 'br', 'jp', 'ch'];
const folder = mkdtempSync(join(tmpdir(), 'comity-witness-cli-'));
const log = join(folder, 'log');
const quorum = join(folder, 'quorum.json');
const policy = join(folder, 'ours.policy');
let vkey = '';
let servers: readonly Serving[] = [];

const writeQuorum = (file: string, required: number, urls: readonly string[]): void => {
  const witnesses = COUNTRIES.map((country, i) => ({
    name: country,
    key: JSON.parse(readFileSync(join(folder, country, 'witness.json'), 'utf8')).keys[0],
    url: urls[i],
    country,
    operator: `operator-${country}`,
    cloud: `cloud-${country}`,
  }));
  writeFileSync(
    file,
    JSON.stringify({ v: 'comity.quorum/1', required, rogue: 1, log_operator: 'acme', witnesses }),
  );
};

beforeAll(async () => {
  vkey = comity(['log', 'init', log, '--origin', 'example.com/witnessed']).out.trim();
  for (const country of COUNTRIES) {
    const directory = join(folder, country);
    expect(comity(['witness', 'init', directory, '--name', `witness.${country}.example`]).code).toBe(0);
    expect(comity(['witness', 'trust', directory, vkey]).code).toBe(0);
  }
  servers = await Promise.all(
    COUNTRIES.map((country) => serving(['witness', 'serve', join(folder, country)])),
  );
  writeQuorum(
    quorum,
    3,
    servers.map(({ line }) => line),
  );
}, 60_000);

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

describe('comity witness', () => {
  test('writes the policy of a sound quorum, which other tools read', () => {
    expect(comity(['witness', 'policy', quorum, '--log', vkey, '--out', policy])).toMatchObject({ code: 0 });
    expect(readFileSync(policy, 'utf8')).toMatch(
      /^group countries 3 country-de country-br country-jp country-ch$/m,
    );
  });

  test('refuses a quorum under which a fork could go unseen, with the reason', () => {
    const unsound = join(folder, 'unsound.json');
    writeQuorum(unsound, 2, []);
    expect(comity(['witness', 'policy', unsound])).toMatchObject({
      code: 1,
      out: expect.stringContaining('share 0, but must share 2'),
    });
    expect(comity(['log', 'append', log, '--quorum', unsound], { input: '1\n' })).toMatchObject({
      code: 2,
      err: expect.stringContaining('quorum could be deceived'),
    });
  });

  test('carries a record from standard input to VERIFIED by four countries', () => {
    expect(comity(['log', 'append', log, '--quorum', quorum], { input: '{"a":1}\n{"a":2}\n' })).toMatchObject(
      { code: 0, out: '0\n1\n' },
    );
    const evidence = join(folder, 'evidence.zip');
    expect(comity(['log', 'export', log, '--all', '--out', evidence]).code).toBe(0);
    const verified = comity(['verify', evidence, '--policy', policy]);
    expect(verified).toMatchObject({ code: 0, out: expect.stringMatching(/^VERIFIED\n/) });
    // Three are enough: on a busy machine the fourth may come too late.
    expect(verified.out).toMatch(/witnesses +(?:(?:de|br|jp|ch),? ){3,4}\(quorum: countries\)/);
    expect(verified.out).toMatch(/no later than \d{4}-/);
  });

  test('says which witnesses are absent; what was appended stays, and is published once they are back', async () => {
    const [de, br, ...others] = servers;
    expect(await de?.stop()).toBe(0);
    expect(await br?.stop()).toBe(0);
    servers = others;
    const { code, out, err } = comity(['log', 'append', log, '--quorum', quorum], { input: '{"a":3}\n' });
    expect({ code, out }).toEqual({ code: 2, out: '2\n' });
    expect(err).toContain('witness `de` is absent');
    expect(err).toContain('too few witnesses cosigned');
    const back = await serving(['witness', 'serve', join(folder, 'de')]);
    servers = [...others, back];
    writeQuorum(quorum, 3, [back.line, 'http://127.0.0.1:1', ...others.map(({ line }) => line)]);
    expect(comity(['log', 'append', log, '--quorum', quorum], { input: '{"a":4}\n' })).toMatchObject({
      code: 0,
      err: expect.stringContaining('the log has 4'),
    });
  });

  test('does not serve a directory without a witness, or without a log to watch', () => {
    expect(comity(['witness', 'serve', join(folder, 'none')])).toMatchObject({
      code: 2,
      err: expect.stringContaining('holds no witness'),
    });
    comity(['witness', 'init', join(folder, 'idle'), '--name', 'witness.idle.example']);
    expect(comity(['witness', 'serve', join(folder, 'idle')])).toMatchObject({
      code: 2,
      err: expect.stringContaining('watches no log yet'),
    });
  });

  test('trusts another key of a log only when told so, and takes keys away', () => {
    const directory = join(folder, 'keys');
    const origin = 'example.com/rotated';
    const [first, second] = ['one', 'two'].map((name) =>
      comity(['log', 'init', join(folder, name), '--origin', origin]).out.trim(),
    );
    if (first === undefined || second === undefined) throw new Error('two keys expected');
    comity(['witness', 'init', directory, '--name', 'witness.keys.example']);
    expect(comity(['witness', 'trust', directory, first])).toMatchObject({
      code: 0,
      err: expect.stringContaining('watches 1 log with 1 key'),
    });
    expect(comity(['witness', 'trust', directory, second])).toMatchObject({
      code: 2,
      err: expect.stringContaining('pass `--another-key`'),
    });
    expect(comity(['witness', 'trust', directory, second, '--another-key']).code).toBe(0);
    expect(comity(['witness', 'distrust', directory, first]).code).toBe(0);
    expect(comity(['witness', 'trust', directory, second, '--origin', 'go.sum database tree']).code).toBe(0);
    expect(JSON.parse(readFileSync(join(directory, 'witness.json'), 'utf8')).logs).toEqual([
      { origin, keys: [second] },
      { origin: 'go.sum database tree', keys: [second] },
    ]);
  });
});
