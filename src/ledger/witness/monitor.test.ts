import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { nobleSignatures } from '../../tlog/noble.ts';
import { parseVerifierKey } from '../../tlog/note-key.ts';
import type { Policy } from '../../tlog/policy.ts';
import { openFilesStore } from '../files/files-store.ts';
import { createLogDirectory, openLogDirectory, readLogKey } from '../log/directory.ts';
import { type Log, openLog } from '../log/log.ts';
import { generateLogKey, logSigner, verifierKeyOf } from '../log/node-signatures.ts';
import { listen } from '../server/http.ts';
import { readReply } from '../server/read.ts';
import { serveLog } from '../server/serve.ts';
import { gatherCosignatures } from './gather.ts';
import { createWitnessDirectory, openWitnessDirectory } from './keys.ts';
import {
  type MonitorMemory,
  type MonitorOptions,
  type MonitorReport,
  monitorLog,
  NEW_MONITOR,
} from './monitor.ts';
import { serveWitness } from './serve.ts';
import { parseSplitView, verifySplitView } from './split-view.ts';
import { watchedLog } from './watched-log.ts';
import { openWitness } from './witness.ts';

const ORIGIN = 'log.example/monitored';
let folder = '';
let vkey = '';
let running: { readonly close: () => Promise<void> | void }[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'comity-monitor-'));
  vkey = (await createLogDirectory(join(folder, 'log'), ORIGIN)).keys[0] ?? '';
  running = [];
});

afterEach(async () => {
  for (const one of running.reverse()) await one.close();
  rmSync(folder, { recursive: true });
});

const policyOf = (url: string, witnesses: Policy['witnesses'] = []): Policy => ({
  logs: [{ key: parseVerifierKey(vkey), url }],
  witnesses,
  groups: [],
  quorum: witnesses[0]?.name ?? 'none',
});

/** A log in a directory, served. */
async function start(
  name: string,
  entries: readonly string[],
): Promise<{ readonly log: Log; readonly url: string }> {
  const log = await openLogDirectory(join(folder, name), { publishEveryMs: 0 });
  await log.appendAll(entries.map((entry) => ({ bytes: Buffer.from(entry) })));
  await log.publish();
  const server = await serveLog({ log, writers: 'anybody', reads: 'public' });
  running.push(log, server);
  return { log, url: server.url };
}

async function startWitness(name = 'w'): Promise<Policy['witnesses'][number]> {
  createWitnessDirectory(join(folder, name), `witness.example/${name}`);
  const { keys, state } = openWitnessDirectory(join(folder, name));
  const server = await serveWitness(openWitness({ keys, logs: [watchedLog(parseVerifierKey(vkey))], state }));
  running.push(state, server);
  const key = keys[0]?.key;
  if (key === undefined) throw new Error('witness without key');
  return { name, key, url: server.url };
}

const look = (
  policy: Policy,
  memory: MonitorMemory = NEW_MONITOR,
  more: Partial<MonitorOptions> = {},
): Promise<MonitorReport> => {
  const [log] = policy.logs;
  if (log?.url === undefined) throw new Error('policy without a log');
  return monitorLog({ key: log.key, url: log.url }, memory, { policy, patienceMs: 2000, ...more });
};
const kinds = ({ findings }: MonitorReport) => findings.map(({ kind }) => kind);
const many = (count: number, label = 'e') => Array.from({ length: count }, (_, i) => `${label} ${i}`);
const keys = () => [parseVerifierKey(vkey)];

/** The proof in a report, after a journey as text, verified with nothing but the log's key. */
function proven(report: MonitorReport) {
  const finding = report.findings.find(({ kind }) => kind === 'split-view');
  if (finding?.kind !== 'split-view') throw new Error('no split view');
  return verifySplitView(parseSplitView(JSON.stringify(finding.proof)), keys(), nobleSignatures);
}

