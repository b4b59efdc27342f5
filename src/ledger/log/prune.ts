import { createHash } from 'node:crypto';
import { LedgerError } from '../errors.ts';
import { canonicalBytes } from '../record/canonical.ts';
import { startProducer } from '../record/producer.ts';
import type { RecordOf } from '../record/record.ts';
import { type Clock, fromRfc3339, rfc3339 } from '../record/time.ts';
import { uuidBytes } from '../record/uuidv7.ts';
import { recordValidator } from '../record/validate.ts';
import { replaySteps } from '../sealing/replay.ts';
import { sweepParts } from '../sealing/sweep.ts';
import type { Vault } from '../sealing/vault.ts';
import type { Log } from './log.ts';
import { type KeptBack, type Prunable, type PruneConditions, prunable } from './prunable.ts';
import { PRUNE_STEP, type Pruning } from './store.ts';

export interface PruneOptions extends PruneConditions {
  readonly log: Log;
  /** The written retention policy that permits it. Its digest goes into the log, its text is kept beside. */
  readonly policy: string;
  /**
   * The vault of the log: before anything is looked at it learns of every hold in the log, in case it was restored from
   * a backup, and sealed parts of records that are pruned go from it too.
   */
  readonly vault?: Vault;
  readonly now?: Clock;
  readonly onProgress?: (progress: PruneProgress) => void;
}

/**
 * How far a pruning has come. `reading`: entries looked at. `planned`, `announcing`, `announced`, `removed`: that step is
 * durable. `removing`: steps of entries whose bytes are gone.
 */
export interface PruneProgress {
  readonly step: 'reading' | 'planned' | 'announcing' | 'announced' | 'removing' | 'removed';
  readonly done: number;
  readonly total: number;
}

export interface PruneReport {
  /** Minimum index before, and now. */
  readonly previous: number;
  readonly minimum: number;
  /** Entry that announces it; undefined if nothing was to be pruned. */
  readonly announcement: number | undefined;
  /** Bytes that were removed, also of a pruning that had been interrupted. */
  readonly removed: number;
  /** Sealed parts that went from the vault, because no record needs them. */
  readonly parts: number;
  readonly kept: KeptBack;
}

/**
 * Removes the bytes of the oldest entries of a log, for as far as {@link prunable} allows. Hashes, keys and tiles stay:
 * every proof goes on to verify, and a retry is still told where its entry stands. The order is: the decision is kept ·
 * its announcement is appended and a head that covers it published · the minimum index takes effect · bytes go · sealed parts go from the vault. A crash
 * anywhere in between is followed up by the next run, which looks first whether the decision still holds.
 * @throws {LedgerError} `record-invalid` for an empty policy, and whatever appending and publishing throw
 */
export async function prune(options: PruneOptions): Promise<PruneReport> {
  const { log, now = Date.now, onProgress = () => undefined } = options;
  checkPolicy(options.policy);
  if (options.vault !== undefined) await replaySteps(log, options.vault);
  const previous = await log.store.minimum();
  const reading = (done: number, total: number): void => onProgress({ step: 'reading', done, total });
  let announcement = await resume(options, now(), reading);
  let removed = await remove(log, onProgress);
  const found = await prunableUnderHolds(options, now(), reading);
  if (found.minimum > found.previous) {
    const pruning = planned(found.previous, found.minimum, options, now);
    await log.store.keepPruning(pruning);
    onProgress({ step: 'planned', done: 0, total: found.minimum });
    announcement = await announce(log, pruning, onProgress);
    removed += await remove(log, onProgress);
  }
  const parts = await removeParts(options, now());
  return { previous, minimum: found.minimum, announcement, removed, parts, kept: found.kept };
}

/** What may be pruned, found while no hold was placed: reading a long log takes its time. */
async function prunableUnderHolds(
  options: PruneOptions,
  now: number,
  reading: (done: number, total: number) => void,
): Promise<Prunable> {
  const { log, vault } = options;
  const holds = async (): Promise<string> => JSON.stringify((await vault?.holds())?.map(({ id }) => id));
  for (;;) {
    const before = await holds();
    const found = await prunable(log, options, now, reading);
    if ((await holds()) === before) return found;
  }
}

/**
 * Removes the sealed parts of records below the minimum index. The vault keeps how far that has come, so whichever
 * process sweeps it next goes on there.
 */
