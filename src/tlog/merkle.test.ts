import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TlogError } from './errors.ts';
import { Frontier } from './frontier.ts';
import { treeHasher } from './hash.ts';
import { MemoryTree } from './memory-tree.ts';
import {
  consistencyPlan,
  inclusionPlan,
  proofFromNodes,
  rootNodes,
  subtreeConsistencyPlan,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from './merkle.ts';

const hasher = treeHasher();
const LARGEST = 70;

function entry(index: number): Uint8Array {
  return new TextEncoder().encode(`entry ${index}`);
}

/** RFC 9162 §2.1.1, word for word: the definition everything else is measured against. */
function definedRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only, ...others] = leaves;
  if (only === undefined) return hasher.emptyRoot;
  if (others.length === 0) return only;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return hasher.node(definedRoot(leaves.slice(0, k)), definedRoot(leaves.slice(k)));
}

const tree = new MemoryTree(hasher);
for (let i = 0; i < LARGEST; i++) tree.append(entry(i));
const leaves = Array.from({ length: LARGEST }, (_, i) => hasher.leaf(entry(i)));
const roots = Array.from({ length: LARGEST + 1 }, (_, size) => definedRoot(leaves.slice(0, size)));

function at<T>(list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new Error(`nothing at ${index}`);
  return value;
}

describe('roots', () => {
  test('are those of the definition, at every size', () => {
    for (let size = 0; size <= LARGEST; size++) expect(tree.root(size)).toEqual(roots[size]);
  });

  test('of the empty tree are the hash of nothing', () => {
    expect(Buffer.from(tree.root(0)).toString('hex')).toMatch(/^e3b0c44298fc1c149afbf4c8996fb924/);
  });

  test('of a frontier that stops, is stored and goes on are the same as of one that never stopped', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LARGEST }), (stop) => {
        const first = new Frontier(hasher);
        for (const leaf of leaves.slice(0, stop)) first.append(leaf);
        const second = new Frontier(hasher, first.size, first.hashes);
        for (const leaf of leaves.slice(stop)) second.append(leaf);
        expect(first.root()).toEqual(roots[stop]);
        expect(second.root()).toEqual(roots[LARGEST]);
      }),
    );
  });

  test('of a frontier cannot be continued with hashes of another size', () => {
    const { hashes } = new Frontier(hasher, 3, [at(leaves, 0), at(leaves, 1)]);
    expect(() => new Frontier(hasher, 4, hashes)).toThrow(/frontier of 1 hashes, not 2/);
    expect(() => new Frontier(hasher, 3, [at(leaves, 0), new Uint8Array(31)])).toThrow(TlogError);
    expect(() => new Frontier(hasher).append(new Uint8Array(33))).toThrow(TlogError);
  });

  test('of a clone go their own way', () => {
    const first = new Frontier(hasher);
    first.append(at(leaves, 0));
    const second = first.clone();
    second.append(at(leaves, 1));
    expect([first.root(), second.root()]).toEqual([roots[1], roots[2]]);
  });
});

describe('inclusion proofs', () => {
  test('of every entry verify in every tree that holds it', () => {
    for (let size = 1; size <= LARGEST; size++) {
      for (let index = 0; index < size; index++) {
        const claim = { index, size, leaf: at(leaves, index), root: at(roots, size) };
        verifyInclusion(claim, tree.inclusionProof(index, size), hasher);
      }
    }
  });

  test('verify for no other entry, index, size, root or proof', () => {
    const anyProof = fc.integer({ min: 1, max: LARGEST }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        index: fc.integer({ min: 0, max: size - 1 }),
        change: fc.constantFrom('leaf', 'root', 'index', 'size', 'shorter', 'longer', 'bit'),
        pick: fc.nat(),
      }),
    );
    fc.assert(
      fc.property(anyProof, ({ size, index, change, pick }) => {
        const claim = { index, size, leaf: at(leaves, index), root: at(roots, size) };
        const proof = tree.inclusionProof(index, size);
        const other = at(leaves, (index + 1 + (pick % (LARGEST - 1))) % LARGEST);
        if (change === 'leaf') claim.leaf = other;
        if (change === 'root') claim.root = other;
        // Two sizes can ask for the same shape of proof; the root is what tells them apart.
        if (change === 'size') [claim.size, claim.root] = [size + 1 + (pick % 5), other];
        if (change === 'index') claim.index = (index + 1) % (size + 1);
        if (change === 'shorter') proof.pop();
        if (change === 'longer') proof.push(other);
        if (change === 'bit' && proof.length > 0) {
          const flipped = Uint8Array.from(at(proof, pick % proof.length));
          flipped[pick % 32] = at([...flipped], pick % 32) ^ (1 << (pick % 8));
          proof[pick % proof.length] = flipped;
        }
        if ((change === 'shorter' || change === 'bit') && size === 1) return;
        expect(() => verifyInclusion(claim, proof, hasher)).toThrow(TlogError);
      }),
      { numRuns: 2000 },
    );
  });
});

