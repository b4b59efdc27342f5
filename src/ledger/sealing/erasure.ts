import { randomUUID } from 'node:crypto';
import { LedgerError, quoted } from '../errors.ts';
import { canonicalBytes } from '../record/canonical.ts';
import type { AuditRecord, RecordOf } from '../record/record.ts';
import { fromRfc3339, rfc3339 } from '../record/time.ts';
import {
  appendPlanned,
  isAuthentic,
  PROOF_RETENTION,
  plannedRecord,
  type StepContext,
  turns,
} from './steps.ts';
import type { ErasureRequest, KeyState, Vault } from './vault.ts';

/** Who asked for an erasure, and why: codes, no text. */
export interface ErasureReason {
  /** For example `art17-1-b`, `account-closed`. */
  readonly code?: string;
  /** For example `data-subject`, `dpo`. */
  readonly actorRole?: string;
}

/** What stands in the way of an erasure. */
export type Obstacle = 'legal-hold' | 'retention';

/** A step of an erasure, which stands in the log at `index`. `parts`: sealed parts that it is about. */
export type ErasureStep =
  | { readonly kind: 'requested' | 'executed'; readonly index: number; readonly parts: number }
  | {
      readonly kind: 'deferred';
      readonly index: number;
      readonly parts: number;
      readonly until: number | undefined;
      readonly why: Obstacle;
    };

/** How far a request has come. `steps`: those that were taken now; a request that still waits takes none. */
export type ErasureProgress = {
  readonly request: string;
  readonly tenant: string;
  readonly steps: readonly ErasureStep[];
} & (
  | { readonly kind: 'executed' }
  /** Something has to be kept until then; without `until` a legal hold has to be released first. */
  | { readonly kind: 'deferred'; readonly until: number | undefined; readonly why: Obstacle }
);

/** Carries out requests to be erased: requested → deferred, as often as needed → executed. Each step is in the log. */
export interface Eraser {
  /**
   * Erases what the ledger has sealed about a person so far, as soon as retention and holds allow. What comes later
   * is sealed with new keys and is not part of the request.
   */
  erase(tenant: string, subject: string, reason?: ErasureReason): Promise<ErasureProgress>;
  /** Goes on with requests whose time has come. Call it daily, and after a hold was released. */
  resume(): Promise<readonly ErasureProgress[]>;
}

export function eraser({ log, vault, producer, now }: StepContext): Eraser {
  const inTurn = turns();

  /** Takes the steps that can be taken now. */
  const advance = async (id: string): Promise<ErasureProgress> => {
    const steps: ErasureStep[] = [];
    for (;;) {
      const erasure = await vault.requestState(id);
      if (erasure === undefined) {
        throw new LedgerError('not-found', `no erasure request ${quoted(id)}`, 'check the id of the request');
      }
      const { state, tenant, pending } = erasure;
      if (state === 'executed') return { kind: 'executed', request: id, tenant, steps };
      if (pending !== undefined) {
        steps.push(await finish(erasure, pending));
        continue;
      }
      const keys = await vault.requestKeys(id);
      const due = keys.filter((key) => !key.held && key.keepUntil <= now());
      const { until, why } = obstacleOf(keys);
      if (isNew(erasure)) await plan(erasure, await requestedRecord(erasure, keys), { state, until: 0 });
      else if (due.length > 0 || (keys.length === 0 && state === 'requested')) {
        await plan(erasure, await executedRecord(erasure, due), { state: 'executing', until: erasure.until });
      } else if (keys.length === 0) {
        await vault.setRequest(id, { state: 'executed', until: undefined, pending: undefined }, erasure);
      } else if (state === 'deferred' && erasure.until === until) {
        return { kind: 'deferred', request: id, tenant, until, why, steps };
      } else await plan(erasure, deferredRecord(erasure, keys), { state: 'deferred', until });
    }
  };

  const plan = async (
    erasure: ErasureRequest,
    record: AuditRecord,
    change: Pick<ErasureRequest, 'state' | 'until'>,
  ): Promise<void> => {
    await vault.setRequest(erasure.id, { ...change, pending: canonicalBytes(record) }, erasure);
  };

  /** From when a step is in the vault it happens, whatever else does: a crash is followed by this at the next start. */
  const finish = async (erasure: ErasureRequest, pending: Uint8Array): Promise<ErasureStep> => {
    const record = plannedRecord<StepRecord>(pending);
    if (record.event_name === 'comity.erasure.executed')
      await vault.destroy(record.attributes['comity.erasure.keys']);
    const index = await appendPlanned(log, pending);
    await vault.setRequest(erasure.id, { ...erasure, pending: undefined }, erasure);
    return stepOf(record, index);
  };

  const requestedRecord = async (erasure: ErasureRequest, keys: readonly KeyState[]) => {
    const ids = keys.map((key) => key.id);
    return producer.record(
      'comity.erasure.requested',
      {
        'comity.erasure.authenticator': await vault.authenticate(
          requestedMessage(erasure.id, erasure.tenant, ids),
        ),
        'comity.erasure.keys': ids,
        'comity.erasure.parts': partsOf(keys),
        'comity.erasure.request': erasure.id,
        ...reasonOf(erasure),
      },
      { retain: PROOF_RETENTION, tenant: erasure.tenant },
    );
  };

  const executedRecord = async (erasure: ErasureRequest, keys: readonly KeyState[]) => {
    const ids = keys.map((key) => key.id);
    return producer.record(
      'comity.erasure.executed',
      {
        'comity.erasure.authenticator': await vault.authenticate(executedMessage(erasure.id, ids)),
        'comity.erasure.keys': ids,
        'comity.erasure.parts': partsOf(keys),
        'comity.erasure.request': erasure.id,
        ...reasonOf(erasure),
      },
      { retain: PROOF_RETENTION, tenant: erasure.tenant },
    );
  };

  const deferredRecord = (erasure: ErasureRequest, keys: readonly KeyState[]) => {
    const { until, why } = obstacleOf(keys);
    return producer.record(
      'comity.erasure.deferred',
      {
        'comity.erasure.parts': partsOf(keys),
        'comity.erasure.reason_code': why,
        'comity.erasure.request': erasure.id,
        ...(until === undefined ? {} : { 'comity.erasure.until': rfc3339(until) }),
      },
      { retain: PROOF_RETENTION, tenant: erasure.tenant },
    );
  };

  return {
    erase: (tenant, subject, { code: reasonCode, actorRole } = {}) =>
      inTurn(async () => {
        const id = randomUUID();
        await vault.request({ id, tenant, subject, reasonCode, actorRole });
        return advance(id);
      }),
    resume: () =>
      inTurn(async () => {
        const progress: ErasureProgress[] = [];
        for (const { id } of await vault.openRequests()) progress.push(await advance(id));
        return progress;
      }),
  };
}

