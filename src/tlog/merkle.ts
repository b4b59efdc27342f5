import { quoted, TlogError } from './errors.ts';
import { checkHash, sameBytes, type TreeHasher, treeHasher } from './hash.ts';

/**
 * Sizes and indices are plain numbers, checked to be integers from 0 to 2^53 − 1. At a million entries
 * a second that is 285 years of log; larger values, which the formats allow, are refused, never rounded.
 */
export const MAX_SIZE = Number.MAX_SAFE_INTEGER;

/**
 * A perfect subtree: the node `index` places from the left among those that cover 2^level entries,
 * so it stands for entries `index · 2^level` up to, not including, `(index + 1) · 2^level`. Level 0 is a leaf hash.
 */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** Gives the hash of a perfect subtree. It is asked only for nodes that are complete in the tree at hand. */
export type ReadNode = (level: number, index: number) => Uint8Array;

/**
 * What to read to build a proof: one list of perfect subtrees for each hash of the proof. The hashes of
 * a list are folded from the right into that one hash, because only the right edge of a tree is ragged.
 */
export type ProofPlan = readonly (readonly NodeId[])[];

/** Perfect subtrees that make up the tree of `size` entries, from the left: one for each bit set in `size`. */
export function rootNodes(size: number): readonly NodeId[] {
  checkSize(size, 'tree size');
  return rangeNodes(0, size);
}

/** Root of the tree of `size` entries. `read` must know the nodes of {@link rootNodes}. */
export function rootFromNodes(read: ReadNode, size: number, hasher: TreeHasher = treeHasher()): Uint8Array {
  const nodes = rootNodes(size);
  return nodes.length === 0 ? hasher.emptyRoot : fold(nodes, read, hasher);
}

/**
 * What to read for an inclusion proof (RFC 9162 §2.1.3.1).
 * @throws {TlogError} `out-of-range` unless `0 ≤ index < size`.
 */
export function inclusionPlan(index: number, size: number): ProofPlan {
  checkIndex(index, size);
  const plan: NodeId[][] = [];
  let [low, high] = [0, size];
  while (high - low > 1) {
    const middle = low + leftSize(high - low);
    if (index < middle) {
      plan.push(rangeNodes(middle, high));
      high = middle;
    } else {
      plan.push(rangeNodes(low, middle));
      low = middle;
    }
  }
  return plan.reverse();
}

/**
 * What to read for a consistency proof from `oldSize` to `newSize` (RFC 9162 §2.1.4.1).
 * Both equal, or an old size of 0: nothing to read, the proof is empty.
 * @throws {TlogError} `out-of-range` unless `0 ≤ oldSize ≤ newSize`.
 */
export function consistencyPlan(oldSize: number, newSize: number): ProofPlan {
  checkGrowth(oldSize, newSize);
  return oldSize === 0 ? [] : subtreePlan(0, oldSize, newSize);
}

/** What to read to show that the subtree of entries `start` to `end` (not included) is part of the tree of `size`. */
export function subtreeConsistencyPlan(start: number, end: number, size: number): ProofPlan {
  checkSubtree(start, end);
  checkGrowth(end, size);
  return start === end ? [] : subtreePlan(start, end, size);
}

/** Builds the proof that a plan describes, from the nodes it names. */
export function proofFromNodes(plan: ProofPlan, read: ReadNode, hasher: TreeHasher): Uint8Array[] {
  return plan.map((nodes) => fold(nodes, read, hasher));
}

/**
 * Builds the proof that entry `index` is in the tree of `size` entries: sibling hashes from the leaf upwards.
 * @example inclusionProof(tree.read, 7, 10, hasher)
 */
export function inclusionProof(
  read: ReadNode,
  index: number,
  size: number,
  hasher: TreeHasher = treeHasher(),
): Uint8Array[] {
  return proofFromNodes(inclusionPlan(index, size), read, hasher);
}

/** Builds the proof that the tree of `newSize` entries extends the tree of `oldSize`. Empty if either is trivial. */
export function consistencyProof(
  read: ReadNode,
  oldSize: number,
  newSize: number,
  hasher: TreeHasher = treeHasher(),
): Uint8Array[] {
  return proofFromNodes(consistencyPlan(oldSize, newSize), read, hasher);
}

/** The claim that an inclusion proof supports. */
export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  /** Hash of the entry: `hasher.leaf(entry)`. */
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
}

/**
 * Verifies that the entry is in the tree (RFC 9162 §2.1.3.2). Returns nothing; a claim that is not proved throws.
 * @throws {TlogError} `out-of-range` · `malformed-hash` · `proof-rejected`
 */
export function verifyInclusion(
  claim: InclusionClaim,
  proof: readonly Uint8Array[],
  hasher: TreeHasher = treeHasher(),
): void {
  checkHash(claim.root, 'root hash');
  const root = rootFromInclusion(claim, proof, hasher);
  if (!sameBytes(root, claim.root))
    throw rejected(`inclusion proof of entry ${claim.index} leads to another root`);
}

