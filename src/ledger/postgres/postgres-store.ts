import { HASH_BYTES, sameBytes, type TreeHasher } from '../../tlog/hash.ts';
import { type HashTile, TILE_WIDTH, tilePath } from '../../tlog/tile.ts';
import { LedgerError, prunedError, quoted } from '../errors.ts';
import { nodeHasher } from '../log/node-hash.ts';
import {
  checkAdoption,
  KEY_BYTES,
  type LogStore,
  type NewEntry,
  type Placement,
  PRUNE_STEP,
  type Pruning,
  type SignedHead,
  type TreeHead,
} from '../log/store.ts';
import { encoded, framedEntries, joined } from './batch.ts';
import { isTransient, type Sql, sqlState, UNIQUE_VIOLATION } from './connection.ts';
import { growTree, lost } from './grow.ts';
import {
  emptyBatches,
  insertPruned,
  type LogRow,
  readMinimum,
  readPrunings,
  writePruning,
} from './pruning.ts';
import { SCHEMA } from './schema.ts';

export interface PostgresStoreOptions {
  /** How long to try again while the server is away, in milliseconds. Default 30 000. */
  readonly patienceMs?: number;
}

/** Creates the tables and an empty log in them. @throws {LedgerError} `already-exists` */
export async function createPostgresStore(sql: Sql, origin: string): Promise<void> {
  await sql.unsafe(SCHEMA);
  const [row] = await sql<{ id: number }[]>`
    WITH log AS (INSERT INTO comity.log (origin) VALUES (${origin}) ON CONFLICT DO NOTHING RETURNING id)
    INSERT INTO comity.tree (log) SELECT id FROM log RETURNING log AS id`;
  if (row !== undefined) return;
  throw new LedgerError(
    'already-exists',
    `database already holds log ${quoted(origin)}`,
    'choose another origin',
  );
}

/**
 * Opens a log in PostgreSQL. Any number of processes may have it open and append at the same time.
 * The connection stays the caller's: end it after the store is closed.
 * @throws {LedgerError} `not-found` · `not-durable` if the server acknowledges what it has not synced
 */
export async function openPostgresStore(
  sql: Sql,
  origin: string,
  options: PostgresStoreOptions = {},
): Promise<LogStore> {
  await checkDurable(sql);
  const [log] = await sql<{ id: number; epoch: number }[]>`
    SELECT id, epoch FROM comity.log WHERE origin = ${origin}`.catch((error: unknown) => {
    if (sqlState(error) === '42P01') return [];
    throw error;
  });
  if (log === undefined) {
    throw new LedgerError('not-found', `database holds no log ${quoted(origin)}`, 'create it first');
  }
  return new PostgresStore(sql, log.id, log.epoch, options.patienceMs ?? 30_000);
}

/**
 * Fences off every process that has the log open now: none of them appends or signs any more. For moving or
 * restoring a log while a forgotten replica may still run.
 */
export async function fencePostgresStore(sql: Sql, origin: string): Promise<void> {
  await sql`UPDATE comity.log SET epoch = epoch + 1 WHERE origin = ${origin}`;
}

async function checkDurable(sql: Sql): Promise<void> {
  const rows = await sql<{ name: string; setting: string }[]>`
    SELECT name, setting FROM pg_settings
    WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off'`;
  const [off] = rows;
  if (off === undefined) return;
  throw new LedgerError(
    'not-durable',
    `PostgreSQL runs with ${quoted(`${off.name} = off`)}`,
    'turn it on: an acknowledged record must survive a crash',
  );
}

class PostgresStore implements LogStore {
  readonly kind = 'postgres';
  /** While one statement waits for the row, the next is on its way. */
  readonly maxConcurrentAppends = 2;
  readonly #sql: Sql;
  readonly #log: number;
  readonly #epoch: number;
  readonly #patienceMs: number;
  readonly #hasher: TreeHasher = nodeHasher();
  /** Entries that the tree is known to cover. Replicas may have grown it further. */
  #grown = 0;
  /** The minimum index that was read last. Other processes may have raised it. */
  #minimum = 0;
  #closed = false;

  constructor(sql: Sql, log: number, epoch: number, patienceMs: number) {
    this.#sql = sql;
    this.#log = log;
    this.#epoch = epoch;
    this.#patienceMs = patienceMs;
  }

