import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type Checkpoint, parseCheckpoint } from '../../tlog/checkpoint.ts';
import { sameBytes } from '../../tlog/hash.ts';
import { TILE_WIDTH, type Tile, tilePath, tilesOfGrowth } from '../../tlog/tile.ts';
import { LedgerError, quoted } from '../errors.ts';
import { systemDisk } from '../files/disk.ts';
import { replaceFile } from '../files/published.ts';
import type { LogView } from './log.ts';

/** What writing a log out as files did. */
export interface StaticReport {
  /** Entries that the checkpoint covers. */
  readonly size: number;
  /** Tiles and bundles that were not there before. */
  readonly written: number;
  /** Partial ones that full ones replace, and bundles that were pruned. */
  readonly removed: number;
}

/**
 * Writes what a log has published as the files of C2SP tlog-tiles, for any web server to serve: byte for byte what
 * `serveLog` answers. Run again it adds what is new. The checkpoint comes last and in one step, so whoever reads
 * meanwhile sees the tree as it was, or as it is; partial tiles go only once full ones are there.
 * @throws {LedgerError} `not-found` before anything was published · `already-exists` if the directory holds something
 *   else than an earlier state of this log · `damaged` if the log does not lead to its own checkpoint
 */
export async function exportStatic(
  log: LogView,
  directory: string,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<StaticReport> {
  const head = log.published();
  if (head === undefined) {
    throw new LedgerError('not-found', 'log has published no checkpoint yet', 'append something first');
  }
  if (!sameBytes(await log.tree().root(), head.root)) {
    throw new LedgerError(
      'damaged',
      'tiles lead to another root than the checkpoint',
      'run `comity log fsck`',
    );
  }
  mkdirSync(directory, { recursive: true });
  const before = await earlierState(log, directory, head.size);
  const minimum = await log.store.minimum();
  const tiles = [...tilesOfGrowth(before, head.size)].filter((tile) => !isPruned(tile, minimum));
  const touched = new Set<string>();
  let written = 0;
  for (const [i, tile] of tiles.entries()) {
    const bytes = await tileBytes(log, tile);
    if (bytes !== undefined && writeTile(directory, tile, bytes)) {
      touched.add(dirname(join(directory, tilePath(tile))));
      written += 1;
    }
    onProgress(i + 1, tiles.length);
  }
  for (const path of touched) systemDisk.syncDirectory(path);
  const removed = removeReplaced(directory, tiles) + removePruned(directory, minimum);
  await replaceFile(systemDisk, directory, 'checkpoint', Buffer.from(head.note, 'utf8'));
  return { size: head.size, written, removed };
}

/** Entries that the directory holds already, as far as its checkpoint says. */
async function earlierState(log: LogView, directory: string, size: number): Promise<number> {
  const file = join(directory, 'checkpoint');
  if (!existsSync(file)) {
    // An export that was interrupted has left tiles only; each of them is compared before it is believed.
    if (readdirSync(directory).every((name) => name === 'tile' || name === 'checkpoint.new')) return 0;
    throw another(directory, 'something that is no log');
  }
  let checkpoint: Checkpoint;
  try {
    checkpoint = parseCheckpoint(readFileSync(file, 'utf8')).checkpoint;
  } catch {
    throw another(directory, 'a checkpoint that cannot be read');
  }
  if (checkpoint.origin !== log.origin) throw another(directory, `log ${quoted(checkpoint.origin)}`);
  if (checkpoint.size > size)
    throw another(directory, `${checkpoint.size} entries, more than were published`);
  const same = checkpoint.size === 0 || sameBytes(await log.tree().root(checkpoint.size), checkpoint.root);
  if (same) return checkpoint.size;
  throw another(directory, 'another history of the log');
}

function another(directory: string, what: string): LedgerError {
  return new LedgerError(
    'already-exists',
    `${quoted(directory)} holds ${what}`,
    'export into a new directory, or one that this log was exported to before',
  );
}

function isPruned(tile: Tile, minimum: number): boolean {
  return tile.kind === 'entries' && tile.index * TILE_WIDTH < minimum;
}

/** Undefined if the process that appends has pruned it just now. */
async function tileBytes(log: LogView, tile: Tile): Promise<Uint8Array | undefined> {
  try {
    return tile.kind === 'hashes'
      ? await log.store.readTile(tile)
      : await log.store.readBundle(tile.index, tile.width);
  } catch (error) {
    if (error instanceof LedgerError && error.code === 'pruned') return undefined;
    throw error;
  }
}

/** @returns false if the tile is there already. @throws {LedgerError} `already-exists` if it is there and another */
function writeTile(directory: string, tile: Tile, bytes: Uint8Array): boolean {
  const path = join(directory, tilePath(tile));
  if (existsSync(path)) {
    if (sameBytes(readFileSync(path), bytes)) return false;
    throw another(directory, `another ${quoted(tilePath(tile))}`);
  }
  mkdirSync(dirname(path), { recursive: true });
  const fd = openSync(`${path}.new`, 'w');
  try {
    writeSync(fd, bytes);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
  return true;
}

/** Removes the partial tiles of those that are full now. Readers who miss one take the full one (C2SP tlog-tiles). */
function removeReplaced(directory: string, tiles: readonly Tile[]): number {
  let removed = 0;
  for (const tile of tiles) {
    const partial = `${join(directory, tilePath({ ...tile, width: TILE_WIDTH }))}.p`;
    if (tile.width < TILE_WIDTH || !existsSync(partial)) continue;
    removed += readdirSync(partial).length;
    rmSync(partial, { recursive: true });
  }
  return removed;
}

function removePruned(directory: string, minimum: number): number {
  let removed = 0;
  const folders = new Set<string>();
  for (let index = 0; index * TILE_WIDTH < minimum; index++) {
    const path = join(directory, tilePath({ kind: 'entries', index, width: TILE_WIDTH }));
    for (const gone of [path, `${path}.p`].filter(existsSync)) {
      rmSync(gone, { recursive: true });
      removed += 1;
      folders.add(dirname(path));
    }
  }
  for (const folder of folders) if (readdirSync(folder).length === 0) rmdirSync(folder);
  return removed;
}
