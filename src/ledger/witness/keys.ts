import { createPrivateKey, randomBytes, sign } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
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
import { readKeyFile, writeKeyFile } from '../sealing/key-file.ts';
import { openWitnessState, type WitnessState } from './state.ts';
import { type WatchedLog, withoutKey, withTrustedKey } from './watched-log.ts';
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
  /** The logs that it watches, by origin, each with the verifier keys that may sign for it. */
  readonly logs: readonly { readonly origin: string; readonly keys: readonly string[] }[];
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

/**
 * Lets keys sign for logs that the witness watches: each for the log that it is named after, unless `origin` says which.
 * @throws {LedgerError} `not-found` · `key-invalid` for a key that no log may have, and unless `anotherKey` for one of a
 * log that is watched with other keys · {TlogError} `malformed-key`
 */
export function trustLogs(
  directory: string,
  vkeys: readonly string[],
  options: { readonly origin?: string; readonly anotherKey?: boolean } = {},
): WitnessDescription {
  const about = describeWitness(directory);
  const before = watchedLogs(about);
  const known = new Set(before.map(({ origin }) => origin));
  let logs = before;
  for (const vkey of vkeys) {
    const key = parseVerifierKey(vkey);
    // Several keys of a new log, given at once, are one decision.
    const anotherKey = options.anotherKey === true || !known.has(options.origin ?? key.name);
    logs = withTrustedKey(logs, key, { ...options, anotherKey });
  }
  return describeLogs(directory, about, logs);
}

/**
 * Takes keys away from the logs that they sign for. What was cosigned of these logs stays remembered.
 * @throws {LedgerError} `not-found` · {TlogError} `malformed-key`
 */
export function distrustKeys(directory: string, vkeys: readonly string[]): WitnessDescription {
  const about = describeWitness(directory);
  let logs = watchedLogs(about);
  for (const vkey of vkeys) logs = withoutKey(logs, parseVerifierKey(vkey));
  return describeLogs(directory, about, logs);
}

/** The logs that a witness watches. @throws {TlogError} `malformed-key` */
export function watchedLogs(about: WitnessDescription): readonly WatchedLog[] {
  return about.logs.map(({ origin, keys }) => ({ origin, keys: keys.map((key) => parseVerifierKey(key)) }));
}

function describeLogs(
  directory: string,
  about: WitnessDescription,
  logs: readonly WatchedLog[],
): WitnessDescription {
  const changed: WitnessDescription = {
    ...about,
    logs: logs.map(({ origin, keys }) => ({ origin, keys: keys.map(formatVerifierKey) })),
  };
  const path = join(directory, ABOUT_FILE);
  writeFileSync(`${path}.new`, `${JSON.stringify(changed, null, 2)}\n`);
  renameSync(`${path}.new`, path);
  return changed;
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
  return v === 'comity.witness/1' && typeof name === 'string' && isTexts(keys) && isLogs(logs);
}

function isLogs(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (log) => typeof log === 'object' && log !== null && typeof log.origin === 'string' && isTexts(log.keys),
    )
  );
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
