import { TlogError } from './errors.ts';
import { Frontier } from './frontier.ts';
import { HASH_BYTES, type TreeHasher, treeHasher } from './hash.ts';
import {
  checkGrowth,
  checkIndex,
  checkSize,
  consistencyPlan,
  inclusionPlan,
  type NodeId,
  type ProofPlan,
  proofFromNodes,
  type ReadNode,
  rootFromNodes,
  rootNodes,
} from './merkle.ts';
import { type HashTile, sliceOfNode, tilePath, tileWidth } from './tile.ts';

/** Fetches one hash tile: `32 · tile.width` bytes. Both a file read and an HTTP request fit. */
export type ReadTile = (tile: HashTile) => Uint8Array | Promise<Uint8Array>;

/**
 * A tree of `size` entries that is stored as tiles elsewhere. Proofs can be asked for in it and in any earlier,
 * smaller tree; each call first fetches the tiles it needs, all at once.
 *
 * What comes out is as good as the tiles: verify it against a checkpoint if they come from somebody else.
 */
export class TiledTree {
  readonly #read: ReadTile;
  readonly #hasher: TreeHasher;
  /** Size that the tiles are fetched for. A checkpoint of that size must have been published. */
  readonly size: number;

  constructor(read: ReadTile, size: number, hasher: TreeHasher = treeHasher()) {
    checkSize(size, 'tree size');
    this.#read = read;
    this.#hasher = hasher;
    this.size = size;
  }

  /** @throws {TlogError} `out-of-range` · `malformed-tile`, or whatever the reader throws */
  async inclusionProof(index: number, size = this.size): Promise<Uint8Array[]> {
    checkIndex(index, size);
    return this.#prove(inclusionPlan(index, size), size);
  }

  /** @throws {TlogError} `out-of-range` · `malformed-tile`, or whatever the reader throws */
  async consistencyProof(oldSize: number, newSize = this.size): Promise<Uint8Array[]> {
    return this.#prove(consistencyPlan(oldSize, newSize), newSize);
  }

  /** Root of this tree, or of an earlier one, recomputed from the tiles. */
  async root(size = this.size): Promise<Uint8Array> {
    const read = await this.#nodes(rootNodes(size), size);
    return rootFromNodes(read, size, this.#hasher);
  }

  /** What is needed to go on appending after this tree, or after an earlier one. */
  async frontier(size = this.size): Promise<Frontier> {
    const nodes = rootNodes(size);
    const read = await this.#nodes(nodes, size);
    return new Frontier(
      this.#hasher,
      size,
      nodes.map((node) => read(node.level, node.index)),
    );
  }

  async #prove(plan: ProofPlan, size: number): Promise<Uint8Array[]> {
    return proofFromNodes(plan, await this.#nodes(plan.flat(), size), this.#hasher);
  }

  async #nodes(nodes: readonly NodeId[], size: number): Promise<ReadNode> {
    checkGrowth(size, this.size);
    const tiles = tilesOfNodes(nodes, this.size);
    const contents = await Promise.all(tiles.map((tile) => this.#read(tile)));
    return nodeReader(new Map(tiles.map((tile, i) => [tile, contents[i] ?? EMPTY])), this.#hasher);
  }
}

/** Tiles, each once, that hold the given nodes in a tree of `size` entries. */
export function tilesOfNodes(nodes: readonly NodeId[], size: number): readonly HashTile[] {
  const tiles = new Map<string, HashTile>();
  for (const node of nodes) {
    const { level, index } = sliceOfNode(node);
    const tile: HashTile = { kind: 'hashes', level, index, width: tileWidth(level, index, size) };
    tiles.set(tilePath(tile), tile);
  }
  return [...tiles.values()];
}

/**
 * Reads nodes out of fetched tiles, recomputing those that lie between two tile levels.
 * @throws {TlogError} `malformed-tile` if a tile does not have the bytes that its width says
 */
export function nodeReader(
  tiles: ReadonlyMap<HashTile, Uint8Array>,
  hasher: TreeHasher = treeHasher(),
): ReadNode {
  const byPosition = new Map<string, Uint8Array>();
  for (const [tile, bytes] of tiles) {
    if (bytes.length !== tile.width * HASH_BYTES) {
      throw malformed(`tile \`${tilePath(tile)}\` has ${bytes.length} bytes, not ${tile.width * HASH_BYTES}`);
    }
    byPosition.set(`${tile.level}/${tile.index}`, bytes);
  }
  return (level, index) => {
    const slice = sliceOfNode({ level, index });
    const bytes = byPosition.get(`${slice.level}/${slice.index}`);
    if (bytes === undefined || bytes.length < (slice.offset + slice.count) * HASH_BYTES) {
      throw malformed(`no tile at hand holds node \`${level}/${index}\``);
    }
    return foldTile(bytes, slice.offset, slice.count, hasher);
  };
}

/** Root of the perfect subtree over `count` hashes of a tile, `count` a power of two. */
function foldTile(tile: Uint8Array, offset: number, count: number, hasher: TreeHasher): Uint8Array {
  // A copy, because readers may reuse their buffer, and `slice` of a Node buffer is only a view.
  if (count === 1) return new Uint8Array(tile.subarray(offset * HASH_BYTES, (offset + 1) * HASH_BYTES));
  const left = foldTile(tile, offset, count / 2, hasher);
  return hasher.node(left, foldTile(tile, offset + count / 2, count / 2, hasher));
}

const EMPTY = new Uint8Array(0);

function malformed(message: string): TlogError {
  return new TlogError(
    'malformed-tile',
    message,
    'fetch the tile again; if it stays so, the log serves damaged data',
  );
}
