import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LedgerError } from '../errors.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { entriesOf, entryOf, expectHolds, headOf } from '../log/store.case.ts';
import { type Disk, systemDisk } from './disk.ts';
import { createFilesStore, openFilesStore } from './files-store.ts';
import { BUNDLES_AT, FILTER_AT, ROW_BYTES, ROWS_AT, segmentFile } from './layout.ts';
import { inspectSegment } from './recovery.ts';
import { SegmentReader } from './segment.ts';

let directory = '';
let segment = '';

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-faults-'));
  segment = join(directory, 'segments', segmentFile(0));
  await createFilesStore(directory);
});

afterEach(() => rmSync(directory, { recursive: true }));

const failure = (code: string) => Object.assign(new Error(`${code}: injected`), { code });

/** Fills the log with acknowledged entries and closes it. */
async function fill(count: number): Promise<void> {
  const { store } = await openFilesStore(directory);
  await store.append(entriesOf(count));
  await store.close();
}

interface Write {
  readonly position: number;
  readonly bytes: Buffer;
}

/** Appends a batch and gives back the writes that the kernel saw, in order. */
async function writesOf(batch: ReturnType<typeof entriesOf>): Promise<Write[]> {
  const writes: Write[] = [];
  const disk: Disk = {
    ...systemDisk,
    write(fd, bytes, position) {
      writes.push({ position, bytes: Buffer.from(bytes) });
      systemDisk.write(fd, bytes, position);
    },
  };
  const { store } = await openFilesStore(directory, { disk });
  await store.append(batch);
  await store.close();
  return writes;
}

describe('a torn write', () => {
  const acknowledged = entriesOf(5);
  const batch = entriesOf(4, 'torn');

  /** Puts the first `length` bytes of the writes into a copy of the segment as it was before. */
  function tear(before: Buffer, writes: readonly Write[], length: number): void {
    writeFileSync(segment, before);
    const fd = openSync(segment, 'r+');
    let left = length;
    for (const { position, bytes } of writes) {
      const part = Math.min(left, bytes.length);
      if (part > 0) writeSync(fd, bytes, 0, part, position);
      left -= part;
    }
    closeSync(fd);
  }

  test.each([
    ['in order', (writes: readonly Write[]) => writes],
    ['rows before entries', (writes: readonly Write[]) => [...writes].reverse()],
  ])('at every byte of a batch, %s, leaves a prefix of it and everything before', async (_, order) => {
    await fill(5);
    const before = readFileSync(segment);
    const writes = order(await writesOf(batch));
    const total = writes.reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(total).toBe(4 * ROW_BYTES + batch.reduce((sum, { bytes }) => sum + 2 + bytes.length, 0));
    const whole = new Set<number>();
    for (let length = 0; length <= total; length++) {
      tear(before, writes, length);
      const reader = new SegmentReader(systemDisk, segment, 0);
      const { count } = inspectSegment(reader, nodeHasher());
      reader.close();
      expect(count).toBeGreaterThanOrEqual(5);
      if (length < total) expect(count).toBeLessThan(9);
      whole.add(count);
    }
    expect(whole).toContain(9);
  });

  test('is cleared when the log is opened, and a retry takes each entry once', async () => {
    await fill(5);
    const before = readFileSync(segment);
    const writes = await writesOf(batch);
    const total = writes.reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (let length = 0; length <= total; length += 23) {
      tear(before, writes, length);
      const { store } = await openFilesStore(directory);
      await store.close();
      const again = await openFilesStore(directory);
      expect(again.torn).toBe(0);
      const places = await again.store.append(batch);
      expect(places.map((place) => place.index)).toEqual([5, 6, 7, 8]);
      await expectHolds(again.store, [...acknowledged, ...batch]);
      await again.store.close();
    }
  });

  test('that a later batch is shorter than does not come back', async () => {
    await fill(5);
    const before = readFileSync(segment);
    const same = [entryOf('aaaa'), entryOf('bbbb'), entryOf('cccc')];
    const writes = await writesOf(same);
    // Everything landed but the bytes of the first entry: nothing of the batch counts.
    const damaged = writes.map((write) =>
      write.position >= BUNDLES_AT ? { ...write, bytes: Buffer.from(write.bytes).fill(0, 0, 6) } : write,
    );
    tear(before, damaged, Number.MAX_SAFE_INTEGER);
    const first = await openFilesStore(directory);
    expect(first.torn).toBe(3);
    await first.store.append([entryOf('aaaa')]);
    await first.store.close();
    const second = await openFilesStore(directory);
    await expectHolds(second.store, [...acknowledged, entryOf('aaaa')]);
    await second.store.close();
  });
});

