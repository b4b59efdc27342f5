import { randomUUID } from 'node:crypto';
import { LedgerError, quoted } from '../errors.ts';
import { canonicalBytes } from '../record/canonical.ts';
import type { AuditRecord, RecordOf } from '../record/record.ts';
import { appendPlanned, isAuthentic, PROOF_RETENTION, type StepContext, turns } from './steps.ts';
import type { HoldState, Vault } from './vault.ts';

/** A step of a hold, which stands in the log at `index`. */
export interface HoldStep {
  readonly kind: 'placed' | 'released';
  readonly hold: string;
  readonly index: number;
}

/** Places legal holds and releases them. Each step is in the log. */
export interface Holder {
  /**
   * Keeps what was and will be sealed about a person, or without one the whole tenant, from being erased or pruned.
   * `steps` is empty if another process has announced it.
   */
  place(
    tenant: string,
    subject?: string,
  ): Promise<{ readonly hold: string; readonly steps: readonly HoldStep[] }>;
  /**
   * Releases a hold, or the one that the record of this id asked for itself.
   * @throws {LedgerError} `not-found`
   */
  release(id: string): Promise<readonly HoldStep[]>;
  /** Announces what was placed and wished to be released by others, who could not. */
  resume(): Promise<readonly HoldStep[]>;
}

/** At most so many keys fit into a record; one is enough to find whom a hold covers. */
const MOST_KEYS = 1024;

export function holder({ log, vault, producer }: Omit<StepContext, 'now'>): Holder {
  const inTurn = turns();

  const advance = async (id: string): Promise<readonly HoldStep[]> => {
    const steps: HoldStep[] = [];
    for (;;) {
      const hold = await vault.holdState(id);
      if (hold === undefined) return steps;
      const { state, pending, release } = hold;
      if (pending !== undefined) {
        // A planned step happens, whatever else does. A hold is lifted only once the log says so.
        const kind = state === 'new' ? 'placed' : 'released';
        const index = await appendPlanned(log, pending);
        if (await vault.setHold(id, { state: kind, pending: undefined }, hold))
          steps.push({ kind, hold: id, index });
      } else if (state === 'new') await plan(hold, await placedRecord(hold));
      else if (state === 'placed' && release) await plan(hold, await releasedRecord(hold));
      else return steps;
    }
  };

  const plan = (hold: HoldState, record: AuditRecord): Promise<boolean> =>
    vault.setHold(hold.id, { state: hold.state, pending: canonicalBytes(record) }, hold);

  const placedRecord = async (hold: HoldState) => {
    const { id, tenant } = hold;
    const keys = (await vault.holdKeys(id)).slice(0, MOST_KEYS);
    const covers = announcedCover(hold);
    return producer.record(
      'comity.hold.placed',
      {
        'comity.hold.authenticator': await vault.authenticate(placedMessage({ id, tenant, covers, keys })),
        'comity.hold.covers': covers,
        'comity.hold.id': id,
        'comity.hold.keys': keys,
      },
      { retain: PROOF_RETENTION, tenant },
    );
  };

  const releasedRecord = async (hold: HoldState) => {
    const { id, tenant } = hold;
    const covers = announcedCover(hold);
    return producer.record(
      'comity.hold.released',
      {
        'comity.hold.authenticator': await vault.authenticate(releasedMessage({ id, tenant, covers })),
        'comity.hold.covers': covers,
        'comity.hold.id': id,
      },
      { retain: PROOF_RETENTION, tenant },
    );
  };

  return {
    place: (tenant, subject) =>
      inTurn(async () => {
        const id = randomUUID();
        await vault.hold({ id, tenant, ...(subject === undefined ? {} : { subject }) });
        return { hold: id, steps: await advance(id) };
      }),
    release: (id) =>
      inTurn(async () => {
        if ((await vault.release(id)) || (await vault.releaseRecord(id))) return advance(id);
        throw new LedgerError('not-found', `no hold ${quoted(id)}`, 'check its id: `vault.holds` lists them');
      }),
    resume: () =>
      inTurn(async () => {
        const steps: HoldStep[] = [];
        for (const { id, state, release } of await vault.holds())
          if (state === 'new' || release) steps.push(...(await advance(id)));
        return steps;
      }),
  };
}

/**
 * Does again what a record says of a hold, in a vault that may have come back from a backup. Only what this vault itself
 * announced counts: whoever can append to the log can thereby neither hold nor release.
 * @returns whether the record was such an announcement
 */
export async function replayHold(record: AuditRecord, vault: Vault): Promise<boolean> {
  if (record.event_name !== 'comity.hold.placed' && record.event_name !== 'comity.hold.released')
    return false;
  const { 'comity.hold.covers': covers, 'comity.hold.id': id } = record.attributes;
  const tenant = record.resource['comity.tenant'];
  const keys = keysIn(record);
  const placed = record.event_name === 'comity.hold.placed';
  const message = placed
    ? placedMessage({ id, tenant, covers, keys })
    : releasedMessage({ id, tenant, covers });
  if (!(await isAuthentic(vault, message, record.attributes['comity.hold.authenticator']))) return false;
  await vault.restoreHold({ id, tenant, covers, keys, state: placed ? 'placed' : 'released' });
  return true;
}

/** What a hold was announced to cover; a person stays one when the vault no longer knows who it is. */
function announcedCover({ covers }: HoldState): 'tenant' | 'subject' | 'record' {
  return covers === 'unknown' ? 'subject' : covers;
}

function keysIn(
  record: RecordOf<'comity.hold.placed'> | RecordOf<'comity.hold.released'>,
): readonly string[] {
  return record.event_name === 'comity.hold.placed' ? record.attributes['comity.hold.keys'] : [];
}

interface Announced {
  readonly id: string;
  readonly tenant: string;
  readonly covers: string;
}

function placedMessage({ id, tenant, covers, keys }: Announced & { readonly keys: readonly string[] }) {
  return JSON.stringify(['hold placed', id, tenant, covers, keys]);
}

function releasedMessage({ id, tenant, covers }: Announced): string {
  return JSON.stringify(['hold released', id, tenant, covers]);
}
