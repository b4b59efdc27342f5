// The log's arithmetic on one core, on entries of 1 KB.
import { hash } from 'node:crypto';
import { decodeBundle, encodeBundle } from '../src/tlog/bundle.ts';
import { signCheckpoint } from '../src/tlog/checkpoint.ts';
import { cosigner, ed25519NoteSigner } from '../src/tlog/cosignature.ts';
import { Frontier } from '../src/tlog/frontier.ts';
import { type Sha256, type TreeHasher, treeHasher } from '../src/tlog/hash.ts';
import { MemoryTree } from '../src/tlog/memory-tree.ts';
import { verifyConsistency, verifyInclusion } from '../src/tlog/merkle.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign, nobleSignatures } from '../src/tlog/noble.ts';
import { formatVerifierKey, SIGNATURE_TYPES, verifierKey } from '../src/tlog/note-key.ts';
import { parsePolicy, verifyCheckpoint } from '../src/tlog/policy.ts';
import { parseTilePath } from '../src/tlog/tile.ts';
import type { Benchmark, Row } from './bench.ts';
import { ofRounds } from './bench.ts';
import { stayOnOneCore } from './processes.ts';

const ROUNDS = 5;
const MILLISECONDS = 400;
const ENTRY_BYTES = 1024;
const TREE_SIZE = 100_000;

const nodeSha256: Sha256 = (data) => hash('sha256', data, 'buffer');
const entry = new Uint8Array(ENTRY_BYTES).map((_, i) => (i * 131) % 256);
const seed = new Uint8Array(32).fill(1);

export const benchmark: Benchmark = {
  name: 'tlog',
  summary: 'hashing, proofs and signatures of the transparency log',
  parts: {
    'node-crypto': () => treeRows('node:crypto', treeHasher(nodeSha256)),
    typescript: () => treeRows('pure TypeScript', treeHasher()),
    notes: noteRows,
  },
};

function treeRows(name: string, hasher: TreeHasher): readonly Row[] {
  stayOnOneCore();
  checkAgainstDefinition(hasher);
  const leaf = hasher.leaf(entry);
  const frontier = new Frontier(hasher);
  const tree = new MemoryTree(hasher);
  for (let i = 0; i < TREE_SIZE; i++) tree.appendLeaf(leaf);
  const root = tree.root();
  const index = 77_777;
  const inclusion = tree.inclusionProof(index);
  const claim = { index, size: TREE_SIZE, leaf, root };
  const growth = { oldSize: index, oldRoot: tree.root(index), newSize: TREE_SIZE, newRoot: root };
  const consistency = tree.consistencyProof(index);
  return [
    times(`${name}: leaf hash`, () => hasher.leaf(entry)),
    times(`${name}: node hash`, () => hasher.node(leaf, leaf)),
    times(`${name}: leaf hash and append`, () => frontier.append(hasher.leaf(entry))),
    times(`${name}: verify inclusion, ${inclusion.length} hashes`, () =>
      verifyInclusion(claim, inclusion, hasher),
    ),
    times(`${name}: verify consistency, ${consistency.length} hashes`, () =>
      verifyConsistency(growth, consistency, hasher),
    ),
  ];
}

function noteRows(): readonly Row[] {
  stayOnOneCore();
  const origin = 'example.com/log';
  const publicKey = nobleEd25519PublicKey(seed);
  const logKey = verifierKey(origin, SIGNATURE_TYPES.ed25519, publicKey);
  const witnessKey = verifierKey('witness.example', SIGNATURE_TYPES.ed25519Cosignature, publicKey);
  const head = { origin, size: TREE_SIZE, root: new Uint8Array(32), extensions: [] };
  const note = signCheckpoint(head, [
    ed25519NoteSigner(logKey, nobleEd25519Sign(seed)),
    cosigner(witnessKey, nobleEd25519Sign(seed), 1_700_000_000),
  ]);
  const policy = parsePolicy(
    `log ${formatVerifierKey(logKey)}\nwitness w ${formatVerifierKey(witnessKey)}\nquorum w\n`,
  );
  const entries = Array.from({ length: 256 }, () => entry);
  const bundle = encodeBundle(entries);
  return [
    times('verify a checkpoint with one cosignature (noble)', () =>
      verifyCheckpoint(note, policy, nobleSignatures),
    ),
    times('encode a bundle of 256 entries', () => encodeBundle(entries)),
    times('decode a bundle of 256 entries', () => decodeBundle(bundle, 256)),
    times('parse a tile path', () => parseTilePath('tile/entries/x001/x234/067.p/12')),
  ];
}

/** RFC 9162 §2.1.1 for three leaves, by hand: a hasher that is wrong must not be timed. */
function checkAgainstDefinition(hasher: TreeHasher): void {
  const prefixed = (prefix: number, ...parts: readonly Uint8Array[]) =>
    nodeSha256(Buffer.concat([Uint8Array.of(prefix), ...parts]));
  const leaf = prefixed(0, entry);
  const frontier = new Frontier(hasher);
  for (let i = 0; i < 3; i++) frontier.append(hasher.leaf(entry));
  const expected = prefixed(1, prefixed(1, leaf, leaf), leaf);
  if (!Buffer.from(frontier.root()).equals(expected)) throw new Error('root of three leaves is wrong');
}

/** How often a second something is done. What is wrong throws, or is checked above. */
function times(name: string, once: () => unknown): Row {
  return ofRounds(
    name,
    '/s',
    Array.from({ length: ROUNDS }, () => perSecond(once)),
  );
}

function perSecond(once: () => unknown): number {
  const start = performance.now();
  let count = 0;
  let elapsed = 0;
  while (elapsed < MILLISECONDS) {
    for (let i = 0; i < 64; i++) once();
    count += 64;
    elapsed = performance.now() - start;
  }
  return (count / elapsed) * 1000;
}
