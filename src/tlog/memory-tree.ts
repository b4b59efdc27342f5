import { quoted, TlogError } from './errors.ts';
import { Frontier } from './frontier.ts';
import { type TreeHasher, treeHasher } from './hash.ts';
import { checkSize, consistencyProof, inclusionProof, type ReadNode, rootFromNodes } from './merkle.ts';

/**
 * A whole tree in memory (about 64 bytes and an object header per entry): for small logs, for checking what others
 * computed, and for tests. Any earlier size can be asked about.
 */
export class MemoryTree {
  readonly #hasher: TreeHasher;
  readonly #frontier: Frontier;
  readonly #levels: Uint8Array[][] = [];

  constructor(hasher: TreeHasher = treeHasher()) {
    this.#hasher = hasher;
    this.#frontier = new Frontier(hasher);
  }

  get size(): number {
    return this.#frontier.size;
  }

  /** Appends an entry and returns its index. */
  append(entry: Uint8Array): number {
    return this.appendLeaf(this.#hasher.leaf(entry));
  }

  /** Appends an entry of which only the leaf hash is known and returns its index. */
  appendLeaf(leaf: Uint8Array): number {
    this.#frontier.append(leaf, (level, _index, hash) => {
      const hashes = this.#levels[level] ?? [];
      this.#levels[level] = hashes;
      hashes.push(hash);
    });
    return this.size - 1;
  }

  /** Hash of a perfect subtree. @throws {TlogError} `out-of-range` if it is not complete yet. */
  readonly read: ReadNode = (level, index) => {
    const hash = this.#levels[level]?.[index];
    if (hash !== undefined) return hash;
    throw new TlogError(
      'out-of-range',
      `node ${quoted(`${level}/${index}`)} is not complete in a tree of ${this.size} entries`,
      'ask for a size that the tree has reached',
    );
  };

  /** Root now, or when the tree had `size` entries. */
  root(size = this.size): Uint8Array {
    this.#checkReached(size);
    return rootFromNodes(this.read, size, this.#hasher);
  }

  /** Proof that entry `index` is in the tree of `size` entries. */
  inclusionProof(index: number, size = this.size): Uint8Array[] {
    this.#checkReached(size);
    return inclusionProof(this.read, index, size, this.#hasher);
  }

  /** Proof that the tree of `newSize` entries extends the tree of `oldSize`. */
  consistencyProof(oldSize: number, newSize = this.size): Uint8Array[] {
    this.#checkReached(newSize);
    return consistencyProof(this.read, oldSize, newSize, this.#hasher);
  }

  #checkReached(size: number): void {
    checkSize(size, 'tree size');
    if (size <= this.size) return;
    throw new TlogError('out-of-range', `tree has ${this.size} entries, not ${size}`, 'append first');
  }
}
