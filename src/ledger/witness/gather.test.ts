import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { parseVerifierKey } from '../../tlog/note-key.ts';
import { evaluatePolicy, type Policy } from '../../tlog/policy.ts';
import { openFilesStore } from '../files/files-store.ts';
import { createLogDirectory, readLogKey } from '../log/directory.ts';
import { type Log, openLog } from '../log/log.ts';
import { logSigner, nodeSignatures } from '../log/node-signatures.ts';
import type { Running } from '../server/http.ts';
import { submissionUrl } from './client.ts';
import { gatherCosignatures, type WitnessProblem } from './gather.ts';
import { createWitnessDirectory, openWitnessDirectory, trustLogs } from './keys.ts';
import { quorumPolicy } from './quorum.ts';
import { serveWitness } from './serve.ts';
import { splitView, verifySplitView } from './split-view.ts';
import type { WitnessState } from './state.ts';
import { watchedLog } from './watched-log.ts';
import { openWitness } from './witness.ts';

const COUNTRIES = ['de', 'br', 'jp', 'ch'];
const ORIGIN = 'log.example/gather';
let folder = '';
let vkey = '';
/** What is to be closed after a test. */
let running: { readonly close: () => Promise<void> | void }[] = [];
let problems: WitnessProblem[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'comity-gather-'));
  vkey = (await createLogDirectory(join(folder, 'log'), ORIGIN)).keys[0] ?? '';
  problems = [];
  running = [];
  for (const country of COUNTRIES) {
    createWitnessDirectory(join(folder, country), `witness.${country}.example`);
    trustLogs(join(folder, country), [vkey]);
  }
});

afterEach(async () => {
  for (const one of running.reverse()) await one.close();
  rmSync(folder, { recursive: true });
});

/** A witness that runs, from its directory. */
async function startWitness(
  country: string,
): Promise<{ readonly url: string; readonly server: Running; readonly state: WitnessState }> {
  const { keys, state } = openWitnessDirectory(join(folder, country));
  const server = await serveWitness(openWitness({ keys, logs: [watchedLog(parseVerifierKey(vkey))], state }));
  running.push(state, server);
  return { url: server.url, server, state };
}

