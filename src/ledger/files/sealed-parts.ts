import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LedgerError } from '../errors.ts';
import type { Clock } from '../record/time.ts';
import { base64url, fromBase64url } from '../sealing/disclosure.ts';
import type { KeyState, SealedBlob, SweepRange } from '../sealing/vault.ts';
import { inTransaction, PARTS_OF_KEY, statements } from './vault-database.ts';

/** Parts that a sweep looks at together. */
const PAGE = 1000;

interface Waiting {
  readonly blobs: readonly SealedBlob[];
  readonly settle: (error?: unknown) => void;
}

/** The sealed parts of a vault in a directory. */
export class SealedParts {
  readonly #database: DatabaseSync;
  readonly #now: Clock;
  readonly #destroyed: () => (key: string) => boolean;
  readonly #sql: (sql: string) => StatementSync;
  #waiting: Waiting[] = [];

  /** @param destroyed asked before every commit: tells keys that were destroyed, for which nothing may be kept */
  constructor(database: DatabaseSync, now: Clock, destroyed: () => (key: string) => boolean) {
    this.#database = database;
    this.#now = now;
    this.#destroyed = destroyed;
    this.#sql = statements(database);
  }

  put(blobs: readonly SealedBlob[]): Promise<void> {
    if (blobs.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
      this.#waiting.push({ blobs, settle });
      // Everything that is put in one turn of the event loop shares one commit, and so one sync.
      if (this.#waiting.length === 1) setImmediate(() => this.flush());
    });
  }

  /** Keeps what waits, now. */
  flush(): void {
    this.#putTogether(this.#waiting.splice(0));
  }

  get({ k, h }: Pick<SealedBlob, 'k' | 'h'>): Uint8Array | undefined {
    const row = this.#sql(`${PARTS_OF_KEY} SELECT bytes FROM part WHERE h = ?2 LIMIT 1`).get(
      fromBase64url(k),
      fromBase64url(h),
    );
    const bytes = row?.bytes;
    return bytes instanceof Uint8Array ? bytes : undefined;
  }

  async sweep(
    { before, entries, minimum, most }: SweepRange,
    needed: (records: readonly string[]) => Promise<ReadonlySet<string>>,
  ): Promise<number> {
    const last = this.#sql('SELECT part, entries, minimum FROM sweep').get();
    if (Number(last?.entries ?? 0) > entries) return 0;
    let at = Number(last?.minimum ?? 0) < minimum ? 0 : Number(last?.part ?? 0);
    let swept = 0;
    for (let looked = 0; looked < most; ) {
      const rows = this.#sql(`SELECT id, record, written FROM blob WHERE id > ? ORDER BY id LIMIT ${PAGE}`)
        .all(at)
        .map(({ id, record, written }) => ({
          id: Number(id),
          record: String(record),
          written: Number(written),
        }));
      const young = rows.findIndex(({ written }) => written >= before);
      const old = young === -1 ? rows : rows.slice(0, young);
      const kept = await needed([...new Set(old.map(({ record }) => record))]);
      const done = this.#removeAll(old, kept, before);
      swept += done.removed;
      // One that was put again is new, and has to be looked at later: the sweep goes no further.
      at = done.end ?? at;
      this.#keepSweep(at, entries, minimum);
      looked += old.length;
      if (done.end !== rows.at(-1)?.id || rows.length < PAGE) break;
    }
    return swept;
  }

  /** Deletes old parts that are not needed. @returns the last one before the first that was put again meanwhile */
  #removeAll(
    parts: readonly { readonly id: number; readonly record: string }[],
    kept: ReadonlySet<string>,
    before: number,
  ): { readonly removed: number; readonly end: number | undefined } {
    const remove = this.#sql('DELETE FROM blob WHERE id = ? AND record = ? AND written < ?');
    let removed = 0;
    let end: number | undefined;
    inTransaction(this.#database, () => {
      for (const { id, record } of parts) {
        if (!kept.has(record)) {
          const { changes } = remove.run(id, record, before);
          if (changes === 0) return;
          removed += 1;
        }
        end = id;
      }
    });
    return { removed, end };
  }

  #keepSweep(part: number, entries: number, minimum: number): void {
    inTransaction(this.#database, () => {
      this.#sql('INSERT OR REPLACE INTO sweep (one, part, entries, minimum) VALUES (1, ?, ?, ?)').run(
        part,
        entries,
        minimum,
      );
      this.#keepSweepBehind();
    });
  }

  holdOf(record: string): { readonly key: string } | undefined {
    const row = this.#sql('SELECT k FROM blob WHERE record = ? AND hold <> 0 LIMIT 1').get(record);
    return row?.k instanceof Uint8Array ? { key: base64url(row.k) } : undefined;
  }

  releaseRecord(record: string): void {
    this.#sql('UPDATE blob SET hold = 0 WHERE record = ? AND hold <> 0').run(record);
  }

  /** How many parts a key has sealed, until when one of them must be kept, and whether one asks to be held. */
  under(key: string): Omit<KeyState, 'id'> {
    const row = this.#sql(
      `${PARTS_OF_KEY} SELECT count(DISTINCT h) AS parts, coalesce(max(keep_until), 0) AS keep,
         coalesce(max(hold), 0) AS hold FROM part`,
    ).get(fromBase64url(key));
    return { parts: Number(row?.parts ?? 0), keepUntil: Number(row?.keep ?? 0), held: row?.hold === 1 };
  }

  remove(keys: readonly string[]): void {
    const remove = this.#sql(`${PARTS_OF_KEY} DELETE FROM blob WHERE id IN (SELECT id FROM part)`);
    inTransaction(this.#database, () => {
      for (const key of keys) remove.run(fromBase64url(key));
      this.#keepSweepBehind();
    });
  }

  /** The next part gets the number after the highest: if the last ones went, the sweep must not be past that. */
  #keepSweepBehind(): void {
    this.#sql('UPDATE sweep SET part = min(part, coalesce((SELECT max(id) FROM blob), 0))').run();
  }

  #putTogether(waiting: readonly Waiting[]): void {
    if (waiting.length === 0) return;
    try {
      this.#insert(waiting.flatMap(({ blobs }) => blobs));
    } catch (cause) {
      // One that cannot be kept must not take the others with it.
      if (waiting.length > 1) for (const one of waiting) this.#putTogether([one]);
      else for (const { settle } of waiting) settle(failureOf(cause));
      return;
    }
    for (const { settle } of waiting) settle();
  }

  #insert(blobs: readonly SealedBlob[]): void {
    const insert = this.#sql(
      'INSERT INTO blob (k, h, record, bytes, keep_until, hold, written) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET written = excluded.written',
    );
    const written = this.#now();
    const destroyed = this.#destroyed();
    inTransaction(this.#database, () => {
      for (const { h, k, record, bytes, keepUntil, hold } of blobs) {
        if (destroyed(k)) throw erased();
        insert.run(
          Buffer.from(k, 'base64url'),
          Buffer.from(h, 'base64url'),
          record,
          bytes,
          keepUntil,
          hold ? 1 : 0,
          written,
        );
      }
    });
  }
}

function failureOf(cause: unknown): LedgerError {
  if (cause instanceof LedgerError) return cause;
  const help = 'check the disk that holds the vault';
  return new LedgerError('io-failed', 'sealed parts could not be kept', help, { cause });
}

function erased(): LedgerError {
  return new LedgerError('erased', 'a person of this record was erased meanwhile', 'seal the record again');
}
