import { type Checkpoint, parseCheckpointText } from './checkpoint.ts';
import { quoted, TlogError } from './errors.ts';
import { checkHash } from './hash.ts';
import { checkGrowth } from './merkle.ts';
import type { NoteSigner, NoteVerifier } from './note.ts';
import { SIGNATURE_TYPES, type VerifierKey } from './note-key.ts';
import type { Sign, SignatureVerifiers } from './signatures.ts';
import { encodeUtf8 } from './text.ts';

/**
 * Makes the verifier of a key: signatures of a log (0x01), or timestamped cosignatures of a witness or of a log
 * (0x04, 0x06), by the key's type.
 * @throws {TlogError} `unsupported` if the key is of another type
 */
export function noteVerifier(key: VerifierKey, signatures: SignatureVerifiers): KeyVerifier {
  const { name, keyId, publicKey } = key;
  switch (key.type) {
    case SIGNATURE_TYPES.ed25519:
      return {
        key,
        name,
        keyId,
        verify: (text, signature) => signatures.verifyEd25519(publicKey, encodeUtf8(text), signature),
      };
    case SIGNATURE_TYPES.ed25519Cosignature:
      return {
        key,
        name,
        keyId,
        verify: (text, stamped) => {
          const parts = splitTimestamp(stamped, ED25519_BYTES);
          if (parts === undefined || checkpointOf(text) === undefined) return false;
          return signatures.verifyEd25519(publicKey, ed25519Message(text, parts.time), parts.signature);
        },
      };
    case SIGNATURE_TYPES.mlDsa44Cosignature:
      return {
        key,
        name,
        keyId,
        verify: (text, stamped) => {
          const parts = splitTimestamp(stamped, ML_DSA_44_BYTES);
          const checkpoint = checkpointOf(text);
          if (parts === undefined || checkpoint === undefined) return false;
          const message = mlDsaMessageOf(name, parts.time, checkpoint);
          return message !== undefined && signatures.verifyMlDsa44(publicKey, message, parts.signature);
        },
      };
    default:
      throw new TlogError(
        'unsupported',
        `verifier key ${quoted(name)} is of type ${key.type}, which cannot be verified here`,
        'use an Ed25519 key (type 1), or an Ed25519 or ML-DSA-44 cosigner key (types 4 and 6)',
      );
  }
}

/** A note verifier that still knows its key. */
export interface KeyVerifier extends NoteVerifier {
  readonly key: VerifierKey;
}

/** Signs notes with Ed25519, type 0x01: how a log signs its checkpoints. `sign` holds the private key. */
export function ed25519NoteSigner(key: VerifierKey, sign: Sign): NoteSigner {
  checkType(key, SIGNATURE_TYPES.ed25519);
  return { name: key.name, keyId: key.keyId, sign: (text) => sign(encodeUtf8(text)) };
}

/**
 * Cosigns checkpoints, by the key's type with Ed25519 (0x04) or ML-DSA-44 (0x06), at `time` (seconds since 1970).
 * The signer throws {@link TlogError} `malformed-checkpoint` for a text that is no checkpoint and, with ML-DSA,
 * `malformed-cosignature` for one with extension lines, which the signature would not cover.
 * @throws {TlogError} `malformed-cosignature` if the time is not a whole number of seconds
 */
export function cosigner(key: VerifierKey, sign: Sign, time: number): NoteSigner {
  checkTime(time);
  const { name, keyId } = key;
  if (key.type === SIGNATURE_TYPES.ed25519Cosignature) {
    return {
      name,
      keyId,
      sign: (text) => {
        parseCheckpointText(text);
        return joinTimestamp(time, sign(ed25519Message(text, time)));
      },
    };
  }
  checkType(key, SIGNATURE_TYPES.mlDsa44Cosignature);
  return {
    name,
    keyId,
    sign: (text) => {
      const { origin, size, root, extensions } = parseCheckpointText(text);
      if (extensions.length > 0) throw malformed('ML-DSA cosignatures do not cover extension lines');
      return joinTimestamp(
        time,
        sign(mlDsa44Message({ cosigner: name, time, origin, start: 0, end: size, root })),
      );
    },
  };
}

/**
 * The time of a cosignature, in seconds since 1970. Believe it only after the cosignature has been verified.
 * @throws {TlogError} `malformed-cosignature`
 */