test('proofs of the wrong length say so', () => {
  const claim = { index: 3, size: 5, leaf: at(leaves, 3), root: at(roots, 5) };
  const growth = { oldSize: 3, oldRoot: at(roots, 3), newSize: 5, newRoot: at(roots, 5) };
  const [inclusion, consistency] = [tree.inclusionProof(3, 5), tree.consistencyProof(3, 5)];
  const more = at(leaves, 0);
  expect(() => verifyInclusion(claim, [...inclusion, more], hasher)).toThrow(/too long/);
  expect(() => verifyInclusion(claim, inclusion.slice(1), hasher)).toThrow(/too short/);
  expect(() => verifyConsistency(growth, [...consistency, more], hasher)).toThrow(/too long/);
  expect(() => verifyConsistency(growth, consistency.slice(0, 2), hasher)).toThrow(/too short/);
  expect(() => verifyConsistency(growth, [], hasher)).toThrow(/empty/);
});

describe('consistency proofs', () => {
  test('verify between every two sizes', () => {
    for (let newSize = 1; newSize <= LARGEST; newSize++) {
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const claim = { oldSize, newSize, oldRoot: at(roots, oldSize), newRoot: at(roots, newSize) };
        verifyConsistency(claim, tree.consistencyProof(oldSize, newSize), hasher);
      }
    }
  });

  test('from the empty tree are empty and refused', () => {
    expect(tree.consistencyProof(0, 5)).toEqual([]);
    const claim = { oldSize: 0, newSize: 5, oldRoot: at(roots, 0), newRoot: at(roots, 5) };
    expect(() => verifyConsistency(claim, [], hasher)).toThrow(/proves nothing/);
  });

  test('do not exist between two histories that differ anywhere in the shared part', () => {
    const shape = fc.integer({ min: 1, max: 40 }).chain((oldSize) =>
      fc.record({
        oldSize: fc.constant(oldSize),
        newSize: fc.integer({ min: oldSize, max: LARGEST }),
        changed: fc.integer({ min: 0, max: oldSize - 1 }),
      }),
    );
    fc.assert(
      fc.property(shape, ({ oldSize, newSize, changed }) => {
        const fork = new MemoryTree(hasher);
        for (let i = 0; i < newSize; i++) fork.append(entry(i === changed ? 1_000_000 : i));
        const proof = fork.consistencyProof(oldSize, newSize);
        const claim = { oldSize, newSize, oldRoot: at(roots, oldSize), newRoot: fork.root() };
        expect(() => verifyConsistency(claim, proof, hasher)).toThrow(TlogError);
      }),
    );
  });
});

describe('subtree proofs', () => {
  test('verify for every subtree of every tree', () => {
    for (let size = 1; size <= 33; size++) {
      for (let start = 0; start < size; start++) {
        for (let end = start + 1; end <= size; end++) {
          let room = 1;
          while (room < end - start) room *= 2;
          if (start % room !== 0) {
            expect(() => subtreeConsistencyPlan(start, end, size)).toThrow(/no subtree/);
            continue;
          }
          const subtreeRoot = definedRoot(leaves.slice(start, end));
          const claim = { start, end, size, subtreeRoot, root: at(roots, size) };
          const proof = proofFromNodes(subtreeConsistencyPlan(start, end, size), tree.read, hasher);
          verifySubtreeConsistency(claim, proof, hasher);
          const wrong = { ...claim, subtreeRoot: at(leaves, 69) };
          expect(() => verifySubtreeConsistency(wrong, proof, hasher)).toThrow(TlogError);
        }
      }
    }
  });

  test('show an entry within a subtree', () => {
    const subtree = new MemoryTree(hasher);
    for (const leaf of leaves.slice(8, 13)) subtree.appendLeaf(leaf);
    const claim = { start: 8, end: 13, index: 11, leaf: at(leaves, 11), subtreeRoot: subtree.root() };
    verifySubtreeInclusion(claim, subtree.inclusionProof(3), hasher);
    expect(() => verifySubtreeInclusion({ ...claim, index: 7 }, [], hasher)).toThrow(/not among/);
  });
});

describe('sizes', () => {
  const huge = 2 ** 53 - 1;

  test('up to 2^53 - 1 are exact', () => {
    expect(rootNodes(huge)).toHaveLength(53);
    expect(inclusionPlan(huge - 1, huge)).toHaveLength(52);
    expect(inclusionPlan(0, huge)).toHaveLength(53);
    expect(consistencyPlan(2 ** 52, huge).flat()[0]).toEqual({ level: 51, index: 2 });
  });

  test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('of %d are refused', (size) => {
    expect(() => rootNodes(size)).toThrow(TlogError);
    expect(() => inclusionPlan(0, size)).toThrow(TlogError);
    expect(() => inclusionPlan(size, 10)).toThrow(TlogError);
    expect(() => consistencyPlan(0, size)).toThrow(TlogError);
  });

  test('smaller than what they extend are refused', () => {
    expect(() => consistencyPlan(5, 4)).toThrow(/larger/);
    expect(() => tree.consistencyProof(5, LARGEST + 1)).toThrow(/tree has 70 entries/);
  });
});
