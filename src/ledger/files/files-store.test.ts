import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeStore, entriesOf, entryOf, expectHolds } from '../log/store.case.ts';
import type { LogStore, NewEntry } from '../log/store.ts';
import { type Disk, systemDisk } from './disk.ts';
import { createFilesStore, openFilesStore } from './files-store.ts';
import { FILTER_AT, FILTER_BYTES, SEGMENT_ENTRIES } from './layout.ts';

async function withDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'comity-files-'));
  try {
    await createFilesStore(directory);
    await run(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describeStore('files', (run) =>
  withDirectory(async (directory) => {
    let store: LogStore = (await openFilesStore(directory)).store;
    await run(store, async () => {
      await store.close();
      store = (await openFilesStore(directory)).store;
      return store;
    });
    await store.close();
  }),
);

test('a log of more than two segments is the same before and after it is opened again', () =>
  withDirectory(async (directory) => {
    const entries = entriesOf(2 * 65_536 + 300);
    const { store } = await openFilesStore(directory);
    for (let at = 0; at < entries.length; at += 10_000) await store.append(entries.slice(at, at + 10_000));
    await expectHolds(store, entries);
    const retried = [entries[0], entries[65_535], entries[65_536], entries.at(-1)].map(
      (entry) => entry ?? entryOf(''),
    );
    const places = [0, 65_535, 65_536, 131_371].map((index) => ({ kind: 'duplicate', index }));
    expect(await store.append(retried)).toEqual(places);
    await store.close();
    const again = (await openFilesStore(directory)).store;
    await expectHolds(again, entries);
    expect(await again.append(retried)).toEqual(places);
    await again.close();
  }));

test('a filter that nobody asks leaves memory, and comes back for a retry however late', () =>
  withDirectory(async (directory) => {
    let filtersRead = 0;
    const disk: Disk = {
      ...systemDisk,
      read(fd, target, position) {
        if (target.length === FILTER_BYTES && position === FILTER_AT) filtersRead += 1;
        return systemDisk.read(fd, target, position);
      },
    };
    const { store } = await openFilesStore(directory, { disk });
    // Keys that grow, as those of records do: none falls into an earlier segment.
    let number = 0;
    const fill = async (count: number): Promise<void> => {
      const entries = Array.from({ length: count }, () => grownOf(number++));
      for (let at = 0; at < count; at += 16_384) await store.append(entries.slice(at, at + 16_384));
    };
    const retry = async (at: number): Promise<void> =>
      expect(await store.append([grownOf(at)])).toEqual([{ kind: 'duplicate', index: at }]);
    await fill(SEGMENT_ENTRIES + 1);
    expect(filtersRead).toBe(0);
    await retry(7);
    await retry(9);
    expect(filtersRead).toBe(1);
    await fill(2 * SEGMENT_ENTRIES);
    await retry(11);
    expect(filtersRead).toBe(2);
    await store.close();
  }));

function grownOf(number: number): NewEntry {
  const { bytes, leaf } = entryOf(`entry ${number}`);
  const key = Buffer.alloc(16);
  key.writeUInt32BE(number, 0);
  return { bytes, leaf, key };
}

test('a batch is acknowledged after one fdatasync that came after all its writes, and not before', () =>
  withDirectory(async (directory) => {
    const calls: string[] = [];
    const held: (() => void)[] = [];
    let holding = false;
    const disk: Disk = {
      ...systemDisk,
      write(fd, bytes, position) {
        calls.push('write');
        systemDisk.write(fd, bytes, position);
      },
      sync(fd, done) {
        calls.push('sync');
        if (holding) held.push(() => systemDisk.sync(fd, done));
        else systemDisk.sync(fd, done);
      },
    };
    const { store } = await openFilesStore(directory, { disk });
    calls.length = 0;
    holding = true;
    let acknowledged = false;
    const appending = store.append(entriesOf(500)).then(() => {
      acknowledged = true;
    });
    await expect.poll(() => held.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(acknowledged).toBe(false);
    expect(calls).toEqual(['write', 'write', 'sync']);
    await expect(store.readBundle(0, 1)).rejects.toMatchObject({ code: 'not-found' });
    held.shift()?.();
    await appending;
    expect(calls).toEqual(['write', 'write', 'sync']);
    await store.close();
  }));

test('a directory is created once', () =>
  withDirectory(async (directory) => {
    await expect(createFilesStore(directory)).rejects.toMatchObject({ code: 'already-exists' });
  }));

test('a directory without a log is not opened', async () => {
  await expect(openFilesStore(join(tmpdir(), 'comity-nowhere'))).rejects.toMatchObject({ code: 'not-found' });
});

test('a second opener is refused until the first closes', () =>
  withDirectory(async (directory) => {
    const { store } = await openFilesStore(directory);
    await expect(openFilesStore(directory)).rejects.toMatchObject({ code: 'locked' });
    await store.close();
    await (await openFilesStore(directory)).store.close();
  }));
