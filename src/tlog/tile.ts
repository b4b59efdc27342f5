import { quoted, TlogError } from './errors.ts';
import { checkGrowth, checkSize, type NodeId } from './merkle.ts';

/** Hashes in a full tile, entries in a full bundle (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;

/** Binary levels of the tree that one tile spans: 2^8 = 256. */
const TILE_HEIGHT = 8;

const HIGHEST_LEVEL = 63;

/**
 * A tile of `width` hashes, 1 to 256; fewer than 256 is a partial tile. Hash `i` of tile `index` at `level` is the
 * node at binary level `8 · level` with index `256 · index + i`.
 */
export interface HashTile {
  readonly kind: 'hashes';
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

/** A bundle of `width` entries, 1 to 256, the first of which is entry `256 · index`. */
export interface EntryTile {
  readonly kind: 'entries';
  readonly index: number;
  readonly width: number;
}

export type Tile = HashTile | EntryTile;

/**
 * Path of a tile below the log's prefix.
 * @example tilePath({ kind: 'hashes', level: 0, index: 1234067, width: 256 }) // 'tile/0/x001/x234/067'
 * @throws {TlogError} `out-of-range` if no such tile can exist
 */
export function tilePath(tile: Tile): string {
  checkSize(tile.index, 'tile index');
  checkRange(tile.width, 1, TILE_WIDTH, 'tile width');
  if (tile.kind === 'hashes') checkRange(tile.level, 0, HIGHEST_LEVEL, 'tile level');
  const directory = tile.kind === 'hashes' ? tile.level : 'entries';
  const suffix = tile.width === TILE_WIDTH ? '' : `.p/${tile.width}`;
  return `tile/${directory}/${indexPath(tile.index)}${suffix}`;
}

/**
 * Reads a path written by {@link tilePath}, and no other: no leading slash, no needless zeroes, no `.p/256`.
 * A path that is accepted contains no `..`, so it is safe below a directory.
 * @throws {TlogError} `malformed-tile-path`
 */
export function parseTilePath(path: string): Tile {
  const match = path.length <= LONGEST_PATH ? PATH.exec(path) : null;
  const [, directory = '', groups = '', last = '', width = '256'] = match ?? [];
  const index = Number(groups.replace(/[x/]/g, '') + last);
  const whole = !groups.startsWith('x000') && Number.isSafeInteger(index);
  const level = directory === 'entries' ? 0 : Number(directory);
  const fits = level <= HIGHEST_LEVEL && (match?.[4] === undefined || Number(width) < TILE_WIDTH);
  if (match === null || !whole || !fits) {
    throw new TlogError(
      'malformed-tile-path',
      `${quoted(path)} is not the path of a tile`,
      'write it as `tile/<level>/<index>` or `tile/entries/<index>`, index in groups such as `x001/234`, then `.p/<width>` if partial',
    );
  }
  return directory === 'entries'
    ? { kind: 'entries', index, width: Number(width) }
    : { kind: 'hashes', level, index, width: Number(width) };
}

/** Hashes that tile `index` of `level` has in a tree of `size` entries, 0 to 256; 0 means that it does not exist. */
export function tileWidth(level: number, index: number, size: number): number {
  const complete = Math.floor(size / TILE_WIDTH ** level);
  return Math.min(TILE_WIDTH, Math.max(0, complete - index * TILE_WIDTH));
}

/** Whether exactly this tile belongs to a tree of `size` entries. A server must not answer for any other. */
export function isTileOf(tile: Tile, size: number): boolean {
  const level = tile.kind === 'hashes' ? tile.level : 0;
  return tile.width > 0 && tile.width === tileWidth(level, tile.index, size);
}

/**
 * Tiles that a log writes when it grows from `from` to `to` entries: new ones, and those that became wider.
 * Entry bundles first, then hash tiles from level 0 upwards, from the left.
 * @throws {TlogError} `out-of-range` unless `0 ≤ from ≤ to`
 */
export function* tilesOfGrowth(from: number, to: number): Generator<Tile> {
  checkGrowth(from, to);
  for (const { index, width } of widened(from, to)) yield { kind: 'entries', index, width };
  for (let level = 0; TILE_WIDTH ** level <= to; level++) {
    const before = Math.floor(from / TILE_WIDTH ** level);
    const after = Math.floor(to / TILE_WIDTH ** level);
    for (const { index, width } of widened(before, after)) yield { kind: 'hashes', level, index, width };
  }
}

/** Where the hash of a node comes from: `count` consecutive hashes of one tile, to be folded into one. */
export interface TileSlice {
  readonly level: number;
  readonly index: number;
  /** Position of the first hash in the tile, 0 to 255. */
  readonly offset: number;
  /** How many hashes: a power of two, 1 to 128. */
  readonly count: number;
}

/** The tile that holds a node's hash or, for levels between two tile levels, the hashes below it. */
export function sliceOfNode(node: NodeId): TileSlice {
  const level = Math.floor(node.level / TILE_HEIGHT);
  const count = 2 ** (node.level % TILE_HEIGHT);
  const first = node.index * count;
  return { level, index: Math.floor(first / TILE_WIDTH), offset: first % TILE_WIDTH, count };
}

/** Six groups of three digits hold 2^53; longer paths are refused before a pattern sees them. */
const LONGEST_PATH = 'tile/entries/x009/x007/x199/x254/x740/991.p/255'.length;

const PATH = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/)*)([0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

function indexPath(index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g) ?? [];
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
}

function* widened(before: number, after: number): Generator<{ index: number; width: number }> {
  for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < after; index++) {
    const width = Math.min(TILE_WIDTH, after - index * TILE_WIDTH);
    if (index * TILE_WIDTH + width > before) yield { index, width };
  }
}

function checkRange(value: number, low: number, high: number, what: string): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new TlogError(
    'out-of-range',
    `${what} ${quoted(String(value))} is not a whole number from ${low} to ${high}`,
    'take tiles from `tilesOfGrowth` or `parseTilePath`',
  );
}
