import { decodeBundle } from '../tlog/bundle.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';
import { LedgerError, quoted } from './errors.ts';
import type { Appended } from './log/appender.ts';
import type { Log, LogView } from './log/log.ts';
import { canonicalBytes } from './record/canonical.ts';
import type { Producer } from './record/producer.ts';
import type { AuditRecord } from './record/record.ts';
import type { Clock } from './record/time.ts';
import { uuidBytes } from './record/uuidv7.ts';
import { type RecordValidator, recordValidator } from './record/validate.ts';
import { type Eraser, type ErasureProgress, eraser, replayErasure } from './sealing/erasure.ts';
import { repeatableRandom } from './sealing/repeatable.ts';
import {
  type OpenedRecord,
  openSealed,
  type RandomBytes,
  randomPool,
  type SealInput,
  sealRecord,
} from './sealing/seal.ts';
import type { SealedBlob, SubjectKey, Vault } from './sealing/vault.ts';

/** A record to append, and what to seal into it. */
export interface Submission {
  readonly record: AuditRecord;
  readonly seal?: readonly SealInput[];
}

/** A record as it will stand in the log, with its sealed parts. */
export interface Prepared {
  readonly bytes: Uint8Array;
  readonly key: Uint8Array;
  readonly blobs: readonly SealedBlob[];
}

export interface LedgerOptions {
  readonly log: Log;
  readonly vault: Vault;
  /** Makes the ledger's own records: erasures. */
  readonly producer: Producer;
  readonly now?: Clock;
}

/** A log of audit records, with a vault beside it for what is about people. */
export interface Ledger {
  readonly log: Log;
  readonly vault: Vault;
  /** Requests to be erased. */
  readonly erasures: Eraser;
  /** What became of requests that were open when the ledger was opened: those whose time had come are executed. */
  readonly resumed: readonly ErasureProgress[];
  /**
   * Seals and validates records. Sealing is random: to retry an append safely, commit the same prepared records again.
   * With `repeatable` the same submission gives the same bytes, for as long as the people's keys are the same: until
   * the month ends or they are erased.
   * @throws {LedgerError} `record-invalid` · `entry-too-large`
   */
  prepare(
    submissions: readonly Submission[],
    options?: { readonly repeatable?: boolean },
  ): Promise<readonly Prepared[]>;
  /**
   * Appends prepared records in order; resolves once all of them, and their sealed parts, are durable. Repeating it
   * appends nothing twice: a record's id is its idempotency key.
   * @throws {LedgerError} `erased` if a person was erased in between, or whatever {@link Log.appendAll} throws
   */
  commit(prepared: readonly Prepared[]): Promise<readonly Appended[]>;
  /** {@link prepare} and {@link commit} in one. */
  append(submissions: readonly Submission[]): Promise<readonly Appended[]>;
  /** A record and what of it can still be opened. @throws {LedgerError} `not-found` · `record-invalid` */
  open(index: number): Promise<OpenedRecord & { readonly record: AuditRecord; readonly bytes: Uint8Array }>;
  /** Settles and closes the log and the vault. */
  close(): Promise<void>;
}

/**
 * Opens a ledger. Erasures that stand in the log and not in the vault (because the vault was restored from a backup)
 * are carried out before it returns.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { log, vault } = options;
  const validator = recordValidator();
  const random = randomPool(64 * 1024);
  await replayErasures(log, vault, validator);
  const erasures = eraser({ log, vault, producer: options.producer, now: options.now ?? Date.now });
  return {
    log,
    vault,
    erasures,
    resumed: await erasures.resume(),
    prepare: (submissions, { repeatable = false } = {}) =>
      prepare(vault, validator, repeatable ? undefined : random, submissions),
    commit: (prepared) => commit(log, vault, prepared),
    append: async (submissions) => commit(log, vault, await prepare(vault, validator, random, submissions)),
    async open(index) {
      const bytes = await log.read(index);
      const record = validator.parse(bytes);
      return { record, bytes, ...(await openSealed(record, vault)) };
    },
    async close() {
      await log.close();
      await vault.close();
    },
  };
}

async function prepare(
  vault: Vault,
  validator: RecordValidator,
  random: RandomBytes | undefined,
  submissions: readonly Submission[],
): Promise<readonly Prepared[]> {
  for (const { record } of submissions) checkNotReserved(record);
  const keys = await keysOfAll(vault, submissions);
  return submissions.map(({ record, seal = [] }) => {
    const known = keys.get(groupOf(record)) ?? new Map<string, SubjectKey>();
    const sealed =
      seal.length === 0
        ? { record, blobs: [] }
        : sealRecord(record, seal, known, random ?? repeatableRandom(record, seal, known));
    const bytes = canonicalBytes(validator.check(sealed.record));
    return { bytes, key: uuidBytes(record.id), blobs: sealed.blobs };
  });
}

/**
 * Steps of an erasure and of pruning are the ledger’s to record: an application that could would make readers believe
 * in them.
 * @throws {LedgerError} `record-invalid`
 */
