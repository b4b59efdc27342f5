import type { HoldState, LegalHold, Vault } from '../sealing/vault.ts';
import type { Sql } from './connection.ts';

/** The legal holds of a vault in PostgreSQL. Those that were released stay, without the person, so that none comes back. */
export class HoldTable {
  readonly #sql: Sql;
  readonly #vault: number;

  constructor(sql: Sql, vault: number) {
    this.#sql = sql;
    this.#vault = vault;
  }

  async place({ id, tenant }: LegalHold, subject: Buffer | null): Promise<void> {
    const covers = subject === null ? 'tenant' : 'subject';
    await this.#sql`
      INSERT INTO comity.hold (vault, id, tenant, covers, subject, state, release)
      VALUES (${this.#vault}, ${id}, ${tenant}, ${covers}, ${subject}, 'new', false)
      ON CONFLICT DO NOTHING`;
  }

  async inForce(): Promise<readonly HoldState[]> {
    const rows = await this.#sql<HoldRow[]>`
      SELECT id, tenant, covers, subject IS NOT NULL AS known, state, release, pending
      FROM comity.hold WHERE vault = ${this.#vault} AND state <> 'released' ORDER BY id COLLATE "C"`;
    return rows.map(holdOf);
  }

  async state(id: string): Promise<HoldState | undefined> {
    const [row] = await this.#sql<HoldRow[]>`
      SELECT id, tenant, covers, subject IS NOT NULL AS known, state, release, pending
      FROM comity.hold WHERE vault = ${this.#vault} AND id = ${id}`;
    return row === undefined ? undefined : holdOf(row);
  }

  async keys(id: string): Promise<readonly string[]> {
    const rows = await this.#sql<{ id: string }[]>`
      SELECT key.id FROM comity.hold
      JOIN comity.subject_key AS key ON key.vault = hold.vault AND key.subject = hold.subject
      WHERE hold.vault = ${this.#vault} AND hold.id = ${id} AND key.wrapped IS NOT NULL ORDER BY key.id`;
    return rows.map((key) => key.id);
  }

  async release(holdId: string): Promise<boolean> {
    const { count } = await this.#sql`
      UPDATE comity.hold SET release = true
      WHERE vault = ${this.#vault} AND id = ${holdId} AND state <> 'released' AND NOT release`;
    return count > 0;
  }

  async releaseRecord(record: string): Promise<boolean> {
    const { count } = await this.#sql`
      INSERT INTO comity.hold (vault, id, tenant, covers, state, release)
      SELECT part.vault, ${record}, key.tenant, 'record', 'placed', true
      FROM comity.sealed_part AS part
      JOIN comity.subject_key AS key ON key.vault = part.vault AND key.id = part.k
      WHERE part.vault = ${this.#vault} AND part.record::text = ${record} AND part.hold AND key.tenant IS NOT NULL
      LIMIT 1 ON CONFLICT DO NOTHING`;
    return count > 0;
  }

  async set(...[id, { state, pending }, was]: Parameters<Vault['setHold']>): Promise<boolean> {
    return this.#sql.begin(async (sql) => {
      const { count } = await sql`
        UPDATE comity.hold SET state = ${state}, pending = ${bytesOrNull(pending)},
          subject = CASE WHEN ${state} = 'released' THEN NULL ELSE subject END,
          release = release AND ${state} <> 'released'
        WHERE vault = ${this.#vault} AND id = ${id} AND state = ${was.state}
          AND pending IS NOT DISTINCT FROM ${bytesOrNull(was.pending)}`;
      if (count > 0 && state === 'released') await this.#releaseParts(sql, id);
      return count > 0;
    });
  }

  async restore(hold: Parameters<Vault['restoreHold']>[0]): Promise<void> {
    const { id, tenant, covers, state, keys } = hold;
    await this.#sql.begin(async (sql) => {
      if (state === 'released') {
        await sql`
          INSERT INTO comity.hold (vault, id, tenant, covers, state, release)
          VALUES (${this.#vault}, ${id}, ${tenant}, ${covers}, 'released', false)
          ON CONFLICT (vault, id) DO UPDATE SET state = 'released', release = false, pending = NULL, subject = NULL`;
        await this.#releaseParts(sql, id);
        return;
      }
      const { count } = await sql`
        INSERT INTO comity.hold (vault, id, tenant, covers, state, release)
        VALUES (${this.#vault}, ${id}, ${tenant}, ${covers}, 'placed', false)
        ON CONFLICT (vault, id) DO UPDATE SET state = 'placed', pending = NULL WHERE hold.state = 'new'`;
      if (count === 0 || covers !== 'subject' || keys.length === 0) return;
      // Whom it covers the log does not say; the keys do.
      await sql`
        UPDATE comity.hold SET subject = coalesce(subject, (
          SELECT subject FROM comity.subject_key
          WHERE vault = ${this.#vault} AND id IN ${sql([...keys])} AND subject IS NOT NULL LIMIT 1
        )) WHERE vault = ${this.#vault} AND id = ${id}`;
    });
  }

  /** Takes the hold off the parts of a record that asked for it, if this is what was released. */
  async #releaseParts(sql: Pick<Sql, 'unsafe'>, id: string): Promise<void> {
    await sql.unsafe(
      `UPDATE comity.sealed_part SET hold = false FROM comity.hold
       WHERE hold.vault = $1 AND hold.id = $2 AND hold.covers = 'record'
         AND sealed_part.vault = $1 AND sealed_part.record::text = hold.id AND sealed_part.hold`,
      [this.#vault, id],
    );
  }
}

interface HoldRow {
  readonly id: string;
  readonly tenant: string;
  readonly covers: 'tenant' | 'subject' | 'record';
  readonly known: boolean;
  readonly state: HoldState['state'];
  readonly release: boolean;
  readonly pending: Buffer | null;
}

function holdOf({ known, covers, pending, ...row }: HoldRow): HoldState {
  return {
    ...row,
    covers: covers === 'subject' && !known ? 'unknown' : covers,
    pending: pending === null ? undefined : new Uint8Array(pending),
  };
}

function bytesOrNull(bytes: Uint8Array | undefined): Buffer | null {
  return bytes === undefined ? null : Buffer.from(bytes);
}
