import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseVerifierKey } from '../../tlog/note-key.ts';
import { TILE_WIDTH, tilePath, tilesOfGrowth } from '../../tlog/tile.ts';
import { createFilesStore, openFilesStore } from '../files/files-store.ts';
import { listen, type Running } from '../server/http.ts';
import { readReply } from '../server/read.ts';
import { monitorLog, NEW_MONITOR } from '../witness/monitor.ts';
import { createLogDirectory, openLogDirectory } from './directory.ts';
import type { Log } from './log.ts';
import { fill, openOn, pruneAt, SIZE } from './prune.case.ts';
import { exportStatic } from './static-tree.ts';
import { PRUNE_STEP } from './store.ts';

const ORIGIN = 'log.example/static';
let folder = '';
let out = '';
let vkey = '';
let log: Log;
let servers: Running[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'comity-static-'));
  out = join(folder, 'out');
  vkey = (await createLogDirectory(join(folder, 'log'), ORIGIN)).keys[0] ?? '';
  log = await openLogDirectory(join(folder, 'log'), { publishEveryMs: 0 });
  servers = [];
});

afterEach(async () => {
  for (const server of servers) await server.close();
  await log.close();
  rmSync(folder, { recursive: true });
});

async function growTo(size: number, of = log): Promise<void> {
  const from = (await of.store.grow()).size;
  await of.appendAll(
    Array.from({ length: size - from }, (_, i) => ({ bytes: Buffer.from(`entry ${from + i}`) })),
  );
  await of.publish();
}

/** Every file of a directory, by its path below it. */
function filesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

/** Every file must be what the log's own server answers; and nothing that a reader of `sizes` needs may be missing. */
async function expectServes(of: Log, sizes: readonly number[]): Promise<void> {
  const files = filesIn(out);
  for (const path of files) {
    const reply = await readReply(of, `/${path}`);
    const body = Buffer.from(reply?.body ?? '');
    expect({ path, status: reply?.status, same: body.equals(readFileSync(join(out, path))) }).toEqual({
      path,
      status: 200,
      same: true,
    });
  }
  const minimum = await of.store.minimum();
  for (const size of sizes) {
    for (const tile of tilesOfGrowth(0, size)) {
      if (tile.kind === 'entries' && tile.index * TILE_WIDTH < minimum) continue;
      const full = tilePath({ ...tile, width: TILE_WIDTH });
      expect(files.includes(tilePath(tile)) || files.includes(full)).toBe(true);
    }
  }
}

/** A web server that knows nothing of logs. */
async function serveFiles(): Promise<string> {
  const server = await listen((_, path) => {
    const file = join(out, path);
    if (!existsSync(file) || !statSync(file).isFile()) return { status: 404 };
    return { status: 200, body: readFileSync(file) };
  });
  servers.push(server);
  return server.url;
}

async function look(url: string, memory = NEW_MONITOR, key = vkey) {
  const policy = { logs: [{ key: parseVerifierKey(key), url }], witnesses: [], groups: [], quorum: 'none' };
  return monitorLog({ key: parseVerifierKey(key), url }, memory, { policy, entries: true });
}

