import type { AuditRecord } from '../record/record.ts';

/**
 * Tells which records must not go, whatever their retention says. A hold that a record itself asks for
 * (`retain.hold`) lasts until the vault that keeps its sealed parts knows that it was released; one that was placed in
 * the vault covers a tenant, or the records about one person.
 */
export interface Holds {
  held(record: AuditRecord): Promise<boolean>;
  close(): Promise<void>;
}

/** Where there is no vault nobody can have released the hold of a record, and there are no others. */
export const holdsOfRecords: Holds = {
  held: async (record) => record.retain.hold,
  close: async () => undefined,
};

/** What a vault says about one sealed part of a record. */
export interface PartHold {
  /** Whether a hold covers the person whose key it is sealed with. */
  readonly subject: boolean;
  /** Whether the record's own hold is still on it; `unknown` if the part is not there. */
  readonly own: boolean | 'unknown';
  /** Whether its key was destroyed, which no hold would have allowed. */
  readonly destroyed: boolean;
}

/** Whether a record is held, given a hold on its whole tenant and what is known of each of its sealed parts. */
export function isHeld(record: AuditRecord, tenantHeld: boolean, parts: readonly PartHold[]): boolean {
  if (tenantHeld || parts.some(({ subject }) => subject)) return true;
  if (!record.retain.hold) return false;
  const released = ({ own, destroyed }: PartHold): boolean => own === false || destroyed;
  return parts.length === 0 || !parts.every(released);
}
