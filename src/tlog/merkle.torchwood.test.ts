import { createHash, type Hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TlogError } from './errors.ts';
import { treeHasher } from './hash.ts';
import { MemoryTree } from './memory-tree.ts';
import { inclusionPlan, proofFromNodes, subtreeConsistencyPlan } from './merkle.ts';

const expected = JSON.parse(
  readFileSync(new URL('./testdata/torchwood/accumulated.json', import.meta.url), 'utf8'),
) as {
  readonly subtreeProof: string;
  readonly recordInSubtreeProof: string;
  readonly subtreeHash: string;
  readonly validSubtrees: readonly [number, number][];
  readonly invalidSubtrees: readonly [number, number][];
};

const SIZE = 130;
const hasher = treeHasher();
const tree = new MemoryTree(hasher);
for (let i = 0; i < SIZE; i++) tree.append(Uint8Array.of(i));

function isSubtree(start: number, end: number): boolean {
  try {
    subtreeConsistencyPlan(start, end, Math.max(end, 0));
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(TlogError);
    return false;
  }
}

/** Every subtree of trees of up to `size` entries, in the order in which Torchwood counts them. */
function* subtrees(size: number): Generator<readonly [number, number]> {
  for (let end = 0; end <= size; end++) {
    for (let start = 0; start <= end; start++) if (isSubtree(start, end)) yield [start, end];
  }
}

const hex = (hashes: readonly Uint8Array[]) =>
  hashes.map((hash) => ` ${Buffer.from(hash).toString('hex')}`).join('');

function digest(update: (digest: Hash) => void): string {
  const hash = createHash('sha256');
  update(hash);
  return hash.digest('hex');
}

/** A small tree that stands alone, made of entries `start` to `end`. */
function alone(start: number, end: number): MemoryTree {
  const subtree = new MemoryTree(hasher);
  for (let i = start; i < end; i++) subtree.append(Uint8Array.of(i));
  return subtree;
}

describe('Torchwood, of every subtree of every tree up to 130 entries,', () => {
  test('builds the same proofs of consistency', () => {
    const all = [...subtrees(SIZE)];
    const got = digest((hash) => {
      for (let size = 0; size <= SIZE; size++) {
        for (const [start, end] of all) {
          if (end > size) break;
          const proof = proofFromNodes(subtreeConsistencyPlan(start, end, size), tree.read, hasher);
          hash.update(`[${start}, ${end}) ${size}${hex(proof)}\n`);
        }
      }
    });
    expect(got).toBe(expected.subtreeProof);
  });

  test('builds the same proofs of inclusion', () => {
    const got = digest((hash) => {
      for (const [start, end] of subtrees(SIZE)) {
        const { read } = alone(start, end);
        for (let i = start; i < end; i++) {
          const proof = proofFromNodes(inclusionPlan(i - start, end - start), read, hasher);
          hash.update(`${i} [${start}, ${end})${hex(proof)}\n`);
        }
      }
    });
    expect(got).toBe(expected.recordInSubtreeProof);
  });

  test('computes the same roots', () => {
    const got = digest((hash) => {
      for (const [start, end] of subtrees(SIZE))
        hash.update(`[${start}, ${end})${hex([alone(start, end).root()])}\n`);
    });
    expect(got).toBe(expected.subtreeHash);
  });
});

test('a subtree starts at a multiple of the power of two that holds it', () => {
  expect(expected.validSubtrees.filter(([start, end]) => !isSubtree(start, end))).toEqual([]);
  expect(expected.invalidSubtrees.filter(([start, end]) => isSubtree(start, end))).toEqual([]);
});
