import { createHmac, randomBytes } from 'node:crypto';
import { LedgerError } from '../errors.ts';
import type { Clock } from '../record/time.ts';
import { base64url } from '../sealing/disclosure.ts';
import {
  type ErasureRequest,
  type ErasureWish,
  type HoldState,
  type KeyFate,
  type KeyState,
  type KeyWrapper,
  keyPeriod,
  type LegalHold,
  type SealedBlob,
  type SubjectKey,
  type SweepRange,
  type Vault,
} from '../sealing/vault.ts';
import type { Sql } from './connection.ts';
import { HoldTable } from './hold-table.ts';
import { isThere, makeTables } from './tables.ts';

export interface PostgresVaultOptions {
  /** Vaults of one database are told apart by name; each has pseudonyms of its own. */
  readonly name: string;
  readonly wrapper: KeyWrapper;
  readonly now?: Clock;
}

/**
 * Tables of the vault. Keep them in a database of their own, with backups that are kept for days: a deleted row lives
 * on in them and in the write-ahead log, wrapped by the tenant's key.
 */
const SCHEMA = `
  CREATE SCHEMA IF NOT EXISTS comity;
  CREATE TABLE IF NOT EXISTS comity.vault (
    id serial PRIMARY KEY, name text NOT NULL UNIQUE, pepper bytea NOT NULL, replayed bigint NOT NULL DEFAULT 0
  );
  CREATE TABLE IF NOT EXISTS comity.subject_key (
    vault integer NOT NULL, id text NOT NULL, tenant text, subject bytea, wrapped bytea, month text, request uuid,
    PRIMARY KEY (vault, id)
  );
  -- One current key for each person and period, whichever replica makes it.
  CREATE UNIQUE INDEX IF NOT EXISTS subject_key_current
    ON comity.subject_key (vault, subject, month) WHERE subject IS NOT NULL AND request IS NULL;
  CREATE INDEX IF NOT EXISTS subject_key_request ON comity.subject_key (vault, request) WHERE request IS NOT NULL;
  CREATE INDEX IF NOT EXISTS subject_key_subject ON comity.subject_key (vault, subject) WHERE subject IS NOT NULL;
  CREATE TABLE IF NOT EXISTS comity.sealed_part (
    vault integer NOT NULL, k text NOT NULL, h text NOT NULL, record uuid NOT NULL, bytes bytea NOT NULL,
    keep_until bigint NOT NULL, hold boolean NOT NULL, written bigint NOT NULL,
    PRIMARY KEY (vault, k, h)
  );
  ALTER TABLE comity.sealed_part ALTER COLUMN bytes SET STORAGE EXTERNAL;
  CREATE TABLE IF NOT EXISTS comity.erasure (
    vault integer NOT NULL, id uuid NOT NULL, tenant text NOT NULL, subject bytea, state text NOT NULL, until bigint,
    pending bytea, reason text, actor text, PRIMARY KEY (vault, id)
  );
  -- \`subject\` is null if it covers no person, or none that is known, and once it is released.
  CREATE TABLE IF NOT EXISTS comity.hold (
    vault integer NOT NULL, id text NOT NULL, tenant text NOT NULL, covers text NOT NULL, subject bytea,
    state text NOT NULL, release boolean NOT NULL, pending bytea, PRIMARY KEY (vault, id)
  );
  -- How far the last sweep came, and how large the log was then; its minimum index when the first part was looked at.
  CREATE INDEX IF NOT EXISTS sealed_part_written ON comity.sealed_part (vault, written);
  CREATE TABLE IF NOT EXISTS comity.sweep (
    vault integer PRIMARY KEY, written bigint NOT NULL, entries bigint NOT NULL, minimum bigint NOT NULL
  );
`;

/** Whether a vault was made in this database under this name. */
export async function hasPostgresVault(sql: Sql, name: string): Promise<boolean> {
  if (!(await isThere(sql, 'comity.sweep'))) return false;
  return (await sql`SELECT FROM comity.vault WHERE name = ${name}`).length > 0;
}

