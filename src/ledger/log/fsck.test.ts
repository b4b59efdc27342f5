import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { signCheckpoint } from '../../tlog/checkpoint.ts';
import { createFilesStore, openFilesStore } from '../files/files-store.ts';
import { filesSource } from '../files/fsck-source.ts';
import { BUNDLES_AT, ROW_BYTES, ROWS_AT, segmentFile } from '../files/layout.ts';
import { openState } from '../files/state.ts';
import { canonicalBytes } from '../record/canonical.ts';
import { startProducer } from '../record/producer.ts';
import { uuidBytes } from '../record/uuidv7.ts';
import { createLogDirectory, openLogDirectory, readLogKey } from './directory.ts';
import { type FsckOptions, fsck, storeSource } from './fsck.ts';
import { nodeHasher } from './node-hash.ts';
import { logSigner } from './node-signatures.ts';
import { entryOf } from './store.case.ts';
import type { NewEntry, SignedHead } from './store.ts';

const ORIGIN = 'log.example/fsck';
const RECORDS = 60;
const HEADS = [10, 25, 40, 60];

let directory = '';
let log = '';
let keys: readonly string[] = [];
let entries: NewEntry[] = [];

/** A log of sixty records by one producer, with a head after the 10th, 25th, 40th and last. */
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-fsck-'));
  log = join(directory, 'log');
  keys = (await createLogDirectory(log, ORIGIN)).keys;
  const producer = startProducer({
    id: 'gateway-1',
    resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: [],
  });
  const hasher = nodeHasher();
  entries = Array.from({ length: RECORDS }, () => {
    const record = producer.heartbeat();
    const bytes = canonicalBytes(record);
    return { bytes, leaf: hasher.leaf(bytes), key: uuidBytes(record.id) };
  });
  const opened = await openLogDirectory(log, { publishEveryMs: 0 });
  let from = 0;
  for (const to of HEADS) {
    await opened.appendAll(entries.slice(from, to));
    await opened.publish();
    from = to;
  }
  await opened.close();
});

afterEach(() => rmSync(directory, { recursive: true }));

const check = (path = log, options: Partial<FsckOptions> = {}) =>
  fsck({ source: filesSource(path), origin: ORIGIN, keys, ...options });

const headsOf = (path: string): readonly SignedHead[] => {
  const heads = openState(path, { readOnly: true });
  const all = heads.all();
  heads.close();
  return all;
};

/** A directory with other entries, under the heads that were signed for the true ones. */
async function forge(
  forged: readonly NewEntry[],
  heads: readonly SignedHead[] = headsOf(log),
): Promise<string> {
  const path = join(directory, 'forged');
  await createFilesStore(path);
  const { store } = await openFilesStore(path);
  await store.append(forged);
  let previous: SignedHead | undefined;
  for (const head of heads) {
    expect(await store.swapHead(previous, head)).toBe(true);
    previous = head;
  }
  if (previous !== undefined) await store.publish(previous);
  await store.close();
  return path;
}

/** The heads that somebody with the log's key would sign for other entries. */
async function resigned(forged: readonly NewEntry[]): Promise<readonly SignedHead[]> {
  const signer = logSigner(readLogKey(log));
  const path = join(directory, 'scratch');
  await createFilesStore(path);
  const { store } = await openFilesStore(path);
  const heads: SignedHead[] = [];
  let from = 0;
  for (const to of HEADS) {
    await store.append(forged.slice(from, to));
    from = to;
    const { size, root } = await store.grow();
    heads.push({
      size,
      root,
      note: signCheckpoint({ origin: ORIGIN, size, root, extensions: [] }, [signer]),
      at: to,
    });
  }
  await store.close();
  return heads;
}

const without = (index: number) => entries.filter((_, i) => i !== index);
const swapped = (a: number, b: number) =>
  entries.map((entry, i) => (i === a ? (entries[b] ?? entry) : i === b ? (entries[a] ?? entry) : entry));
