import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
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
import { HoldTable } from './hold-table.ts';
import { SealedParts } from './sealed-parts.ts';
import {
  BLOBS_SCHEMA,
  inTransaction,
  KEYS_SCHEMA,
  openDatabase,
  openPepper,
  statements,
} from './vault-database.ts';

export interface FilesVaultOptions {
  readonly wrapper: KeyWrapper;
  readonly now?: Clock;
}

/**
 * Opens the vault in a directory, creating it if need be: `keys.db` and `blobs.db`. Put `keys.db` on a volume whose
 * backups are kept for a short time only: a backup brings keys back until erasures are replayed from the log.
 */
export async function openFilesVault(directory: string, options: FilesVaultOptions): Promise<Vault> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const keys = openDatabase(join(directory, 'keys.db'), KEYS_SCHEMA);
  const blobs = openDatabase(join(directory, 'blobs.db'), BLOBS_SCHEMA);
  try {
    const pepper = await openPepper(keys, options.wrapper);
    return new FilesVault(keys, blobs, pepper, options.wrapper, options.now ?? Date.now);
  } catch (error) {
    keys.close();
    blobs.close();
    throw error;
  }
}

/** Keys held in memory, so that the wrapper is not asked for every record. */
const MOST_CACHED_KEYS = 10_000;

interface Candidate extends SubjectKey {
  readonly subject: string;
  /** Set on a key that is new. */
  readonly wrapped: Uint8Array | undefined;
}

class FilesVault implements Vault {
  readonly #keys: DatabaseSync;
  readonly #blobs: DatabaseSync;
  readonly #pepper: Uint8Array;
  readonly #wrapper: KeyWrapper;
  readonly #now: Clock;
  readonly #parts: SealedParts;
  readonly #holds: HoldTable;
  readonly #sql: (sql: string) => StatementSync;
  /** Current keys by person, and any keys by id. */
  readonly #current = new Map<string, SubjectKey>();
  readonly #cached = new Map<string, Uint8Array>();
  /** Keys destroyed by this process: what was sealed with one just before must not be kept. */
  readonly #destroyed = new Set<string>();
  /** Changes when another process has written to `keys.db`: what is cached may be destroyed by then. */
  #version = 0;
  #othersWrite = false;

