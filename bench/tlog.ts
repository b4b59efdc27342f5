// The log's arithmetic in one process, one core: `taskset -c 0 node bench/tlog.ts`.
// Every row checks its result before it is timed; medians of five rounds.
import { hash } from 'node:crypto';
import { cpus } from 'node:os';
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

const ROUNDS = 5;
const MILLISECONDS = 400;
const ENTRY_BYTES = 1024;
const TREE_SIZE = 100_000;

const nodeSha256: Sha256 = (data) => hash('sha256', data, 'buffer');
const hashers: readonly [string, TreeHasher][] = [
  ['node:crypto', treeHasher(nodeSha256)],
  ['pure TypeScript', treeHasher()],
];

const entry = new Uint8Array(ENTRY_BYTES).map((_, i) => (i * 131) % 256);
const seed = new Uint8Array(32).fill(1);

console.log(
  `${cpus()[0]?.model ?? 'unknown processor'} · Node ${process.version} · entries of ${ENTRY_BYTES} bytes`,
);
for (const [name, hasher] of hashers) treeRows(name, hasher);
signatureRows();

function treeRows(name: string, hasher: TreeHasher): void {
  checkAgainstDefinition(hasher);
  const leaf = hasher.leaf(entry);
  report(`${name}: leaf hash`, () => hasher.leaf(entry));
  report(`${name}: node hash`, () => hasher.node(leaf, leaf));
  const frontier = new Frontier(hasher);
  report(`${name}: leaf hash and append`, () => frontier.append(hasher.leaf(entry)));

  const tree = new MemoryTree(hasher);
  for (let i = 0; i < TREE_SIZE; i++) tree.appendLeaf(leaf);
  const root = tree.root();
  const index = 77_777;
  const inclusion = tree.inclusionProof(index);
  const claim = { index, size: TREE_SIZE, leaf, root };
  report(`${name}: verify inclusion, ${inclusion.length} hashes`, () =>
    verifyInclusion(claim, inclusion, hasher),
  );
  const growth = { oldSize: index, oldRoot: tree.root(index), newSize: TREE_SIZE, newRoot: root };
  const consistency = tree.consistencyProof(index);
  report(`${name}: verify consistency, ${consistency.length} hashes`, () =>
    verifyConsistency(growth, consistency, hasher),
  );
}

function signatureRows(): void {
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
  report('verify a checkpoint with one cosignature (noble)', () =>
    verifyCheckpoint(note, policy, nobleSignatures),
  );

  const entries = Array.from({ length: 256 }, () => entry);
  const bundle = encodeBundle(entries);
  report('encode a bundle of 256 entries', () => encodeBundle(entries));
  report('decode a bundle of 256 entries', () => decodeBundle(bundle, 256));
  report('parse a tile path', () => parseTilePath('tile/entries/x001/x234/067.p/12'));
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

function report(title: string, once: () => unknown): void {
  const rates = Array.from({ length: ROUNDS }, () => rate(once)).sort((a, b) => a - b);
  const median = rates[Math.floor(ROUNDS / 2)] ?? 0;
  const [low = 0] = rates;
  const high = rates[ROUNDS - 1] ?? 0;
  const figure = (value: number) => Math.round(value).toLocaleString('en').padStart(10);
  console.log(`${title.padEnd(52)} ${figure(median)}/s   (${figure(low)} to ${figure(high)})`);
}

function rate(once: () => unknown): number {
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
