import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startProducer } from '../../ledger/record/producer.ts';
import { comity } from '../testdata/run.ts';
import { type Serving, serving } from '../testdata/serve.ts';

/*
 * One life of a log with everything that has secrets, good and bad input, and servers that are killed. Everything that
 * was printed by then, and every file that is no key file, is searched for every secret.
 */
const folder = mkdtempSync(join(tmpdir(), 'comity-secrets-'));
const log = join(folder, 'log');
const witness = join(folder, 'witness');
const policy = join(log, 'log.policy');
const quorum = join(folder, 'quorum.json');
const evidence = join(folder, 'evidence.zip');

/** Everything that any command printed, in the order of the commands. */
const printed: string[] = [];
let token = '';

const producer = startProducer({
  id: 'gateway-1',
  resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  retain: { class: 'logs', hold: false, min: 'P0D' },
  jur: ['DE'],
});
const record = () => JSON.stringify(producer.heartbeat());

function run(args: readonly string[], input = '') {
  const ran = comity(args, { input, env: { NODE_OPTIONS: '--trace-warnings' } });
  printed.push(ran.out, ran.err);
  return ran;
}

/** The files that hold secrets; all others may be shown to anybody who may see the log. */
const isKeyFile = (name: string): boolean => name.endsWith('.key');

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** A secret in every spelling in which it could slip into a text. */
function spellings(secret: Buffer): readonly string[] {
  return [
    secret.toString('base64').replace(/=+$/, ''),
    secret.toString('base64url'),
    secret.toString('hex'),
    secret.toString('hex').toUpperCase(),
    secret.toString('latin1'),
    [...secret].join(','),
    [...secret].join(', '),
  ];
}

/** The seeds and keys in the key files: bytes after the type, or all of them. */
function secretsIn(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8').trim();
  const bytes = Buffer.from(
    text
      .split('+')
      .slice(text.startsWith('PRIVATE+KEY+') ? 4 : 0)
      .join('+'),
    'base64',
  );
  const seed = bytes.length === 33 ? bytes.subarray(1) : bytes;
  expect(seed.length, file).toBe(32);
  return [text, ...spellings(bytes), ...spellings(seed)];
}

let servers: readonly Serving[] = [];

async function startServer(args: readonly string[]): Promise<Serving> {
  const server = await serving(args);
  servers = [...servers, server];
  return server;
}

beforeAll(async () => {
  const vkey = run(['log', 'init', log, '--origin', 'example.com/secrets']).out.trim();
  const writer = run(['log', 'writer', log, 'gateway-1']);
  token = writer.out.trim();
  // Shown once, to whoever asked for it; from here on it is a secret.
  printed.splice(printed.indexOf(writer.out), 1);
  run(['witness', 'init', witness, '--name', 'witness.example/s']);
  run(['witness', 'trust', witness, vkey]);
  const asked = await startServer(['witness', 'serve', witness]);
  for (const country of ['jp', 'br']) {
    run(['witness', 'init', join(folder, country), '--name', `witness.example/${country}`]);
  }
  const witnesses = [
    { country: 'de', directory: witness, url: asked.line },
    ...['jp', 'br'].map((country) => ({
      country,
      directory: join(folder, country),
      url: 'http://127.0.0.1:1',
    })),
  ].map(({ country, directory, url }) => ({
    name: country,
    key: JSON.parse(readFileSync(join(directory, 'witness.json'), 'utf8')).keys[0],
    url,
    country,
    operator: country,
    cloud: country,
  }));
  writeFileSync(quorum, JSON.stringify({ v: 'comity.quorum/1', required: 3, rogue: 1, witnesses }));

  run(['log', 'append', log], `${record()}\n{"free":1}\n`);
  run(
    ['log', 'append', log],
    `${JSON.stringify({ record: producer.heartbeat(), seal: [{ subjects: ['ada'], fields: { note: 'hello' } }] })}\n`,
  );
  run(['log', 'append', log], 'not json\n');
  // Too few witnesses answer: warnings about each.
  run(['log', 'append', log, '--quorum', quorum], '{"free":2}\n');
  run(['log', 'query', log]);
  run(['log', 'open', log, '2']);
  run(['log', 'prove', log, '0', '--out', join(folder, 'proof')]);
  run(['log', 'export', log, '--all', '--out', evidence]);
  run(['verify', evidence, '--policy', policy]);
  run(['verify', evidence, '--policy', policy, '--format', 'json']);
  run(['log', 'fsck', log]);

  const server = await startServer(['log', 'serve', log]);
  for (const authorization of [`Bearer ${token}`, `Bearer ${token}x`, `Basic ${token}`, token]) {
    for (const path of ['/add', '/v1/append', '/v1/traces', `/${token}`, `/tile/0/${token}`]) {
      const answer = await fetch(`${server.line}${path}`, {
        method: 'POST',
        body: '{"a":1}',
        headers: { authorization, 'content-type': 'application/json' },
      });
      printed.push(await answer.text(), JSON.stringify([...answer.headers]));
    }
  }
  const text = await fetch(`${server.line}/log.key`);
  printed.push(await text.text());
  run(['log', 'append', log], '{"while":"served"}\n');
  run(['monitor', '--policy', policy, '--log', server.line]);
  await server.stop();

  // Keys that are damaged or readable by others: what is said of them must not show them.
  const file = join(log, 'log.key');
  const good = readFileSync(file, 'utf8');
  for (const bad of [
    good.slice(0, -6),
    good.replace('PRIVATE', 'PUBLIC'),
    `${good.trim()}AAAA\n`,
    'x'.repeat(5000),
  ]) {
    writeFileSync(file, bad);
    expect(run(['log', 'append', log], '{"a":1}\n').code).not.toBe(0);
  }
  writeFileSync(file, good);
  chmodSync(file, 0o644);
  expect(run(['log', 'append', log], '{"a":1}\n')).toMatchObject({
    code: 2,
    err: expect.stringContaining('can be read by others'),
  });
  chmodSync(file, 0o600);
  for (const other of servers) {
    other.process.kill('SIGKILL');
    printed.push(other.out(), other.err());
  }
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true }));

