import { encodeBase64 } from '../../tlog/base64.ts';
import { noteVerifier } from '../../tlog/cosignature.ts';
import { TlogError } from '../../tlog/errors.ts';
import {
  type NoteSignature,
  parseNote,
  parseSignatureLines,
  verifyKnownSignatures,
} from '../../tlog/note.ts';
import type { VerifierKey } from '../../tlog/note-key.ts';
import { parseDecimal } from '../../tlog/text.ts';
import { LedgerError, quoted } from '../errors.ts';
import { nodeSignatures } from '../log/node-signatures.ts';

/** A witness that a log asks. Its address comes from the operator’s own file, never from a note or an answer. */
export interface WitnessAddress {
  /** Means something to the operator only. */
  readonly name: string;
  readonly key: VerifierKey;
  /** Submission prefix (C2SP tlog-witness). */
  readonly url: string;
}

/** What a witness answered. */
export type WitnessAnswer =
  | { readonly kind: 'cosigned'; readonly signatures: readonly NoteSignature[] }
  /** It cosigned another size last. */
  | { readonly kind: 'conflict'; readonly size: number }
  /** It answered, and not with a cosignature of its key over this checkpoint. */
  | { readonly kind: 'refused'; readonly status: number; readonly why: string }
  /** It did not answer in time, or at all. */
  | { readonly kind: 'absent'; readonly why: string };

/** Largest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Where requests to a witness go. Only `https`, or `http` to this machine; no user, query or fragment.
 * @throws {LedgerError} `key-invalid`
 */
export function submissionUrl({ name, url }: Pick<WitnessAddress, 'name' | 'url'>, path: string): URL {
  const prefix = URL.canParse(url) ? new URL(url) : undefined;
  const local = prefix !== undefined && /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(prefix.hostname);
  const secure = prefix?.protocol === 'https:' || (prefix?.protocol === 'http:' && local);
  const plain =
    prefix?.username === '' && prefix.password === '' && prefix.search === '' && prefix.hash === '';
  if (prefix === undefined || !secure || !plain) {
    throw new LedgerError(
      'key-invalid',
      `address ${quoted(url)} of witness ${quoted(name)} is not an https address without user, query or fragment`,
      'write for example `https://witness.example/`; plain http is for this machine only',
    );
  }
  return new URL(`${prefix.pathname.replace(/\/+$/, '')}/${path}`, prefix);
}

/** Asks one witness for its cosignature. Never throws for what the witness does. */
export async function addCheckpoint(
  witness: WitnessAddress,
  request: { readonly old: number; readonly proof: readonly Uint8Array[]; readonly note: string },
  signal: AbortSignal,
): Promise<WitnessAnswer> {
  const url = submissionUrl(witness, 'add-checkpoint');
  const body = `old ${request.old}\n${request.proof.map((hash) => `${encodeBase64(hash)}\n`).join('')}\n${request.note}`;
  let answer: { readonly status: number; readonly type: string; readonly text: string };
  try {
    // A redirect could lead anywhere, so there is none to follow.
    const response = await fetch(url, { method: 'POST', body, signal, redirect: 'error' });
    const type = response.headers.get('content-type') ?? '';
    answer = { status: response.status, type, text: await limitedText(response) };
  } catch (error) {
    return { kind: 'absent', why: reasonOf(error) };
  }
  const { status, type, text } = answer;
  if (status === 409 && type.startsWith('text/x.tlog.size')) {
    const size = parseDecimal(text.trimEnd());
    if (size !== undefined) return { kind: 'conflict', size };
  }
  if (status !== 200) return { kind: 'refused', status, why: `answered ${status} ${quoted(text.trim())}` };
  return cosignatures(witness.key, request.note, text, status);
}

/** The signatures of this witness in its answer, if they hold. Others are ignored, whatever they are. */
function cosignatures(key: VerifierKey, note: string, text: string, status: number): WitnessAnswer {
  try {
    const { name, keyId } = key;
    const signatures = parseSignatureLines(text).filter((line) => line.name === name && line.keyId === keyId);
    const checkpoint = parseNote(note);
    const verified = verifyKnownSignatures({ text: checkpoint.text, signatures }, [
      noteVerifier(key, nodeSignatures),
    ]);
    if (verified.length > 0) return { kind: 'cosigned', signatures };
    return { kind: 'refused', status, why: 'answered without a signature of its key' };
  } catch (error) {
    if (error instanceof TlogError) return { kind: 'refused', status, why: error.message };
    throw error;
  }
}

/** The newest checkpoint that a witness cosigned of a log; undefined if it has none. Throws if it does not answer. */
export async function monitoredCheckpoint(
  witness: Pick<WitnessAddress, 'name' | 'url'>,
  originHash: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const response = await fetch(submissionUrl(witness, `${originHash}/checkpoint`), {
    signal,
    redirect: 'error',
  });
  const text = await limitedText(response);
  if (response.status === 404) return undefined;
  if (response.status === 200) return text;
  throw new Error(`witness answered ${response.status}`);
}

/** Text of an answer. @throws if it is longer than it may be */
export async function limitedText(response: Response, limit = MAX_ANSWER_BYTES): Promise<string> {
  return Buffer.from(await limitedBytes(response, limit)).toString('utf8');
}

/** Bytes of an answer. @throws if there are more than there may be */
export async function limitedBytes(response: Response, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > limit) throw new Error(`answer is longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Why a request failed, as people understand it. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'did not answer in time';
  return cause instanceof Error ? cause.message || cause.name : error.message;
}
