import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseVerifierKey } from '../../tlog/note-key.ts';
import { exportEvidence } from '../evidence/export.ts';
import { openLedger } from '../ledger.ts';
import { fsck } from '../log/fsck.ts';
import { type Log, viewOf } from '../log/log.ts';
import { moveLog } from '../log/move.ts';
import {
  entryAt,
  fill,
  LONG_RECORD,
  LONGER,
  ORIGIN,
  openOn,
  POLICY,
  pruneAt,
  SIZE,
  VKEY,
} from '../log/prune.case.ts';
import { type LogStore, PRUNE_STEP } from '../log/store.ts';
import { follow } from '../query/follower.ts';
import { openRecordIndex } from '../query/sqlite-index.ts';
import { startProducer } from '../record/producer.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { listen } from '../server/http.ts';
import { readReply } from '../server/read.ts';
import { monitorLog, NEW_MONITOR } from '../witness/monitor.ts';
import { type Disk, systemDisk } from './disk.ts';
import { createFilesStore, type FilesStoreOptions, openFilesStore } from './files-store.ts';
import { filesSource } from './fsck-source.ts';
import { BUNDLES_AT, segmentFile } from './layout.ts';
import { openReadingStore } from './reading-store.ts';
import { openFilesVault } from './vault.ts';

let folder = '';
let filled = '';
let directory = '';
let number = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'comity-pruning-'));
  filled = join(folder, 'filled');
  await createFilesStore(filled);
  const { store } = await openFilesStore(filled);
  await fill(store);
  await store.close();
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true }));

beforeEach(() => {
  if (directory !== '') rmSync(directory, { recursive: true });
  directory = join(folder, `log-${number++}`);
  cpSync(filled, directory, { recursive: true });
});

const segment = (index: number, of = directory) => join(of, 'segments', segmentFile(index));
const stateOf = (of: string) => join(of, 'state.db');

async function withStore<T>(run: (store: LogStore, log: Log) => Promise<T>, options?: FilesStoreOptions) {
  const { store } = await openFilesStore(directory, options);
  try {
    return await run(store, await openOn(store));
  } finally {
    await store.close();
  }
}

const pruned = () => withStore((_, log) => pruneAt(log));
const check = (of = directory) => fsck({ source: filesSource(of), origin: ORIGIN, keys: [VKEY] });

