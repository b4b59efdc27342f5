import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tilesOfGrowth } from '../../tlog/tile.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import type { Log } from '../log/log.ts';
import { openReadingStore } from './reading-store.ts';

let directory = '';
let log: Log;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-reading-'));
  await createLogDirectory(directory, 'log.example/reading');
  log = await openLogDirectory(directory, { publishEveryMs: 0 });
});

afterAll(async () => {
  await log.close();
  rmSync(directory, { recursive: true });
});

/** Appends up to `size` entries in steps that fit into the queue. */
async function growTo(size: number): Promise<void> {
  let at = (await log.store.grow()).size;
  while (at < size) {
    const end = Math.min(size, at + 10_000);
    await log.appendAll(
      Array.from({ length: end - at }, (_, i) => ({ bytes: Buffer.from(`entry ${at + i}`) })),
    );
    at = end;
  }
  await log.publish();
}

describe('a log that is read while its process has it open', () => {
  test.each([1, 256, 300, 65_535, 65_536, 65_537, 66_000])(
    'shows every tile, bundle and key of %i entries as that process does',
    async (size) => {
      await growTo(size);
      // Not published: nobody may see these.
      await log.append(Buffer.from(`later than ${size}`)).then(() => undefined);
      const store = await openReadingStore(directory);
      try {
        expect((await store.grow()).size).toBeLessThanOrEqual((await log.store.grow()).size);
        const published = (await store.grow()).size;
        for (const tile of tilesOfGrowth(0, published)) {
          const read = (from: typeof store) =>
            tile.kind === 'hashes' ? from.readTile(tile) : from.readBundle(tile.index, tile.width);
          expect(Buffer.compare(await read(store), await read(log.store))).toBe(0);
        }
        expect(await store.readKeys(0, published)).toEqual(await log.store.readKeys(0, published));
        await expect(
          store.readBundle(Math.floor(published / 256), (published % 256) + 1),
        ).rejects.toMatchObject({ code: 'not-found' });
        await expect(store.append([])).rejects.toMatchObject({ code: 'closed' });
      } finally {
        await store.close();
      }
    },
  );
});