export function cosignatureTime(signature: Uint8Array): number {
  const parts = splitTimestamp(signature, ED25519_BYTES) ?? splitTimestamp(signature, ML_DSA_44_BYTES);
  if (parts !== undefined) return parts.time;
  throw malformed(`${signature.length} bytes are not a timestamped signature`);
}

/** Splits what a witness signed in its time and the bare signature; undefined if it is not of the expected form. */
function splitTimestamp(
  bytes: Uint8Array,
  length: number,
): { time: number; signature: Uint8Array } | undefined {
  if (bytes.length !== TIME_BYTES + length) return undefined;
  const time = new DataView(bytes.buffer, bytes.byteOffset, TIME_BYTES).getBigUint64(0);
  // The specification allows up to 2^63 − 1; a time beyond 2^53 is 285 million years away and may be refused.
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return { time: Number(time), signature: bytes.subarray(TIME_BYTES) };
}

function joinTimestamp(time: number, signature: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(TIME_BYTES + signature.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(time));
  bytes.set(signature, TIME_BYTES);
  return bytes;
}

/** What an Ed25519 cosigner signs: two lines, then the whole text of the checkpoint. */
export function ed25519Message(checkpointText: string, time: number): Uint8Array {
  checkTime(time);
  return encodeUtf8(`cosignature/v1\ntime ${time}\n${checkpointText}`);
}

/** What an ML-DSA-44 cosigner states about entries `start` to `end` (not included) of a log. */
export interface SubtreeStatement {
  readonly cosigner: string;
  /** Seconds since 1970; 0 makes no statement about time, and is required unless `start` is 0. */
  readonly time: number;
  readonly origin: string;
  /** 0 for a checkpoint. */
  readonly start: number;
  /** The tree's size for a checkpoint. */
  readonly end: number;
  readonly root: Uint8Array;
}

/**
 * What an ML-DSA-44 cosigner signs: the structure `cosigned_message` of C2SP tlog-cosignature.
 * @throws {TlogError} `malformed-cosignature` · `out-of-range` · `malformed-hash`
 */
export function mlDsa44Message(statement: SubtreeStatement): Uint8Array {
  const { time, start, end } = statement;
  checkTime(time);
  checkGrowth(start, end);
  checkHash(statement.root, 'root hash');
  if (start !== 0 && time !== 0)
    throw malformed('cosignature of a subtree that does not start at 0 has a time');
  const name = shortText(statement.cosigner, 'cosigner name');
  const origin = shortText(statement.origin, 'origin');
  return concat([
    encodeUtf8('subtree/v1\n\0'),
    Uint8Array.of(name.length),
    name,
    uint64(time),
    Uint8Array.of(origin.length),
    origin,
    uint64(start),
    uint64(end),
    statement.root,
  ]);
}

const TIME_BYTES = 8;
const ED25519_BYTES = 64;
const ML_DSA_44_BYTES = 2420;

function checkpointOf(text: string): Checkpoint | undefined {
  try {
    return parseCheckpointText(text);
  } catch {
    return undefined;
  }
}

function mlDsaMessageOf(cosigner: string, time: number, checkpoint: Checkpoint): Uint8Array | undefined {
  try {
    const { origin, size: end, root } = checkpoint;
    return mlDsa44Message({ cosigner, time, origin, start: 0, end, root });
  } catch {
    return undefined;
  }
}

function checkTime(time: number): void {
  if (Number.isSafeInteger(time) && time >= 0) return;
  throw malformed(`time ${quoted(String(time))} is not a whole number of seconds since 1970`);
}

function checkType(key: VerifierKey, type: number): void {
  if (key.type === type) return;
  throw new TlogError(
    'unsupported',
    `key ${quoted(key.name)} is of type ${key.type}, but this signature is of type ${type}`,
    'make the key with the type of the signatures that it is for',
  );
}

function shortText(text: string, what: string): Uint8Array {
  const bytes = encodeUtf8(text);
  if (bytes.length >= 1 && bytes.length <= 0xff) return bytes;
  throw malformed(`${what} has ${bytes.length} bytes, but ML-DSA cosignatures allow 1 to 255`);
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function malformed(message: string): TlogError {
  return new TlogError(
    'malformed-cosignature',
    message,
    'see C2SP tlog-cosignature for what may be cosigned',
  );
}