const altered = (index: number) => {
  const text = Buffer.from(entries[index]?.bytes ?? '')
    .toString()
    .replace('P6M', 'P9M');
  return entries.map((entry, i) =>
    i === index ? { ...entry, bytes: Buffer.from(text), leaf: entryOf(text).leaf } : entry,
  );
};

describe('a log that nobody touched', () => {
  test('is sound, in files and in any store', async () => {
    const sound = { entries: RECORDS, heads: 4, faults: [], omissions: [], torn: 0, diagnosis: 'sound' };
    expect(await check()).toMatchObject(sound);
    const { store } = await openFilesStore(log);
    expect(await check(log, { source: storeSource(store) })).toMatchObject(sound);
    await store.close();
  });

  test('can be checked while it is being written to', async () => {
    const opened = await openLogDirectory(log, { publishEveryMs: 0 });
    await opened.append(Buffer.from('more'));
    expect(await check()).toMatchObject({ entries: RECORDS + 1, diagnosis: 'sound' });
    await opened.close();
  });
});

describe('whoever holds the disk but not the key', () => {
  test('cannot remove the newest entries', async () => {
    const path = await forge(entries.slice(0, 55));
    expect(await check(path)).toMatchObject({
      faults: [{ kind: 'truncated', size: 55, signed: 60 }],
      diagnosis: 'newest-removed',
    });
    await expect(openFilesStore(path)).rejects.toMatchObject({ code: 'truncated' });
  });

  test('cannot remove one from the middle', async () => {
    const path = await forge(without(30));
    const report = await check(path);
    expect(report.faults).toContainEqual({ kind: 'history-rewritten', from: 25, to: 40 });
    expect(report.omissions).toMatchObject([{ kind: 'sequence-gap', from: 30, to: 30 }]);
    expect(report.diagnosis).toBe('removed');
    await expect(openFilesStore(path)).rejects.toMatchObject({ code: 'truncated' });
  });

  test('cannot remove one from the middle and put another at the end', async () => {
    const path = await forge([...without(30), entryOf('filler')]);
    expect((await check(path)).diagnosis).toBe('removed');
    await expect(openFilesStore(path)).rejects.toMatchObject({ code: 'damaged' });
  });

  test('cannot reorder', async () => {
    const report = await check(await forge(swapped(12, 13)));
    expect(report.faults[0]).toEqual({ kind: 'history-rewritten', from: 10, to: 25 });
    expect(report.diagnosis).toBe('reordered');
  });

  test('cannot rewrite', async () => {
    const report = await check(await forge(altered(45)));
    expect(report.faults).toEqual([{ kind: 'history-rewritten', from: 40, to: 60 }]);
    expect(report.diagnosis).toBe('rewritten');
  });

  test('cannot remove a head without its readers seeing one that is not kept', async () => {
    const path = await forge(entries.slice(0, 40), headsOf(log).slice(0, 3));
    cpSync(join(log, 'checkpoint'), join(path, 'checkpoint'));
    expect(await check(path)).toMatchObject({ faults: [{ kind: 'published-unknown', size: 60 }] });
  });

  test('cannot forge a head', async () => {
    const heads = headsOf(log);
    const forged = heads.map((head, i) =>
      i === 2 ? { ...head, note: head.note.replace('\n40\n', '\n41\n') } : head,
    );
    const report = await check(await forge(entries, forged));
    expect(report.faults).toMatchObject([{ kind: 'head-invalid', size: 40 }]);
  });

  test('cannot turn a head into one of another tree', async () => {
    const heads = headsOf(log);
    const [first, second] = heads;
    if (first === undefined || second === undefined) throw new Error('two heads expected');
    const report = await check(await forge(entries, [{ ...second, size: 12 }, ...heads.slice(2)]));
    expect(report.faults).toMatchObject([{ kind: 'head-invalid', size: 12, why: 'note is of another tree' }]);
  });

  test('cannot roll the log back to a backup unseen by whoever remembers a newer head', async () => {
    const path = await forge(entries.slice(0, 40), headsOf(log).slice(0, 3));
    expect((await check(path)).diagnosis).toBe('sound');
    const remembered = [headsOf(log).at(-1)?.note ?? ''];
    expect(await check(path, { remembered })).toMatchObject({
      faults: [{ kind: 'truncated', size: 40, signed: 60 }],
      diagnosis: 'newest-removed',
    });
  });
});