describe('a monitor', () => {
  test('follows an honest log, and reads every entry once', async () => {
    const { log, url } = await start('log', many(300));
    const first = await look(policyOf(url), NEW_MONITOR, { entries: true });
    expect([kinds(first), first.size, first.entries]).toEqual([[], 300, 300]);
    await log.appendAll(many(400, 'f').map((entry) => ({ bytes: Buffer.from(entry) })));
    await log.publish();
    const seen: number[] = [];
    const second = await look(policyOf(url), first.memory, {
      entries: true,
      onEntries: (from, entries) => void seen.push(from, entries.length),
    });
    expect([kinds(second), second.size, second.entries]).toEqual([[], 700, 400]);
    expect(seen).toEqual([300, 212, 512, 188]);
    expect(second.memory.pending).toEqual([]);
  });

  test.each([
    ['of one size', 5, 5],
    ['of two sizes', 5, 9],
    ['of two sizes, the larger first', 9, 5],
  ])('proves two histories %s to anybody who has the log’s key', async (_what, first, second) => {
    cpSync(join(folder, 'log'), join(folder, 'fork'), { recursive: true });
    const honest = await start('log', many(first, 'a'));
    const fork = await start('fork', many(second, 'b'));
    const { memory } = await look(policyOf(honest.url));
    let report = await look(policyOf(fork.url), memory);
    if (second < first) {
      // The smaller fork cannot be told from a log that fell behind, until it grows.
      expect(kinds(report)).toEqual(['log-behind']);
      await fork.log.appendAll(many(12, 'c').map((entry) => ({ bytes: Buffer.from(entry) })));
      await fork.log.publish();
      report = await look(policyOf(fork.url), report.memory);
    }
    expect(kinds(report)).toEqual(['split-view']);
    expect(proven(report).origin).toBe(ORIGIN);
    // It stays found, also when the log shows its honest face again.
    expect(kinds(await look(policyOf(honest.url), report.memory))).toContain('split-view');
  });

  test('finds a fork that only a witness was shown', async () => {
    const witness = await startWitness();
    cpSync(join(folder, 'log'), join(folder, 'fork'), { recursive: true });
    const { store } = await openFilesStore(join(folder, 'fork'));
    const fork = await openLog({
      origin: ORIGIN,
      store,
      signers: [logSigner(readLogKey(join(folder, 'fork')))],
      cosign: gatherCosignatures({ policy: policyOf('', [witness]), store }),
      publishEveryMs: 0,
    });
    running.push(fork);
    await fork.appendAll(many(4, 'b').map((entry) => ({ bytes: Buffer.from(entry) })));
    await fork.publish();
    const { url } = await start('log', many(8, 'a'));
    const report = await look(policyOf(url, [witness]));
    expect(kinds(report)).toEqual(['quorum-not-met', 'split-view']);
    expect(proven(report).sizes).toEqual([4, 8]);
  });

  test('notices a log that went back to an older head', async () => {
    cpSync(join(folder, 'log'), join(folder, 'old'), { recursive: true });
    const now = await start('log', many(8));
    const old = await start('old', many(5));
    const { memory } = await look(policyOf(now.url));
    const report = await look(policyOf(old.url), memory);
    expect(report.findings).toEqual([{ kind: 'log-behind', size: 5, signed: 8 }]);
    expect(kinds(await look(policyOf(now.url), report.memory))).toEqual([]);
  });

  test('notices withheld and altered tiles and entries under a good head', async () => {
    const { log } = await start('log', many(300));
    for (const [bad, answer] of [
      ['/tile/entries/000', undefined],
      ['/tile/entries/001.p/44', Buffer.alloc(10)],
      ['/tile/0/000', Buffer.alloc(8192)],
      ['/tile/0/000', Buffer.alloc(10)],
    ] as const) {
      const server = await listen(async (_request, path) => {
        if (path === bad) return answer === undefined ? { status: 404 } : { status: 200, body: answer };
        return (await readReply(log, path)) ?? { status: 404 };
      });
      running.push(server);
      expect(kinds(await look(policyOf(server.url), NEW_MONITOR, { entries: true }))).toEqual([
        'tiles-wrong',
      ]);
    }
  });

  test.each([
    ['log-absent', undefined],
    ['log-invalid', 'hello\n'],
    ['log-invalid', 'another key'],
  ] as const)('says %s', async (kind, body) => {
    const { log } = await start('log', ['a']);
    const stranger = verifierKeyOf(generateLogKey(ORIGIN));
    const server = await listen(() =>
      body === undefined
        ? { status: 500 }
        : { status: 200, body: body === 'hello\n' ? body : (log.published()?.note ?? '') },
    );
    running.push(server);
    const policy = policyOf(server.url);
    const [only] = policy.logs;
    if (only === undefined) throw new Error('no log');
    const asked = body === 'another key' ? { ...policy, logs: [{ ...only, key: stranger }] } : policy;
    expect(kinds(await look(asked))).toEqual([kind]);
  });

  test('says what is wrong with witnesses, and goes on with the others', async () => {
    const { url } = await start('log', ['a']);
    const witness = await startWitness();
    const lying = await listen(() => ({
      status: 200,
      body: readFileSync(join(folder, 'log', 'checkpoint')),
    }));
    running.push(lying);
    const policy = policyOf(url, [
      witness,
      { ...(await startWitness('gone')), url: 'http://127.0.0.1:1' },
      { ...(await startWitness('lying')), url: lying.url },
    ]);
    expect((await look({ ...policy, quorum: 'none' })).findings).toEqual([
      expect.objectContaining({ kind: 'witness-absent', witness: 'gone' }),
      expect.objectContaining({ kind: 'witness-invalid', witness: 'lying' }),
    ]);
  });
});

describe('a proof of two histories', () => {
  test('proves nothing unless the notes contradict each other, are signed by the log, and are tied together', async () => {
    const { log } = await start('log', many(5));
    const small = log.published()?.note ?? '';
    await log.appendAll(many(4, 'f').map((entry) => ({ bytes: Buffer.from(entry) })));
    const large = (await log.publish()).note;
    const consistency = (await log.tree().consistencyProof(5)).map((hash) =>
      Buffer.from(hash).toString('base64'),
    );
    const root = Buffer.from(await log.tree().root(5)).toString('base64');
    const verify = (json: object, by = keys()) =>
      verifySplitView(
        parseSplitView(JSON.stringify({ v: 'comity.split-view/1', ...json })),
        by,
        nobleSignatures,
      );
    expect(() => verify({ notes: [small, small] })).toThrow('the two heads agree');
    expect(() => verify({ notes: [small, large] })).toThrow('nothing ties heads of two sizes together');
    expect(() => verify({ notes: [small, large], link: { root, consistency } })).toThrow(
      'the two heads agree',
    );
    expect(() =>
      verify({ notes: [small, large], link: { root: Buffer.alloc(32).toString('base64'), consistency } }),
    ).toThrow(/proof/);
    expect(() => verify({ notes: [small, small] }, [verifierKeyOf(generateLogKey('x.example'))])).toThrow(
      'key is not among yours',
    );
    expect(() => verify({ notes: [small.replace('5\n', '6\n'), large] })).toThrow(/does not verify/);
    expect(() => parseSplitView('{"v":"comity.split-view/1","notes":["a"]}')).toThrow(
      'not a comity.split-view/1',
    );
  });
});
