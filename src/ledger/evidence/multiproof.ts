import { type TreeHasher, treeHasher } from '../../tlog/hash.ts';
import type { NodeId } from '../../tlog/merkle.ts';
import { LedgerError } from '../errors.ts';

/** Entries `from` up to, not including, `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Proves any set of entries at once: the hashes of the largest perfect subtrees that hold none of them, from the left.
 * One entry needs what an inclusion proof needs; a whole log needs nothing; a million in a row need a few dozen.
 *
 * `ranges` must be in order, not empty, and must not touch.
 */
export function multiproofNodes(ranges: readonly Range[], size: number): readonly NodeId[] {
  const nodes: NodeId[] = [];
  walk(ranges, size, {
    outside: (level, index) => {
      nodes.push({ level, index });
      return EMPTY;
    },
    leaf: () => EMPTY,
    node: () => EMPTY,
  });
  return nodes;
}

/**
 * The root that entries and a multiproof lead to.
 * @param leaves gives the leaf hashes of the entries in the ranges, in order, one at each call
 * @throws {LedgerError} `bundle-invalid` if there are too many or too few hashes
 */
export function rootFromMultiproof(
  ranges: readonly Range[],
  size: number,
  leaves: () => Uint8Array,
  proof: readonly Uint8Array[],
  hasher: TreeHasher = treeHasher(),
): Uint8Array {
  let used = 0;
  const root = walk(ranges, size, {
    outside: () => {
      const hash = proof[used++];
      if (hash === undefined) throw invalid('proof has too few hashes');
      return hash;
    },
    leaf: leaves,
    node: hasher.node,
  });
  if (used !== proof.length) throw invalid('proof has too many hashes');
  return root;
}

interface Visitor {
  /** A perfect subtree without any of the entries. */
  outside(level: number, index: number): Uint8Array;
  /** The next of the entries. */
  leaf(): Uint8Array;
  node(left: Uint8Array, right: Uint8Array): Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** Goes over the tree as RFC 9162 §2.1.1 splits it, from the left. */
function walk(ranges: readonly Range[], size: number, visitor: Visitor): Uint8Array {
  checkRanges(ranges, size);
  let current = 0;
  const visit = (low: number, high: number): Uint8Array => {
    while ((ranges[current]?.to ?? Number.POSITIVE_INFINITY) <= low) current += 1;
    const selected = (ranges[current]?.from ?? Number.POSITIVE_INFINITY) < high;
    const width = high - low;
    if (width === 1 && selected) return visitor.leaf();
    const level = exactLog2(width);
    if (!selected && level !== undefined) return visitor.outside(level, low / width);
    const middle = low + leftWidth(width);
    const left = visit(low, middle);
    return visitor.node(left, visit(middle, high));
  };
  return visit(0, size);
}

/** @throws {LedgerError} `bundle-invalid` unless the ranges are in order, apart, and within `size` entries */
export function checkRanges(ranges: readonly Range[], size: number): void {
  let last = -1;
  for (const { from, to } of ranges) {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from <= last || to <= from || to > size) {
      throw invalid(`ranges of entries are out of order at ${from}`);
    }
    last = to;
  }
  if (size < 1) throw invalid('tree is empty');
}

/** Groups indices, in any order and perhaps repeated, into ranges. */
export function rangesOf(indices: Iterable<number>): readonly Range[] {
  const ranges: { from: number; to: number }[] = [];
  for (const index of [...new Set(indices)].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.to === index) last.to += 1;
    else ranges.push({ from: index, to: index + 1 });
  }
  return ranges;
}

function exactLog2(width: number): number | undefined {
  const level = Math.round(Math.log2(width));
  return 2 ** level === width ? level : undefined;
}

/** Largest power of two below `width`, which is at least 2. */
function leftWidth(width: number): number {
  let left = 2 ** Math.floor(Math.log2(width));
  // Math.log2 is not exact just below large powers of two.
  while (left >= width) left /= 2;
  while (left * 2 < width) left *= 2;
  return left;
}

function invalid(message: string): LedgerError {
  return new LedgerError('bundle-invalid', message, 'ask for the evidence file again');
}