  async append(entries: readonly NewEntry[]): Promise<readonly Placement[]> {
    this.#checkOpen();
    const places: (Placement | undefined)[] = entries.map(() => undefined);
    for (;;) {
      const fresh = [...entries.keys()].filter((i) => places[i] === undefined);
      if (fresh.length === 0) break;
      const first = await this.#patiently(() => this.#insert(fresh.map((i) => at(entries, i))));
      if (first !== 'taken') {
        for (const [offset, i] of fresh.entries()) places[i] = { kind: 'appended', index: first + offset };
        break;
      }
      // Some keys are known. That is rare, so it costs two more statements rather than one for everybody.
      const known = await this.#patiently(() => this.#find(fresh.map((i) => at(entries, i))));
      if (known.size === 0) throw new TypeError('entries of one append must have distinct keys');
      for (const i of fresh) {
        const entry = at(entries, i);
        const place = known.get(Buffer.from(entry.key).toString('latin1'));
        if (place === undefined) continue;
        places[i] = {
          kind: sameBytes(place.leaf, entry.leaf) ? 'duplicate' : 'conflict',
          index: place.index,
        };
      }
    }
    return places.map((place) => place ?? lost('a place'));
  }

  async grow(): Promise<TreeHead> {
    this.#checkOpen();
    for (;;) {
      const { head, done } = await this.#patiently(() => growTree(this.#sql, this.#log, this.#hasher));
      this.#grown = Math.max(this.#grown, head.size);
      if (done) return head;
    }
  }

