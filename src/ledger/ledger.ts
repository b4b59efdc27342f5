import { LedgerError, quoted } from './errors.ts';
import type { Appended } from './log/appender.ts';
import type { Log } from './log/log.ts';
import { canonicalBytes } from './record/canonical.ts';
import type { Producer } from './record/producer.ts';
import type { AuditRecord } from './record/record.ts';
import type { Clock } from './record/time.ts';
import { uuidBytes } from './record/uuidv7.ts';
import { type RecordValidator, recordValidator } from './record/validate.ts';
import { type Eraser, type ErasureProgress, eraser } from './sealing/erasure.ts';
import { type Holder, type HoldStep, holder } from './sealing/holding.ts';
import { repeatableRandom } from './sealing/repeatable.ts';
import { replaySteps } from './sealing/replay.ts';
import {
  type OpenedRecord,
  openSealed,
  type RandomBytes,
  randomPool,
  type SealInput,
  sealRecord,
} from './sealing/seal.ts';
import { SAFE_AGE_MS, sweepParts } from './sealing/sweep.ts';
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
  /** Makes the ledger's own records: erasures and holds. */
  readonly producer: Producer;
  readonly now?: Clock;
}

/** A log of audit records, with a vault beside it for what is about people. */
export interface Ledger {
  readonly log: Log;
  readonly vault: Vault;
  /** Requests to be erased. */
  readonly erasures: Eraser;
  /** Legal holds. */
  readonly holds: Holder;
  /** What was gone on with when the ledger was opened. */
  readonly resumed: Resumed;
  /**
   * Goes on with what others put into the vault and what has become due: announces holds, executes erasures whose time
   * has come, and looks at some more sealed parts, whether a record needs them. Cheap if there is nothing to do; call it
   * as often as somebody else may use the vault, and daily.
   */
  resume(): Promise<Resumed>;
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

/** What became of what was open in a vault. */
export interface Resumed {
  /** Steps of holds that are in the log now. */
  readonly holds: readonly HoldStep[];
  /** Requests to be erased that were open: those whose time had come are executed. */
  readonly erasures: readonly ErasureProgress[];
  /** Sealed parts that no record needs, and that are gone now. */
  readonly swept: number;
}

/** Sealed parts that are looked at each time: some hundredths of a second. */
const SWEPT_AT_ONCE = 10_000;

/**
 * Opens a ledger. Holds and erasures that stand in the log and not in the vault (because the vault was restored from a
 * backup) are taken into the vault before it returns.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const { log, vault, producer, now = Date.now } = options;
  const validator = recordValidator();
  const random = randomPool(64 * 1024);
  await replaySteps(log, vault, validator);
  const erasures = eraser({ log, vault, producer, now });
  const holds = holder({ log, vault, producer });
  const resume = async (): Promise<Resumed> => ({
    holds: await holds.resume(),
    erasures: await erasures.resume(),
    swept: await sweepParts({ log, vault, now: now(), most: SWEPT_AT_ONCE }),
  });
  return {
    log,
    vault,
    erasures,
    holds,
    resumed: await resume(),
    resume,
    prepare: (submissions, { repeatable = false } = {}) =>
      prepare(vault, validator, repeatable ? undefined : random, submissions),
    commit: (prepared) => commit(log, vault, now, prepared),
    append: async (submissions) =>
      commit(log, vault, now, await prepare(vault, validator, random, submissions)),
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
 * Steps of an erasure, of a hold and of pruning are the ledger’s to record: an application that could would make readers believe
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
  if (event.startsWith('comity.erasure.') || event.startsWith('comity.hold.')) {
    throw new LedgerError(
      'record-invalid',
      `${quoted(event)} records are made by the ledger itself`,
      event.startsWith('comity.hold.') ? 'call `holds.place` instead' : 'call `erasures.erase` instead',
    );
  }
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

async function commit(
  log: Log,
  vault: Vault,
  now: Clock,
  prepared: readonly Prepared[],
): Promise<readonly Appended[]> {
  const blobs = prepared.flatMap(({ blobs }) => blobs);
  const began = now();
  // Parts first: a leaf must never name a part that a crash could take away.
  await vault.put(blobs);
  const appended = await log.appendAll(prepared);
  // This process may have been asleep between the two for so long that the parts were swept.
  if (now() - began > SAFE_AGE_MS / 2) await vault.put(blobs);
  return appended;
}
