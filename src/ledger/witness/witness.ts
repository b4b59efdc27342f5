import { createHash } from 'node:crypto';
import { decodeBase64 } from '../../tlog/base64.ts';
import { type CheckpointNote, parseCheckpoint } from '../../tlog/checkpoint.ts';
import { cosigner, type KeyVerifier } from '../../tlog/cosignature.ts';
import { TlogError } from '../../tlog/errors.ts';
import { HASH_BYTES, sameBytes } from '../../tlog/hash.ts';
import { verifyConsistency } from '../../tlog/merkle.ts';
import {
  formatNote,
  formatSignatureLine,
  type NoteSignature,
  verifyKnownSignatures,
} from '../../tlog/note.ts';
import { SIGNATURE_TYPES, type VerifierKey } from '../../tlog/note-key.ts';
import type { Sign } from '../../tlog/signatures.ts';
import { decodeUtf8, parseDecimal } from '../../tlog/text.ts';
import { nodeHasher } from '../log/node-hash.ts';
import type { Clock } from '../record/time.ts';
import type { WitnessedHead, WitnessState } from './state.ts';
import { logVerifiers, type WatchedLog } from './watched-log.ts';

/** A key that a witness cosigns with. */
export interface WitnessKey {
  readonly key: VerifierKey;
  readonly sign: Sign;
}

export interface WitnessOptions {
  readonly keys: readonly WitnessKey[];
  readonly logs: readonly WatchedLog[];
  readonly state: WitnessState;
  readonly now?: Clock;
}

/** An answer of a witness, in the terms of HTTP. */
export interface WitnessReply {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly body: string;
  /** Only where the specification asks for one. */
  readonly contentType?: 'text/x.tlog.size';
}

/** Cosigns what extends what it cosigned before, and nothing else (C2SP tlog-witness v1.0.0). */
export interface Witness {
  /** `add-checkpoint`: the body of a request to the reply. */
  addCheckpoint(body: Uint8Array): WitnessReply;
  /** The newest checkpoint it cosigned of the log with this origin hash (SHA-256, lower-case hexadecimal). */
  checkpoint(originHash: string): string | undefined;
}

/** Largest request that is read, in bytes: a checkpoint with some thirty post-quantum signatures. */
export const MAX_WITNESS_REQUEST_BYTES = 256 * 1024;

/** Most hashes that a consistency proof may have (C2SP tlog-witness). */
const MAX_PROOF_LINES = 63;

/** @throws {LedgerError} `key-invalid` for logs or keys that cannot be told apart, or keys that no log may have */
export function openWitness(options: WitnessOptions): Witness {
  const { state, now = Date.now } = options;
  const logs = logVerifiers(options.logs);
  const hashes = new Map([...logs.keys()].map((origin) => [originHash(origin), origin]));

  return {
    addCheckpoint(body) {
      const request = parseRequest(body);
      if (typeof request === 'string') return { status: 400, body: `${request}\n` };
      const { origin } = request.checkpoint.checkpoint;
      const verifiers = logs.get(origin);
      if (verifiers === undefined) return { status: 404, body: 'unknown log\n' };
      const signatures = logSignatures(request.checkpoint, verifiers);
      if (signatures === undefined) return { status: 403, body: 'not signed by a key of this log\n' };
      let reply: WitnessReply = { status: 400, body: '' };
      state.update(origin, (head) => {
        const refused = refusal(request, head);
        if (refused !== undefined) {
          reply = refused;
          return undefined;
        }
        const { text } = request.checkpoint.note;
        const cosignatures = cosign(options.keys, request.checkpoint, Math.floor(now() / 1000));
        reply = { status: 200, body: cosignatures.map(formatSignatureLine).join('') };
        const { size, root } = request.checkpoint.checkpoint;
        return { size, root, note: formatNote({ text, signatures: [...signatures, ...cosignatures] }) };
      });
      // Returned only after `update`: what was cosigned is durable before anybody hears of it.
      return reply;
    },
    checkpoint(hash) {
      const origin = hashes.get(hash);
      return origin === undefined ? undefined : state.head(origin)?.note;
    },
  };
}

/** Where a witness serves its newest checkpoint of a log. */
export function originHash(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}

