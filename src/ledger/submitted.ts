import { MAX_ENTRY_BYTES } from '../tlog/bundle.ts';
import { decodeUtf8 } from '../tlog/text.ts';
import { LedgerError, quoted } from './errors.ts';
import { checkNotReserved, type Ledger, type Submission } from './ledger.ts';
import { canonicalBytes } from './record/canonical.ts';
import { type AuditRecord, RECORD_VERSION } from './record/record.ts';
import { uuidBytes } from './record/uuidv7.ts';
import type { RecordValidator } from './record/validate.ts';
import type { SealInput } from './sealing/seal.ts';

/** An entry as it will stand in the log. Without a key its own hash is its idempotency key. */
export interface SubmittedEntry {
  readonly bytes: Uint8Array;
  readonly key?: Uint8Array;
}

/** What somebody sent: an entry as it will stand in the log, or a record with fields that have to be sealed first. */
export type Submitted =
  | { readonly kind: 'entry'; readonly entry: SubmittedEntry }
  | { readonly kind: 'sealed'; readonly submission: Submission };

const RECORD_MARK = Buffer.from(`"${RECORD_VERSION}"`);
const SEAL_MARK = Buffer.from('"seal"');

/**
 * Reads what somebody sent: a record is checked and written canonically; `{"record": …, "seal": […]}` is a record with
 * fields to seal; anything else is kept as it is.
 * @param producer if given, records of other producers are refused
 * @throws {LedgerError} `record-invalid` · `entry-too-large`
 */
export function submitted(bytes: Uint8Array, check: RecordValidator['check'], producer?: string): Submitted {
  return submittedValue(bytes, claimed(bytes), check, producer);
}

/** As {@link submitted}, for who has parsed the bytes already: `value` is what they say, `undefined` if nothing. */
export function submittedValue(
  bytes: Uint8Array,
  value: unknown,
  check: RecordValidator['check'],
  producer?: string,
): Submitted {
  if (isObject(value) && 'record' in value && 'seal' in value) {
    return { kind: 'sealed', submission: submissionOf(value, check, producer) };
  }
  if (isObject(value) && value.v === RECORD_VERSION) {
    return { kind: 'entry', entry: recordEntry(check(value), producer) };
  }
  if (bytes.length <= MAX_ENTRY_BYTES) return { kind: 'entry', entry: { bytes } };
  throw new LedgerError(
    'entry-too-large',
    `entry has ${bytes.length} bytes, but at most ${MAX_ENTRY_BYTES} fit`,
    'append the digest of a large text, and keep the text elsewhere',
  );
}

/** A record as an entry. @throws {LedgerError} `record-invalid` · `entry-too-large` */
export function recordEntry(record: AuditRecord, producer?: string): SubmittedEntry {
  checkSender(record, producer);
  return { bytes: canonicalBytes(record), key: uuidBytes(record.id) };
}

/**
 * Entries to append, in the order given: fields are sealed, and the sealed parts are durable when it resolves. What is
 * sent again becomes the same bytes, see {@link Ledger.prepare}.
 * @param sealing asked for only if there is something to seal
 * @throws {LedgerError} `record-invalid` · `entry-too-large` · `erased` · whatever `sealing` throws
 */
export async function readyEntries(
  submissions: readonly Submitted[],
  sealing: () => Promise<Pick<Ledger, 'prepare' | 'vault'>>,
): Promise<readonly SubmittedEntry[]> {
  const sealed = submissions.flatMap((one) => (one.kind === 'sealed' ? [one.submission] : []));
  if (sealed.length === 0) return submissions.flatMap((one) => (one.kind === 'entry' ? [one.entry] : []));
  const ledger = await sealing();
  const prepared = await ledger.prepare(sealed, { repeatable: true });
  await ledger.vault.put(prepared.flatMap(({ blobs }) => blobs));
  const next = prepared.values();
  return submissions.flatMap((one) => {
    if (one.kind === 'entry') return [one.entry];
    const { value } = next.next();
    return value === undefined ? [] : [{ bytes: value.bytes, key: value.key }];
  });
}