describe('damage', () => {
  test('to an entry that had been durable is reported by its index, not repaired', async () => {
    await fill(5);
    const { store } = await openFilesStore(directory);
    await store.append(entriesOf(3, 'later'));
    await store.close();
    const fd = openSync(segment, 'r+');
    writeSync(fd, Buffer.from('X'), 0, 1, BUNDLES_AT + 12);
    closeSync(fd);
    await expect(openFilesStore(directory)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('entry 1 is unreadable'),
    });
  });

  test('to a row that had been durable is reported by its index', async () => {
    await fill(5);
    const { store } = await openFilesStore(directory);
    await store.append(entriesOf(3, 'later'));
    await store.close();
    const fd = openSync(segment, 'r+');
    writeSync(fd, Buffer.from('X'), 0, 1, ROWS_AT + 3 * ROW_BYTES + 5);
    closeSync(fd);
    await expect(openFilesStore(directory)).rejects.toMatchObject({
      message: expect.stringContaining('entry 3 is unreadable'),
    });
  });

  test('of a missing or foreign segment file is named', async () => {
    writeFileSync(segment, 'something else');
    await expect(openFilesStore(directory)).rejects.toMatchObject({ code: 'damaged' });
    rmSync(segment);
    await expect(openFilesStore(directory)).rejects.toMatchObject({ code: 'damaged' });
  });

  test('of entries that were cut after a head was signed is reported as truncation', async () => {
    await fill(5);
    cpSync(segment, `${segment}.backup`);
    const { store } = await openFilesStore(directory);
    await store.append(entriesOf(3, 'later'));
    const { root } = await store.grow();
    await store.swapHead(undefined, headOf(8, root));
    await store.close();
    cpSync(`${segment}.backup`, segment);
    await expect(openFilesStore(directory)).rejects.toMatchObject({ code: 'truncated' });
  });

  test('of a log whose entries are others than those that were signed is reported', async () => {
    await fill(5);
    const { store } = await openFilesStore(directory);
    await store.swapHead(undefined, headOf(4, Buffer.alloc(32, 7)));
    await store.close();
    await expect(openFilesStore(directory)).rejects.toMatchObject({ code: 'damaged' });
  });
});

describe('a disk that fails', () => {
  /** A disk on which one call fails, once, while armed. */
  function failingDisk(call: 'write' | 'rows' | 'sync' | 'rename' | 'open', code: string) {
    const state = { armed: false };
    const trip = (what: string): void => {
      if (what !== call || !state.armed) return;
      state.armed = false;
      throw failure(code);
    };
    const disk: Disk = {
      ...systemDisk,
      open(path, flags) {
        trip('open');
        return systemDisk.open(path, flags);
      },
      write(fd, bytes, position) {
        const rows = position >= ROWS_AT && position < BUNDLES_AT;
        if (rows) trip('rows');
        else {
          // Half of it reaches the disk before there is no more room.
          if (state.armed && call === 'write')
            systemDisk.write(fd, bytes.subarray(0, bytes.length / 2), position);
          trip('write');
        }
        systemDisk.write(fd, bytes, position);
      },
      sync(fd, done) {
        if (state.armed && call === 'sync') {
          state.armed = false;
          done(failure(code));
        } else systemDisk.sync(fd, done);
      },
      rename(from, to) {
        trip('rename');
        systemDisk.rename(from, to);
      },
    };
    return { disk, state };
  }

  test.each([
    ['ENOSPC', 'disk-full'],
    ['EDQUOT', 'disk-full'],
    ['EIO', 'io-failed'],
  ])('with %s on a write acknowledges nothing, and goes on when it works again', async (code, expected) => {
    const { disk, state } = failingDisk('write', code);
    const { store } = await openFilesStore(directory, { disk });
    await store.append(entriesOf(5));
    state.armed = true;
    await expect(store.append(entriesOf(3, 'refused'))).rejects.toMatchObject({ code: expected });
    await store.append(entriesOf(2, 'later'));
    const kept = [...entriesOf(5), ...entriesOf(2, 'later')];
    await expectHolds(store, kept);
    await store.close();
    const again = await openFilesStore(directory);
    await expectHolds(again.store, kept);
    await again.store.close();
  });

  test.each(['rows', 'sync'] as const)(
    'with EIO at the point of no return (%s) ends the process',
    async (call) => {
      const { disk, state } = failingDisk(call, 'EIO');
      const fatal: LedgerError[] = [];
      const { store } = await openFilesStore(directory, { disk, fatal: (error) => fatal.push(error) });
      await store.append(entriesOf(5));
      state.armed = true;
      await expect(store.append(entriesOf(3, 'unsure'))).rejects.toMatchObject({ code: 'io-failed' });
      expect(fatal).toHaveLength(1);
      expect(fatal[0]?.message).toContain('EIO: injected');
      expect(fatal[0]?.help).toContain('start again');
      await expect(store.append(entriesOf(1, 'after'))).rejects.toMatchObject({ code: 'closed' });
      await expect(store.grow()).rejects.toMatchObject({ code: 'closed' });
      await store.close();
      // Senders retry after the restart; whether the batch had survived or not, each entry is there once.
      const again = await openFilesStore(directory);
      await again.store.append(entriesOf(3, 'unsure'));
      await expectHolds(again.store, [...entriesOf(5), ...entriesOf(3, 'unsure')]);
      await again.store.close();
    },
  );

  test('with EIO on rename does not publish a checkpoint, and leaves the old one whole', async () => {
    const { disk, state } = failingDisk('rename', 'EIO');
    const { store } = await openFilesStore(directory, { disk });
    await store.publish(headOf(1, Buffer.alloc(32)));
    state.armed = true;
    await expect(store.publish(headOf(2, Buffer.alloc(32)))).rejects.toMatchObject({ code: 'io-failed' });
    expect(readFileSync(join(directory, 'checkpoint'), 'utf8')).toBe('head of 1\n');
    await store.publish(headOf(3, Buffer.alloc(32)));
    expect(readFileSync(join(directory, 'checkpoint'), 'utf8')).toBe('head of 3\n');
    await store.close();
  });

  test.each(['write', 'rename', 'open'] as const)(
    'with %s failing where a segment ends goes on later',
    async (call) => {
      const { disk, state } = failingDisk(call, 'ENOSPC');
      const { store } = await openFilesStore(directory, { disk });
      const entries = entriesOf(65_536);
      await store.append(entries);
      state.armed = true;
      await expect(store.append([entryOf('next')])).rejects.toMatchObject({ code: 'disk-full' });
      expect(state.armed).toBe(false);
      expect(await store.append([entryOf('next')])).toEqual([{ kind: 'appended', index: 65_536 }]);
      await store.close();
      const again = await openFilesStore(directory);
      await expectHolds(again.store, [...entries, entryOf('next')]);
      await again.store.close();
    },
  );
});

