import { TlogError } from './errors.ts';
import { checkHash, type TreeHasher, treeHasher } from './hash.ts';
import { MAX_SIZE, rootNodes } from './merkle.ts';

/** Told of every perfect subtree the moment it becomes complete, leaf first, then upwards. */
export type OnNode = (level: number, index: number, hash: Uint8Array) => void;

/**
 * The right edge of a growing tree: the roots of the perfect subtrees that make it up, at most 53 hashes.
 * It is all that has to be kept in memory to append, whatever the size ("compact range").
 *
 * @example
 * const frontier = new Frontier(hasher);
 * frontier.append(hasher.leaf(entry), (level, index, hash) => tiles.put(level, index, hash));
 * const root = frontier.root();
 */
export class Frontier {
  readonly #hasher: TreeHasher;
  readonly #hashes: Uint8Array[];
  #size: number;

  /**
   * Starts empty, or where an earlier frontier stopped: `size` entries with the hashes of `rootNodes(size)`.
   * @throws {TlogError} `out-of-range` if the number of hashes does not fit the size · `malformed-hash`
   */
  constructor(hasher: TreeHasher = treeHasher(), size = 0, hashes: readonly Uint8Array[] = []) {
    const expected = rootNodes(size).length;
    if (hashes.length !== expected) {
      throw new TlogError(
        'out-of-range',
        `a tree of ${size} entries has a frontier of ${expected} hashes, not ${hashes.length}`,
        'take size and hashes from the same frontier',
      );
    }
    for (const hash of hashes) checkHash(hash, 'frontier hash');
    this.#hasher = hasher;
    this.#size = size;
    this.#hashes = [...hashes];
  }

  /** Entries so far. */
  get size(): number {
    return this.#size;
  }

  /** Hashes of `rootNodes(size)`, from the left: with `size`, everything needed to go on later. */
  get hashes(): readonly Uint8Array[] {
    return [...this.#hashes];
  }

  /**
   * Adds one leaf hash. Amortised cost: one node hash.
   * @throws {TlogError} `malformed-hash` · `out-of-range` when the tree is full
   */
  append(leaf: Uint8Array, onNode?: OnNode): void {
    checkHash(leaf, 'leaf hash');
    if (this.#size === MAX_SIZE) {
      throw new TlogError('out-of-range', `a tree holds at most ${MAX_SIZE} entries`, 'start another log');
    }
    let hash = leaf;
    let index = this.#size;
    onNode?.(0, index, hash);
    for (let level = 1; index % 2 === 1; level++) {
      const left = this.#hashes.pop();
      if (left === undefined) throw new Error(`frontier of ${this.#size} entries lost a hash`);
      hash = this.#hasher.node(left, hash);
      index = (index - 1) / 2;
      onNode?.(level, index, hash);
    }
    this.#hashes.push(hash);
    this.#size += 1;
  }

  /** Root of the tree so far. */
  root(): Uint8Array {
    if (this.#hashes.length === 0) return this.#hasher.emptyRoot;
    return this.#hashes.reduceRight((right, left) => this.#hasher.node(left, right));
  }

  /** An independent copy: append to it, and keep it only once the entries are durable. */
  clone(): Frontier {
    return new Frontier(this.#hasher, this.#size, this.#hashes);
  }
}