function checkSender(record: AuditRecord, producer: string | undefined): void {
  checkNotReserved(record);
  if (producer === undefined || record.producer.id === producer) return;
  throw new LedgerError(
    'record-invalid',
    `record is of producer ${quoted(record.producer.id)}, but was sent by ${quoted(producer)}`,
    'send records with the token of the producer that made them',
  );
}

/** The object, if it says that it is a record, or has fields to seal. Most of what is neither is told apart unparsed. */
function claimed(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!buffer.includes(RECORD_MARK) && !buffer.includes(SEAL_MARK)) return undefined;
  try {
    return JSON.parse(decodeUtf8(bytes) ?? '');
  } catch {
    return undefined;
  }
}

function submissionOf(
  value: Readonly<Record<string, unknown>>,
  check: RecordValidator['check'],
  producer: string | undefined,
): Submission {
  checkKnown(value, ['record', 'seal'], 'submission');
  const record = check(value.record);
  checkSender(record, producer);
  if ('sd' in record || 'sealed' in record) throw malformed('`record` is sealed already');
  if (!Array.isArray(value.seal) || value.seal.length === 0) throw malformed('`seal` is not a list');
  const seal = value.seal.map(sealInput);
  checkFits(record, seal);
  return { record, seal };
}

/** What sealing adds to a record: a digest for each field, filled up to a multiple of four, and a part for each person. */
const [MOST_DIGESTS, DIGEST_BYTES] = [256, 46];
const [MOST_PARTS, PART_BYTES] = [64, 140];

/** Whether it will fit is found out before anything is sealed, while it is known which line it came from. */
function checkFits(record: AuditRecord, seal: readonly SealInput[]): void {
  const fields = seal.reduce((sum, input) => sum + Object.keys(input.fields).length, 0);
  const people = new Set(seal.flatMap(({ subjects }) => subjects)).size;
  if (fields > MOST_DIGESTS)
    throw malformed(`record has ${fields} fields to seal, but at most ${MOST_DIGESTS} fit`);
  if (people > MOST_PARTS) throw malformed(`record is about ${people} people, but at most ${MOST_PARTS} fit`);
  const bytes = Buffer.byteLength(JSON.stringify(record)) + (fields + 4) * DIGEST_BYTES + people * PART_BYTES;
  if (bytes <= MAX_ENTRY_BYTES) return;
  throw new LedgerError(
    'entry-too-large',
    `record would have about ${bytes} bytes, but at most ${MAX_ENTRY_BYTES} fit`,
    'seal fewer fields, or put several into one',
  );
}

function sealInput(value: unknown, i: number): SealInput {
  const where = `seal[${i}]`;
  if (!isObject(value)) throw malformed(`\`${where}\` is not an object`);
  checkKnown(value, ['subjects', 'fields'], `\`${where}\``);
  const { subjects, fields } = value;
  if (!isNames(subjects)) throw malformed(`\`${where}.subjects\` does not say whom the fields are about`);
  if (!isObject(fields) || Object.keys(fields).length === 0) {
    throw malformed(`\`${where}.fields\` is not an object with fields`);
  }
  return { subjects, fields };
}

function checkKnown(value: object, known: readonly string[], what: string): void {
  const extra = Object.keys(value).find((name) => !known.includes(name));
  if (extra !== undefined) throw malformed(`unknown field ${quoted(extra)} in ${what}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNames(value: unknown): value is readonly [string, ...string[]] {
  return (
    Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string' && name !== '')
  );
}

function malformed(message: string): LedgerError {
  return new LedgerError(
    'record-invalid',
    message,
    'write `{"record": {…}, "seal": [{"subjects": ["whom it is about"], "fields": {"name": "value"}}]}`',
  );
}