describe('a log as files', () => {
  test.each([1, 255, 256, 257, 70_000])(
    'of %d entries is byte for byte what its server answers',
    async (size) => {
      await growTo(size);
      const report = await exportStatic(log, out);
      expect(report).toEqual({ size, written: [...tilesOfGrowth(0, size)].length, removed: 0 });
      expect(filesIn(out)).toEqual([...[...tilesOfGrowth(0, size)].map(tilePath), 'checkpoint'].sort());
      await expectServes(log, [size]);
    },
    60_000,
  );

  test('is followed and verified by a monitor over a plain web server, as it grows', async () => {
    const url = await serveFiles();
    await growTo(300);
    await exportStatic(log, out);
    const first = await look(url);
    expect(first).toMatchObject({ size: 300, entries: 300, findings: [] });
    await growTo(1000);
    await exportStatic(log, out);
    const second = await look(url, first.memory);
    expect(second).toMatchObject({ size: 1000, entries: 700, findings: [] });
    // And one bit of one tile is enough to be found out.
    const tile = join(out, 'tile/0/001');
    const bytes = readFileSync(tile);
    bytes[7] = (bytes[7] ?? 0) ^ 1;
    writeFileSync(tile, bytes);
    expect((await look(url)).findings).toMatchObject([{ kind: 'tiles-wrong' }]);
  });

  test('that is exported again gains only what is new, and loses a partial tile once the full one is there', async () => {
    await growTo(300);
    await exportStatic(log, out);
    expect(filesIn(out)).toContain('tile/0/001.p/44');
    const before = statSync(join(out, 'tile/entries/000')).ino;
    await growTo(400);
    expect(await exportStatic(log, out)).toEqual({ size: 400, written: 2, removed: 0 });
    // Whoever holds the checkpoint of 300 entries may still come for it.
    expect(filesIn(out)).toEqual(expect.arrayContaining(['tile/0/001.p/44', 'tile/0/001.p/144']));
    await expectServes(log, [300, 400]);
    await growTo(600);
    expect(await exportStatic(log, out)).toEqual({ size: 600, written: 5, removed: 4 });
    expect(filesIn(out).filter((path) => path.includes('001.p'))).toEqual([]);
    await expectServes(log, [300, 400, 600]);
    expect(await exportStatic(log, out)).toEqual({ size: 600, written: 0, removed: 0 });
    expect(statSync(join(out, 'tile/entries/000')).ino).toBe(before);
  });

  test('shows its checkpoint last, and goes on after it was interrupted', async () => {
    await growTo(600);
    for (const [stop, left] of [
      [1, 1],
      [3, 3],
    ] as const) {
      const died = new Error('power cut');
      const exporting = exportStatic(log, out, (done) => {
        if (done === stop) throw died;
      });
      await expect(exporting).rejects.toBe(died);
      expect(filesIn(out)).toHaveLength(left);
      expect(existsSync(join(out, 'checkpoint'))).toBe(false);
    }
    expect(await exportStatic(log, out)).toMatchObject({ size: 600, written: 4 });
    await expectServes(log, [600]);
  });

  test('is not written over anything else', async () => {
    await growTo(300);
    const refused = { code: 'already-exists' };
    mkdirSync(out);
    writeFileSync(join(out, 'index.html'), 'hello');
    await expect(exportStatic(log, out)).rejects.toMatchObject(refused);
    rmSync(join(out, 'index.html'));
    await exportStatic(log, out);

    const other = join(folder, 'other');
    await createLogDirectory(other, 'log.example/other');
    const another = await openLogDirectory(other, { publishEveryMs: 0 });
    await growTo(400, another);
    await expect(exportStatic(another, out)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('log `log.example/static`'),
    });
    // Tiles without a checkpoint are compared before they are believed.
    rmSync(join(out, 'checkpoint'));
    truncateSync(join(out, 'tile/entries/000'), 100);
    await expect(exportStatic(log, out)).rejects.toMatchObject(refused);
    await another.close();

    const fork = join(folder, 'fork');
    await createLogDirectory(fork, ORIGIN);
    const forked = await openLogDirectory(fork, { publishEveryMs: 0 });
    await forked.append(Buffer.from('another beginning'));
    await growTo(400, forked);
    const forkOut = join(folder, 'fork-out');
    await exportStatic(forked, forkOut);
    await forked.close();
    await growTo(500);
    await expect(exportStatic(log, forkOut)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('another history'),
    });
  });

  test('that is older than what was exported before is refused', async () => {
    await growTo(300);
    await exportStatic(log, out);
    const checkpoint = readFileSync(join(out, 'checkpoint'), 'utf8');
    writeFileSync(join(out, 'checkpoint'), checkpoint.replace('\n300\n', '\n301\n'));
    await expect(exportStatic(log, out)).rejects.toMatchObject({
      message: expect.stringContaining('more than were published'),
    });
  });

  test('has nothing to write before the first checkpoint', async () => {
    await expect(exportStatic(log, out)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('loses the bundles that were pruned since, and is made without them', {
    timeout: 60_000,
  }, async () => {
    const directory = join(folder, 'pruned');
    await createFilesStore(directory);
    const { store } = await openFilesStore(directory);
    await fill(store);
    const long = await openOn(store);
    await exportStatic(long, out);
    expect(filesIn(out)).toContain('tile/entries/000');
    await pruneAt(long);
    const bundles = PRUNE_STEP / TILE_WIDTH;
    expect(await exportStatic(long, out)).toMatchObject({ size: SIZE + 1, removed: bundles });
    expect(existsSync(join(out, 'tile/entries/000'))).toBe(false);
    expect(existsSync(join(out, 'tile/entries/256'))).toBe(true);
    await expectServes(long, [SIZE + 1]);
    const files = filesIn(out);
    rmSync(out, { recursive: true });
    await exportStatic(long, out);
    // The export that went on also has the partial tiles of the checkpoint before.
    const partial = (path: string) => !path.includes('.p/');
    expect(filesIn(out).filter(partial)).toEqual(files.filter(partial));
    await store.close();
  });
});