  async readTile(tile: HashTile): Promise<Uint8Array> {
    const { level, index, width } = tile;
    const end = (index * TILE_WIDTH + width) * TILE_WIDTH ** level;
    if (width < 1 || width > TILE_WIDTH || !(await this.#covers(end))) throw notFound(tilePath(tile));
    if (level === 0) {
      return this.#fixed(
        'leaves',
        HASH_BYTES,
        index * TILE_WIDTH,
        index * TILE_WIDTH + width,
        tilePath(tile),
      );
    }
    const [row] = await this.#sql<{ hashes: Buffer }[]>`
      SELECT hashes FROM comity.tile WHERE log = ${this.#log} AND level = ${level} AND index = ${index}`;
    return joined([row?.hashes.subarray(0, width * HASH_BYTES) ?? EMPTY], width * HASH_BYTES, tilePath(tile));
  }

  async readBundle(index: number, width: number): Promise<Uint8Array> {
    const from = index * TILE_WIDTH;
    const what = `entries ${from} to ${from + width - 1}`;
    if (width < 1 || width > TILE_WIDTH || !(await this.#covers(from + width))) throw notFound(what);
    const pieces = await this.#bodies(from, from + width);
    // Asked for after the batches: what was there then was there before it was pruned.
    const gone = pieces.some(({ bytes }) => bytes.length === 0);
    const minimum = gone ? await this.minimum() : this.#minimum;
    if (from < minimum) throw prunedError(minimum);
    if (gone)
      throw new LedgerError('damaged', `database lost the bytes of ${what}`, 'restore it from a backup');
    return new Uint8Array(Buffer.concat(pieces.map(({ from, to, bytes }) => framedEntries(bytes, from, to))));
  }

  async readKeys(from: number, to: number): Promise<Uint8Array> {
    if (from < 0 || to < from || !(await this.#covers(to))) throw notFound(`entries ${from} to ${to - 1}`);
    return this.#fixed('keys', KEY_BYTES, from, to, 'keys');
  }

  async findKeys(keys: readonly Uint8Array[]): Promise<readonly (number | undefined)[]> {
    this.#checkOpen();
    const data = Buffer.concat(keys);
    const rows = await this.#patiently(
      () => this.#sql<{ i: number; index: number }[]>`
        SELECT i, index FROM generate_series(0, ${keys.length - 1}) AS i
        JOIN comity.entry_key
          ON log = ${this.#log} AND key = substring(${data}::bytea FROM ${KEY_BYTES} * i + 1 FOR ${KEY_BYTES})`,
    );
    const places = new Map(rows.map(({ i, index }) => [i, index]));
    return keys.map((_, i) => places.get(i));
  }

  async head(): Promise<SignedHead | undefined> {
    this.#checkOpen();
    const [row] = await this.#patiently(
      () => this.#sql<HeadRow[]>`
        SELECT size, root, note, at FROM comity.head WHERE log = ${this.#log} ORDER BY number DESC LIMIT 1`,
    );
    return row === undefined ? undefined : headOf(row);
  }

  async heads(): Promise<readonly SignedHead[]> {
    const rows = await this.#sql<HeadRow[]>`
      SELECT size, root, note, at FROM comity.head WHERE log = ${this.#log} ORDER BY number`;
    return rows.map(headOf);
  }

  async swapHead(previous: SignedHead | undefined, next: SignedHead): Promise<boolean> {
    this.#checkOpen();
    try {
      const [row] = await this.#patiently(
        () => this.#sql<{ allowed: boolean; number: number | null }[]>`
          WITH fence AS (
            SELECT 1 FROM comity.log WHERE id = ${this.#log} AND epoch = ${this.#epoch}
          ), newest AS (
            SELECT number, note FROM comity.head WHERE log = ${this.#log} ORDER BY number DESC LIMIT 1
          ), kept AS (
            INSERT INTO comity.head (log, number, size, root, note, at)
            SELECT ${this.#log}, coalesce((SELECT number FROM newest), 0) + 1,
              ${next.size}, ${Buffer.from(next.root)}, ${next.note}, ${next.at}
            FROM fence
            WHERE (SELECT note FROM newest) IS NOT DISTINCT FROM ${previous?.note ?? null}::text
            RETURNING number
          )
          SELECT EXISTS (SELECT 1 FROM fence) AS allowed, (SELECT number FROM kept) AS number`,
      );
      if (row?.allowed !== true) throw fenced();
      if (row.number !== null) return true;
      // A statement that was tried again after the server went away may find its own work done.
      return (await this.head())?.note === next.note;
    } catch (error) {
      // Two replicas took the same number: the other one was faster.
      if (sqlState(error) === UNIQUE_VIOLATION) return false;
      throw error;
    }
  }

  async publish(head: SignedHead): Promise<void> {
    this.#checkOpen();
    await this.#patiently(
      () => this.#sql`
        UPDATE comity.log SET published = ${head.note}, published_size = ${head.size}
        WHERE id = ${this.#log} AND epoch = ${this.#epoch} AND published_size <= ${head.size}`,
    );
  }

  async published(): Promise<string | undefined> {
    const [row] = await this.#sql<{ published: string | null }[]>`
      SELECT published FROM comity.log WHERE id = ${this.#log}`;
    return row?.published ?? undefined;
  }

  async minimum(): Promise<number> {
    this.#minimum = await readMinimum(this.#sql, this.#log);
    return this.#minimum;
  }

  prunings(): Promise<readonly Pruning[]> {
    return readPrunings(this.#sql, this.#log);
  }

  async keepPruning(pruning: Pruning): Promise<void> {
    this.#checkOpen();
    const before = await this.minimum();
    if (pruning.minimum < before) throw prunedError(before);
    if (!(await this.#patiently(() => writePruning(this.#sql, this.#row, pruning)))) throw fenced();
    await this.minimum();
  }

  async removePruned(onProgress: (done: number, total: number) => void = () => undefined): Promise<number> {
    this.#checkOpen();
    const minimum = await this.minimum();
    let removed = 0;
    for (let from = 0; from < minimum; from += PRUNE_STEP) {
      removed += await this.#patiently(() => emptyBatches(this.#sql, this.#log, from, minimum));
      onProgress(from / PRUNE_STEP + 1, minimum / PRUNE_STEP);
    }
    return removed;
  }

  async adoptPruned(leaves: Uint8Array, keys: Uint8Array): Promise<void> {
    checkAdoption((await this.grow()).size, await this.minimum(), leaves, keys);
    if (!(await this.#patiently(() => insertPruned(this.#sql, this.#row, leaves, keys)))) throw fenced();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** One statement: takes the row of the log, the next places, the keys, and keeps the batch. */
  async #insert(entries: readonly NewEntry[]): Promise<number | 'taken'> {
    const count = entries.length;
    const { body, leaves, keys } = encoded(entries);
    try {
      const [row] = await this.#sql<{ first: number }[]>`
        WITH place AS (
          UPDATE comity.log SET next = next + ${count}
          WHERE id = ${this.#log} AND epoch = ${this.#epoch}
          RETURNING next - ${count} AS first
        ), keyed AS (
          INSERT INTO comity.entry_key (log, key, index)
          SELECT ${this.#log}, substring(data.keys FROM ${KEY_BYTES} * i + 1 FOR ${KEY_BYTES}), place.first + i
          FROM place, (SELECT ${keys}::bytea AS keys) AS data, generate_series(0, ${count - 1}) AS i
        )
        INSERT INTO comity.batch (log, first, count, body, leaves, keys)
        SELECT ${this.#log}, first, ${count}, ${body}, ${leaves}, ${keys} FROM place
        RETURNING first`;
      if (row === undefined) throw fenced();
      return row.first;
    } catch (error) {
      if (sqlState(error) === UNIQUE_VIOLATION) return 'taken';
      throw error;
    }
  }

  async #find(entries: readonly NewEntry[]): Promise<Map<string, { index: number; leaf: Uint8Array }>> {
    const { keys } = encoded(entries);
    const rows = await this.#sql<{ key: Buffer; index: number; leaf: Buffer }[]>`
      SELECT known.key, known.index,
        substring(batch.leaves FROM ((known.index - batch.first) * ${HASH_BYTES} + 1)::integer FOR ${HASH_BYTES}) AS leaf
      FROM (SELECT ${keys}::bytea AS keys) AS data, generate_series(0, ${entries.length - 1}) AS i
      JOIN LATERAL (
        SELECT key, index FROM comity.entry_key
        WHERE log = ${this.#log} AND key = substring(data.keys FROM ${KEY_BYTES} * i + 1 FOR ${KEY_BYTES})
      ) AS known ON true
      JOIN LATERAL (
        SELECT first, leaves FROM comity.batch
        WHERE log = ${this.#log} AND first <= known.index ORDER BY first DESC LIMIT 1
      ) AS batch ON true`;
    return new Map(rows.map(({ key, index, leaf }) => [key.toString('latin1'), { index, leaf }]));
  }

  async #covers(size: number): Promise<boolean> {
    this.#checkOpen();
    if (size <= this.#grown) return true;
    const [tree] = await this.#sql<{ size: number }[]>`SELECT size FROM comity.tree WHERE log = ${this.#log}`;
    this.#grown = Math.max(this.#grown, tree?.size ?? 0);
    return size <= this.#grown;
  }

  /** The bodies of the batches that hold entries `from` to `to`, and which of their entries those are. */
  async #bodies(from: number, to: number) {
    const rows = await this.#sql<{ first: number; count: number; body: Buffer }[]>`
      SELECT first, count, body FROM comity.batch WHERE ${this.#holding(from, to)} ORDER BY first`;
    return rows.map(({ first, count, body }) => ({
      bytes: body,
      from: Math.max(0, from - first),
      to: Math.min(count, to - first),
    }));
  }

  /** What a column of `size` bytes for each entry has of entries `from` to `to`. */
  async #fixed(column: 'leaves' | 'keys', size: number, from: number, to: number, what: string) {
    const rows = await this.#sql<{ bytes: Buffer }[]>`
      SELECT substring(${this.#sql(column)} FROM (greatest(0, ${from} - first) * ${size} + 1)::integer
        FOR ((least(count, ${to} - first) - greatest(0, ${from} - first)) * ${size})::integer) AS bytes
      FROM comity.batch WHERE ${this.#holding(from, to)} ORDER BY first`;
    return joined(
      rows.map(({ bytes }) => bytes),
      (to - from) * size,
      what,
    );
  }

  /** Condition: batches that hold entries `from` to `to`. */
  #holding(from: number, to: number) {
    return this.#sql`log = ${this.#log} AND first < ${to}
      AND first >= coalesce((SELECT max(first) FROM comity.batch WHERE log = ${this.#log} AND first <= ${from}), 0)`;
  }

  /** Tries again while the server is away. Every statement here may be repeated: keys and notes see to that. */
  async #patiently<T>(run: () => Promise<T>): Promise<T> {
    const until = performance.now() + this.#patienceMs;
    for (let pause = 20; ; pause = Math.min(1000, pause * 2)) {
      try {
        return await run();
      } catch (error) {
        if (!isTransient(error))
          throw error instanceof LedgerError || sqlState(error) === UNIQUE_VIOLATION ? error : failed(error);
        if (performance.now() + pause > until) throw failed(error);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  get #row(): LogRow {
    return { log: this.#log, epoch: this.#epoch };
  }

  #checkOpen(): void {
    if (this.#closed) throw new LedgerError('closed', 'log is closed', 'open the log again');
  }
}

interface HeadRow {
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
  readonly at: number;
}

const EMPTY = new Uint8Array(0);

function headOf({ size, root, note, at }: HeadRow): SignedHead {
  return { size, root: new Uint8Array(root), note, at };
}

function at(entries: readonly NewEntry[], i: number): NewEntry {
  return entries[i] ?? lost(`entry ${i}`);
}

function fenced(): LedgerError {
  return new LedgerError(
    'fenced',
    'this replica was fenced off: the log was moved or restored',
    'restart it, so that it reads where the log is now',
  );
}

function notFound(what: string): LedgerError {
  return new LedgerError(
    'not-found',
    `log does not hold ${what} yet`,
    'ask for a size that a checkpoint has reached',
  );
}

function failed(cause: unknown): LedgerError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new LedgerError('io-failed', `PostgreSQL failed: ${why}`, 'check the server; senders may retry', {
    cause,
  });
}