describe('a pruned log in files', { timeout: 60_000 }, () => {
  test('has given its bytes back to the disk, and is opened again by whoever appends or reads', async () => {
    await pruned();
    expect(statSync(segment(0)).size).toBe(BUNDLES_AT);
    expect(statSync(segment(1)).size).toBeGreaterThan(BUNDLES_AT);
    await withStore(async (store, log) => {
      expect(await store.minimum()).toBe(PRUNE_STEP);
      await log.append(Buffer.from('more'));
      await log.publish();
    });
    const reading = await openReadingStore(directory);
    expect((await reading.grow()).size).toBe(SIZE + 2);
    await expect(reading.readBundle(0, 256)).rejects.toMatchObject({ code: 'pruned' });
    await reading.close();
    expect(await check()).toMatchObject({ pruned: PRUNE_STEP, faults: [], diagnosis: 'sound' });
  });

  test('is noticed by whoever had it open for reading before', async () => {
    const reading = await openReadingStore(directory);
    await reading.readBundle(3, 256);
    await pruned();
    await expect(reading.readBundle(3, 256)).rejects.toMatchObject({ code: 'pruned' });
    expect((await reading.readBundle(PRUNE_STEP / 256, 256)).length).toBeGreaterThan(0);
    expect(await reading.minimum()).toBe(PRUNE_STEP);
    await reading.close();
  });

  test('beside a `state.db` from before it was pruned is refused, and fsck says why', async () => {
    const before = readFileSync(stateOf(directory));
    await pruned();
    writeFileSync(stateOf(directory), before);
    const refusal = { code: 'damaged', message: expect.stringContaining('lost the bytes of its entries') };
    await expect(openFilesStore(directory)).rejects.toMatchObject(refusal);
    await expect(openReadingStore(directory)).rejects.toMatchObject(refusal);
    const { faults, diagnosis, pruned: count } = await check();
    expect(count).toBe(0);
    expect(diagnosis).toBe('damaged');
    expect(faults).toContainEqual({ kind: 'entries-missing', from: 0, to: PRUNE_STEP });
  });

  test.each([
    ['cut at its entries', BUNDLES_AT],
    ['cut in the middle of its entries', BUNDLES_AT + 500_000],
  ])('does not excuse a later segment that is %s', async (_, length) => {
    await pruned();
    const before = await check();
    truncateSync(segment(1), length);
    await expect(openFilesStore(directory)).rejects.toMatchObject({ code: 'damaged' });
    const { faults, pruned: count, root } = await check();
    expect(count).toBe(PRUNE_STEP);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ kind: 'entries-missing', to: 2 * PRUNE_STEP });
    // The tree is still checked, by the leaf hashes.
    expect(root).toBe(before.root);
  });

  test('whose bytes are there yet is sound, and finished by the next run', async () => {
    await pruned();
    cpSync(segment(0, filled), segment(0));
    expect(await check()).toMatchObject({ faults: [], diagnosis: 'sound' });
    await withStore(async (store, log) => {
      await expect(store.readBundle(0, 256)).rejects.toMatchObject({ code: 'pruned' });
      expect(await pruneAt(log)).toMatchObject({ previous: PRUNE_STEP, minimum: PRUNE_STEP });
    });
    expect(statSync(segment(0)).size).toBe(BUNDLES_AT);
  });

  test('that was pruned without saying so is found by fsck', async () => {
    const database = new DatabaseSync(stateOf(directory));
    database.prepare("INSERT INTO pruning VALUES (?, 'done', x'00', 'none', 0)").run(PRUNE_STEP);
    database.close();
    truncateSync(segment(0), BUNDLES_AT);
    const { faults, diagnosis } = await check();
    expect(faults).toEqual([{ kind: 'pruning-unannounced', minimum: PRUNE_STEP }]);
    expect(diagnosis).toBe('removed');
  });

  test('whose leaf hashes were changed where nothing else is left is found by fsck', async () => {
    await pruned();
    const bytes = readFileSync(segment(0));
    // Hash and checksum are made to fit: only the signed heads tell.
    const at = BUNDLES_AT - PRUNE_STEP * 64 + 4711 * 64;
    bytes.set(bytes.subarray(at + 64, at + 128), at);
    writeFileSync(segment(0), bytes);
    const { faults } = await check();
    expect(faults).toContainEqual({ kind: 'history-rewritten', from: 300, to: 50_000 });
  });

  test.each(['truncate', 'sync'] as const)('is left in order when %s fails on the way', async (call) => {
    const injected = Object.assign(new Error('EIO: injected'), { code: 'EIO' });
    let armed = false;
    const disk: Disk = {
      ...systemDisk,
      truncate(fd, length) {
        if (armed && call === 'truncate') throw injected;
        systemDisk.truncate(fd, length);
      },
      sync(fd, done) {
        if (armed && call === 'sync') done(injected);
        else systemDisk.sync(fd, done);
      },
    };
    await withStore(
      async (_, log) => {
        const onProgress = ({ step }: { readonly step: string }): void => {
          if (step === 'announced') armed = true;
        };
        await expect(pruneAt(log, { onProgress })).rejects.toMatchObject({ code: 'io-failed' });
      },
      { disk },
    );
    expect(await check()).toMatchObject({ faults: [], diagnosis: 'sound' });
    expect(await pruned()).toMatchObject({ minimum: PRUNE_STEP });
    expect(statSync(segment(0)).size).toBe(BUNDLES_AT);
  });
});

