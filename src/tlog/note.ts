import { decodeBase64, encodeBase64 } from './base64.ts';
import { quoted, TlogError } from './errors.ts';
import { checkKeyName, hexKeyId } from './note-key.ts';
import { decodeUtf8, splitLines } from './text.ts';

/** One signature line of a note. */
export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  /** Without the key ID: what the key's algorithm produced. */
  readonly signature: Uint8Array;
}

/** A text and its signatures (C2SP signed-note). Nothing about it has been verified. */
export interface Note {
  /** Ends in a newline. Ignore it until a signature by a trusted key has been verified. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Verifies the signatures of one key. `noteVerifier` in `cosignature.ts` makes one from a `VerifierKey`. */
export interface NoteVerifier {
  readonly name: string;
  readonly keyId: number;
  /** Whether `signature` is this key's over `text`. Answers `false`, and does not throw, if it cannot be. */
  verify(text: string, signature: Uint8Array): boolean;
}

/** Makes the signatures of one key. */
export interface NoteSigner {
  readonly name: string;
  readonly keyId: number;
  sign(text: string): Uint8Array;
}

/** Largest note that is read: room for 100 post-quantum signatures and a long text. */
export const MAX_NOTE_BYTES = 1_000_000;

/** Most signatures a note may carry; the specification asks for at least 16. */
export const MAX_SIGNATURES = 100;

/**
 * Reads a note without verifying it.
 * @throws {TlogError} `malformed-note`
 */
export function parseNote(input: Uint8Array | string): Note {
  const whole = checkedText(input);
  const blank = whole.lastIndexOf('\n\n');
  if (blank < 0) throw malformed('note has no blank line before its signatures');
  const lines = splitLines(whole.slice(blank + 2));
  if (lines === undefined) throw malformed('last line of the note does not end in a newline');
  if (lines.length > MAX_SIGNATURES) throw malformed(`note has more than ${MAX_SIGNATURES} signatures`);
  return { text: whole.slice(0, blank + 1), signatures: lines.map(parseSignatureLine) };
}

/**
 * Reads signature lines alone, as a witness returns them.
 * @throws {TlogError} `malformed-note`
 */
export function parseSignatureLines(input: Uint8Array | string): NoteSignature[] {
  const lines = splitLines(checkedText(input));
  if (lines === undefined) throw malformed('last signature line does not end in a newline');
  if (lines.length > MAX_SIGNATURES) throw malformed(`more than ${MAX_SIGNATURES} signature lines`);
  return lines.map(parseSignatureLine);
}

/** Writes a note. @throws {TlogError} `malformed-note` if it could not be read back */
export function formatNote(note: Note): string {
  if (note.signatures.length === 0) throw malformed('note has no signature');
  const written = `${note.text}\n${note.signatures.map(formatSignatureLine).join('')}`;
  // Reading back what was written also covers texts with control characters, and texts that end in a blank line.
  if (parseNote(written).text !== note.text)
    throw malformed(`note text ${quoted(note.text)} cannot be signed`);
  return written;
}

/** One signature as a line, newline included. @throws {TlogError} `malformed-key` if the name is unusable */
export function formatSignatureLine(signature: NoteSignature): string {
  checkKeyName(signature.name);
  const bytes = new Uint8Array(4 + signature.signature.length);
  new DataView(bytes.buffer).setUint32(0, signature.keyId);
  bytes.set(signature.signature, 4);
  return `— ${signature.name} ${encodeBase64(bytes)}\n`;
}

/** Signs a text with every signer, in order. @throws {TlogError} `malformed-note` if the text cannot be a note's */
export function signNote(text: string, signers: readonly NoteSigner[]): Note {
  const note = {
    text,
    signatures: signers.map((signer) => ({
      name: signer.name,
      keyId: signer.keyId,
      signature: signer.sign(text),
    })),
  };
  formatNote(note);
  return note;
}

/** A signature that has been verified, and the verifier that did it. */
export interface VerifiedSignature<V extends NoteVerifier = NoteVerifier> {
  readonly verifier: V;
  readonly signature: Uint8Array;
}

/**
 * Verifies a note: signatures of unknown keys are ignored, and every signature of a known key must hold.
 * One key may have signed more than once (cosignatures differ in their time): each is returned, in the note's order.
 *
 * @throws {TlogError} `signature-rejected` if a known key's signature fails · `signature-missing` if there is none
 * · `malformed-key` if two of the verifiers cannot be told apart
 */
export function verifyNote<V extends NoteVerifier>(
  note: Note,
  verifiers: readonly V[],
): VerifiedSignature<V>[] {
  const verified = verifyKnownSignatures(note, verifiers);
  if (verified.length > 0) return verified;
  throw new TlogError(
    'signature-missing',
    'note has no signature by a known key',
    'compare the names and key IDs on its signature lines with the keys that you trust',
  );
}

/** Like {@link verifyNote}, but content with a note on which no known key has signed. */
export function verifyKnownSignatures<V extends NoteVerifier>(
  note: Note,
  verifiers: readonly V[],
): VerifiedSignature<V>[] {
  const known = new Map<string, V>();
  for (const verifier of verifiers) {
    const key = keyOf(verifier);
    if (known.has(key)) {
      throw new TlogError('malformed-key', `two verifiers are called ${quoted(key)}`, 'list every key once');
    }
    known.set(key, verifier);
  }
  const verified: VerifiedSignature<V>[] = [];
  for (const signature of note.signatures) {
    const verifier = known.get(keyOf(signature));
    if (verifier === undefined) continue;
    if (!verifier.verify(note.text, signature.signature)) {
      throw new TlogError(
        'signature-rejected',
        `signature by ${quoted(keyOf(signature))} does not verify`,
        'discard the note: it was altered, or signed with another key of the same name',
      );
    }
    verified.push({ verifier, signature: signature.signature });
  }
  return verified;
}

function keyOf(key: { readonly name: string; readonly keyId: number }): string {
  return `${key.name}+${hexKeyId(key.keyId)}`;
}

function checkedText(input: Uint8Array | string): string {
  if (input.length > MAX_NOTE_BYTES) throw malformed(`note is longer than ${MAX_NOTE_BYTES} bytes`);
  const text = typeof input === 'string' ? input : decodeUtf8(input);
  if (text === undefined || !text.isWellFormed()) throw malformed('note is not valid UTF-8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification forbids exactly these
  if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) throw malformed('note contains a control character');
  return text;
}

function parseSignatureLine(line: string): NoteSignature {
  const space = line.indexOf(' ', 2);
  const bytes = space < 0 ? undefined : decodeBase64(line.slice(space + 1));
  if (!line.startsWith('— ') || bytes === undefined || bytes.length < 5) {
    throw malformed(`${quoted(line)} is not a signature line`);
  }
  const name = line.slice(2, space);
  try {
    checkKeyName(name);
  } catch {
    throw malformed(`${quoted(name)} cannot be the name of a key`);
  }
  return { name, keyId: new DataView(bytes.buffer).getUint32(0), signature: bytes.slice(4) };
}

function malformed(message: string): TlogError {
  return new TlogError(
    'malformed-note',
    message,
    'a note is a text, a blank line, and lines of the form `— <name> <base64>`; pass its bytes unchanged',
  );
}
