import { decodeBase64, encodeBase64 } from '../../tlog/base64.ts';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { noteVerifier } from '../../tlog/cosignature.ts';
import { TlogError } from '../../tlog/errors.ts';
import { sameBytes, type TreeHasher, treeHasher } from '../../tlog/hash.ts';
import { verifyConsistency } from '../../tlog/merkle.ts';
import { verifyNote } from '../../tlog/note.ts';
import type { VerifierKey } from '../../tlog/note-key.ts';
import type { SignatureVerifiers } from '../../tlog/signatures.ts';
import { LedgerError } from '../errors.ts';

const VERSION = 'comity.split-view/1';

/**
 * Two notes that one log signed and that cannot both be of one history. It convinces anybody who has the log's key:
 * nothing in it has to be believed.
 */
export interface SplitView {
  readonly v: typeof VERSION;
  /** The smaller head first. */
  readonly notes: readonly [string, string];
  /**
   * For heads of different sizes: the root that the larger history has at the size of the smaller, and the consistency
   * proof that it does (base64).
   */
  readonly link?: { readonly root: string; readonly consistency: readonly string[] };
}

export function splitView(
  smaller: string,
  larger: string,
  link?: { readonly root: Uint8Array; readonly consistency: readonly Uint8Array[] },
): SplitView {
  const notes = [smaller, larger] as const;
  if (link === undefined) return { v: VERSION, notes };
  return {
    v: VERSION,
    notes,
    link: { root: encodeBase64(link.root), consistency: link.consistency.map(encodeBase64) },
  };
}

/** Reads a proof. Nothing is verified yet. @throws {LedgerError} `bundle-invalid` */
export function parseSplitView(text: string): SplitView {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid('not JSON');
  }
  if (isSplitView(json)) return json;
  throw invalid(`not a ${VERSION}`);
}

/**
 * Verifies that the log with one of these keys signed two histories.
 * @returns the sizes of the two heads
 * @throws {LedgerError} `bundle-invalid` if it does not show that
 */
export function verifySplitView(
  proof: SplitView,
  keys: readonly VerifierKey[],
  signatures: SignatureVerifiers,
  hasher: TreeHasher = treeHasher(),
): { readonly origin: string; readonly sizes: readonly [number, number] } {
  try {
    const [a, b] = [parseCheckpoint(proof.notes[0]), parseCheckpoint(proof.notes[1])];
    const { origin } = a.checkpoint;
    if (b.checkpoint.origin !== origin) throw invalid('the notes are of two logs');
    const verifiers = keys.filter(({ name }) => name === origin).map((key) => noteVerifier(key, signatures));
    if (verifiers.length === 0) throw invalid('the notes are of a log whose key is not among yours');
    for (const { note } of [a, b]) verifyNote(note, verifiers);
    const { size, root } = a.checkpoint;
    if (sameBytes(rootAt(size, b.checkpoint, proof, hasher), root)) throw invalid('the two heads agree');
    return { origin, sizes: [size, b.checkpoint.size] };
  } catch (error) {
    if (error instanceof TlogError) throw invalid(error.message);
    throw error;
  }
}

/** The root that the larger history has at the size of the smaller. */
function rootAt(
  size: number,
  larger: { readonly size: number; readonly root: Uint8Array },
  { link }: SplitView,
  hasher: TreeHasher,
): Uint8Array {
  if (larger.size === size) return larger.root;
  if (link === undefined) throw invalid('nothing ties heads of two sizes together');
  const oldRoot = hashOf(link.root);
  const consistency = link.consistency.map(hashOf);
  // From nothing everything follows: that would prove nothing.
  if (size === 0) throw invalid('an empty log contradicts nothing');
  verifyConsistency(
    { oldSize: size, oldRoot, newSize: larger.size, newRoot: larger.root },
    consistency,
    hasher,
  );
  return oldRoot;
}

function hashOf(text: string): Uint8Array {
  const bytes = decodeBase64(text);
  if (bytes?.length === 32) return bytes;
  throw invalid('a hash is not 32 bytes in base64');
}

function isSplitView(value: unknown): value is SplitView {
  if (typeof value !== 'object' || value === null) return false;
  const { v, notes, link } = value as Readonly<Record<string, unknown>>;
  const strings = (list: unknown): list is readonly string[] =>
    Array.isArray(list) && list.every((item) => typeof item === 'string');
  if (v !== VERSION || !strings(notes) || notes.length !== 2) return false;
  if (link === undefined) return true;
  if (typeof link !== 'object' || link === null) return false;
  const { root, consistency } = link as Readonly<Record<string, unknown>>;
  return typeof root === 'string' && strings(consistency);
}

function invalid(message: string): LedgerError {
  return new LedgerError(
    'bundle-invalid',
    `proof of two histories: ${message}`,
    'ask whoever gave it to you for the two signed notes',
  );
}