describe('what reads a pruned log', { timeout: 60_000 }, () => {
  test('over HTTP is told 410 and which entries are gone; tiles, and bundles above, are served', async () => {
    await withStore(async (store, log) => {
      await pruneAt(log);
      for (const path of ['/tile/entries/000', '/tile/entries/255', '/tile/entries/000.p/3']) {
        expect(await readReply(log, path)).toMatchObject({
          status: 410,
          body: `entries 0 to ${PRUNE_STEP - 1} were pruned: their bytes are gone\n`,
        });
      }
      expect(await readReply(log, '/tile/entries/256')).toMatchObject({ status: 200 });
      expect(await readReply(log, '/tile/0/000')).toMatchObject({
        status: 200,
        body: await store.readTile({ kind: 'hashes', level: 0, index: 0, width: 256 }),
      });
      expect(await readReply(log, '/tile/entries/x001/000')).toMatchObject({ status: 404 });
    });
  });

  test('as a monitor checks its tree by the hashes, once the log has announced what is gone', async () => {
    await withStore(async (_, log) => {
      const served = { gone: false };
      const server = await listen(async (_request, path) => {
        if (served.gone && path === '/tile/entries/300') return { status: 410, body: 'gone' };
        return (await readReply(log, path)) ?? { status: 404 };
      });
      const policy = {
        logs: [{ key: parseVerifierKey(VKEY), url: server.url }],
        witnesses: [],
        groups: [],
        quorum: 'none',
      } as const;
      const look = (memory = NEW_MONITOR) =>
        monitorLog({ key: parseVerifierKey(VKEY), url: server.url }, memory, { policy, entries: true });
      try {
        await pruneAt(log);
        const first = await look();
        expect(first).toMatchObject({ findings: [], entries: SIZE + 1 - PRUNE_STEP, pruned: PRUNE_STEP });
        expect(await look(first.memory)).toMatchObject({ findings: [], entries: 0, pruned: 0 });
        // What the log never announced it withholds.
        served.gone = true;
        expect((await look()).findings).toMatchObject([
          { kind: 'tiles-wrong', why: expect.stringContaining('withheld as pruned') },
        ]);
      } finally {
        await server.close();
      }
    });
  });

  test('as an index has places for what is gone, and finds what is left, also when it is built again', async () => {
    await withStore(async (store, log) => {
      const old = openRecordIndex(':memory:');
      const before = openRecordIndex(':memory:');
      await follow(log, before).catchUp();
      expect(await before.query({})).toHaveLength(2);
      await pruneAt(log);
      // One that was up to date goes on; a new one begins at the minimum index.
      for (const index of [before, old]) {
        expect(await follow(await viewOf(ORIGIN, store), index).catchUp()).toBe(SIZE + 1);
      }
      expect((await old.query({})).map(({ index }) => index)).toEqual([LONGER, SIZE]);
      await before.close();
      await old.close();
    });
  });

  test('as a ledger is opened with a vault, old or new', async () => {
    await pruned();
    const { store } = await openFilesStore(directory);
    const vault = await openFilesVault(join(directory, 'vault'), {
      wrapper: localWrapper(Buffer.alloc(32, 1)),
    });
    const producer = startProducer({
      id: 'x',
      resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
      retain: { class: 'logs', hold: false, min: 'P0D' },
      jur: [],
    });
    const ledger = await openLedger({ log: await openOn(store), vault, producer });
    await expect(ledger.open(10)).rejects.toMatchObject({ code: 'pruned' });
    expect((await ledger.open(LONGER)).record.id).toBe(LONG_RECORD);
    await ledger.close();
  });

  test('for evidence of what is gone is told so; of the rest it gets it', async () => {
    await withStore(async (store, log) => {
      await pruneAt(log);
      const evidence = (from: number) =>
        exportEvidence(join(folder, `evidence-${from}.zip`), { store, ranges: [{ from, to: from + 1 }] });
      await expect(evidence(10)).rejects.toMatchObject({ code: 'pruned' });
      expect(await evidence(LONGER)).toBeGreaterThan(1000);
    });
  });

  test('to move it keeps its tree, its keys, its heads and what was pruned, also after it was interrupted', async () => {
    await pruned();
    const into = join(folder, `moved-${number}`);
    await createFilesStore(into);
    const from = (await openFilesStore(directory)).store;
    const stop = new Error('interrupted');
    for (const limit of [1, 100_000, Number.POSITIVE_INFINITY]) {
      const to = (await openFilesStore(into)).store;
      const moving = moveLog(from, to, (copied) => {
        if (copied > limit) throw stop;
      });
      if (limit === Number.POSITIVE_INFINITY) await moving;
      else await expect(moving).rejects.toBe(stop);
      await to.close();
    }
    const moved = (await openFilesStore(into)).store;
    expect(await moved.grow()).toEqual(await from.grow());
    expect(await moved.heads()).toEqual(await from.heads());
    expect(await moved.prunings()).toEqual(await from.prunings());
    expect(Buffer.compare(await moved.readKeys(0, SIZE), await from.readKeys(0, SIZE))).toBe(0);
    await expect(moved.readBundle(9, 256)).rejects.toMatchObject({ code: 'pruned' });
    const { bytes, key } = entryAt(4711);
    expect(await (await openOn(moved)).append(bytes, key)).toMatchObject({ index: 4711, duplicate: true });
    await moved.close();
    await from.close();
    expect(await check(into)).toMatchObject({ entries: SIZE + 1, pruned: PRUNE_STEP, faults: [] });
    rmSync(into, { recursive: true });
  });
});

