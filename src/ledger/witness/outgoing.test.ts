import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { signCheckpoint } from '../../tlog/checkpoint.ts';
import type { Policy } from '../../tlog/policy.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { generateLogKey, logSigner, verifierKeyOf } from '../log/node-signatures.ts';
import { addCheckpoint, monitoredCheckpoint, submissionUrl } from './client.ts';
import { monitorLog, NEW_MONITOR } from './monitor.ts';
import { RemoteLog } from './remote-log.ts';
import { originHash } from './witness.ts';

/*
 * Nothing that a log, a witness or a note says leads to a request. Addresses come from the operator’s own file, and
 * what answers there cannot send anybody on: the canary, which every answer points to, is never asked.
 */
const logKey = generateLogKey('log.example/outgoing');
const note = signCheckpoint(
  { origin: logKey.name, size: 0, root: nodeHasher().emptyRoot, extensions: ['http://canary.example/'] },
  [logSigner(logKey)],
);

let servers: Server[] = [];
let canary = '';
let visits: string[] = [];

async function start(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeEach(async () => {
  servers = [];
  visits = [];
  canary = await start((request, response) => {
    visits.push(request.url ?? '');
    response.end('secret');
  });
});

afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const witnessAt = (url: string) => ({ name: 'w', key: verifierKeyOf(logKey), url });
const signal = () => AbortSignal.timeout(5000);

describe.each([301, 302, 303, 307, 308])('an answer %i that leads elsewhere', (status) => {
  const leading = () =>
    start((_request, response) => response.writeHead(status, { location: `${canary}/metadata` }).end());

  test('is not followed by a log that asks a witness', async () => {
    const url = await leading();
    const answer = await addCheckpoint(witnessAt(url), { old: 0, proof: [], note }, signal());
    expect(answer.kind).toBe('absent');
    expect(visits).toEqual([]);
  });

  test('is not followed by a monitor that asks a witness or a log', async () => {
    const url = await leading();
    await expect(
      monitoredCheckpoint({ name: 'w', url }, originHash(logKey.name), signal()),
    ).rejects.toThrow();
    const remote = new RemoteLog('l', url, 5000);
    await expect(remote.checkpoint()).rejects.toThrow();
    await expect(remote.tile({ kind: 'hashes', level: 0, index: 0, width: 256 })).rejects.toThrow();
    expect(visits).toEqual([]);
  });
});

test('a monitor asks the addresses of its policy, whatever the checkpoint and its headers say', async () => {
  const asked: string[] = [];
  const url = await start((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(200, {
      link: `<${canary}/next>; rel="next"`,
      refresh: `0; url=${canary}/`,
      'alt-svc': 'h2=":1"',
    });
    response.end(request.url === '/checkpoint' ? note : '');
  });
  const key = verifierKeyOf(logKey);
  const policy: Policy = { logs: [{ key, url }], witnesses: [], groups: [], quorum: 'none' };
  await monitorLog({ key, url }, NEW_MONITOR, { policy, entries: true, patienceMs: 2000 });
  expect(asked[0]).toBe('/checkpoint');
  expect(visits).toEqual([]);
});

describe('an address', () => {
  test.each([
    // Private and link-local ones, in the spellings that filters of text miss.
    'http://10.0.0.1/',
    'http://192.168.1.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://0xa9fea9fe/',
    'http://2852039166/',
    'http://0251.0376.0251.0376/',
    'http://[fd00:ec2::254]/',
    'http://[::ffff:169.254.169.254]/',
    'http://0.0.0.0/',
    'http://[::]/',
    // Names that lead to private addresses, or look like this machine.
    'http://metadata.google.internal/',
    'http://localtest.me/',
    'http://127.0.0.1.nip.io/',
    'http://localhost.evil.example/',
    'http://localhost./',
    'http://evil.example#@127.0.0.1/',
    'http://127.0.0.1@evil.example/',
    'http://127.0.0.1:80@evil.example/',
    // Other ways to reach something.
    'file:///etc/passwd',
    'unix:/var/run/docker.sock',
    'data:text/plain,x',
    'gopher://127.0.0.1:6379/_FLUSHALL',
    '//127.0.0.1/',
    '',
  ])('that is not https, and not this machine, is refused before anything is sent: %s', (url) => {
    expect(() => submissionUrl({ name: 'w', url }, 'add-checkpoint')).toThrow(/is not an https address/);
    expect(() => new RemoteLog('l', url, 1000)).toThrow(/is not an https address/);
  });

  test('keeps its host and prefix, whatever is asked for below it', () => {
    const below = (path: string) => submissionUrl({ name: 'w', url: 'https://w.example/prefix/' }, path).href;
    expect(below('add-checkpoint')).toBe('https://w.example/prefix/add-checkpoint');
    // Only hashes and tile paths that we write ourselves stand there; even so, none leaves the host.
    for (const path of [
      '//evil.example/',
      '\\\\evil.example',
      'https://evil.example/',
      '@evil.example',
      '../../x',
    ]) {
      expect(new URL(below(path)).host).toBe('w.example');
    }
  });
});