/** Runs a module in a process of its own and gives back its status and what it printed to standard error. */
function runModule(source: string): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', source], {
    encoding: 'utf8',
  });
  return { status, stderr };
}

const STORE = JSON.stringify(new URL('./files-store.ts', import.meta.url).href);
const DISK = JSON.stringify(new URL('./disk.ts', import.meta.url).href);

describe('another process', () => {
  const opens = () =>
    runModule(`
      import { openFilesStore } from ${STORE};
      const code = await openFilesStore(${JSON.stringify(directory)}).then(() => 'opened', (error) => error.code);
      process.exit(code === 'locked' ? 3 : code === 'opened' ? 4 : 5);
    `).status;

  test('cannot open a log that this one has open, and can once it is closed', async () => {
    const { store } = await openFilesStore(directory);
    expect(opens()).toBe(3);
    await store.close();
    expect(opens()).toBe(4);
    // It did not close the log, but it ended: the lock went with it.
    await (await openFilesStore(directory)).store.close();
  });

  test('ends with status 70 and says why when fdatasync fails', () => {
    const { status, stderr } = runModule(`
      import { openFilesStore } from ${STORE};
      import { systemDisk } from ${DISK};
      let fail = false;
      const sync = (fd, done) => fail ? done(new Error('EIO: i/o error, fdatasync')) : systemDisk.sync(fd, done);
      const { store } = await openFilesStore(${JSON.stringify(directory)}, { disk: { ...systemDisk, sync } });
      fail = true;
      await store.append([{ bytes: Buffer.from('x'), leaf: Buffer.alloc(32), key: Buffer.alloc(16) }]);
      process.exit(0);
    `);
    expect(status).toBe(70);
    expect(stderr).toContain('error: fdatasync failed, so what the disk holds is unknown: EIO');
    expect(stderr).toContain('help: ');
  });
});

test('a damaged table of keys is reported, not taken for an empty one', async () => {
  const first = await openFilesStore(directory);
  const entries = entriesOf(65_537);
  await first.store.append(entries);
  await first.store.close();
  const fd = openSync(segment, 'r+');
  writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, FILTER_AT);
  closeSync(fd);
  const { store } = await openFilesStore(directory);
  await expect(store.append(entries.slice(0, 1))).rejects.toMatchObject({ code: 'damaged' });
  await store.close();
});

test('nobody but this user and its group may read a log', () => {
  for (const path of [segment, join(directory, 'segments')]) expect(statSync(path).mode & 0o007).toBe(0);
});
