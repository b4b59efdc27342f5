import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { comity } from './testdata/run.ts';
import { type Serving, serving } from './testdata/serve.ts';

let servers: Serving[] = [];
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  servers = [];
});

const serve = async (...args: readonly string[]): Promise<Serving> => {
  const server = await serving(['log', 'serve', ...args]);
  servers.push(server);
  return server;
};

describe('comity log serve and comity monitor', () => {
  test('append and read over HTTP, follow the log, and prove a split view to anybody', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'comity-serve-cli-'));
    const [log, fork] = [join(folder, 'log'), join(folder, 'fork')];
    comity(['log', 'init', log, '--origin', 'example.com/served']);
    cpSync(log, fork, { recursive: true });
    const token = comity(['log', 'writer', log, 'gateway-1']).out.trim();
    const server = await serve(log);
    const post = (body: string, headers: Readonly<Record<string, string>>) =>
      fetch(`${server.line}/add`, { method: 'POST', body, headers });
    expect((await post('"x"', {})).status).toBe(401);
    for (const [i, body] of ['"a"', '"b"', '"c"'].entries()) {
      expect(await (await post(body, { authorization: `Bearer ${token}` })).text()).toBe(String(i));
    }
    await expect
      .poll(async () => (await fetch(`${server.line}/checkpoint`)).text(), { timeout: 5000 })
      .toMatch(/^example\.com\/served\n3\n/);

    const policy = join(log, 'log.policy');
    const memory = join(folder, 'memory');
    const look = (url: string) =>
      comity([
        'monitor',
        '--policy',
        policy,
        '--log',
        url,
        '--memory',
        memory,
        '--proofs',
        folder,
        '--entries',
      ]);
    expect(look(server.line)).toMatchObject({
      code: 0,
      out: 'consistent: example.com/served, 3 entries, 1 heads compared, 3 new entries read\n',
    });

    comity(['log', 'append', fork], { input: '"a"\n"B"\n"c"\n"d"\n' });
    const other = await serve(fork);
    const found = look(other.line);
    expect(found).toMatchObject({ code: 1, out: expect.stringContaining('split-view') });
    const proof = join(folder, readdirSync(folder).find((name) => name.startsWith('split-view-')) ?? '');
    expect(comity(['monitor', 'proof', proof, '--policy', policy])).toMatchObject({
      code: 0,
      out: expect.stringMatching(
        /^PROVED: log `example\.com\/served` signed two histories, seen at 3 and 4 entries/,
      ),
    });
    const harmless = join(folder, 'harmless.json');
    const { notes } = JSON.parse(readFileSync(proof, 'utf8'));
    writeFileSync(harmless, JSON.stringify({ v: 'comity.split-view/1', notes: [notes[0], notes[0]] }));
    expect(comity(['monitor', 'proof', harmless, '--policy', policy])).toMatchObject({
      code: 1,
      out: expect.stringContaining('the two heads agree'),
    });
    expect(await server.stop()).toBe(0);
  });

  test('look again and again until stopped', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'comity-serve-cli-'));
    const log = join(folder, 'log');
    comity(['log', 'init', log]);
    comity(['log', 'append', log], { input: '1\n' });
    const server = await serve(log);
    const monitor = await serving([
      'monitor',
      '--policy',
      join(log, 'log.policy'),
      '--log',
      server.line,
      '--every',
      '1',
    ]);
    await expect.poll(() => monitor.out().split('\n').length, { timeout: 10_000 }).toBeGreaterThan(2);
    expect(await monitor.stop()).toBe(0);
  });

  test('say what is missing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'comity-serve-cli-'));
    const log = join(folder, 'log');
    comity(['log', 'init', log]);
    expect(comity(['monitor'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('which logs and witnesses?'),
    });
    expect(comity(['monitor', '--policy', join(log, 'log.policy')])).toMatchObject({
      code: 2,
      err: expect.stringContaining('has no address of log'),
    });
    expect(
      comity(['monitor', '--policy', join(log, 'log.policy'), '--log', 'http://example.com/']),
    ).toMatchObject({ code: 2, err: expect.stringContaining('not an https address') });
    expect(comity(['log', 'serve', log, '--listen', '0.0.0.0:0', '--anybody-writes'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('for this machine only'),
    });
    expect(comity(['log', 'serve', log, '--listen', 'x'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('not an address and a port'),
    });
  });
});
