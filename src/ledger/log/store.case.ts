import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBundle } from '../../tlog/bundle.ts';
import { MemoryTree } from '../../tlog/memory-tree.ts';
import { TILE_WIDTH, tilesOfGrowth } from '../../tlog/tile.ts';
import { TiledTree } from '../../tlog/tiled-tree.ts';
import { nodeHasher } from './node-hash.ts';
import { KEY_BYTES, type LogStore, type NewEntry, type SignedHead } from './store.ts';

const hasher = nodeHasher();

/** An entry with the given text, keyed by its leaf hash unless told otherwise. */
export function entryOf(text: string, key?: string): NewEntry {
  const bytes = Buffer.from(text);
  const leaf = hasher.leaf(bytes);
  return {
    bytes,
    leaf,
    key: key === undefined ? leaf.slice(0, 16) : Buffer.from(key.padEnd(16)).subarray(0, 16),
  };
}

export function entriesOf(count: number, prefix = 'entry'): NewEntry[] {
  return Array.from({ length: count }, (_, i) => entryOf(`${prefix} ${i}`));
}

/** A head whose note says no more than its size: stores do not read notes. */
export function headOf(size: number, root: Uint8Array, tag = ''): SignedHead {
  return { size, root: new Uint8Array(root), note: `head of ${size}${tag}\n`, at: 1000 + size };
}

/** Checks that a store holds exactly these entries, tile by tile and bundle by bundle. */
export async function expectHolds(store: LogStore, entries: readonly NewEntry[]): Promise<void> {
  const tree = new MemoryTree(hasher);
  for (const entry of entries) tree.appendLeaf(entry.leaf);
  const head = await store.grow();
  expect(head.size).toBe(entries.length);
  expect(Buffer.from(head.root).toString('hex')).toBe(Buffer.from(tree.root()).toString('hex'));
  for (const tile of tilesOfGrowth(0, entries.length)) {
    if (tile.kind === 'entries') {
      const bundle = decodeBundle(await store.readBundle(tile.index, tile.width), tile.width);
      const expected = entries.slice(tile.index * TILE_WIDTH, tile.index * TILE_WIDTH + tile.width);
      expect(
        bundle.every((bytes, i) => Buffer.compare(bytes, expected[i]?.bytes ?? Buffer.alloc(0)) === 0),
      ).toBe(true);
    } else {
      const hashes = Array.from({ length: tile.width }, (_, i) =>
        tree.read(tile.level * 8, tile.index * TILE_WIDTH + i),
      );
      expect(Buffer.compare(await store.readTile(tile), Buffer.concat(hashes))).toBe(0);
    }
  }
}

function hex(hashes: readonly Uint8Array[]): string[] {
  return hashes.map((hash) => Buffer.from(hash).toString('hex'));
}