/** Opens a vault in PostgreSQL, creating it if need be. Any number of processes may have it open. */
export async function openPostgresVault(sql: Sql, options: PostgresVaultOptions): Promise<Vault> {
  await makeTables(sql, 'comity.sweep', SCHEMA);
  const wrapped = await options.wrapper.wrap(randomBytes(32), pepperContext(options.name));
  await sql`INSERT INTO comity.vault (name, pepper) VALUES (${options.name}, ${Buffer.from(wrapped)}) ON CONFLICT DO NOTHING`;
  const [vault] = await sql<{ id: number; pepper: Buffer }[]>`
    SELECT id, pepper FROM comity.vault WHERE name = ${options.name}`;
  if (vault === undefined)
    throw new LedgerError('damaged', 'database lost the vault', 'restore it from a backup');
  const pepper = await options.wrapper.unwrap(vault.pepper, pepperContext(options.name));
  return new PostgresVault(sql, vault.id, pepper, options.wrapper, options.now ?? Date.now);
}

/** How long a key is remembered: another replica may have tied it to an erasure meanwhile. */
const CACHE_MS = 5000;
const MOST_CACHED_KEYS = 10_000;
const ROWS_AT_ONCE = 500;
/** Parts that a sweep looks at together. */
const SWEPT_AT_ONCE = 1000;

class PostgresVault implements Vault {
  readonly #sql: Sql;
  readonly #vault: number;
  readonly #pepper: Uint8Array;
  readonly #wrapper: KeyWrapper;
  readonly #now: Clock;
  readonly #holds: HoldTable;
  readonly #current = new Map<string, { readonly key: SubjectKey; readonly until: number }>();

  constructor(sql: Sql, vault: number, pepper: Uint8Array, wrapper: KeyWrapper, now: Clock) {
    this.#sql = sql;
    this.#vault = vault;
    this.#pepper = pepper;
    this.#wrapper = wrapper;
    this.#now = now;
    this.#holds = new HoldTable(sql, vault);
  }

  async keysFor(
    tenant: string,
    subjects: readonly string[],
    fate?: KeyFate,
  ): Promise<ReadonlyMap<string, SubjectKey>> {
    const period = keyPeriod(this.#now(), fate);
    const found = new Map<string, SubjectKey>();
    for (const subject of new Set(subjects)) {
      const name = JSON.stringify([tenant, subject, period]);
      const cached = this.#current.get(name);
      if (cached !== undefined && cached.until > performance.now()) {
        found.set(subject, cached.key);
        continue;
      }
      const key = await this.#currentKey(tenant, subject, period);
      if (this.#current.size >= MOST_CACHED_KEYS) this.#current.clear();
      this.#current.set(name, { key, until: performance.now() + CACHE_MS });
      found.set(subject, key);
    }
    return found;
  }

  async key(id: string): Promise<Uint8Array | undefined> {
    const [row] = await this.#sql<{ tenant: string; wrapped: Buffer }[]>`
      SELECT tenant, wrapped FROM comity.subject_key
      WHERE vault = ${this.#vault} AND id = ${id} AND wrapped IS NOT NULL`;
    return row === undefined ? undefined : this.#wrapper.unwrap(row.wrapped, keyContext(row.tenant, id));
  }

  async keysOf(tenant: string, subject: string): Promise<readonly string[]> {
    const rows = await this.#sql<{ id: string }[]>`
      SELECT id FROM comity.subject_key
      WHERE vault = ${this.#vault} AND subject = ${this.#pseudonym(tenant, subject)} ORDER BY id`;
    return rows.map(({ id }) => id);
  }

  async put(blobs: readonly SealedBlob[]): Promise<void> {
    const written = this.#now();
    // Each once, and in one order for everybody: two that put the same parts must not wait for each other.
    const parts = [...new Map(blobs.map((blob) => [`${blob.k} ${blob.h}`, blob])).entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, blob]) => blob);
    for (let at = 0; at < parts.length; at += ROWS_AT_ONCE) {
      const some = parts.slice(at, at + ROWS_AT_ONCE);
      const keys = [...new Set(some.map(({ k }) => k))];
      await this.#sql.begin(async (sql) => {
        // The keys stay what they are until the parts are in: an erasure comes before, or finds the parts.
        const alive = await sql`
          SELECT id FROM comity.subject_key
          WHERE vault = ${this.#vault} AND id IN ${sql(keys)} AND wrapped IS NOT NULL ORDER BY id FOR SHARE`;
        if (alive.length < keys.length) {
          throw new LedgerError(
            'erased',
            'a person of this record was erased meanwhile',
            'seal the record again',
          );
        }
        const rows = some.map(({ k, h, record, bytes, keepUntil, hold }) => ({
          vault: this.#vault,
          k,
          h,
          record,
          bytes: Buffer.from(bytes),
          keep_until: keepUntil,
          hold,
          written,
        }));
        // What is put again is new: the record that it belongs to is on its way again.
        await sql`
          INSERT INTO comity.sealed_part ${sql(rows)}
          ON CONFLICT (vault, k, h) DO UPDATE SET written = excluded.written`;
      });
    }
  }

