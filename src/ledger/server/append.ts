import type { IncomingMessage } from 'node:http';
import { gunzip } from 'node:zlib';
import { MAX_ENTRY_BYTES } from '../../tlog/bundle.ts';
import { LedgerError, type LedgerErrorCode } from '../errors.ts';
import type { Ledger } from '../ledger.ts';
import type { Log } from '../log/log.ts';
import type { RecordValidator } from '../record/validate.ts';
import { readyEntries, type Submitted, submitted, submittedValue } from '../submitted.ts';
import { BodyError, type Reply, readBody, textReply } from './http.ts';

/** Largest body of a batch, and largest that a compressed one may become, in bytes. */
export const MAX_BATCH_BYTES = 16 * 1024 * 1024;

/** What appending needs to know of its sender. */
export interface Sender {
  readonly log: Log;
  readonly check: RecordValidator['check'];
  /** The producer that the token belongs to; undefined where anybody may write. */
  readonly producer: string | undefined;
  /** Gives what seals fields. @throws {LedgerError} `record-invalid` where there is no vault */
  readonly sealing: () => Promise<Pick<Ledger, 'prepare' | 'vault'>>;
}

/** `POST /add`: one entry, answered with its index in ASCII once it is durable. */
export async function addReply(request: IncomingMessage, sender: Sender): Promise<Reply> {
  const body = await readBody(request, MAX_ENTRY_BYTES);
  if (body.length === 0) return textReply(400, 'entry is empty');
  const [entry] = await readyEntries([submitted(body, sender.check, sender.producer)], sender.sealing);
  if (entry === undefined) throw new Error('entry was lost on the way');
  const { index } = await sender.log.append(entry.bytes, entry.key);
  return { status: 200, body: String(index), headers: { 'content-type': 'text/plain; charset=utf-8' } };
}

/** `POST /v1/append`: an entry on each line, all of them or none; answered with a line for each, in order. */
export async function appendReply(request: IncomingMessage, sender: Sender): Promise<Reply> {
  const lines = linesOf(await batchBody(request), sender);
  if (lines.length === 0) return textReply(400, 'no entry: send one JSON value on each line');
  const appended = await sender.log.appendAll(await readyEntries(lines, sender.sealing));
  let body = '';
  for (const { index, leaf, duplicate } of appended) {
    body += `{"index":${index},"leaf":"${Buffer.from(leaf).toString('base64')}","duplicate":${duplicate}}\n`;
  }
  return { status: 200, body, headers: { 'content-type': 'application/x-ndjson' } };
}

/** The body of a batch, decompressed. @throws {BodyError} beyond {@link MAX_BATCH_BYTES} */
export async function batchBody(request: IncomingMessage): Promise<Uint8Array> {
  const body = await readBody(request, MAX_BATCH_BYTES);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return body;
  if (encoding !== 'gzip') throw new BodyError(400, 'content-encoding is not gzip or identity');
  return new Promise((resolve, reject) => {
    // A small body can become a very large one; what it becomes is bounded, not what it is.
    gunzip(body, { maxOutputLength: MAX_BATCH_BYTES }, (error, bytes) => {
      if (error === null) return resolve(bytes);
      const tooLarge = 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
      reject(
        tooLarge
          ? new BodyError(413, `body becomes larger than ${MAX_BATCH_BYTES} bytes`)
          : new BodyError(400, 'body is not gzip'),
      );
    });
  });
}

function linesOf(body: Uint8Array, { check, producer }: Sender): readonly Submitted[] {
  const entries: Submitted[] = [];
  let line = 0;
  for (let at = 0; at < body.length; ) {
    const newline = body.indexOf(0x0a, at);
    const end = newline === -1 ? body.length : newline;
    line += 1;
    const bytes = body.subarray(at, end);
    at = end + 1;
    if (bytes.length === 0) continue;
    try {
      entries.push(submittedValue(bytes, jsonOf(bytes), check, producer));
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      throw new LedgerError(error.code, `line ${line}: ${error.message}`, error.help);
    }
  }
  return entries;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch {
    throw new LedgerError('record-invalid', 'not JSON in UTF-8', 'send one JSON value on each line');
  }
}

/** Which status says what went wrong. */
const STATUS: Partial<Record<LedgerErrorCode, number>> = {
  'record-invalid': 400,
  'entry-too-large': 413,
  'idempotency-conflict': 409,
  erased: 409,
  overloaded: 429,
  'disk-full': 507,
  'io-failed': 503,
  fenced: 503,
  closed: 503,
};

/** The reply to what the log refused; undefined if that is our own fault. */
export function refusalReply(error: LedgerError): Reply | undefined {
  const status = STATUS[error.code];
  if (status === undefined) return undefined;
  const seconds = String(Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000)));
  const retry: Readonly<Record<string, string>> =
    status === 429 || status >= 500 ? { 'retry-after': seconds } : {};
  return textReply(status, `${error.message}; ${error.help}`, retry);
}