interface AddCheckpoint {
  readonly old: number;
  readonly proof: readonly Uint8Array[];
  readonly checkpoint: CheckpointNote;
}

/** A request, or what is wrong with its form. */
function parseRequest(body: Uint8Array): AddCheckpoint | string {
  const text = body.length <= MAX_WITNESS_REQUEST_BYTES ? decodeUtf8(body) : undefined;
  if (text === undefined) return 'body is too large, or not UTF-8';
  const blank = text.indexOf('\n\n');
  if (blank < 0) return 'body has no empty line';
  const [first = '', ...lines] = text.slice(0, blank).split('\n');
  const old = first.startsWith('old ') ? parseDecimal(first.slice('old '.length)) : undefined;
  if (old === undefined) return 'first line is not `old` and a decimal number';
  if (lines.length > MAX_PROOF_LINES) return `proof has more than ${MAX_PROOF_LINES} lines`;
  const proof: Uint8Array[] = [];
  for (const line of lines) {
    const hash = decodeBase64(line);
    if (hash?.length !== HASH_BYTES) return 'proof line is not a hash in base64';
    proof.push(hash);
  }
  try {
    return { old, proof, checkpoint: parseCheckpoint(text.slice(blank + 2)) };
  } catch (error) {
    if (error instanceof TlogError) return error.message;
    throw error;
  }
}

/** Signatures of the log that hold; undefined if there is none, or if one of a known key fails. */
function logSignatures(
  { note, checkpoint }: CheckpointNote,
  verifiers: readonly KeyVerifier[],
): readonly NoteSignature[] | undefined {
  try {
    const verified = verifyKnownSignatures(note, verifiers);
    // ML-DSA signatures skip extension lines: alone, they would leave those lines to whoever passed the note on.
    const covers = verified.filter(
      ({ verifier }) => checkpoint.extensions.length === 0 || verifier.key.type === SIGNATURE_TYPES.ed25519,
    );
    if (covers.length === 0) return undefined;
    return verified.map(({ verifier: { name, keyId }, signature }) => ({ name, keyId, signature }));
  } catch (error) {
    if (error instanceof TlogError) return undefined;
    throw error;
  }
}

const UNPROCESSABLE = 422;

/** Why a checkpoint is not cosigned, in the order of the specification; undefined if it is. */
function refusal(
  { old, proof, checkpoint: { checkpoint } }: AddCheckpoint,
  head: WitnessedHead | undefined,
): WitnessReply | undefined {
  const { size, root } = checkpoint;
  if (old > size) return { status: 400, body: 'old size is larger than the checkpoint\n' };
  const known = head?.size ?? 0;
  if (old !== known) return { status: 409, body: `${known}\n`, contentType: 'text/x.tlog.size' };
  if (size === 0 && !sameBytes(root, nodeHasher().emptyRoot)) {
    return { status: UNPROCESSABLE, body: 'root of an empty tree is another one\n' };
  }
  if (head === undefined || old === 0) {
    if (proof.length > 0) return { status: UNPROCESSABLE, body: 'proof from size 0 must be empty\n' };
    return undefined;
  }
  if (old === size && !sameBytes(root, head.root)) {
    return { status: UNPROCESSABLE, body: 'another root was cosigned for this size\n' };
  }
  try {
    verifyConsistency(
      { oldSize: old, oldRoot: head.root, newSize: size, newRoot: root },
      proof,
      nodeHasher(),
    );
    return undefined;
  } catch (error) {
    if (error instanceof TlogError) return { status: UNPROCESSABLE, body: `${error.message}\n` };
    throw error;
  }
}

function cosign(
  keys: readonly WitnessKey[],
  { note, checkpoint }: CheckpointNote,
  time: number,
): readonly NoteSignature[] {
  return keys.flatMap(({ key, sign }) => {
    // An ML-DSA cosignature cannot cover extension lines, so it is left out.
    if (key.type !== SIGNATURE_TYPES.ed25519Cosignature && checkpoint.extensions.length > 0) return [];
    const { name, keyId, sign: signText } = cosigner(key, sign, time);
    return [{ name, keyId, signature: signText(note.text) }];
  });
}