  constructor(keys: DatabaseSync, blobs: DatabaseSync, pepper: Uint8Array, wrapper: KeyWrapper, now: Clock) {
    this.#keys = keys;
    this.#blobs = blobs;
    this.#pepper = pepper;
    this.#wrapper = wrapper;
    this.#now = now;
    this.#sql = statements(keys);
    this.#holds = new HoldTable(keys);
    this.#parts = new SealedParts(blobs, now, () => {
      this.#noticeOthers();
      return (key) => this.#isDestroyed(key);
    });
  }

  async keysFor(
    tenant: string,
    subjects: readonly string[],
    fate?: KeyFate,
  ): Promise<ReadonlyMap<string, SubjectKey>> {
    this.#noticeOthers();
    const period = keyPeriod(this.#now(), fate);
    const found = new Map<string, SubjectKey>();
    let missing: string[] = [];
    for (const subject of new Set(subjects)) {
      const key = this.#current.get(nameOf(tenant, subject, period));
      if (key === undefined) missing.push(subject);
      else found.set(subject, key);
    }
    while (missing.length > 0) {
      const candidates = await Promise.all(
        missing.map((subject) => this.#candidate(tenant, subject, period)),
      );
      // A person may have been erased while the wrapper was asked; those are tried again.
      for (const candidate of this.#settle(tenant, period, candidates)) {
        bound(this.#current);
        const { id, key } = candidate;
        this.#current.set(nameOf(tenant, candidate.subject, period), { id, key });
        found.set(candidate.subject, candidate);
      }
      missing = missing.filter((subject) => !found.has(subject));
    }
    return found;
  }

  async key(id: string): Promise<Uint8Array | undefined> {
    this.#noticeOthers();
    const cached = this.#cached.get(id);
    if (cached !== undefined) return cached;
    const row = this.#sql('SELECT tenant, wrapped FROM subject_key WHERE id = ?').get(id);
    const wrapped = row?.wrapped;
    if (!(wrapped instanceof Uint8Array)) return undefined;
    const key = await this.#wrapper.unwrap(wrapped, keyContext(String(row?.tenant), id));
    if (this.#destroyed.has(id)) return undefined;
    bound(this.#cached);
    this.#cached.set(id, key);
    return key;
  }

  async keysOf(tenant: string, subject: string): Promise<readonly string[]> {
    return this.#sql('SELECT id FROM subject_key WHERE subject = ? ORDER BY id')
      .all(this.#pseudonym(tenant, subject))
      .map((row) => String(row.id));
  }

  put(blobs: readonly SealedBlob[]): Promise<void> {
    return this.#parts.put(blobs);
  }

  async get(part: Pick<SealedBlob, 'k' | 'h'>): Promise<Uint8Array | undefined> {
    return this.#parts.get(part);
  }

  sweep(
    range: SweepRange,
    needed: (records: readonly string[]) => Promise<ReadonlySet<string>>,
  ): Promise<number> {
    return this.#parts.sweep(range, needed);
  }

  async hold(hold: LegalHold): Promise<void> {
    this.#holds.place(hold, hold.subject === undefined ? null : this.#pseudonym(hold.tenant, hold.subject));
  }

  async holds(): Promise<readonly HoldState[]> {
    return this.#holds.inForce();
  }

  async holdState(id: string): Promise<HoldState | undefined> {
    return this.#holds.state(id);
  }

  async holdKeys(id: string): Promise<readonly string[]> {
    return this.#holds.keys(id);
  }

  async release(holdId: string): Promise<boolean> {
    return this.#holds.release(holdId);
  }

  async releaseRecord(record: string): Promise<boolean> {
    const held = this.#parts.holdOf(record);
    return held !== undefined && this.#holds.releaseRecord(record, held.key);
  }

  async setHold(...[id, change, was]: Parameters<Vault['setHold']>): Promise<boolean> {
    // The part first: after a crash in between this is done again, because the hold still is where it was.
    if (change.state === 'released' && this.#holds.state(id)?.covers === 'record')
      this.#parts.releaseRecord(id);
    return this.#holds.set(id, change, was);
  }

  async restoreHold(hold: Parameters<Vault['restoreHold']>[0]): Promise<void> {
    if (hold.state === 'released' && hold.covers === 'record') this.#parts.releaseRecord(hold.id);
    this.#holds.restore(hold);
  }

  async request(request: ErasureWish & { readonly subject: string }): Promise<number> {
    const { id, tenant, subject, reasonCode, actorRole } = request;
    const pseudonym = this.#pseudonym(tenant, subject);
    inTransaction(this.#keys, () => {
      this.#sql(
        `INSERT INTO erasure (id, tenant, subject, state, until, reason, actor)
         VALUES (?, ?, ?, 'requested', NULL, ?, ?) ON CONFLICT DO NOTHING`,
      ).run(id, tenant, pseudonym, reasonCode ?? null, actorRole ?? null);
      this.#sql('UPDATE subject_key SET request = ? WHERE subject = ? AND request IS NULL').run(
        id,
        pseudonym,
      );
    });
    this.#current.clear();
    return (await this.requestKeys(id)).reduce((sum, key) => sum + key.parts, 0);
  }

  async restoreRequest(request: ErasureWish & { readonly keys: readonly string[] }): Promise<void> {
    const { id, tenant, reasonCode, actorRole, keys } = request;
    inTransaction(this.#keys, () => {
      const restored = this.#sql(
        `INSERT INTO erasure (id, tenant, state, until, reason, actor)
         VALUES (?, ?, 'requested', 0, ?, ?) ON CONFLICT DO NOTHING`,
      ).run(id, tenant, reasonCode ?? null, actorRole ?? null);
      if (restored.changes === 0) return;
      for (const key of keys) {
        this.#sql('UPDATE subject_key SET request = ?1 WHERE id = ?2 AND request IS NULL').run(id, key);
        // Whom it is about the log does not say; the keys do, and holds on that person have to be found.
        this.#sql(
          `UPDATE erasure SET subject = coalesce(subject, (SELECT subject FROM subject_key WHERE id = ?2))
           WHERE id = ?1`,
        ).run(id, key);
      }
    });
    this.#current.clear();
  }

  async requestState(id: string): Promise<ErasureRequest | undefined> {
    const row = this.#sql(`${SELECT_REQUEST} WHERE id = ?`).get(id);
    return row === undefined ? undefined : requestOf(row);
  }

  async openRequests(): Promise<readonly ErasureRequest[]> {
    return this.#sql(`${SELECT_REQUEST} WHERE state <> 'executed' ORDER BY id`).all().map(requestOf);
  }

  async requestKeys(id: string): Promise<readonly KeyState[]> {
    const request = this.#sql('SELECT tenant, subject FROM erasure WHERE id = ?').get(id);
    const held = this.#holds.cover(String(request?.tenant ?? ''), bytesOrNull(request?.subject));
    return this.#sql('SELECT id FROM subject_key WHERE request = ? AND wrapped IS NOT NULL ORDER BY id')
      .all(id)
      .map((row): KeyState => {
        const key = String(row.id);
        const parts = this.#parts.under(key);
        return { ...parts, id: key, held: held || parts.held };
      });
  }

  async setRequest(
    id: string,
    { state, until, pending }: Pick<ErasureRequest, 'state' | 'until' | 'pending'>,
    was: Pick<ErasureRequest, 'state' | 'pending'>,
  ): Promise<boolean> {
    const { changes } = this.#sql(
      `UPDATE erasure SET state = ?1, until = ?2, pending = ?3,
         subject = CASE ?1 WHEN 'executed' THEN NULL ELSE subject END
       WHERE id = ?4 AND state = ?5 AND pending IS ?6`,
    ).run(state, until ?? null, pending ?? null, id, was.state, was.pending ?? null);
    return changes > 0;
  }

  async destroy(keyIds: readonly string[]): Promise<void> {
    const tombstone = this.#sql(
      `INSERT INTO subject_key (id) VALUES (?) ON CONFLICT (id) DO UPDATE
         SET wrapped = NULL, subject = NULL, tenant = NULL, month = NULL`,
    );
    inTransaction(this.#keys, () => {
      for (const id of keyIds) tombstone.run(id);
    });
    this.#parts.remove(keyIds);
    // What was overwritten in the databases still stands in their write-ahead logs.
    for (const database of [this.#keys, this.#blobs]) database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    for (const id of keyIds) {
      this.#cached.delete(id);
      this.#destroyed.add(id);
    }
    for (const [name, key] of this.#current) if (keyIds.includes(key.id)) this.#current.delete(name);
  }

  async authenticate(message: string): Promise<string> {
    const code = createHmac('sha256', this.#pepper).update(JSON.stringify(['authenticate', message]));
    return `sha256:${code.digest('hex')}`;
  }

  async replayed(): Promise<number> {
    // Either database may have been restored from a backup by itself: the older of the two counts.
    const positions = [this.#keys, this.#blobs].map((database) => {
      return Number(database.prepare('SELECT entries FROM position').get()?.entries ?? 0);
    });
    return Math.min(...positions);
  }

  async setReplayed(index: number): Promise<void> {
    for (const database of [this.#keys, this.#blobs]) {
      database.prepare('INSERT OR REPLACE INTO position (one, entries) VALUES (1, ?)').run(index);
    }
  }

  async close(): Promise<void> {
    this.#parts.flush();
    this.#keys.close();
    this.#blobs.close();
    this.#current.clear();
    this.#cached.clear();
  }

  /** The key that a person has for a period, or a new one that is not kept yet. */
  async #candidate(tenant: string, subject: string, period: string): Promise<Candidate> {
    const id = this.#currentId(this.#pseudonym(tenant, subject), period);
    const key = id === undefined ? undefined : await this.key(id);
    if (id !== undefined && key !== undefined) return { subject, id, key, wrapped: undefined };
    const [newId, newKey] = [base64url(randomBytes(16)), randomBytes(32)];
    const wrapped = await this.#wrapper.wrap(newKey, keyContext(tenant, newId));
    return { subject, id: newId, key: newKey, wrapped };
  }

  /** Keeps new keys, all with one sync, and drops candidates that were overtaken. */
  #settle(tenant: string, period: string, candidates: readonly Candidate[]): readonly Candidate[] {
    const settled: Candidate[] = [];
    const insert = this.#sql(
      'INSERT INTO subject_key (id, tenant, subject, wrapped, month) VALUES (?, ?, ?, ?, ?)',
    );
    inTransaction(this.#keys, () => {
      for (const candidate of candidates) {
        const pseudonym = this.#pseudonym(tenant, candidate.subject);
        const current = this.#currentId(pseudonym, period);
        if (current === undefined && candidate.wrapped !== undefined) {
          insert.run(candidate.id, tenant, pseudonym, candidate.wrapped, period);
          settled.push(candidate);
        } else if (current === candidate.id) settled.push(candidate);
      }
    });
    return settled;
  }

  #currentId(pseudonym: Uint8Array, period: string): string | undefined {
    const row = this.#sql(
      'SELECT id FROM subject_key WHERE subject = ? AND month = ? AND request IS NULL',
    ).get(pseudonym, period);
    return row === undefined ? undefined : String(row.id);
  }

  #pseudonym(tenant: string, subject: string): Uint8Array {
    return createHmac('sha256', this.#pepper)
      .update(JSON.stringify([tenant, subject]))
      .digest();
  }

  #noticeOthers(): void {
    const version = Number(this.#sql('PRAGMA data_version').get()?.data_version ?? 0);
    if (version === this.#version) return;
    this.#othersWrite ||= this.#version !== 0;
    this.#version = version;
    this.#current.clear();
    this.#cached.clear();
  }

  #isDestroyed(id: string): boolean {
    if (this.#destroyed.has(id)) return true;
    if (!this.#othersWrite) return false;
    return this.#sql('SELECT 1 FROM subject_key WHERE id = ? AND wrapped IS NOT NULL').get(id) === undefined;
  }
}

const SELECT_REQUEST = 'SELECT id, tenant, state, until, pending, reason, actor FROM erasure';

const STATES = ['requested', 'deferred', 'executing', 'executed'] as const;

function requestOf(row: Readonly<Record<string, unknown>>): ErasureRequest {
  const { id, tenant, until, pending, reason, actor } = row;
  const state = STATES.find((known) => known === row.state);
  if (state === undefined) throw new LedgerError('damaged', '`keys.db` holds an unknown state', 'restore it');
  return {
    id: String(id),
    tenant: String(tenant),
    state,
    until: typeof until === 'number' ? until : undefined,
    pending: pending instanceof Uint8Array ? pending : undefined,
    reasonCode: typeof reason === 'string' ? reason : undefined,
    actorRole: typeof actor === 'string' ? actor : undefined,
  };
}

function nameOf(tenant: string, subject: string, period: string): string {
  return JSON.stringify([tenant, subject, period]);
}

function keyContext(tenant: string, id: string): string {
  return JSON.stringify(['subject key', tenant, id]);
}

function bytesOrNull(value: unknown): Uint8Array | null {
  return value instanceof Uint8Array ? value : null;
}

/** Forgets the oldest entry of a cache that is full. */
function bound(cache: Map<string, unknown>): void {
  if (cache.size < MOST_CACHED_KEYS) return;
  for (const name of cache.keys()) {
    cache.delete(name);
    return;
  }
}
