import { type AuditRecord, RECORD_VERSION } from '../record/record.ts';
import { addDuration, fromRfc3339 } from '../record/time.ts';
import { recordValidator } from '../record/validate.ts';
import { type Holds, holdsOfRecords } from '../sealing/holds.ts';
import type { LogView } from './log.ts';
import { PRUNE_STEP, type SignedHead } from './store.ts';

/** Which entries may be pruned, beside what their own retention says. */
export interface PruneConditions {
  /** Nothing from this entry on. */
  readonly below?: number;
  /** Nothing from this time on, in milliseconds since 1970. */
  readonly before?: number;
  /**
   * How long entries are kept that are no records and so state no retention: an ISO 8601 duration, counted from the
   * first signed head that covers them. Without it they are never pruned.
   */
  readonly opaqueAfter?: string;
  /** Without it records with sealed parts are kept: the vault that has those parts may hold them. */
  readonly holds?: Holds;
}

/** The first entry that is kept, and why. */
export type KeptBack =
  /** Its retention has not ended, or was to end after `before`. */
  | { readonly kind: 'retention'; readonly index: number; readonly record: string; readonly until: number }
  | { readonly kind: 'hold'; readonly index: number; readonly record: string }
  /** It has sealed parts, and nobody said which holds their vault knows of. */
  | { readonly kind: 'vault-unknown'; readonly index: number; readonly record: string }
  /** It is not older than was asked for. */
  | { readonly kind: 'too-new'; readonly index: number }
  /** It states no retention; `until` if a time was given for such entries. */
  | { readonly kind: 'opaque'; readonly index: number; readonly until: number | undefined }
  /** It says that it is a record, but not one that this version can read: perhaps one of a later version. */
  | { readonly kind: 'unreadable'; readonly index: number }
  /** Everything up to here may go, but not the whole next step of entries is published, or was asked for. */
  | { readonly kind: 'step-not-full'; readonly index: number };

/** What may be pruned now. */
export interface Prunable {
  /** The minimum index as it is, and as it could be. */
  readonly previous: number;
  readonly minimum: number;
  readonly kept: KeptBack;
}

/**
 * Finds the longest beginning of a log of which every entry may be pruned: published, past its retention, under no
 * hold. Only whole steps of {@link PRUNE_STEP} entries count.
 * @throws {LedgerError} `record-invalid` if `opaqueAfter` is no duration
 */
export async function prunable(
  log: LogView,
  conditions: PruneConditions,
  now: number,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<Prunable> {
  const previous = await log.store.minimum();
  if (conditions.opaqueAfter !== undefined) addDuration(0, conditions.opaqueAfter);
  const asked = Math.min(log.published()?.size ?? 0, conditions.below ?? Number.MAX_SAFE_INTEGER);
  const limit = Math.max(previous, asked - (asked % PRUNE_STEP));
  const reason = keptBecause(conditions, await log.store.heads(), now);
  let index = previous;
  for await (const entries of log.entries(previous, limit)) {
    for (const bytes of entries) {
      const kept = await reason(bytes, index);
      if (kept !== undefined) return { previous, minimum: index - (index % PRUNE_STEP), kept };
      index += 1;
    }
    onProgress(index - previous, limit - previous);
  }
  return { previous, minimum: limit, kept: { kind: 'step-not-full', index: limit } };
}

type Reason = (bytes: Uint8Array, index: number) => Promise<KeptBack | undefined>;

/** Why an entry has to be kept; undefined if it may go. */
function keptBecause(conditions: PruneConditions, heads: readonly SignedHead[], now: number): Reason {
  const { before = Number.POSITIVE_INFINITY, opaqueAfter, holds = holdsOfRecords } = conditions;
  const { check } = recordValidator();
  const signedAt = signingTimes(heads);

  const opaque = (index: number): KeptBack | undefined => {
    const at = signedAt(index);
    if (opaqueAfter === undefined || at === undefined) return { kind: 'opaque', index, until: undefined };
    const until = addDuration(at, opaqueAfter);
    if (until > now) return { kind: 'opaque', index, until };
    return at < before ? undefined : { kind: 'too-new', index };
  };

  return async (bytes, index) => {
    const claimed = claimedRecord(bytes);
    if (claimed === undefined) return opaque(index);
    let record: AuditRecord;
    try {
      record = check(claimed);
    } catch {
      return { kind: 'unreadable', index };
    }
    const { id, retain } = record;
    const time = fromRfc3339(record.time);
    const until = addDuration(time, retain.min);
    if (until > now) return { kind: 'retention', index, record: id, until };
    if (time >= before) return { kind: 'too-new', index };
    if (conditions.holds === undefined && record.sealed !== undefined) {
      return { kind: 'vault-unknown', index, record: id };
    }
    return (await holds.held(record)) ? { kind: 'hold', index, record: id } : undefined;
  };
}

/** Since when an entry has certainly been there: the time of the first head that covers it. For rising indices. */
function signingTimes(heads: readonly SignedHead[]): (index: number) => number | undefined {
  let at = 0;
  return (index) => {
    while (at < heads.length && (heads[at]?.size ?? 0) <= index) at += 1;
    return heads[at]?.at;
  };
}

const RECORD_MARK = Buffer.from(`"${RECORD_VERSION}"`);

/** The value, if it says that it is a record. */
function claimedRecord(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!text.includes(RECORD_MARK)) return undefined;
  try {
    const value: unknown = JSON.parse(text.toString('utf8'));
    const claims = typeof value === 'object' && value !== null && 'v' in value && value.v === RECORD_VERSION;
    return claims ? value : undefined;
  } catch {
    return undefined;
  }
}