async function removeParts({ log, vault }: PruneOptions, now: number): Promise<number> {
  if (vault === undefined || (await log.store.minimum()) === 0) return 0;
  return sweepParts({ log, vault, now, most: Number.POSITIVE_INFINITY });
}

function checkPolicy(policy: string): void {
  if (policy.trim() !== '') return;
  throw new LedgerError(
    'record-invalid',
    'nothing may be pruned without a written retention policy',
    'say in it how long entries are kept; C2SP tlog-tiles asks for one',
  );
}

/** Goes on with a pruning that was planned and not announced, unless something stands in its way by now. */
async function resume(
  options: PruneOptions,
  now: number,
  reading: (done: number, total: number) => void,
): Promise<number | undefined> {
  const { log, holds, onProgress = () => undefined } = options;
  const pruning = (await log.store.prunings()).at(-1);
  if (pruning?.state !== 'planned') return undefined;
  const { attributes } = announcementOf(pruning);
  const { 'comity.prune.before': before, 'comity.prune.opaque_after': opaqueAfter } = attributes;
  const conditions: PruneConditions = {
    below: pruning.minimum,
    ...(before === undefined ? {} : { before: fromRfc3339(before) }),
    ...(opaqueAfter === undefined ? {} : { opaqueAfter }),
    ...(holds === undefined ? {} : { holds }),
  };
  const { minimum } = await prunable(log, conditions, now, reading);
  // A hold may have been placed since. The plan then stays without effect, and the next one replaces it.
  return minimum === pruning.minimum ? announce(log, pruning, onProgress) : undefined;
}

/** Brings the announcement into the log and under a published head, then lets the minimum index take effect. */
async function announce(
  log: Log,
  pruning: Pruning,
  onProgress: (progress: PruneProgress) => void,
): Promise<number> {
  const { announcement, minimum } = pruning;
  const { index } = await log.append(announcement, uuidBytes(announcementOf(pruning).id));
  onProgress({ step: 'announcing', done: 0, total: minimum });
  await log.publish();
  await log.store.keepPruning({ ...pruning, state: 'announced' });
  onProgress({ step: 'announced', done: 0, total: minimum });
  return index;
}

/** Removes whatever is left below the minimum index. */
async function remove(log: Log, onProgress: (progress: PruneProgress) => void): Promise<number> {
  const minimum = await log.store.minimum();
  if (minimum === 0) return 0;
  const removed = await log.store.removePruned((done, total) =>
    onProgress({ step: 'removing', done, total }),
  );
  const newest = (await log.store.prunings()).findLast(({ state }) => state !== 'planned');
  if (newest?.state === 'announced') await log.store.keepPruning({ ...newest, state: 'done' });
  onProgress({ step: 'removed', done: minimum / PRUNE_STEP, total: minimum / PRUNE_STEP });
  return removed;
}

/**
 * What the announcements of pruning say about themselves. They need no retention: each repeats what the one before said,
 * and the newest always stands above the minimum index.
 */
const ANNOUNCER = {
  id: 'comity-log-prune',
  resource: { 'comity.system.id': 'comity-log', 'comity.tenant': 'comity', 'service.name': 'comity' },
  retain: { class: 'prune-proof', hold: false, min: 'P0D' },
  jur: [],
} as const;

function planned(previous: number, minimum: number, options: PruneOptions, now: Clock): Pruning {
  const { policy, before, opaqueAfter } = options;
  const digest = createHash('sha256').update(policy, 'utf8').digest('hex');
  const record = startProducer({ ...ANNOUNCER, now }).record('comity.log.pruned', {
    ...(before === undefined ? {} : { 'comity.prune.before': rfc3339(before) }),
    'comity.prune.minimum': minimum,
    ...(opaqueAfter === undefined ? {} : { 'comity.prune.opaque_after': opaqueAfter }),
    'comity.prune.policy_hash': `sha256:${digest}`,
    'comity.prune.previous': previous,
  });
  return { state: 'planned', minimum, announcement: canonicalBytes(record), policy, at: now() };
}

function announcementOf({ announcement }: Pruning): RecordOf<'comity.log.pruned'> {
  const record = recordValidator().parse(announcement);
  if (record.event_name === 'comity.log.pruned') return record;
  throw new LedgerError('damaged', 'kept pruning has no announcement', 'restore `state.db` from a backup');
}
