import { HASH_BYTES } from '../../tlog/hash.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { KEY_BYTES, PRUNE_STEP, type Pruning } from '../log/store.ts';
import type { Sql } from './connection.ts';

/** The row of a log, which no longer matches once this process was fenced off. */
export interface LogRow {
  readonly log: number;
  readonly epoch: number;
}

export async function readMinimum(sql: Sql, log: number): Promise<number> {
  const [row] = await sql<{ minimum: number }[]>`
    SELECT coalesce(max(minimum), 0)::bigint AS minimum FROM comity.pruning
    WHERE log = ${log} AND state <> 'planned'`;
  return row?.minimum ?? 0;
}

interface PruningRow extends Omit<Pruning, 'announcement'> {
  readonly announcement: Buffer;
}

export async function readPrunings(sql: Sql, log: number): Promise<readonly Pruning[]> {
  const rows = await sql<PruningRow[]>`
    SELECT state, minimum, announcement, policy, at FROM comity.pruning WHERE log = ${log}
    ORDER BY state = 'planned', minimum`;
  return rows.map(({ announcement, ...row }) => ({ ...row, announcement: new Uint8Array(announcement) }));
}

/** Keeps a pruning in the place of any that is planned. @returns false if fenced off */
export async function writePruning(sql: Sql, { log, epoch }: LogRow, pruning: Pruning): Promise<boolean> {
  const { state, minimum, policy, at } = pruning;
  const [row] = await sql`
    WITH fence AS (
      SELECT id FROM comity.log WHERE id = ${log} AND epoch = ${epoch}
    ), dropped AS (
      DELETE FROM comity.pruning USING fence
      WHERE log = fence.id AND state = 'planned' AND minimum <> ${minimum}
    )
    INSERT INTO comity.pruning (log, minimum, state, announcement, policy, at)
    SELECT id, ${minimum}, ${state}, ${Buffer.from(pruning.announcement)}, ${policy}, ${at} FROM fence
    ON CONFLICT (log, minimum) DO UPDATE SET state = excluded.state,
      announcement = excluded.announcement, policy = excluded.policy, at = excluded.at
    RETURNING minimum`;
  return row !== undefined;
}

/**
 * Empties the batches of one step of entries that lie wholly below the minimum index. One that reaches over it keeps its
 * bytes until all of it is below. @returns bytes that were removed
 */
export async function emptyBatches(sql: Sql, log: number, from: number, minimum: number): Promise<number> {
  const [row] = await sql<{ bytes: number }[]>`
    WITH old AS (
      SELECT first, octet_length(body) AS bytes FROM comity.batch
      WHERE log = ${log} AND first >= ${from} AND first < ${from + PRUNE_STEP}
        AND first + count <= ${minimum} AND octet_length(body) > 0
    ), emptied AS (
      UPDATE comity.batch SET body = '' FROM old WHERE log = ${log} AND batch.first = old.first
    )
    SELECT coalesce(sum(bytes), 0)::bigint AS bytes FROM old`;
  return row?.bytes ?? 0;
}

/**
 * Appends one step of entries without their bytes, all or none, a tile to a row so that tiles are read as they stand.
 * @returns false if fenced off
 */
export async function insertPruned(
  sql: Sql,
  { log, epoch }: LogRow,
  leaves: Uint8Array,
  keys: Uint8Array,
): Promise<boolean> {
  const [leafBytes, keyBytes] = [TILE_WIDTH * HASH_BYTES, TILE_WIDTH * KEY_BYTES];
  const [row] = await sql`
    WITH place AS (
      UPDATE comity.log SET next = next + ${PRUNE_STEP} WHERE id = ${log} AND epoch = ${epoch}
      RETURNING next - ${PRUNE_STEP} AS first
    ), data AS (
      SELECT ${Buffer.from(leaves)}::bytea AS leaves, ${Buffer.from(keys)}::bytea AS keys
    ), keyed AS (
      INSERT INTO comity.entry_key (log, key, index)
      SELECT ${log}, substring(data.keys FROM ${KEY_BYTES} * i + 1 FOR ${KEY_BYTES}), place.first + i
      FROM place, data, generate_series(0, ${PRUNE_STEP - 1}) AS i
    )
    INSERT INTO comity.batch (log, first, count, body, leaves, keys)
    SELECT ${log}, first + ${TILE_WIDTH} * i, ${TILE_WIDTH}, '',
      substring(data.leaves FROM ${leafBytes} * i + 1 FOR ${leafBytes}),
      substring(data.keys FROM ${keyBytes} * i + 1 FOR ${keyBytes})
    FROM place, data, generate_series(0, ${PRUNE_STEP / TILE_WIDTH - 1}) AS i
    RETURNING first`;
  return row !== undefined;
}
