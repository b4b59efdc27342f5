import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeBundle } from '../../tlog/bundle.ts';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { verifyInclusion } from '../../tlog/merkle.ts';
import { tilePath } from '../../tlog/tile.ts';
import { TiledTree } from '../../tlog/tiled-tree.ts';
import { LedgerError } from '../errors.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import type { Log } from '../log/log.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { startProducer } from '../record/producer.ts';
import type { AuditRecord } from '../record/record.ts';
import type { Running } from './http.ts';
import { type LogServerOptions, serveLog } from './serve.ts';
import { addWriter, authenticator, readWriters, removeWriter } from './writers.ts';

let directory = '';
let log: Log;
let token = '';
let servers: Running[] = [];
const producer = startProducer({
  id: 'gateway-1',
  resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  retain: { class: 'logs', hold: false, min: 'P0D' },
  jur: [],
});

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-server-'));
  await createLogDirectory(directory, 'log.example/server');
  log = await openLogDirectory(directory, { publishEveryMs: 0 });
  token = addWriter(directory, 'gateway-1');
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await server.close();
  await log.close();
  rmSync(directory, { recursive: true });
});

async function serve(options: Partial<LogServerOptions> = {}) {
  const errors: unknown[] = [];
  const server = await serveLog({
    log,
    writers: authenticator(readWriters(directory)),
    reads: 'public',
    onError: (error) => void errors.push(error),
    ...options,
  });
  servers.push(server);
  const send = (path: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${server.url}${path}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : new Uint8Array(body),
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
  const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${server.url}${path}`, { headers });
  return { server, send, get, errors };
}

/** A request whose path is sent as it is, which `fetch` would tidy up. */
function raw(url: string, path: string): Promise<number | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.end();
  });
}

describe('appending over HTTP', () => {
  test('answers one entry with its index in ASCII, once it is durable', async () => {
    const { send } = await serve();
    for (const [i, body] of ['a', 'b', 'a'].entries()) {
      const response = await send('/add', body);
      expect([response.status, await response.text()]).toEqual([200, String([0, 1, 0][i])]);
    }
    expect(Buffer.from(await log.read(1)).toString()).toBe('b');
  });

  test('takes a batch in order, plain or gzip, and says of each entry where it stands', async () => {
    const { send } = await serve();
    const lines = [JSON.stringify(producer.heartbeat()), '{"free":1}', '"text"'].join('\n');
    const first = await send('/v1/append', lines);
    const again = await send('/v1/append', gzipSync(`${lines}\n{"free":2}\n`), {
      'content-encoding': 'gzip',
    });
    const answers = (await again.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first.status).toBe(200);
    expect(answers.map(({ index, duplicate }) => [index, duplicate])).toEqual([
      [0, true],
      [1, true],
      [2, true],
      [3, false],
    ]);
  });

  test('takes all of a batch or nothing', async () => {
    const { send } = await serve();
    const response = await send('/v1/append', '{"a":1}\n{a}\n');
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('line 2: not JSON'),
    ]);
    expect((await log.store.grow()).size).toBe(0);
  });

  test('refuses fields to seal where there is no vault: they must not be kept in the clear', async () => {
    const { send } = await serve();
    const body = JSON.stringify({
      record: producer.heartbeat(),
      seal: [{ subjects: ['maria'], fields: { age: 41 } }],
    });
    for (const path of ['/add', '/v1/append']) {
      const response = await send(path, body);
      expect([response.status, await response.text()]).toEqual([
        400,
        expect.stringContaining('this log has no vault to seal fields into'),
      ]);
    }
    expect((await log.store.grow()).size).toBe(0);
  });

  test('lets nobody in without the token of a writer', async () => {
    const { send } = await serve();
    for (const authorization of [
      '',
      'Bearer ',
      `Bearer ${token}x`,
      `Bearer ${token.slice(0, -1)}`,
      `Basic ${token}`,
      `Bearer ${'x'.repeat(600)}`,
    ]) {
      for (const path of ['/add', '/v1/append', '/v1/logs', '/v1/traces']) {
        expect((await send(path, '1', { authorization })).status).toBe(401);
      }
    }
    expect((await log.store.grow()).size).toBe(0);
  });

  test('refuses records of another producer', async () => {
    const { send } = await serve();
    const other: AuditRecord = {
      ...producer.heartbeat(),
      producer: { ...producer.heartbeat().producer, id: 'gateway-2' },
    };
    const response = await send('/add', JSON.stringify(other));
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('record is of producer `gateway-2`, but was sent by `gateway-1`'),
    ]);
  });

  test.each([
    ['an empty entry', '/add', '', {}, 400],
    ['an entry that is too large', '/add', 'x'.repeat(65_536), {}, 413],
    ['a batch that is too large', '/v1/append', 'x'.repeat(17 * 1024 * 1024), {}, 413],
    [
      'a batch that becomes too large',
      '/v1/append',
      gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20)),
      { 'content-encoding': 'gzip' },
      413,
    ],
    ['what is not gzip', '/v1/append', 'x', { 'content-encoding': 'gzip' }, 400],
    ['another encoding', '/v1/append', 'x', { 'content-encoding': 'br' }, 400],
    ['an invalid record', '/add', '{"v":"comity.audit/1","event_name":"x"}', {}, 400],
    ['a line that is too large', '/v1/append', `"${'x'.repeat(70_000)}"`, {}, 413],
  ])('refuses %s', async (_what, path, body, headers, status) => {
    const { send, errors } = await serve();
    const answer = await send(path, body, headers).then(
      ({ status }) => status,
      () => 'closed',
    );
    // A body that is refused while it is still being sent may end in a closed connection instead of an answer.
    expect([status, ...(status === 413 ? ['closed'] : [])]).toContain(answer);
    expect(errors).toEqual([]);
    expect((await log.store.grow()).size).toBe(0);
  });

  test('tells a sender when to come back while the queue is full', async () => {
    const full: Log = Object.create(log, {
      append: {
        value: () =>
          Promise.reject(new LedgerError('overloaded', 'queue is full', 'come back', { retryAfterMs: 1500 })),
      },
    });
    const { send } = await serve({ log: full });
    const response = await send('/add', 'a');
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '2']);
  });

  test('tells nobody what went wrong inside', async () => {
    const broken: Log = Object.create(log, {
      append: { value: () => Promise.reject(new Error('secret path')) },
    });
    const { send, errors } = await serve({ log: broken });
    const response = await send('/add', 'a');
    expect([response.status, await response.text()]).toEqual([500, 'internal error\n']);
    expect(errors).toHaveLength(1);
  });

  test('hangs up on who takes too long to send a request', async () => {
    const { server } = await serve({ requestMs: 400, writers: 'anybody' });
    const { hostname, port } = new URL(server.url);
    const slow = [
      'POST /add HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc',
      'POST /add HTTP/1.1\r\nhos',
    ];
    const answers = slow.map(
      (text) =>
        new Promise<string>((resolve) => {
          const socket = connect(Number(port), hostname, () => socket.write(text));
          let answer = '';
          socket.on('data', (data) => {
            answer += String(data);
          });
          socket.on('close', () => resolve(answer));
        }),
    );
    for (const answer of await Promise.all(answers)) expect(answer).toContain('408 Request Timeout');
    expect((await log.store.grow()).size).toBe(0);
  });

  test('keeps its senders’ order: three hundred at once are all there, once each', async () => {
    const { send } = await serve();
    const indices = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => Number(await (await send('/add', `entry ${i}`)).text())),
    );
    expect([...indices].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i));
  });
});

describe('reading over HTTP', () => {
  test('gives a stranger everything to prove an entry', async () => {
    await log.appendAll(Array.from({ length: 700 }, (_, i) => ({ bytes: Buffer.from(`entry ${i}`) })));
    await log.publish();
    const { get } = await serve();
    const { size, root } = parseCheckpoint(await (await get('/checkpoint')).text()).checkpoint;
    const fetched = async (path: string) => new Uint8Array(await (await get(path)).arrayBuffer());
    const tree = new TiledTree((tile) => fetched(`/${tilePath(tile)}`), size, nodeHasher());
    const bundle = decodeBundle(await fetched('/tile/entries/002.p/188'), 188);
    const leaf = nodeHasher().leaf(bundle[87] ?? new Uint8Array());
    verifyInclusion({ index: 599, size, leaf, root }, await tree.inclusionProof(599), nodeHasher());
    expect((await get('/tile/entries/000')).headers.get('cache-control')).toContain('immutable');
    // Of an earlier checkpoint, and beyond the newest.
    expect((await get('/tile/entries/002.p/100')).status).toBe(200);
    expect((await get('/tile/entries/002.p/189')).status).toBe(404);
  });

  test('shows nothing before it is published', async () => {
    const { get, send } = await serve();
    await send('/add', 'a');
    expect((await get('/checkpoint')).status).toBe(404);
    expect((await get('/tile/entries/000.p/1')).status).toBe(404);
    await log.publish();
    expect((await get('/tile/entries/000.p/1')).status).toBe(200);
  });

  test('may be for writers only', async () => {
    await log.append(Buffer.from('a'));
    await log.publish();
    const { get } = await serve({ reads: 'authenticated' });
    expect((await get('/checkpoint')).status).toBe(401);
    expect((await get('/checkpoint', { authorization: `Bearer ${token}` })).status).toBe(200);
  });

  test.each([
    '/../log.key',
    '/tile/../log.key',
    '/tile/0/../../log.key',
    '/tile/entries/%2e%2e/log.key',
    '//log.key',
    '/tile/0/x000/000',
    '/tile/64/000',
    '/tile/0/-01',
    '/tile/0/000.p/0',
    '/log.key',
    '/writers.json',
    '/__proto__',
    '/tile/0/000%00',
  ])('finds nothing at %s', async (path) => {
    await log.append(Buffer.from('a'));
    await log.publish();
    const { server } = await serve();
    expect(await raw(server.url, path)).toBe(404);
  });

  test('never answers a path that it does not know, whatever it is', async () => {
    await log.append(Buffer.from('a'));
    await log.publish();
    const { server, errors } = await serve();
    await fc.assert(
      fc.asyncProperty(fc.webPath(), async (path) => {
        const status = await raw(server.url, path.startsWith('/') ? path : `/${path}`);
        if (path !== '/checkpoint') expect([404, 405]).toContain(status);
      }),
      { numRuns: 100 },
    );
    expect(errors).toEqual([]);
  });

  test('answers other methods with what is allowed, and hangs up on what is no HTTP', async () => {
    const { server, get } = await serve();
    const { hostname, port } = new URL(server.url);
    expect((await fetch(`${server.url}/checkpoint`, { method: 'DELETE' })).headers.get('allow')).toBe(
      'GET, HEAD',
    );
    expect((await get('/add')).status).toBe(405);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.write('hello\r\n\r\n'));
      let text = '';
      socket.on('data', (data) => {
        text += String(data);
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toContain('400 Bad Request');
  });
});

describe('writers', () => {
  test('have tokens that are kept nowhere, in a file that others cannot read', () => {
    const file = join(directory, 'writers.json');
    expect(readFileSync(file, 'utf8')).not.toContain(token);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(authenticator(readWriters(directory))(`Bearer ${token}`)?.id).toBe('gateway-1');
    removeWriter(directory, 'gateway-1');
    expect(authenticator(readWriters(directory))(`Bearer ${token}`)).toBeUndefined();
  });

  test('have ids that records can carry, each once', () => {
    expect(() => addWriter(directory, 'gateway-1')).toThrow(/writer already/);
    expect(() => addWriter(directory, 'a b')).toThrow(/cannot name a producer/);
    expect(() => removeWriter(directory, 'nobody')).toThrow(/is not a writer/);
  });
});