  async get({ k, h }: Pick<SealedBlob, 'k' | 'h'>): Promise<Uint8Array | undefined> {
    const [row] = await this.#sql<{ bytes: Buffer }[]>`
      SELECT bytes FROM comity.sealed_part WHERE vault = ${this.#vault} AND k = ${k} AND h = ${h}`;
    return row === undefined ? undefined : new Uint8Array(row.bytes);
  }

  async sweep(
    { before, entries, minimum, most }: SweepRange,
    needed: (records: readonly string[]) => Promise<ReadonlySet<string>>,
  ): Promise<number> {
    const [last] = await this.#sql<{ written: number; entries: number; minimum: number }[]>`
      SELECT written, entries, minimum FROM comity.sweep WHERE vault = ${this.#vault}`;
    if (last !== undefined && last.entries > entries) return 0;
    let at = last === undefined || last.minimum < minimum ? -1 : last.written;
    let swept = 0;
    for (let looked = 0; looked < most; ) {
      const parts = await this.#sql<{ record: string; written: number }[]>`
        SELECT record, written FROM comity.sealed_part
        WHERE vault = ${this.#vault} AND written > ${at} AND written < ${before}
        ORDER BY written FETCH FIRST ${SWEPT_AT_ONCE} ROWS WITH TIES`;
      const records = [...new Set(parts.map(({ record }) => record))];
      const kept = await needed(records);
      const orphans = records.filter((record) => !kept.has(record));
      const end = parts.at(-1)?.written ?? at;
      if (orphans.length > 0) {
        const { count } = await this.#sql`
          DELETE FROM comity.sealed_part
          WHERE vault = ${this.#vault} AND written > ${at} AND written <= ${end}
            AND record IN ${this.#sql(orphans)}`;
        swept += count;
      }
      at = end;
      await this.#sql`
        INSERT INTO comity.sweep (vault, written, entries, minimum)
        VALUES (${this.#vault}, ${at}, ${entries}, ${minimum})
        ON CONFLICT (vault) DO UPDATE SET written = ${at}, entries = ${entries}, minimum = ${minimum}`;
      looked += parts.length;
      if (parts.length < SWEPT_AT_ONCE) break;
    }
    return swept;
  }

  hold(hold: LegalHold): Promise<void> {
    const { tenant, subject } = hold;
    return this.#holds.place(hold, subject === undefined ? null : this.#pseudonym(tenant, subject));
  }

  holds(): Promise<readonly HoldState[]> {
    return this.#holds.inForce();
  }

  holdState(id: string): Promise<HoldState | undefined> {
    return this.#holds.state(id);
  }

  holdKeys(id: string): Promise<readonly string[]> {
    return this.#holds.keys(id);
  }

  release(holdId: string): Promise<boolean> {
    return this.#holds.release(holdId);
  }

  releaseRecord(record: string): Promise<boolean> {
    return this.#holds.releaseRecord(record);
  }

  setHold(...step: Parameters<Vault['setHold']>): Promise<boolean> {
    return this.#holds.set(...step);
  }

  restoreHold(hold: Parameters<Vault['restoreHold']>[0]): Promise<void> {
    return this.#holds.restore(hold);
  }

  async request(request: ErasureWish & { readonly subject: string }): Promise<number> {
    const { id, tenant, subject, reasonCode, actorRole } = request;
    const pseudonym = this.#pseudonym(tenant, subject);
    await this.#sql.begin(async (sql) => {
      await sql`
        INSERT INTO comity.erasure (vault, id, tenant, subject, state, until, reason, actor)
        VALUES (${this.#vault}, ${id}, ${tenant}, ${pseudonym}, 'requested', NULL, ${reasonCode ?? null}, ${actorRole ?? null})
        ON CONFLICT DO NOTHING`;
      await sql`
        UPDATE comity.subject_key SET request = ${id}
        WHERE vault = ${this.#vault} AND subject = ${pseudonym} AND request IS NULL`;
    });
    this.#current.clear();
    return (await this.requestKeys(id)).reduce((sum, key) => sum + key.parts, 0);
  }

  async restoreRequest(request: ErasureWish & { readonly keys: readonly string[] }): Promise<void> {
    const { id, tenant, reasonCode, actorRole, keys } = request;
    await this.#sql.begin(async (sql) => {
      const { count } = await sql`
        INSERT INTO comity.erasure (vault, id, tenant, state, until, reason, actor)
        VALUES (${this.#vault}, ${id}, ${tenant}, 'requested', 0, ${reasonCode ?? null}, ${actorRole ?? null})
        ON CONFLICT DO NOTHING`;
      if (count === 0 || keys.length === 0) return;
      await sql`
        UPDATE comity.subject_key SET request = ${id}
        WHERE vault = ${this.#vault} AND id IN ${sql([...keys])} AND request IS NULL`;
      // Whom it is about the log does not say; the keys do, and holds on that person have to be found.
      await sql`
        UPDATE comity.erasure SET subject = (
          SELECT subject FROM comity.subject_key
          WHERE vault = ${this.#vault} AND id IN ${sql([...keys])} AND subject IS NOT NULL LIMIT 1
        ) WHERE vault = ${this.#vault} AND id = ${id}`;
    });
    this.#current.clear();
  }

  async requestState(id: string): Promise<ErasureRequest | undefined> {
    const [row] = await this.#sql<RequestRow[]>`
      SELECT id, tenant, state, until, pending, reason, actor FROM comity.erasure
      WHERE vault = ${this.#vault} AND id = ${id}`;
    return row === undefined ? undefined : requestOf(row);
  }

  async openRequests(): Promise<readonly ErasureRequest[]> {
    const rows = await this.#sql<RequestRow[]>`
      SELECT id, tenant, state, until, pending, reason, actor FROM comity.erasure
      WHERE vault = ${this.#vault} AND state <> 'executed' ORDER BY id`;
    return rows.map(requestOf);
  }

  async requestKeys(id: string): Promise<readonly KeyState[]> {
    const rows = await this.#sql<{ id: string; parts: number; keep: number; held: boolean }[]>`
      SELECT key.id, count(part.k)::integer AS parts, coalesce(max(part.keep_until), 0) AS keep,
        coalesce(bool_or(part.hold), false) OR EXISTS (
          SELECT 1 FROM comity.hold, comity.erasure
          WHERE hold.vault = ${this.#vault} AND erasure.vault = ${this.#vault} AND erasure.id = ${id}
            AND hold.tenant = erasure.tenant AND hold.state <> 'released'
            AND (hold.covers = 'tenant' OR hold.subject = erasure.subject)
        ) AS held
      FROM comity.subject_key AS key
      LEFT JOIN comity.sealed_part AS part ON part.vault = key.vault AND part.k = key.id
      WHERE key.vault = ${this.#vault} AND key.request = ${id} AND key.wrapped IS NOT NULL
      GROUP BY key.id ORDER BY key.id`;
    return rows.map(({ id, parts, keep, held }) => ({ id, parts, keepUntil: keep, held }));
  }

  async setRequest(
    id: string,
    { state, until, pending }: Pick<ErasureRequest, 'state' | 'until' | 'pending'>,
    was: Pick<ErasureRequest, 'state' | 'pending'>,
  ): Promise<boolean> {
    const { count } = await this.#sql`
      UPDATE comity.erasure SET state = ${state}, until = ${until ?? null}, pending = ${bytesOrNull(pending)},
        subject = CASE WHEN ${state} = 'executed' THEN NULL ELSE subject END
      WHERE vault = ${this.#vault} AND id = ${id} AND state = ${was.state}
        AND pending IS NOT DISTINCT FROM ${bytesOrNull(was.pending)}`;
    return count > 0;
  }

  async destroy(keyIds: readonly string[]): Promise<void> {
    if (keyIds.length === 0) return;
    const rows = keyIds.map((id) => ({ vault: this.#vault, id }));
    await this.#sql.begin(async (sql) => {
      await sql`
        INSERT INTO comity.subject_key ${sql(rows)}
        ON CONFLICT (vault, id) DO UPDATE SET wrapped = NULL, subject = NULL, tenant = NULL, month = NULL`;
      await sql`DELETE FROM comity.sealed_part WHERE vault = ${this.#vault} AND k IN ${sql([...keyIds])}`;
    });
    this.#current.clear();
    // Old versions of rows stay in their pages until they are vacuumed.
    await this.#sql`VACUUM comity.subject_key, comity.sealed_part`;
  }

  async authenticate(message: string): Promise<string> {
    const code = createHmac('sha256', this.#pepper).update(JSON.stringify(['authenticate', message]));
    return `sha256:${code.digest('hex')}`;
  }

  async replayed(): Promise<number> {
    const [row] = await this.#sql<
      { replayed: number }[]
    >`SELECT replayed FROM comity.vault WHERE id = ${this.#vault}`;
    return row?.replayed ?? 0;
  }

  async setReplayed(index: number): Promise<void> {
    await this.#sql`UPDATE comity.vault SET replayed = ${index} WHERE id = ${this.#vault}`;
  }

  /** The connection stays the caller's. */
  async close(): Promise<void> {
    this.#current.clear();
  }

  async #currentKey(tenant: string, subject: string, period: string): Promise<SubjectKey> {
    const pseudonym = this.#pseudonym(tenant, subject);
    for (;;) {
      const [row] = await this.#sql<{ id: string }[]>`
        SELECT id FROM comity.subject_key
        WHERE vault = ${this.#vault} AND subject = ${pseudonym} AND month = ${period} AND request IS NULL`;
      const key = row === undefined ? undefined : await this.key(row.id);
      if (row !== undefined && key !== undefined) return { id: row.id, key };
      const id = base64url(randomBytes(16));
      const wrapped = await this.#wrapper.wrap(randomBytes(32), keyContext(tenant, id));
      // Whichever replica is first makes the key; the others find it in the next round.
      await this.#sql`
        INSERT INTO comity.subject_key (vault, id, tenant, subject, wrapped, month)
        VALUES (${this.#vault}, ${id}, ${tenant}, ${pseudonym}, ${Buffer.from(wrapped)}, ${period})
        ON CONFLICT DO NOTHING`;
    }
  }

  #pseudonym(tenant: string, subject: string): Buffer {
    return createHmac('sha256', this.#pepper)
      .update(JSON.stringify([tenant, subject]))
      .digest();
  }
}

interface RequestRow {
  readonly id: string;
  readonly tenant: string;
  readonly state: ErasureRequest['state'];
  readonly until: number | null;
  readonly pending: Buffer | null;
  readonly reason: string | null;
  readonly actor: string | null;
}

function requestOf(row: RequestRow): ErasureRequest {
  return {
    id: row.id,
    tenant: row.tenant,
    state: row.state,
    until: row.until ?? undefined,
    pending: row.pending === null ? undefined : new Uint8Array(row.pending),
    reasonCode: row.reason ?? undefined,
    actorRole: row.actor ?? undefined,
  };
}

function bytesOrNull(bytes: Uint8Array | undefined): Buffer | null {
  return bytes === undefined ? null : Buffer.from(bytes);
}

function pepperContext(name: string): string {
  return JSON.stringify(['pepper', name]);
}

function keyContext(tenant: string, id: string): string {
  return JSON.stringify(['subject key', tenant, id]);
}
