import { createPrivateKey, randomBytes, sign } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nobleEd25519PublicKey, nobleMlDsa44PublicKey, nobleMlDsa44Sign } from '../../tlog/noble.ts';
import {
  formatSignerKey,
  formatVerifierKey,
  parseSignerKey,
  parseVerifierKey,
  SIGNATURE_TYPES,
  type SignerKey,
  verifierKey,
} from '../../tlog/note-key.ts';
import { LedgerError, quoted } from '../errors.ts';
import { readKeyFile, writeKeyFile } from '../key-file.ts';
import { openWitnessState, type WitnessState } from './state.ts';
import type { WitnessKey } from './witness.ts';

const ABOUT_FILE = 'witness.json';
const KEY_FILE = 'witness.key';
const POST_QUANTUM_KEY_FILE = 'witness-ml-dsa-44.key';
const STATE_FILE = 'witness.db';

/** What everybody may know about a witness. */
export interface WitnessDescription {
  readonly v: 'comity.witness/1';
  readonly name: string;
  /** Its verifier keys: Ed25519, and ML-DSA-44 for signatures that have to hold for decades. */
  readonly keys: readonly string[];
  /** Verifier keys of the logs that it watches. */
  readonly logs: readonly string[];
}

/**
 * Makes a witness in a directory: two keys, readable by this user only, and an empty memory.
 * @throws {LedgerError} `already-exists` · {TlogError} `malformed-key` for a name that no key may have
 */
export function createWitnessDirectory(directory: string, name: string): WitnessDescription {
  const keys = [SIGNATURE_TYPES.ed25519Cosignature, SIGNATURE_TYPES.mlDsa44Cosignature].map((type) => {
    const seed = randomBytes(32);
    const { keyId } = verifierKey(name, type, publicKeyOf(type, seed));
    return { name, keyId, type, seed };
  });
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const about: WitnessDescription = {
    v: 'comity.witness/1',
    name,
    keys: keys.map((key) => formatVerifierKey(witnessKey(key).key)),
    logs: [],
  };
  try {
    writeFileSync(join(directory, ABOUT_FILE), `${JSON.stringify(about, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    throw new LedgerError(
      'already-exists',
      `${quoted(directory)} already holds a witness`,
      'choose another directory',
      { cause },
    );
  }
  for (const key of keys) writeKeyFile(join(directory, keyFile(key.type)), formatSignerKey(key));
  openWitnessState(join(directory, STATE_FILE)).close();
  return about;
}

/** Adds logs to those that a witness watches. @throws {LedgerError} `not-found` · {TlogError} `malformed-key` */
export function trustLogs(directory: string, vkeys: readonly string[]): WitnessDescription {
  const about = describeWitness(directory);
  for (const vkey of vkeys) parseVerifierKey(vkey);
  const trusted = { ...about, logs: [...new Set([...about.logs, ...vkeys])] };
  writeFileSync(join(directory, ABOUT_FILE), `${JSON.stringify(trusted, null, 2)}\n`);
  return trusted;
}

/** @throws {LedgerError} `not-found` · `damaged` */
export function describeWitness(directory: string): WitnessDescription {
  let about: unknown;
  try {
    about = JSON.parse(readFileSync(join(directory, ABOUT_FILE), 'utf8'));
  } catch (cause) {
    throw new LedgerError(
      'not-found',
      `${quoted(directory)} holds no witness`,
      'make one with `comity witness init`',
      { cause },
    );
  }
  if (isDescription(about)) return about;
  throw new LedgerError('damaged', `${quoted(ABOUT_FILE)} does not describe a witness`, 'restore the file');
}

/**
 * The keys and the memory of a witness. A memory that is gone is not made anew: a witness that forgot would cosign a
 * second history.
 * @throws {LedgerError} `key-invalid` · `damaged`
 */
export function openWitnessDirectory(directory: string): {
  readonly keys: readonly WitnessKey[];
  readonly state: WitnessState;
} {
  const keys = [KEY_FILE, POST_QUANTUM_KEY_FILE].map((file) =>
    witnessKey(parseSignerKey(readKeyFile(join(directory, file)))),
  );
  try {
    readFileSync(join(directory, STATE_FILE));
  } catch (cause) {
    throw new LedgerError(
      'damaged',
      `memory ${quoted(STATE_FILE)} of the witness is missing`,
      'restore it; if it is lost, make a new witness with a new key, and have partners replace the old one',
      { cause },
    );
  }
  return { keys, state: openWitnessState(join(directory, STATE_FILE)) };
}

/** A key to cosign with, from its seed. @throws {TlogError} `malformed-key` */
export function witnessKey({ name, type, seed }: SignerKey): WitnessKey {
  const key = verifierKey(name, type, publicKeyOf(type, seed));
  if (type === SIGNATURE_TYPES.mlDsa44Cosignature) return { key, sign: nobleMlDsa44Sign(seed) };
  const secret = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  return { key, sign: (message) => sign(null, message, secret) };
}

/** ASN.1 around an Ed25519 seed (RFC 8410): node:crypto reads no raw private keys. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

function publicKeyOf(type: number, seed: Uint8Array): Uint8Array {
  return type === SIGNATURE_TYPES.mlDsa44Cosignature
    ? nobleMlDsa44PublicKey(seed)
    : nobleEd25519PublicKey(seed);
}

function keyFile(type: number): string {
  return type === SIGNATURE_TYPES.mlDsa44Cosignature ? POST_QUANTUM_KEY_FILE : KEY_FILE;
}

function isDescription(value: unknown): value is WitnessDescription {
  if (typeof value !== 'object' || value === null) return false;
  const { v, name, keys, logs } = value as Readonly<Record<string, unknown>>;
  return v === 'comity.witness/1' && typeof name === 'string' && Array.isArray(keys) && Array.isArray(logs);
}
