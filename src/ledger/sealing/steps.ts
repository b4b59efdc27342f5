import { timingSafeEqual } from 'node:crypto';
import type { Log } from '../log/log.ts';
import type { Producer } from '../record/producer.ts';
import type { AuditRecord } from '../record/record.ts';
import type { Clock } from '../record/time.ts';
import { uuidBytes } from '../record/uuidv7.ts';
import type { Vault } from './vault.ts';

/**
 * What takes steps that are in the log too: of erasures, of holds. A step is planned in the vault, under the condition
 * that nothing has happened meanwhile, before it is appended: several processes take every step once, and a crash is
 * followed up by the next start.
 */
export interface StepContext {
  readonly log: Log;
  readonly vault: Vault;
  readonly producer: Producer;
  readonly now: Clock;
}

/** The retention of the ledger's own records about people. They hold no personal data. */
export const PROOF_RETENTION = { class: 'erasure-proof', hold: false, min: 'P10Y' };

/** Gives a function that runs what it is given one after the other. */
export function turns(): <T>(run: () => Promise<T>) => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  return (run) => {
    const result = running.then(run);
    running = result.catch(() => undefined);
    return result;
  };
}

/** A record as it was planned. These bytes come from our own vault. */
export function plannedRecord<R extends AuditRecord>(pending: Uint8Array): R {
  return JSON.parse(Buffer.from(pending).toString('utf8')) as R;
}

/** Brings a planned record into the log, where it stands once however often this is done. @returns its index */
export async function appendPlanned(log: Log, pending: Uint8Array): Promise<number> {
  const { index } = await log.append(pending, uuidBytes(plannedRecord(pending).id));
  return index;
}

/** Whether this vault itself made an authenticator for a message. */
export async function isAuthentic(
  vault: Vault,
  message: string,
  given: string | undefined,
): Promise<boolean> {
  if (given === undefined) return false;
  return timingSafeEqual(Buffer.from(given), Buffer.from(await vault.authenticate(message)));
}
