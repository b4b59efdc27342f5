import { decodeBase64, encodeBase64 } from './base64.ts';
import { quoted, TlogError } from './errors.ts';
import type { Sha256 } from './hash.ts';
import { sha256 } from './sha256.ts';
import { encodeUtf8 } from './text.ts';

/** Signature types of signed notes that this room can verify (C2SP signed-note, tlog-cosignature). */
export const SIGNATURE_TYPES = {
  /** Ed25519 over the note's text. */
  ed25519: 0x01,
  /** Ed25519 over a time and a checkpoint. */
  ed25519Cosignature: 0x04,
  /** ML-DSA-44 over a time and a checkpoint, or over a subtree. */
  mlDsa44Cosignature: 0x06,
} as const;

/** Bytes of a public key, for each type whose key ID is derived the recommended way. */
const PUBLIC_KEY_BYTES: Readonly<Record<number, number>> = {
  [SIGNATURE_TYPES.ed25519]: 32,
  [SIGNATURE_TYPES.ed25519Cosignature]: 32,
  [SIGNATURE_TYPES.mlDsa44Cosignature]: 1312,
};

/** A public key that verifies signatures of notes. Name and key ID together say which signatures are its own. */
export interface VerifierKey {
  readonly name: string;
  /** 32 bits, as a number from 0 to 2^32 − 1. */
  readonly keyId: number;
  /** Signature type, one byte; see {@link SIGNATURE_TYPES}. Others can be read but not used. */
  readonly type: number;
  readonly publicKey: Uint8Array;
}

/** A private key for signing notes, in the form that Go's `note` package stores. */
export interface SignerKey {
  readonly name: string;
  readonly keyId: number;
  readonly type: number;
  /** 32 bytes: the Ed25519 seed, or ξ of ML-DSA. */
  readonly seed: Uint8Array;
}

/**
 * Makes a verifier key and computes its key ID.
 * @throws {TlogError} `malformed-key` if the name is unusable or the key has the wrong length
 */
export function verifierKey(
  name: string,
  type: number,
  publicKey: Uint8Array,
  hash: Sha256 = sha256,
): VerifierKey {
  checkKeyName(name);
  checkLength(type, publicKey);
  return { name, keyId: keyId(name, type, publicKey, hash), type, publicKey };
}

/**
 * Reads a verifier key: `<name>+<8 hexadecimal digits>+<base64(type ‖ public key)>`.
 *
 * For the types of {@link SIGNATURE_TYPES} the key ID must be the right one. Keys of other types are accepted as they
 * are: their ID may be derived differently, and nothing here verifies with them.
 * @throws {TlogError} `malformed-key`
 */
export function parseVerifierKey(text: string, hash: Sha256 = sha256): VerifierKey {
  const [name = '', hex = '', ...rest] = text.split('+');
  const material = decodeBase64(rest.join('+'));
  const type = material?.[0];
  if (!/^[0-9a-f]{8}$/.test(hex) || material === undefined || type === undefined || material.length < 2) {
    throw malformed(`${quoted(text)} is not a verifier key`);
  }
  checkKeyName(name);
  const publicKey = material.slice(1);
  checkLength(type, publicKey);
  const id = Number.parseInt(hex, 16);
  if (PUBLIC_KEY_BYTES[type] !== undefined && id !== keyId(name, type, publicKey, hash)) {
    throw malformed(`key ID \`${hex}\` of verifier key ${quoted(name)} does not belong to its public key`);
  }
  return { name, keyId: id, type, publicKey };
}

/** Writes a verifier key as text; the inverse of {@link parseVerifierKey}. */
export function formatVerifierKey(key: VerifierKey): string {
  return `${key.name}+${hexKeyId(key.keyId)}+${encodeBase64(withType(key.type, key.publicKey))}`;
}

/**
 * Reads a signer key: `PRIVATE+KEY+<name>+<key ID>+<base64(type ‖ seed)>`. Messages never contain the key.
 * @throws {TlogError} `malformed-key`
 */
export function parseSignerKey(text: string): SignerKey {
  const [priv, word, name = '', hex = '', ...rest] = text.split('+');
  const material = decodeBase64(rest.join('+'));
  const type = material?.[0];
  if (priv !== 'PRIVATE' || word !== 'KEY' || !/^[0-9a-f]{8}$/.test(hex) || type === undefined) {
    throw malformed('text is not a signer key');
  }
  checkKeyName(name);
  if (material?.length !== 33 || PUBLIC_KEY_BYTES[type] === undefined) {
    throw malformed(`signer key ${quoted(name)} has an unknown type or a seed that is not 32 bytes`);
  }
  return { name, keyId: Number.parseInt(hex, 16), type, seed: material.slice(1) };
}

/** Writes a signer key as text. It is the private key: keep the text where only the signer can read it. */
export function formatSignerKey(key: SignerKey): string {
  return `PRIVATE+KEY+${key.name}+${hexKeyId(key.keyId)}+${encodeBase64(withType(key.type, key.seed))}`;
}

/** First 4 bytes of `SHA-256(name ‖ "\n" ‖ type ‖ public key)`, as a number. */
export function keyId(name: string, type: number, publicKey: Uint8Array, hash: Sha256 = sha256): number {
  const prefix = encodeUtf8(`${name}\n`);
  const input = new Uint8Array(prefix.length + 1 + publicKey.length);
  input.set(prefix);
  input.set(withType(type, publicKey), prefix.length);
  const digest = hash(input);
  return new DataView(digest.buffer, digest.byteOffset, 4).getUint32(0);
}

/** A key ID as its 8 hexadecimal digits. */
export function hexKeyId(id: number): string {
  return id.toString(16).padStart(8, '0');
}

/** @throws {TlogError} `malformed-key` if no key may have this name: empty, or with a space, a plus or a control character */
export function checkKeyName(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: notes may not contain them, so neither may names
  if (name !== '' && name.isWellFormed() && !/[+\p{White_Space}\u0000-\u001f]/u.test(name)) return;
  throw malformed(`${quoted(name)} cannot be the name of a key`);
}

function checkLength(type: number, publicKey: Uint8Array): void {
  const expected = PUBLIC_KEY_BYTES[type];
  if (!Number.isInteger(type) || type < 0 || type > 0xff)
    throw malformed(`signature type ${type} is not a byte`);
  if (expected === undefined || publicKey.length === expected) return;
  throw malformed(`public key of type ${type} has ${publicKey.length} bytes, not ${expected}`);
}

function withType(type: number, key: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + key.length);
  bytes[0] = type;
  bytes.set(key, 1);
  return bytes;
}

function malformed(message: string): TlogError {
  return new TlogError(
    'malformed-key',
    message,
    'write verifier keys as `<name>+<key ID>+<base64>`, exactly as their owner published them',
  );
}
