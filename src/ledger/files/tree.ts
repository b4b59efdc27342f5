import { Frontier } from '../../tlog/frontier.ts';
import { HASH_BYTES, type TreeHasher } from '../../tlog/hash.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import type { TreeHead } from '../log/store.ts';
import { SEGMENT_ENTRIES, TILE_BYTES } from './layout.ts';

const LEVELS_PER_TILE = 8;

/**
 * The tree above the leaf hashes of a files store: the right edge, tile level 1 of the segment being filled, and
 * every hash of tile level 2 and up (one for 65,536 entries, so a thousand million entries take half a megabyte).
 */
export class SegmentTree {
  readonly #frontier: Frontier;
  readonly #openTile = new Uint8Array(TILE_BYTES);
  /** Hashes of tile levels 2, 3, …: one node at binary levels 16, 24, … each. */
  readonly #upper: Uint8Array[][] = [];

  /** Starts from the roots of the full segments. */
  constructor(hasher: TreeHasher, segmentRoots: readonly Uint8Array[]) {
    const above = new Frontier(hasher);
    for (const root of segmentRoots) {
      above.append(root, (level, _index, hash) => this.#keepUpper(level + 2 * LEVELS_PER_TILE, hash));
    }
    this.#frontier = new Frontier(hasher, segmentRoots.length * SEGMENT_ENTRIES, above.hashes);
  }

  append(leaf: Uint8Array): void {
    this.#frontier.append(leaf, (level, index, hash) => {
      if (level === LEVELS_PER_TILE) this.#openTile.set(hash, (index % TILE_WIDTH) * HASH_BYTES);
      else if (level >= 2 * LEVELS_PER_TILE) this.#keepUpper(level, hash);
    });
  }

  head(): TreeHead {
    return { size: this.#frontier.size, root: this.#frontier.root() };
  }

  /** Tile of level 1 of the segment that is being filled, or was filled last. */
  get openTile(): Uint8Array {
    return this.#openTile;
  }

  /** Root of full segment `segment`. */
  segmentRoot(segment: number): Uint8Array | undefined {
    return this.#upper[0]?.[segment];
  }

  /** A tile of level 2 or above; undefined if it is not that wide yet. */
  upperTile(level: number, index: number, width: number): Uint8Array | undefined {
    const hashes = this.#upper[level - 2]?.slice(index * TILE_WIDTH, index * TILE_WIDTH + width) ?? [];
    return hashes.length === width ? new Uint8Array(Buffer.concat(hashes)) : undefined;
  }

  #keepUpper(binaryLevel: number, hash: Uint8Array): void {
    if (binaryLevel % LEVELS_PER_TILE !== 0) return;
    const level = binaryLevel / LEVELS_PER_TILE - 2;
    const hashes = this.#upper[level] ?? [];
    this.#upper[level] = hashes;
    hashes.push(hash);
  }
}