describe('secrets of a log, its writers, its vault and its witnesses', () => {
  test('are in no output of any command or server', () => {
    const everything = printed.join('\n');
    expect(everything.length).toBeGreaterThan(5000);
    const files = filesBelow(folder).filter(isKeyFile);
    expect(files.map((file) => file.slice(folder.length + 1)).sort()).toEqual(
      expect.arrayContaining([
        'log/log.key',
        'log/vault.key',
        'witness/witness-ml-dsa-44.key',
        'witness/witness.key',
      ]),
    );
    for (const secret of [...files.flatMap(secretsIn), token, token.slice(9)]) {
      expect(everything.includes(secret), secret.slice(0, 8)).toBe(false);
    }
  });

  test('are in no file but the one that is theirs', () => {
    const secrets = filesBelow(folder)
      .filter(isKeyFile)
      .map((file) => ({ file, texts: secretsIn(file) }));
    for (const path of filesBelow(folder)) {
      const content = readFileSync(path, 'latin1');
      for (const { file, texts } of secrets) {
        if (file !== path)
          expect(
            texts.some((text) => content.includes(text)),
            path,
          ).toBe(false);
      }
      expect(content.includes(token), path).toBe(false);
    }
  });

  test.runIf(process.platform !== 'win32')('are in files that their owner alone may read', () => {
    const secret = filesBelow(folder).filter((path) => isKeyFile(path) || path.endsWith('writers.json'));
    expect(secret.length).toBeGreaterThanOrEqual(8);
    for (const path of secret) expect(statSync(path).mode & 0o077, path).toBe(0);
  });
});

test('a second server on one directory is refused, names the reason, and leaves the first alone', async () => {
  const directory = join(folder, 'twice');
  comity(['log', 'init', directory, '--origin', 'example.com/twice']);
  const first = await serving(['log', 'serve', directory, '--anybody-writes']);
  await expect(serving(['log', 'serve', directory, '--anybody-writes'])).rejects.toThrow(
    /ended with 2: .*(?:in use|another process|locked|open)/s,
  );
  const add = async (body: string) => (await fetch(`${first.line}/add`, { method: 'POST', body })).text();
  expect([await add('a'), await add('b')]).toEqual(['0', '1']);
  // The lock goes with its process, however it ends.
  const exited = new Promise((resolve) => first.process.once('exit', resolve));
  first.process.kill('SIGKILL');
  await exited;
  const second = await serving(['log', 'serve', directory, '--anybody-writes']);
  const answer = await fetch(`${second.line}/add`, { method: 'POST', body: 'c' });
  expect(await answer.text()).toBe('2');
  expect(await second.stop()).toBe(0);
});
