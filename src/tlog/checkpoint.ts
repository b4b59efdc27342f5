import { decodeBase64, encodeBase64 } from './base64.ts';
import { quoted, TlogError } from './errors.ts';
import { checkHash, HASH_BYTES } from './hash.ts';
import { checkSize } from './merkle.ts';
import {
  formatNote,
  type Note,
  type NoteSigner,
  type NoteVerifier,
  parseNote,
  signNote,
  type VerifiedSignature,
  verifyNote,
} from './note.ts';
import { encodeUtf8, parseDecimal, splitLines } from './text.ts';

/** The head of a log: which log, how many entries, which root (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Identifies the log. One line of 1 to 255 bytes: what every kind of cosignature can hold. */
  readonly origin: string;
  readonly size: number;
  /** Root of the tree of `size` entries, 32 bytes. */
  readonly root: Uint8Array;
  /** Further lines, none of them empty. Not recommended: nobody audits them, and ML-DSA cosignatures skip them. */
  readonly extensions: readonly string[];
}

/** A checkpoint together with the note that carries it. */
export interface CheckpointNote {
  readonly checkpoint: Checkpoint;
  readonly note: Note;
}

/** A checkpoint whose log has signed it, and the signatures that showed it. */
export interface OpenedCheckpoint<V extends NoteVerifier = NoteVerifier> extends CheckpointNote {
  readonly signatures: readonly VerifiedSignature<V>[];
}

/**
 * Reads the text of a checkpoint.
 * @throws {TlogError} `malformed-checkpoint`
 */
export function parseCheckpointText(text: string): Checkpoint {
  const [origin, sizeLine, rootLine, ...extensions] = splitLines(text) ?? [];
  if (origin === undefined || sizeLine === undefined || rootLine === undefined) {
    throw malformed('checkpoint has fewer than three lines');
  }
  checkOrigin(origin);
  if (extensions.includes('')) throw malformed('checkpoint has an empty line');
  const size = parseDecimal(sizeLine);
  if (size === undefined)
    throw malformed(`tree size ${quoted(sizeLine)} is not a decimal number up to 2^53 - 1`);
  const root = decodeBase64(rootLine);
  if (root?.length !== HASH_BYTES) throw malformed(`root hash ${quoted(rootLine)} is not 32 bytes in base64`);
  return { origin, size, root, extensions };
}

/**
 * Writes the text of a checkpoint, which is what its log signs.
 * @throws {TlogError} `malformed-checkpoint` · `out-of-range` · `malformed-hash`
 */
export function formatCheckpointText(checkpoint: Checkpoint): string {
  checkSize(checkpoint.size, 'tree size');
  checkHash(checkpoint.root, 'root hash');
  checkOrigin(checkpoint.origin);
  const lines = [
    checkpoint.origin,
    String(checkpoint.size),
    encodeBase64(checkpoint.root),
    ...checkpoint.extensions,
  ];
  for (const line of lines) {
    if (line === '' || line.includes('\n'))
      throw malformed(`${quoted(line)} cannot be a line of a checkpoint`);
  }
  return `${lines.join('\n')}\n`;
}

/**
 * Reads a signed checkpoint without verifying it.
 * @throws {TlogError} `malformed-note` · `malformed-checkpoint`
 */
export function parseCheckpoint(input: Uint8Array | string): CheckpointNote {
  const note = parseNote(input);
  return { checkpoint: parseCheckpointText(note.text), note };
}

/**
 * Reads a checkpoint of the log `origin` and verifies that the log signed it. `logs` are the log's own keys, usually
 * one; cosignatures of witnesses are not looked at (see `policy.ts`). Extension lines are covered by Ed25519 keys only.
 *
 * @throws {TlogError} `malformed-note` · `malformed-checkpoint` · `wrong-origin` · `signature-rejected`
 * · `signature-missing`
 */
export function openCheckpoint<V extends NoteVerifier>(
  input: Uint8Array | string,
  origin: string,
  logs: readonly V[],
): OpenedCheckpoint<V> {
  const { checkpoint, note } = parseCheckpoint(input);
  if (checkpoint.origin !== origin) {
    throw new TlogError(
      'wrong-origin',
      `checkpoint is of log ${quoted(checkpoint.origin)}, not of ${quoted(origin)}`,
      'check which log the checkpoint was fetched from',
    );
  }
  return { checkpoint, note, signatures: verifyNote(note, logs) };
}

/**
 * Signs a checkpoint and writes it as a note, ready to be published.
 * @example signCheckpoint({ origin, size, root, extensions: [] }, [ed25519NoteSigner(key, sign)])
 * @throws {TlogError} `malformed-checkpoint` · `malformed-note` · `out-of-range` · `malformed-hash`
 */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly NoteSigner[]): string {
  return formatNote(signNote(formatCheckpointText(checkpoint), signers));
}

function checkOrigin(origin: string): void {
  const { length } = encodeUtf8(origin);
  if (length < 1 || length > 255)
    throw malformed(`origin ${quoted(origin)} has ${length} bytes, not 1 to 255`);
}

function malformed(message: string): TlogError {
  return new TlogError(
    'malformed-checkpoint',
    message,
    'a checkpoint is the lines origin, tree size, root hash in base64, and rarely more, each one not empty',
  );
}