describe('whoever holds the disk and the key', () => {
  test('can rewrite and sign again, and is found out by any head that somebody kept', async () => {
    const forged = altered(30);
    const path = await forge(forged, await resigned(forged));
    expect((await check(path)).diagnosis).toBe('sound');
    for (const remembered of headsOf(log).slice(2)) {
      const report = await check(path, { remembered: [remembered.note] });
      expect(report.diagnosis).toBe('forked');
      expect(report.faults).toContainEqual(
        expect.objectContaining({
          kind: 'forked',
          size: remembered.size,
          notes: [expect.anything(), remembered.note],
        }),
      );
    }
  });

  test('can fork, and is found out by a head of the other branch', async () => {
    const branch = [...entries.slice(0, 50), ...Array.from({ length: 10 }, (_, i) => entryOf(`branch ${i}`))];
    const path = await forge(branch, await resigned(branch));
    const [, , , newest] = headsOf(log);
    expect((await check(path, { remembered: [newest?.note ?? ''] })).diagnosis).toBe('forked');
    expect(
      (
        await check(path, {
          remembered: headsOf(log)
            .slice(0, 3)
            .map(({ note }) => note),
        })
      ).diagnosis,
    ).toBe('sound');
  });
});

describe('damage', () => {
  const poke = (at: number, text: string) => {
    const fd = openSync(join(log, 'segments', segmentFile(0)), 'r+');
    writeSync(fd, Buffer.from(text), 0, text.length, at);
    closeSync(fd);
  };

  test('to the bytes of an entry is found at its index', async () => {
    poke(BUNDLES_AT + 20, 'X');
    expect(await check()).toMatchObject({
      faults: expect.arrayContaining([{ kind: 'entry-altered', index: 0 }]),
      diagnosis: 'damaged',
    });
  });

  test('to a row is found where it is', async () => {
    poke(ROWS_AT + 33 * ROW_BYTES, 'X');
    const report = await check();
    expect(report.faults).toContainEqual({ kind: 'unreadable', what: 'entry 33' });
    expect(report.diagnosis).toBe('damaged');
  });

  test('of a whole segment is found', async () => {
    writeFileSync(join(log, 'segments', segmentFile(0)), 'nothing');
    expect((await check()).faults).toContainEqual({ kind: 'unreadable', what: 'segment 0' });
  });

  test('that is only a torn batch at the end is no fault', async () => {
    const segment = join(log, 'segments', segmentFile(0));
    const before = readFileSync(segment);
    const { store } = await openFilesStore(log);
    await store.append([entryOf('never acknowledged'), entryOf('nor this')]);
    await store.close();
    const after = readFileSync(segment);
    before.copy(after, BUNDLES_AT, BUNDLES_AT);
    after.fill(0, before.length);
    writeFileSync(segment, after);
    expect(await check()).toMatchObject({ entries: RECORDS, faults: [], torn: 2, diagnosis: 'sound' });
  });

  test('by an entry that stands there twice is found', async () => {
    const [first] = entries;
    if (first === undefined) throw new Error('an entry expected');
    const source = filesSource(log);
    async function* doubled() {
      yield* source.entries();
      if (first !== undefined) yield { kind: 'whole', bytes: first.bytes, key: first.key } as const;
    }
    const report = await check(log, { source: { ...source, entries: doubled } });
    expect(report.faults).toContainEqual({ kind: 'entry-doubled', index: RECORDS, first: 0 });
  });
});
