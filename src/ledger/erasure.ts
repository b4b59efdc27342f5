import { randomUUID } from 'node:crypto';
import { canonicalBytes } from './canonical.ts';
import { LedgerError, quoted } from './errors.ts';
import type { Log } from './log.ts';
import type { Producer } from './producer.ts';
import type { AuditRecord } from './record.ts';
import { type Clock, rfc3339 } from './time.ts';
import { uuidBytes } from './uuidv7.ts';
import type { ErasureRequest, KeyState, Vault } from './vault.ts';

/** Who asked for an erasure, and why: codes, no text. */
export interface ErasureReason {
  /** For example `art17-1-b`, `account-closed`. */
  readonly code?: string;
  /** For example `data-subject`, `dpo`. */
  readonly actorRole?: string;
}

/** How far a request has come. */
export type ErasureProgress =
  | { readonly kind: 'executed'; readonly request: string }
  /** Something has to be kept until then; without `until` a legal hold has to be released first. */
  | { readonly kind: 'deferred'; readonly request: string; readonly until: number | undefined };

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

/** The retention of the ledger's own records about erasures. They hold no personal data. */
const PROOF_RETENTION = { class: 'erasure-proof', hold: false, min: 'P10Y' };

export function eraser(context: {
  readonly log: Log;
  readonly vault: Vault;
  readonly producer: Producer;
  readonly now: Clock;
}): Eraser {
  const { log, vault, producer, now } = context;
  let running: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const result = running.then(run);
    running = result.catch(() => undefined);
    return result;
  };

  /** Appends a record that is kept in the vault until it is in the log, so that no crash can lose or double it. */
  const announce = async (bytes: Uint8Array, id: string): Promise<void> => {
    await log.append(bytes, uuidBytes(id));
  };

  const request = async (tenant: string, subject: string, reason: ErasureReason): Promise<string> => {
    const id = randomUUID();
    const parts = await vault.request({
      id,
      tenant,
      subject,
      reasonCode: reason.code,
      actorRole: reason.actorRole,
    });
    const record = producer.record(
      'comity.erasure.requested',
      {
        'comity.erasure.request': id,
        'comity.erasure.parts': parts,
        ...reasonOf(reason.code, reason.actorRole),
      },
      { retain: PROOF_RETENTION },
    );
    const pending = canonicalBytes(record);
    await vault.setRequest(id, { state: 'requested', until: 0, pending });
    await announce(pending, record.id);
    await vault.setRequest(id, { state: 'requested', until: 0, pending: undefined });
    return id;
  };

  const execute = async (erasure: ErasureRequest, keys: readonly KeyState[]): Promise<void> => {
    const ids = keys.map((key) => key.id);
    const record = producer.record(
      'comity.erasure.executed',
      {
        'comity.erasure.authenticator': await vault.authenticate(erasureMessage(erasure.id, ids)),
        'comity.erasure.keys': ids,
        'comity.erasure.parts': keys.reduce((sum, key) => sum + key.parts, 0),
        'comity.erasure.request': erasure.id,
        ...reasonOf(erasure.reasonCode, erasure.actorRole),
      },
      { retain: PROOF_RETENTION },
    );
    const pending = canonicalBytes(record);
    // From here on the erasure happens, whatever else does: a crash is followed by `finish` at the next start.
    await vault.setRequest(erasure.id, { state: 'executing', until: erasure.until, pending });
    await finish(erasure.id, pending, record);
  };

  const finish = async (id: string, pending: Uint8Array, record: AuditRecord): Promise<void> => {
    const executed = record.event_name === 'comity.erasure.executed';
    if (executed) await vault.destroy(record.attributes['comity.erasure.keys']);
    await announce(pending, record.id);
    await vault.setRequest(id, { state: executed ? 'executing' : 'requested', until: 0, pending: undefined });
  };

  const defer = async (erasure: ErasureRequest, keys: readonly KeyState[]): Promise<ErasureProgress> => {
    const held = keys.some((key) => key.held);
    const free = keys.filter((key) => !key.held);
    const until = free.length === 0 ? undefined : Math.min(...free.map((key) => key.keepUntil));
    if (erasure.state === 'deferred' && erasure.until === until) {
      return { kind: 'deferred', request: erasure.id, until };
    }
    const record = producer.record(
      'comity.erasure.deferred',
      {
        'comity.erasure.parts': keys.reduce((sum, key) => sum + key.parts, 0),
        'comity.erasure.reason_code': held ? 'legal-hold' : 'retention',
        'comity.erasure.request': erasure.id,
        ...(until === undefined ? {} : { 'comity.erasure.until': rfc3339(until) }),
      },
      { retain: PROOF_RETENTION },
    );
    await log.append(canonicalBytes(record), uuidBytes(record.id));
    await vault.setRequest(erasure.id, { state: 'deferred', until, pending: undefined });
    return { kind: 'deferred', request: erasure.id, until };
  };

  /** Does what can be done for a request now. */
  const advance = async (id: string): Promise<ErasureProgress> => {
    const erasure = await vault.requestState(id);
    if (erasure === undefined) {
      throw new LedgerError('not-found', `no erasure request ${quoted(id)}`, 'check the id of the request');
    }
    const keys = await vault.requestKeys(id);
    const due = keys.filter((key) => !key.held && key.keepUntil <= now());
    const rest = keys.filter((key) => !due.includes(key));
    if (due.length > 0 || (keys.length === 0 && erasure.state === 'requested')) await execute(erasure, due);
    if (rest.length > 0) return defer((await vault.requestState(id)) ?? erasure, rest);
    await vault.setRequest(id, { state: 'executed', until: undefined, pending: undefined });
    return { kind: 'executed', request: id };
  };

  const resumeOne = async (erasure: ErasureRequest): Promise<ErasureProgress> => {
    if (erasure.pending !== undefined) {
      const record = JSON.parse(Buffer.from(erasure.pending).toString('utf8')) as AuditRecord;
      await finish(erasure.id, erasure.pending, record);
    }
    return advance(erasure.id);
  };

  return {
    erase: (tenant, subject, reason = {}) =>
      inTurn(async () => advance(await request(tenant, subject, reason))),
    resume: () =>
      inTurn(async () => {
        const progress: ErasureProgress[] = [];
        for (const erasure of await vault.openRequests()) progress.push(await resumeOne(erasure));
        return progress;
      }),
  };
}

/** What the vault authenticates about an erasure, so that replaying the log cannot be made to destroy other keys. */
export function erasureMessage(request: string, keys: readonly string[]): string {
  return JSON.stringify(['erasure executed', request, keys]);
}

function reasonOf(code: string | undefined, actorRole: string | undefined) {
  return {
    ...(code === undefined ? {} : { 'comity.erasure.reason_code': code }),
    ...(actorRole === undefined ? {} : { 'comity.erasure.actor_role': actorRole }),
  };
}