const RUNS = process.env.COMITY_LONG === '1' ? 100 : 5;
const PRUNER = `
  import { openFilesStore } from ${JSON.stringify(new URL('./files-store.ts', import.meta.url).href)};
  import { openLog } from ${JSON.stringify(new URL('../log/log.ts', import.meta.url).href)};
  import { prune } from ${JSON.stringify(new URL('../log/prune.ts', import.meta.url).href)};
  import { logSigner } from ${JSON.stringify(new URL('../log/node-signatures.ts', import.meta.url).href)};
  import { parseSignerKey } from ${JSON.stringify(new URL('../../tlog/note-key.ts', import.meta.url).href)};
  const [directory, key] = process.argv.slice(-2);
  const { store } = await openFilesStore(directory);
  const signers = [logSigner(parseSignerKey(key))];
  const log = await openLog({ origin: ${JSON.stringify(ORIGIN)}, store, signers, publishEveryMs: 0 });
  const onProgress = ({ step, done }) => process.stdout.write(step + ' ' + done + '\\n');
  await prune({ log, policy: ${JSON.stringify(POLICY)}, opaqueAfter: 'P0D', below: ${PRUNE_STEP}, onProgress });
  await log.close();
  process.stdout.write('end\\n');
`;

test(`a process that prunes is killed ${RUNS} times, and loses nothing that was to be kept`, {
  timeout: RUNS * 20_000,
}, async () => {
  const { formatSignerKey } = await import('../../tlog/note-key.ts');
  const { KEY } = await import('../log/prune.case.ts');
  const moments = ['reading', 'planned', 'announcing', 'announced', 'removing'];
  for (let run = 0; run < RUNS; run++) {
    rmSync(directory, { recursive: true });
    cpSync(filled, directory, { recursive: true });
    const moment = moments[run % moments.length] ?? '';
    await killAt(moment, formatSignerKey(KEY));
    // As it was left: sound, whatever had been reached.
    expect(await check()).toMatchObject({ faults: [], diagnosis: 'sound' });
    await withStore(async (store, log) => {
      const now = () => Date.now();
      await pruneAt(log, { opaqueAfter: 'P0D', below: PRUNE_STEP, now });
      expect(await store.minimum()).toBe(PRUNE_STEP);
      expect((await store.grow()).size).toBe(SIZE + 1);
      expect(await store.prunings()).toMatchObject([{ state: 'done' }]);
    });
    expect(statSync(segment(0)).size).toBe(BUNDLES_AT);
    expect(Buffer.compare(readFileSync(segment(1)), readFileSync(segment(1, filled)))).toBe(0);
  }
});

/** Prunes in a process of its own, and kills it within a moment of a step. */
function killAt(moment: string, key: string): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', PRUNER, directory, key], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    if (text.includes(moment)) setTimeout(() => child.kill('SIGKILL'), Math.random() * 4);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
}