export function checkNotReserved(record: AuditRecord): void {
  const event = String(record.event_name);
  if (event === 'comity.log.pruned') {
    throw new LedgerError(
      'record-invalid',
      `${quoted(event)} records are made by the ledger itself`,
      'run `comity log prune` instead',
    );
  }
  if (!event.startsWith('comity.erasure.')) return;
  throw new LedgerError(
    'record-invalid',
    `${quoted(record.event_name)} records are made by the ledger itself`,
    'call `erasures.erase` instead',
  );
}

/** Keys for everybody whom the records are about: asked for at once for records that share them. */
async function keysOfAll(vault: Vault, submissions: readonly Submission[]) {
  const groups = new Map<string, { readonly record: AuditRecord; readonly subjects: string[] }>();
  for (const { record, seal = [] } of submissions) {
    const name = groupOf(record);
    const group = groups.get(name) ?? { record, subjects: [] };
    for (const input of seal) group.subjects.push(...input.subjects);
    groups.set(name, group);
  }
  const keys = new Map<string, ReadonlyMap<string, SubjectKey>>();
  for (const [name, { record, subjects }] of groups) {
    keys.set(name, await vault.keysFor(record.resource['comity.tenant'], subjects, record.retain));
  }
  return keys;
}

/** Records of one group seal what is about a person with one key. */
function groupOf({ resource, retain }: AuditRecord): string {
  return `${resource['comity.tenant']} ${retain.min} ${retain.hold}`;
}

async function commit(log: Log, vault: Vault, prepared: readonly Prepared[]): Promise<readonly Appended[]> {
  // Parts first: a leaf must never name a part that a crash could take away.
  await vault.put(prepared.flatMap(({ blobs }) => blobs));
  return log.appendAll(prepared);
}

const ERASURE = Buffer.from('"comity.erasure.');

/**
 * Does every erasure again that the log holds and the vault may not have seen, as it does after it was restored from a
 * backup: what was requested is requested, what was executed is gone.
 * @returns how many steps of erasures it found
 */
export async function replayErasures(
  log: Pick<LogView, 'store'>,
  vault: Vault,
  validator: RecordValidator = recordValidator(),
): Promise<number> {
  const { size } = await log.store.grow();
  // An erasure that was pruned is ten years old at the least (its own retention): no backup of a vault is.
  const from = Math.max(Math.min(await vault.replayed(), size), await log.store.minimum());
  let found = 0;
  for (let at = from; at < size; ) {
    const index = Math.floor(at / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    const bundle = await log.store.readBundle(index, width);
    // Parsing every record of a long log would keep the server from starting.
    if (Buffer.from(bundle.buffer, bundle.byteOffset, bundle.length).includes(ERASURE)) {
      for (const entry of decodeBundle(bundle, width)) {
        const record = erasureRecord(entry, validator);
        if (record !== undefined && (await replayErasure(record, vault))) found += 1;
      }
    }
    at = index * TILE_WIDTH + width;
  }
  await vault.setReplayed(size);
  return found;
}

function erasureRecord(entry: Uint8Array, validator: RecordValidator): AuditRecord | undefined {
  if (!Buffer.from(entry.buffer, entry.byteOffset, entry.length).includes(ERASURE)) return undefined;
  try {
    return validator.parse(entry);
  } catch {
    // An opaque entry that happens to contain the words.
    return undefined;
  }
}