/** A server that does with requests what a witness should not. */
async function startImpostor(answer: (server: Server) => Server): Promise<string> {
  const server = answer(createServer());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.push({
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Something between the log and a real witness, which does with requests and answers what it likes. */
function startBetween(
  url: string,
  change: (
    answer: Response,
    text: string,
    times: number,
  ) => Promise<{ status: number; text: string; type?: string }>,
): Promise<string> {
  let times = 0;
  return startImpostor((server) =>
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const answer = await fetch(`${url}${request.url}`, { method: 'POST', body: Buffer.concat(chunks) });
      const { status, text, type } = await change(answer, await answer.text(), times++);
      response.writeHead(status, { 'content-type': type ?? answer.headers.get('content-type') ?? '' });
      response.end(text);
    }),
  );
}

const slow = () => startImpostor((server) => server.on('request', () => undefined));
const absent = async (): Promise<string> => 'http://127.0.0.1:1';

/** Three of four countries, at the given addresses. */
function policyOf(urls: readonly string[]): Policy {
  return quorumPolicy(
    {
      required: 3,
      rogue: 1,
      logOperator: 'acme',
      witnesses: COUNTRIES.map((country, i) => ({
        name: country,
        key: parseVerifierKey(
          JSON.parse(readFileSync(join(folder, country, 'witness.json'), 'utf8')).keys[0],
        ),
        url: urls[i],
        country,
        operator: `operator-${country}`,
        cloud: `cloud-${country}`,
      })),
    },
    [parseVerifierKey(vkey)],
  );
}

async function openWitnessed(urls: readonly string[], patienceMs = 2000, graceMs = patienceMs): Promise<Log> {
  const { store } = await openFilesStore(join(folder, 'log'));
  const cosign = gatherCosignatures({
    policy: policyOf(urls),
    store,
    patienceMs,
    graceMs,
    onProblem: (problem) => void problems.push(problem),
  });
  return openLog({
    origin: ORIGIN,
    store,
    signers: [logSigner(readLogKey(join(folder, 'log')))],
    cosign,
    publishEveryMs: 0,
  });
}

async function withWitnessed(urls: readonly string[], run: (log: Log) => Promise<void>): Promise<void> {
  const log = await openWitnessed(urls);
  try {
    await run(log);
  } finally {
    await log.close();
  }
}

const witnessesOf = (note: string, policy: Policy): readonly string[] =>
  evaluatePolicy(policy, parseCheckpoint(note), nodeSignatures).cosignatures.map(
    ({ witness }) => witness.name,
  );

describe('a log with witnesses in four countries, three of which must agree', () => {
  test('publishes heads that all of them cosigned', async () => {
    const urls = await Promise.all(COUNTRIES.map(async (country) => (await startWitness(country)).url));
    await withWitnessed(urls, async (log) => {
      for (let i = 0; i < 5; i++) {
        await log.append(Buffer.from(`entry ${i}`));
        const { note } = await log.publish();
        const evaluation = evaluatePolicy(policyOf(urls), parseCheckpoint(note), nodeSignatures);
        expect(evaluation.quorum).toBe(true);
        expect(evaluation.cosignatures).toHaveLength(4);
      }
      expect(problems).toEqual([]);
    });
  });

  test.each([
    ['absent', absent, 'absent'],
    ['slow', slow, undefined],
    [
      'lying: it answers with another witness’s signature',
      async () => (await startWitness('br')).url,
      'refused',
    ],
    [
      'broken: it answers 500',
      () =>
        startImpostor((server) => server.on('request', (_, response) => response.writeHead(500).end('x'))),
      'refused',
    ],
    [
      'endless: its answer does not stop',
      () =>
        startImpostor((server) =>
          server.on('request', (_, response) => {
            response.writeHead(200);
            response.on('error', () => undefined);
            const more = (): void => {
              while (!response.destroyed && response.write('x'.repeat(65_536)));
            };
            response.on('drain', more);
            more();
          }),
        ),
      'absent',
    ],
    [
      'leading elsewhere: it redirects',
      () =>
        startImpostor((server) =>
          server.on('request', (_, response) =>
            response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
          ),
        ),
      'absent',
    ],
  ] as const)('goes on while one witness is %s', async (_what, bad, problem) => {
    const urls = [
      await bad(),
      ...(await Promise.all(['br', 'jp', 'ch'].map(async (country) => (await startWitness(country)).url))),
    ];
    await withWitnessed(urls, async (log) => {
      await log.append(Buffer.from('a'));
      const { note } = await log.publish();
      expect(witnessesOf(note, policyOf(urls))).toEqual(['br', 'jp', 'ch']);
      if (problem !== undefined)
        expect(problems).toEqual([expect.objectContaining({ kind: problem, witness: 'de' })]);
    });
  });

  test('does not wait for a slow one once the quorum is there', async () => {
    const urls = [
      await slow(),
      ...(await Promise.all(['br', 'jp', 'ch'].map(async (country) => (await startWitness(country)).url))),
    ];
    const log = await openWitnessed(urls, 10_000, 50);
    await log.append(Buffer.from('a'));
    const started = performance.now();
    await log.publish();
    expect(performance.now() - started).toBeLessThan(2000);
    await log.close();
  });

  test('waits for one that is slow and honest, if it is needed', async () => {
    const late = await startBetween((await startWitness('de')).url, async ({ status }, text) => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { status, text };
    });
    const urls = [late, (await startWitness('br')).url, (await startWitness('jp')).url, await absent()];
    await withWitnessed(urls, async (log) => {
      await log.append(Buffer.from('a'));
      expect(witnessesOf((await log.publish()).note, policyOf(urls))).toEqual(['de', 'br', 'jp']);
      expect(problems).toEqual([expect.objectContaining({ kind: 'absent', witness: 'ch' })]);
    });
  });

  test.each<readonly [string, Parameters<typeof startBetween>[1], string]>([
    [
      'signs an older head again',
      (() => {
        let first: string | undefined;
        return async (_answer, text) => {
          first ??= text;
          return { status: 200, text: first, type: 'text/plain' };
        };
      })(),
      'does not verify',
    ],
    [
      'remembers another size each time it is asked',
      async (_answer, _text, times) => ({ status: 409, text: `${times % 2}\n`, type: 'text/x.tlog.size' }),
      'changed its mind 3 times',
    ],
    [
      'puts text that is no signature around its own',
      async (_answer, text) => ({ status: 200, text: `${text}hello\n`, type: 'text/plain' }),
      'not a signature line',
    ],
    ['says yes and signs nothing', async () => ({ status: 200, text: '', type: 'text/plain' }), ''],
  ])('does not count one that lies: it %s', async (_what, change, why) => {
    const lying = await startBetween((await startWitness('de')).url, change);
    const urls = [
      lying,
      ...(await Promise.all(['br', 'jp', 'ch'].map(async (country) => (await startWitness(country)).url))),
    ];
    await withWitnessed(urls, async (log) => {
      for (const entry of ['a', 'b']) {
        await log.append(Buffer.from(entry));
        await log.publish();
      }
      const newest = log.published()?.note ?? '';
      expect(witnessesOf(newest, policyOf(urls))).toEqual(['br', 'jp', 'ch']);
      expect(problems.at(-1)).toMatchObject({
        kind: 'refused',
        witness: 'de',
        why: expect.stringContaining(why),
      });
    });
  });

  test('cannot have a fork witnessed by one that was rolled back alone; its cosignature betrays the fork', async () => {
    const urls: string[] = [];
    for (const country of COUNTRIES) urls.push((await startWitness(country)).url);
    cpSync(join(folder, 'log'), join(folder, 'fork'), { recursive: true });
    cpSync(join(folder, 'de'), join(folder, 'backup'), { recursive: true });
    let honest = '';
    await withWitnessed(urls, async (log) => {
      await log.append(Buffer.from('a'));
      honest = (await log.publish()).note;
    });
    cpSync(join(folder, 'backup'), join(folder, 'de'), { recursive: true });
    const [, ...others] = urls;
    const forkUrls = [(await startWitness('de')).url, ...others];
    rmSync(join(folder, 'log'), { recursive: true });
    cpSync(join(folder, 'fork'), join(folder, 'log'), { recursive: true });
    await withWitnessed(forkUrls, async (log) => {
      await log.append(Buffer.from('b'));
      await expect(log.publish()).rejects.toMatchObject({ code: 'quorum-not-met' });
      // The three that remember say so, and what they remember is not smaller: another history of one size.
      expect(problems.map(({ kind, witness }) => `${witness} ${kind}`).sort()).toEqual([
        'br refused',
        'ch refused',
        'jp refused',
      ]);
    });
    const origin = createHash('sha256').update(ORIGIN).digest('hex');
    const kept = await fetch(`${forkUrls[0]}/${origin}/checkpoint`);
    const forked = await kept.text();
    const proof = splitView(honest, forked);
    const { sizes } = verifySplitView(proof, [parseVerifierKey(vkey)], nodeSignatures);
    expect(sizes).toEqual([1, 1]);
  });

  test('keeps the head before while two are absent, goes on appending, and publishes when one is back', async () => {
    const [de, br] = [await startWitness('de'), await startWitness('br')];
    const urls = [de.url, br.url, 'http://127.0.0.1:1', 'http://127.0.0.1:1'];
    await withWitnessed(urls, async (log) => {
      await log.append(Buffer.from('a'));
      await expect(log.publish()).rejects.toMatchObject({ code: 'quorum-not-met' });
      expect(log.published()).toBeUndefined();
      expect((await log.append(Buffer.from('b'))).index).toBe(1);
    });
    const jp = await startWitness('jp');
    await withWitnessed([de.url, br.url, jp.url, 'http://127.0.0.1:1'], async (log) => {
      expect((await log.publish()).size).toBe(2);
    });
  });

  test('notices a witness that was rolled back, also after its own restart', async () => {
    const urls: string[] = [];
    for (const country of COUNTRIES) urls.push((await startWitness(country)).url);
    await withWitnessed(urls, async (log) => {
      await log.append(Buffer.from('a'));
      await log.publish();
      cpSync(join(folder, 'de'), join(folder, 'backup'), { recursive: true });
      await log.append(Buffer.from('b'));
      await log.publish();
    });
    cpSync(join(folder, 'backup'), join(folder, 'de'), { recursive: true });
    const restored = await startWitness('de');
    await withWitnessed([restored.url, ...urls.slice(1)], async (log) => {
      await log.append(Buffer.from('c'));
      const { note } = await log.publish();
      expect(problems).toEqual([{ kind: 'rolled-back', witness: 'de', from: 2, to: 1 }]);
      expect(witnessesOf(note, policyOf(urls))).toHaveLength(4);
    });
  });

  test('notices that witnesses are ahead of it: its log was restored from a backup', async () => {
    const urls: string[] = [];
    for (const country of COUNTRIES) urls.push((await startWitness(country)).url);
    await withWitnessed(urls, async (log) => {
      await log.append(Buffer.from('a'));
      await log.publish();
    });
    cpSync(join(folder, 'log'), join(folder, 'backup'), { recursive: true });
    await withWitnessed(urls, async (log) => {
      await log.append(Buffer.from('b'));
      await log.append(Buffer.from('c'));
      await log.publish();
    });
    rmSync(join(folder, 'log'), { recursive: true });
    cpSync(join(folder, 'backup'), join(folder, 'log'), { recursive: true });
    await withWitnessed(urls, async (log) => {
      await log.append(Buffer.from('another b'));
      await expect(log.publish()).rejects.toMatchObject({ code: 'quorum-not-met' });
      expect(problems.map(({ kind }) => kind)).toEqual(['ahead', 'ahead', 'ahead', 'ahead']);
    });
  });
});

test.each([
  'ftp://w.example/',
  'http://w.example/',
  'https://user@w.example/',
  'https://w.example/?a=b',
  'file:///etc/passwd',
  'http://169.254.169.254/',
  'http://localhost.evil.example/',
])('a witness’s address %s is refused before anything is sent', (url) => {
  expect(() => submissionUrl({ name: 'w', url }, 'add-checkpoint')).toThrow(/not an https address/);
});
