import { decodeBase64, encodeBase64 } from './base64.ts';
import { type CheckpointNote, parseCheckpoint } from './checkpoint.ts';
import { quoted, TlogError } from './errors.ts';
import { checkHash, HASH_BYTES, type TreeHasher, treeHasher } from './hash.ts';
import { checkIndex, verifyInclusion } from './merkle.ts';
import { formatNote, MAX_NOTE_BYTES } from './note.ts';
import { acceptCheckpoint, type Policy, type PolicyEvaluation } from './policy.ts';
import type { SignatureVerifiers } from './signatures.ts';
import { decodeUtf8, parseDecimal } from './text.ts';

/** Everything that shows offline that an entry is in a log, except the entry itself (C2SP tlog-proof). */
export interface TlogProof {
  /** Of the entry in the log. */
  readonly index: number;
  /** Inclusion proof in the tree of the checkpoint, from the leaf upwards. */
  readonly hashes: readonly Uint8Array[];
  /** Signed by the log and, usually, cosigned by witnesses. */
  readonly checkpoint: CheckpointNote;
  /** Whatever the application put beside it. Nothing vouches for it. */
  readonly extra: Uint8Array | undefined;
}

const HEADER = 'c2sp.org/tlog-proof@v1';

/** Most hashes an inclusion proof can have. */
const MAX_HASHES = 63;

/** Largest proof that is read, in bytes. */
export const MAX_PROOF_BYTES = 2 * MAX_NOTE_BYTES;

/**
 * Reads a `.tlog-proof`. Nothing is verified yet.
 * @throws {TlogError} `malformed-proof` · `malformed-note` · `malformed-checkpoint`
 */
export function parseProof(input: Uint8Array | string): TlogProof {
  if (input.length > MAX_PROOF_BYTES) throw malformed(`proof is longer than ${MAX_PROOF_BYTES} bytes`);
  const text = typeof input === 'string' ? input : decodeUtf8(input);
  if (text === undefined) throw malformed('proof is not valid UTF-8');
  const blank = text.indexOf('\n\n');
  if (blank < 0) throw malformed('proof has no blank line before its checkpoint');
  const [header, ...lines] = text.slice(0, blank).split('\n');
  if (header !== HEADER)
    throw malformed(`first line of the proof is ${quoted(header ?? '')}, not \`${HEADER}\``);
  const extra = lines[0]?.startsWith('extra ') ? parseExtra(lines.shift() ?? '') : undefined;
  const index = parseIndex(lines.shift() ?? '');
  if (lines.length > MAX_HASHES) throw malformed(`proof has more than ${MAX_HASHES} hashes`);
  return { index, hashes: lines.map(parseHash), checkpoint: parseCheckpoint(text.slice(blank + 2)), extra };
}

/**
 * Writes a `.tlog-proof`.
 * @throws {TlogError} `out-of-range` unless the index is in the checkpoint's tree · `malformed-hash` · `malformed-proof`
 */
export function formatProof(proof: TlogProof): string {
  const { index, hashes, checkpoint, extra } = proof;
  checkIndex(index, checkpoint.checkpoint.size);
  for (const hash of hashes) checkHash(hash, 'proof hash');
  if (hashes.length > MAX_HASHES) throw malformed(`proof has more than ${MAX_HASHES} hashes`);
  if (extra?.length === 0) throw malformed('extra data is empty: leave it out');
  const lines = [
    HEADER,
    ...(extra === undefined ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(encodeBase64),
  ];
  return `${lines.join('\n')}\n\n${formatNote(checkpoint.note)}`;
}

/**
 * Verifies that the entry with the hash `leaf` is in a log that `policy` accepts: log signature, quorum of witnesses,
 * inclusion. Returns what the policy found; anything less than a full proof throws.
 *
 * @example verifyProof(parseProof(file), hasher.leaf(entry), policy, nobleSignatures)
 * @throws {TlogError} `signature-rejected` · `signature-missing` · `quorum-not-met` · `out-of-range` · `proof-rejected`
 * · `malformed-hash`
 */
export function verifyProof(
  proof: TlogProof,
  leaf: Uint8Array,
  policy: Policy,
  signatures: SignatureVerifiers,
  hasher: TreeHasher = treeHasher(),
): PolicyEvaluation {
  const evaluation = acceptCheckpoint(proof.checkpoint, policy, signatures);
  const { size, root } = evaluation.checkpoint;
  verifyInclusion({ index: proof.index, size, leaf, root }, proof.hashes, hasher);
  return evaluation;
}

function parseExtra(line: string): Uint8Array {
  const extra = decodeBase64(line.slice('extra '.length));
  if (extra === undefined || extra.length === 0)
    throw malformed(`${quoted(line)} has no base64 after \`extra\``);
  return extra;
}

function parseIndex(line: string): number {
  const index = line.startsWith('index ') ? parseDecimal(line.slice('index '.length)) : undefined;
  if (index === undefined)
    throw malformed(`${quoted(line)} is not \`index\` and a decimal number up to 2^53 - 1`);
  return index;
}

function parseHash(line: string): Uint8Array {
  const hash = decodeBase64(line);
  if (hash?.length !== HASH_BYTES) throw malformed(`${quoted(line)} is not a 32-byte hash in base64`);
  return hash;
}

function malformed(message: string): TlogError {
  return new TlogError(
    'malformed-proof',
    message,
    'see C2SP tlog-proof; pass the bytes of the file unchanged',
  );
}
