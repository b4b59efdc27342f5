import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import type { Log } from '../log/log.ts';
import { generateLogKey, verifierKeyOf } from '../log/node-signatures.ts';
import { serveWitness } from '../witness/serve.ts';
import { openWitnessState } from '../witness/state.ts';
import { watchedLog } from '../witness/watched-log.ts';
import { openWitness } from '../witness/witness.ts';
import type { ListenOptions, Running } from './http.ts';
import { serveLog } from './serve.ts';

let directory = '';
let log: Log;
let closing: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-limits-'));
  await createLogDirectory(directory, 'log.example/limits');
  log = await openLogDirectory(directory, { publishEveryMs: 0 });
  closing = [];
});

afterEach(async () => {
  for (const close of closing.reverse()) await close();
  await log.close();
  rmSync(directory, { recursive: true });
});

const SERVERS: Readonly<Record<string, (options: ListenOptions) => Promise<Running>>> = {
  log: (options) => serveLog({ log, writers: 'anybody', reads: 'public', ...options }),
  witness: (options) => {
    const state = openWitnessState(join(directory, 'witness.db'));
    closing.push(() => state.close());
    const logs = [watchedLog(verifierKeyOf(generateLogKey('log.example/limits')))];
    return serveWitness(openWitness({ keys: [], logs, state }), options);
  },
};

async function start(kind: string, options: ListenOptions = {}): Promise<Running> {
  const server = await SERVERS[kind]?.({ onError: (error) => void errors.push(error), ...options });
  if (server === undefined) throw new Error('no such server');
  closing.push(() => server.close());
  return server;
}
const errors: unknown[] = [];

/** Sends text as it is, and gives what comes back until the connection ends. */
function talk({ url }: Running, text: string): { readonly socket: Socket; readonly answer: Promise<string> } {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('connect', () => socket.write(text));
  socket.on('error', () => undefined);
  let answer = '';
  socket.on('data', (data) => {
    answer += String(data);
  });
  return { socket, answer: new Promise((resolve) => socket.on('close', () => resolve(answer))) };
}

describe.each(['log', 'witness'])('a server of a %s', (kind) => {
  const path = kind === 'log' ? '/add' : '/add-checkpoint';

  test('reads no header, and no address, that is longer than it may be', async () => {
    const server = await start(kind);
    const long = 'x'.repeat(20_000);
    for (const head of [
      `GET /checkpoint HTTP/1.1\r\nhost: x\r\nx-long: ${long}\r\n\r\n`,
      `GET /${long} HTTP/1.1\r\nhost: x\r\n\r\n`,
    ]) {
      expect(await talk(server, head).answer).toMatch(/^HTTP\/1\.1 431 /);
    }
  });

  test('hangs up on who sends slowly, byte by byte or not at all', async () => {
    const server = await start(kind, { requestMs: 300 });
    const slow = [
      talk(server, `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc`),
      talk(server, `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`),
      talk(server, 'POST '),
    ];
    const dripping = setInterval(() => slow[0]?.socket.write('x'), 50);
    const answers = await Promise.all(slow.map(({ answer }) => answer));
    clearInterval(dripping);
    for (const answer of answers) expect(answer).toContain('408 Request Timeout');
  });

  test('stops reading a body that is announced as small and does not end, or as chunks without end', async () => {
    const server = await start(kind);
    const limit = kind === 'log' ? 65_535 : 256 * 1024;
    const chunk = `${(8192).toString(16)}\r\n${'x'.repeat(8192)}\r\n`;
    const { answer } = talk(
      server,
      `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(Math.ceil(limit / 8192) + 2)}`,
    );
    expect(await answer).toMatch(/^HTTP\/1\.1 413 [\s\S]*connection: close/i);
  });

  test('takes no more connections at a time than it may', async () => {
    const server = await start(kind, { connections: 2 });
    const held = [talk(server, 'GET /'), talk(server, 'GET /')];
    await Promise.all(held.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))));
    const turned = talk(server, 'GET /checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(await turned.answer).toBe('');
    for (const { socket } of held) socket.destroy();
    await expect
      .poll(async () => (await fetch(`${server.url}/checkpoint`).catch(() => undefined))?.status)
      .toBe(404);
  });

  test('answers nothing but 400 to what is smuggled: two lengths, or a length and chunks', async () => {
    const server = await start(kind);
    for (const headers of [
      'content-length: 3\r\ncontent-length: 4',
      'content-length: 3\r\ntransfer-encoding: chunked',
    ]) {
      const { answer } = talk(server, `POST ${path} HTTP/1.1\r\nhost: x\r\n${headers}\r\n\r\nabc`);
      expect(await answer).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect((await log.store.grow()).size).toBe(0);
  });
});

describe('OTLP', () => {
  const post = (url: string, body: Uint8Array | string, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${url}/v1/traces`, {
      method: 'POST',
      body: typeof body === 'string' ? body : new Uint8Array(body),
      headers: { 'content-type': 'application/json', ...headers },
    });

  test('of more items than one request may have is refused before any is made a record', async () => {
    const { url } = await start('log');
    const spans = (count: number) =>
      `{"resourceSpans":[{"scopeSpans":[{"spans":[${Array(count).fill('{}').join()}]}]}]}`;
    expect((await post(url, spans(20_001))).status).toBe(413);
    expect((await post(url, spans(20_000))).status).toBe(200);
    expect((await log.store.grow()).size).toBe(0);
  });

  test('that becomes large when it is decompressed is refused', async () => {
    const { url } = await start('log');
    const bomb = gzipSync(Buffer.alloc(32 * 1024 * 1024, 0x20));
    expect(bomb.length).toBeLessThan(40_000);
    expect((await post(url, bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
  });
});

test('none of this was an error inside', () => {
  expect(errors).toEqual([]);
});