/** What every store promises. `withStore` gives a fresh, empty store and cleans up. */
export function describeStore(
  name: string,
  withStore: (run: (store: LogStore, reopen: () => Promise<LogStore>) => Promise<void>) => Promise<void>,
): void {
  describe(`${name}: a log store`, () => {
    test('starts empty', () =>
      withStore(async (store) => {
        await expectHolds(store, []);
        expect(await store.head()).toBeUndefined();
        expect(await store.append([])).toEqual([]);
      }));

    test('gives contiguous places and serves every tile and bundle, also after it was opened again', () =>
      withStore(async (store, reopen) => {
        const entries = entriesOf(700);
        for (const [from, to] of [
          [0, 1],
          [1, 256],
          [256, 257],
          [257, 700],
        ] as const) {
          const places = await store.append(entries.slice(from, to));
          expect(places.map((place) => place.index)).toEqual(
            Array.from({ length: to - from }, (_, i) => from + i),
          );
        }
        await expectHolds(store, entries);
        await expectHolds(await reopen(), entries);
      }));

    test('proves an early entry in an early tree after it has grown', () =>
      withStore(async (store) => {
        const entries = entriesOf(600);
        await store.append(entries.slice(0, 300));
        const early = await store.grow();
        await store.append(entries.slice(300));
        const head = await store.grow();
        const tiled = new TiledTree((tile) => store.readTile(tile), head.size, hasher);
        const memory = new MemoryTree(hasher);
        for (const { leaf } of entries) memory.appendLeaf(leaf);
        expect(hex(await tiled.inclusionProof(7, early.size))).toEqual(hex(memory.inclusionProof(7, 300)));
        expect(hex(await tiled.consistencyProof(early.size))).toEqual(hex(memory.consistencyProof(300)));
      }));

    test('takes a key once, whatever comes with it and however often', () =>
      withStore(async (store, reopen) => {
        const first = await store.append([entryOf('a', 'k1'), entryOf('b', 'k2')]);
        expect(first).toEqual([
          { kind: 'appended', index: 0 },
          { kind: 'appended', index: 1 },
        ]);
        const again = [entryOf('b', 'k2'), entryOf('c', 'k3'), entryOf('x', 'k1'), entryOf('d', 'k4')];
        const places = [
          { kind: 'duplicate', index: 1 },
          { kind: 'appended', index: 2 },
          { kind: 'conflict', index: 0 },
          { kind: 'appended', index: 3 },
        ];
        expect(await store.append(again)).toEqual(places);
        const known = places.map((place) => ({
          ...place,
          kind: place.kind === 'appended' ? 'duplicate' : place.kind,
        }));
        expect(await store.append(again)).toEqual(known);
        expect(await (await reopen()).append(again)).toEqual(known);
      }));

    test('takes the same bytes twice under two keys', () =>
      withStore(async (store) => {
        expect(await store.append([entryOf('same', 'k1'), entryOf('same', 'k2')])).toEqual([
          { kind: 'appended', index: 0 },
          { kind: 'appended', index: 1 },
        ]);
      }));

    test('gives keys back in order', () =>
      withStore(async (store) => {
        const entries = entriesOf(300);
        await store.append(entries);
        await store.grow();
        const keys = await store.readKeys(100, 290);
        expect(Buffer.compare(keys, Buffer.concat(entries.slice(100, 290).map((entry) => entry.key)))).toBe(
          0,
        );
      }));

    test('tells where keys stand, and which were never appended', () =>
      withStore(async (store, reopen) => {
        const entries = entriesOf(700);
        await store.append(entries);
        const none = new Uint8Array(KEY_BYTES).fill(7);
        const asked = [entries[699], entries[0], undefined, entries[255]].map((entry) => entry?.key ?? none);
        for (const open of [async () => store, reopen]) {
          const opened = await open();
          expect(await opened.findKeys(asked)).toEqual([699, 0, undefined, 255]);
          expect(await opened.findKeys([])).toEqual([]);
        }
      }));

    test('holds entries of 0 and of 65 535 bytes', () =>
      withStore(async (store, reopen) => {
        const entries = [entryOf(''), entryOf('x'.repeat(65_535)), entryOf('y')];
        await store.append(entries);
        await expectHolds(store, entries);
        await expectHolds(await reopen(), entries);
      }));

    test('does not serve what it does not hold', () =>
      withStore(async (store) => {
        await store.append(entriesOf(300));
        await store.grow();
        for (const read of [
          () => store.readBundle(1, 45),
          () => store.readBundle(2, 1),
          () => store.readTile({ kind: 'hashes', level: 0, index: 1, width: 45 }),
          () => store.readTile({ kind: 'hashes', level: 1, index: 0, width: 2 }),
          () => store.readTile({ kind: 'hashes', level: 2, index: 0, width: 1 }),
          () => store.readKeys(0, 301),
        ]) {
          await expect(read()).rejects.toMatchObject({ code: 'not-found' });
        }
      }));

    test('keeps a head only after the one it was told', () =>
      withStore(async (store, reopen) => {
        await store.append(entriesOf(2));
        const tree = await store.grow();
        const first = headOf(2, tree.root);
        expect(await store.swapHead(undefined, first)).toBe(true);
        expect(await store.swapHead(undefined, headOf(2, tree.root, ' again'))).toBe(false);
        await store.append([entryOf('more')]);
        const second = headOf(3, (await store.grow()).root);
        expect(await store.swapHead(headOf(2, tree.root, ' other'), second)).toBe(false);
        expect(await store.swapHead(first, second)).toBe(true);
        expect(await store.head()).toEqual(second);
        expect(await (await reopen()).heads()).toEqual([first, second]);
      }));

    test('answers nothing after it was closed', () =>
      withStore(async (store) => {
        await store.close();
        await expect(store.append(entriesOf(1))).rejects.toMatchObject({ code: 'closed' });
        await expect(store.grow()).rejects.toMatchObject({ code: 'closed' });
      }));

    test('is the same log whatever the batches were', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 5 }), (sizes) =>
          withStore(async (store) => {
            const entries = entriesOf(sizes.reduce((sum, size) => sum + size, 0));
            let from = 0;
            for (const size of sizes) {
              await store.append(entries.slice(from, from + size));
              from += size;
            }
            await expectHolds(store, entries);
          }),
        ),
        { numRuns: 10 },
      );
    });
  });
}
