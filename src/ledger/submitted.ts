import { MAX_ENTRY_BYTES } from '../tlog/bundle.ts';
import { decodeUtf8 } from '../tlog/text.ts';
import { canonicalBytes } from './canonical.ts';
import { LedgerError, quoted } from './errors.ts';
import { checkNotReserved } from './ledger.ts';
import { type AuditRecord, RECORD_VERSION } from './record.ts';
import { uuidBytes } from './uuidv7.ts';
import type { RecordValidator } from './validate.ts';

/** An entry as it will stand in the log. Without a key its own hash is its idempotency key. */
export interface SubmittedEntry {
  readonly bytes: Uint8Array;
  readonly key?: Uint8Array;
}

const RECORD_MARK = Buffer.from(`"${RECORD_VERSION}"`);

/**
 * Turns what somebody sent into an entry: a record is checked and written canonically, anything else is kept as it is.
 * @param producer if given, records of other producers are refused
 * @throws {LedgerError} `record-invalid` · `entry-too-large`
 */
export function submittedEntry(
  bytes: Uint8Array,
  check: RecordValidator['check'],
  producer?: string,
): SubmittedEntry {
  const record = claimedRecord(bytes);
  if (record === undefined) {
    if (bytes.length <= MAX_ENTRY_BYTES) return { bytes };
    throw new LedgerError(
      'entry-too-large',
      `entry has ${bytes.length} bytes, but at most ${MAX_ENTRY_BYTES} fit`,
      'append the digest of a large text, and keep the text elsewhere',
    );
  }
  return recordEntry(check(record), producer);
}

/** A record as an entry. @throws {LedgerError} `record-invalid` · `entry-too-large` */
export function recordEntry(record: AuditRecord, producer?: string): SubmittedEntry {
  checkNotReserved(record);
  if (producer !== undefined && record.producer.id !== producer) {
    throw new LedgerError(
      'record-invalid',
      `record is of producer ${quoted(record.producer.id)}, but was sent by ${quoted(producer)}`,
      'send records with the token of the producer that made them',
    );
  }
  return { bytes: canonicalBytes(record), key: uuidBytes(record.id) };
}

/** The value, if it says that it is a record. Most of what is none is told apart without being parsed. */
function claimedRecord(bytes: Uint8Array): object | undefined {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(RECORD_MARK)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes) ?? '');
  } catch {
    return undefined;
  }
  const claims = typeof value === 'object' && value !== null && 'v' in value && value.v === RECORD_VERSION;
  return claims ? (value as object) : undefined;
}