type StepRecord =
  | RecordOf<'comity.erasure.requested'>
  | RecordOf<'comity.erasure.deferred'>
  | RecordOf<'comity.erasure.executed'>;

function stepOf(record: StepRecord, index: number): ErasureStep {
  const parts = record.attributes['comity.erasure.parts'];
  if (record.event_name !== 'comity.erasure.deferred') {
    const kind = record.event_name === 'comity.erasure.executed' ? 'executed' : 'requested';
    return { kind, index, parts };
  }
  const { 'comity.erasure.until': until, 'comity.erasure.reason_code': why } = record.attributes;
  return {
    kind: 'deferred',
    index,
    parts,
    until: until === undefined ? undefined : fromRfc3339(until),
    why: why === 'legal-hold' ? why : 'retention',
  };
}

/** Whether the request is in the vault only, not in the log yet. */
function isNew({ state, until }: ErasureRequest): boolean {
  return state === 'requested' && until === undefined;
}

/**
 * Does again what a record says was requested or executed, in a vault that may have come back from a backup. Only what
 * this vault itself announced counts: whoever can append to the log cannot thereby destroy somebody's keys.
 * @returns whether the record was such an announcement
 */
export async function replayErasure(record: AuditRecord, vault: Vault): Promise<boolean> {
  if (record.event_name === 'comity.erasure.requested') {
    const { attributes, resource } = record;
    const { 'comity.erasure.request': id, 'comity.erasure.keys': keys = [] } = attributes;
    const tenant = resource['comity.tenant'];
    const given = attributes['comity.erasure.authenticator'];
    if (!(await isAuthentic(vault, requestedMessage(id, tenant, keys), given))) return false;
    const { 'comity.erasure.reason_code': reasonCode, 'comity.erasure.actor_role': actorRole } = attributes;
    await vault.restoreRequest({ id, tenant, keys, reasonCode, actorRole });
    return true;
  }
  if (record.event_name !== 'comity.erasure.executed') return false;
  const { 'comity.erasure.request': id, 'comity.erasure.keys': keys } = record.attributes;
  const given = record.attributes['comity.erasure.authenticator'];
  if (!(await isAuthentic(vault, executedMessage(id, keys), given))) return false;
  await vault.destroy(keys);
  const request = await vault.requestState(id);
  if (request !== undefined && (await vault.requestKeys(id)).length === 0) {
    await vault.setRequest(id, { state: 'executed', until: undefined, pending: undefined }, request);
  }
  return true;
}

function executedMessage(request: string, keys: readonly string[]): string {
  return JSON.stringify(['erasure executed', request, keys]);
}

function requestedMessage(request: string, tenant: string, keys: readonly string[]): string {
  return JSON.stringify(['erasure requested', request, tenant, keys]);
}

/** What keeps keys, and when the first of them may go; never while all of them are held. */
export function obstacleOf(keys: readonly KeyState[]): {
  readonly until: number | undefined;
  readonly why: Obstacle;
} {
  const free = keys.filter((key) => !key.held);
  return {
    until: free.length === 0 ? undefined : Math.min(...free.map((key) => key.keepUntil)),
    why: free.length < keys.length ? 'legal-hold' : 'retention',
  };
}

function partsOf(keys: readonly KeyState[]): number {
  return keys.reduce((sum, key) => sum + key.parts, 0);
}

function reasonOf({ reasonCode, actorRole }: Pick<ErasureRequest, 'reasonCode' | 'actorRole'>) {
  return {
    ...(reasonCode === undefined ? {} : { 'comity.erasure.reason_code': reasonCode }),
    ...(actorRole === undefined ? {} : { 'comity.erasure.actor_role': actorRole }),
  };
}