/** The root that an inclusion proof leads to, for callers who learn the root from it (COSE receipts). */
export function rootFromInclusion(
  claim: Omit<InclusionClaim, 'root'>,
  proof: readonly Uint8Array[],
  hasher: TreeHasher = treeHasher(),
): Uint8Array {
  checkIndex(claim.index, claim.size);
  checkHash(claim.leaf, 'leaf hash');
  checkProof(proof);
  let [fn, sn] = [claim.index, claim.size - 1];
  let hash = claim.leaf;
  for (const sibling of proof) {
    if (sn === 0) throw rejected(`inclusion proof of entry ${claim.index} is too long`);
    if (isOdd(fn) || fn === sn) {
      hash = hasher.node(sibling, hash);
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      hash = hasher.node(hash, sibling);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  if (sn !== 0) throw rejected(`inclusion proof of entry ${claim.index} is too short`);
  return hash;
}

/** The claim that a consistency proof supports. */
export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly oldRoot: Uint8Array;
  readonly newSize: number;
  readonly newRoot: Uint8Array;
}

/**
 * Verifies that the newer tree begins with the older one (RFC 9162 §2.1.4.2). An old size of 0 is refused:
 * every tree extends the empty tree, so a proof of it says nothing; callers decide that case themselves.
 * @throws {TlogError} `out-of-range` · `malformed-hash` · `proof-rejected`
 */
export function verifyConsistency(
  claim: ConsistencyClaim,
  proof: readonly Uint8Array[],
  hasher: TreeHasher = treeHasher(),
): void {
  const newRoot = rootFromConsistency(claim, proof, hasher);
  checkHash(claim.newRoot, 'new root hash');
  if (!sameBytes(newRoot, claim.newRoot)) {
    throw rejected(`tree of ${claim.newSize} entries does not extend the tree of ${claim.oldSize}`);
  }
}

/** The newer root that a consistency proof leads to, for callers who learn it from the proof (COSE receipts). */
export function rootFromConsistency(
  claim: Omit<ConsistencyClaim, 'newRoot'>,
  proof: readonly Uint8Array[],
  hasher: TreeHasher = treeHasher(),
): Uint8Array {
  checkGrowth(claim.oldSize, claim.newSize);
  if (claim.oldSize === 0) throw rejected('consistency proof starts from the empty tree and proves nothing');
  return rootFromSubtree(
    { start: 0, end: claim.oldSize, subtreeRoot: claim.oldRoot, size: claim.newSize },
    proof,
    hasher,
  );
}

/** The claim that entries `start` to `end` (not included), with root `subtreeRoot`, are part of the tree of `size`. */
export interface SubtreeClaim {
  readonly start: number;
  readonly end: number;
  readonly subtreeRoot: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * Verifies a subtree consistency proof (draft-ietf-plants-merkle-tree-certs §4.4), which the witness call
 * `sign-subtree` uses. The empty subtree is part of every tree; its root must be that of the empty tree.
 * @throws {TlogError} `out-of-range` · `malformed-hash` · `proof-rejected`
 */
export function verifySubtreeConsistency(
  claim: SubtreeClaim,
  proof: readonly Uint8Array[],
  hasher: TreeHasher = treeHasher(),
): void {
  checkSubtree(claim.start, claim.end);
  checkGrowth(claim.end, claim.size);
  checkHash(claim.root, 'root hash');
  if (claim.start === claim.end) {
    if (proof.length === 0 && sameBytes(claim.subtreeRoot, hasher.emptyRoot)) return;
    throw rejected('empty subtree comes with a proof or with a root that is not the empty one');
  }
  const root = rootFromSubtree(claim, proof, hasher);
  if (!sameBytes(root, claim.root)) {
    throw rejected(`subtree of entries ${claim.start} to ${claim.end} is not part of the tree`);
  }
}

/**
 * Verifies that an entry is in the subtree of entries `start` to `end` (not included), given that subtree's root.
 * @throws {TlogError} `out-of-range` · `malformed-hash` · `proof-rejected`
 */
export function verifySubtreeInclusion(
  claim: Pick<SubtreeClaim, 'start' | 'end' | 'subtreeRoot'> & Pick<InclusionClaim, 'index' | 'leaf'>,
  proof: readonly Uint8Array[],
  hasher: TreeHasher = treeHasher(),
): void {
  checkSubtree(claim.start, claim.end);
  if (claim.index < claim.start || claim.index >= claim.end) {
    throw outOfRange(`entry ${claim.index} is not among entries ${claim.start} to ${claim.end}`);
  }
  verifyInclusion(
    {
      index: claim.index - claim.start,
      size: claim.end - claim.start,
      leaf: claim.leaf,
      root: claim.subtreeRoot,
    },
    proof,
    hasher,
  );
}

/** @throws {TlogError} `out-of-range` unless `size` is an integer that this implementation can hold exactly. */
export function checkSize(size: number, what: string): void {
  if (Number.isSafeInteger(size) && size >= 0) return;
  throw outOfRange(`${what} ${quoted(String(size))} is not a whole number from 0 to 2^53 - 1`);
}

/** @throws {TlogError} `out-of-range` unless `0 ≤ index < size`. */
export function checkIndex(index: number, size: number): void {
  checkSize(size, 'tree size');
  checkSize(index, 'entry index');
  if (index >= size) throw outOfRange(`entry index ${index} is beyond a tree of ${size} entries`);
}

/** @throws {TlogError} `out-of-range` unless `0 ≤ from ≤ to`. */
export function checkGrowth(from: number, to: number): void {
  checkSize(from, 'old size');
  checkSize(to, 'new size');
  if (from > to) throw outOfRange(`old size ${from} is larger than new size ${to}`);
}

/** Walks a subtree consistency proof; both roots are recomputed in the one walk. Expects `start < end ≤ size`. */
function rootFromSubtree(
  claim: Omit<SubtreeClaim, 'root'>,
  proof: readonly Uint8Array[],
  hasher: TreeHasher,
): Uint8Array {
  checkHash(claim.subtreeRoot, 'old root hash');
  checkProof(proof);
  let [fn, sn, tn] = [claim.start, claim.end - 1, claim.size - 1];
  // Up to the largest perfect subtree that ends where the claimed subtree ends: the proof starts there.
  const known = sn === tn ? () => fn === sn : () => fn === sn || !isOdd(sn);
  while (!known()) [fn, sn, tn] = [half(fn), half(sn), half(tn)];

  const [first, ...others] = proof;
  const whole = fn === sn;
  if (!whole && first === undefined) throw rejected('consistency proof is empty');
  let oldHash = whole || first === undefined ? claim.subtreeRoot : first;
  let newHash = oldHash;
  for (const sibling of whole ? proof : others) {
    if (tn === 0) throw rejected('consistency proof is too long');
    if (isOdd(sn) || sn === tn) {
      if (fn < sn) oldHash = hasher.node(sibling, oldHash);
      newHash = hasher.node(sibling, newHash);
      while (!isOdd(sn) && sn !== 0) [fn, sn, tn] = [half(fn), half(sn), half(tn)];
    } else {
      newHash = hasher.node(newHash, sibling);
    }
    [fn, sn, tn] = [half(fn), half(sn), half(tn)];
  }
  if (tn !== 0) throw rejected('consistency proof is too short');
  if (!sameBytes(oldHash, claim.subtreeRoot)) throw rejected('consistency proof leads to another old root');
  return newHash;
}

/** RFC 9162 §2.1.4.1 SUBPROOF, from the top down, widened to subtrees that do not start at 0. */
function subtreePlan(start: number, end: number, size: number): ProofPlan {
  const plan: NodeId[][] = [];
  let [low, high] = [0, size];
  let [from, whole] = [start, true];
  while (low !== from || high !== end) {
    const middle = low + leftSize(high - low);
    if (end <= middle) {
      plan.push(rangeNodes(middle, high));
      high = middle;
    } else {
      plan.push(rangeNodes(low, middle));
      low = middle;
      // The claimed subtree is cut in two: its verifier needs the right part, which it has never seen.
      if (from < middle) [from, whole] = [middle, false];
    }
  }
  if (!whole) plan.push(rangeNodes(low, high));
  return plan.reverse();
}

/** Perfect subtrees that cover entries `low` to `high`, from the left; `low` must allow a tree of that size. */
function rangeNodes(low: number, high: number): NodeId[] {
  const nodes: NodeId[] = [];
  for (let at = low; at < high; ) {
    const level = floorLog2(high - at);
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

function fold(nodes: readonly NodeId[], read: ReadNode, hasher: TreeHasher): Uint8Array {
  const hashes = nodes.map((node) => read(node.level, node.index));
  return hashes.reduceRight((right, left) => hasher.node(left, right));
}

/** Largest power of two below `size`: where RFC 9162 §2.1.1 splits a tree. Expects `size ≥ 2`. */
function leftSize(size: number): number {
  return 2 ** floorLog2(size - 1);
}

/** Exact for every safe integer: `Math.log2` rounds up just below large powers of two. */
function floorLog2(n: number): number {
  const high = Math.floor(n / 2 ** 32);
  return high === 0 ? 31 - Math.clz32(n) : 63 - Math.clz32(high);
}

function half(n: number): number {
  return Math.floor(n / 2);
}

function isOdd(n: number): boolean {
  return n % 2 === 1;
}

/** A subtree starts at a multiple of the smallest power of two that holds it (merkle-tree-certs §4.1). */
function checkSubtree(start: number, end: number): void {
  checkGrowth(start, end);
  const room = end - start < 2 ? 1 : 2 * leftSize(end - start);
  if (start % room !== 0) throw outOfRange(`no subtree covers entries ${start} to ${end}`);
}

function checkProof(proof: readonly Uint8Array[]): void {
  for (const hash of proof) checkHash(hash, 'proof hash');
}

function outOfRange(message: string): TlogError {
  return new TlogError('out-of-range', message, 'check the index and the sizes against the checkpoint');
}

function rejected(message: string): TlogError {
  return new TlogError(
    'proof-rejected',
    message,
    'fetch the proof again for exactly this tree size; if it still fails, the log does not hold what it claims',
  );
}
