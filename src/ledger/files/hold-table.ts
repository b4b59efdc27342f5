import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LedgerError } from '../errors.ts';
import type { HoldState, LegalHold, Vault } from '../sealing/vault.ts';
import { inTransaction, statements } from './vault-database.ts';

const SELECT = `
  SELECT id, tenant, state, release, pending,
    CASE WHEN covers = 'subject' AND subject IS NULL THEN 'unknown' ELSE covers END AS covers
  FROM hold`;

/** The legal holds of a vault in a directory. Those that were released stay, without the person, so that none comes back. */
export class HoldTable {
  readonly #keys: DatabaseSync;
  readonly #sql: (sql: string) => StatementSync;

  constructor(keys: DatabaseSync) {
    this.#keys = keys;
    this.#sql = statements(keys);
  }

  place({ id, tenant }: LegalHold, subject: Uint8Array | null): void {
    this.#sql(
      `INSERT INTO hold (id, tenant, covers, subject, state, release) VALUES (?, ?, ?, ?, 'new', 0)
       ON CONFLICT DO NOTHING`,
    ).run(id, tenant, subject === null ? 'tenant' : 'subject', subject);
  }

  inForce(): readonly HoldState[] {
    return this.#sql(`${SELECT} WHERE state <> 'released' ORDER BY id`).all().map(holdOf);
  }

  state(id: string): HoldState | undefined {
    const row = this.#sql(`${SELECT} WHERE id = ?`).get(id);
    return row === undefined ? undefined : holdOf(row);
  }

  keys(id: string): readonly string[] {
    return this.#sql(
      `SELECT id FROM subject_key WHERE subject = (SELECT subject FROM hold WHERE id = ?)
         AND wrapped IS NOT NULL ORDER BY id`,
    )
      .all(id)
      .map((row) => String(row.id));
  }

  release(id: string): boolean {
    return (
      this.#sql("UPDATE hold SET release = 1 WHERE id = ? AND state <> 'released' AND release = 0").run(id)
        .changes > 0
    );
  }

  /** Wishes the hold of a record to be released, one of whose parts is sealed with `key`. */
  releaseRecord(record: string, key: string): boolean {
    return (
      this.#sql(
        `INSERT INTO hold (id, tenant, covers, state, release)
         SELECT ?, tenant, 'record', 'placed', 1 FROM subject_key WHERE id = ? AND tenant IS NOT NULL
         ON CONFLICT DO NOTHING`,
      ).run(record, key).changes > 0
    );
  }

  set(...[id, { state, pending }, was]: Parameters<Vault['setHold']>): boolean {
    return (
      this.#sql(
        `UPDATE hold SET state = ?1, pending = ?2,
           subject = CASE ?1 WHEN 'released' THEN NULL ELSE subject END,
           release = CASE ?1 WHEN 'released' THEN 0 ELSE release END
         WHERE id = ?3 AND state = ?4 AND pending IS ?5`,
      ).run(state, pending ?? null, id, was.state, was.pending ?? null).changes > 0
    );
  }

  restore({ id, tenant, covers, state, keys }: Parameters<Vault['restoreHold']>[0]): void {
    inTransaction(this.#keys, () => {
      if (state === 'released') {
        this.#sql(
          `INSERT INTO hold (id, tenant, covers, state, release) VALUES (?, ?, ?, 'released', 0)
           ON CONFLICT DO UPDATE SET state = 'released', release = 0, pending = NULL, subject = NULL`,
        ).run(id, tenant, covers);
        return;
      }
      const { changes } = this.#sql(
        `INSERT INTO hold (id, tenant, covers, state, release) VALUES (?, ?, ?, 'placed', 0)
         ON CONFLICT DO UPDATE SET state = 'placed', pending = NULL WHERE state = 'new'`,
      ).run(id, tenant, covers);
      if (changes === 0 || covers !== 'subject') return;
      // Whom it covers the log does not say; the keys do.
      const whose = this.#sql(
        `UPDATE hold SET subject = coalesce(subject, (SELECT subject FROM subject_key WHERE id = ?2)) WHERE id = ?1`,
      );
      for (const key of keys) whose.run(id, key);
    });
  }

  /** Whether a hold on a tenant, or on the person, is in force. */
  cover(tenant: string, subject: Uint8Array | null): boolean {
    return (
      this.#sql(
        `SELECT 1 FROM hold WHERE tenant = ? AND state <> 'released' AND (covers = 'tenant' OR subject = ?) LIMIT 1`,
      ).get(tenant, subject) !== undefined
    );
  }
}

const STATES = ['new', 'placed', 'released'] as const;
const COVERS = ['tenant', 'subject', 'record', 'unknown'] as const;

function holdOf(row: Readonly<Record<string, unknown>>): HoldState {
  const state = STATES.find((known) => known === row.state);
  const covers = COVERS.find((known) => known === row.covers);
  if (state === undefined || covers === undefined)
    throw new LedgerError('damaged', '`keys.db` holds a hold of an unknown kind', 'restore it');
  const { id, tenant, release, pending } = row;
  return {
    id: String(id),
    tenant: String(tenant),
    covers,
    state,
    release: release === 1,
    pending: pending instanceof Uint8Array ? pending : undefined,
  };
}
