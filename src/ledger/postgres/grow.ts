import { Frontier } from '../../tlog/frontier.ts';
import { HASH_BYTES, type TreeHasher } from '../../tlog/hash.ts';
import { rootNodes } from '../../tlog/merkle.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { LedgerError } from '../errors.ts';
import type { TreeHead } from '../log/store.ts';
import type { Sql } from './connection.ts';

/** Entries that one transaction adds to the tree at the most. */
const GROWTH_STEP = 65_536;

/**
 * Adds what was appended to the tree, up to a limit: any replica may do it, one at a time.
 * `done`: the tree has reached what was durable when the step began.
 */
export async function growTree(
  database: Sql,
  id: number,
  hasher: TreeHasher,
): Promise<{ readonly head: TreeHead; readonly done: boolean }> {
  return database.begin(async (sql) => {
    // A replica that froze here must not keep the others from growing the tree.
    await sql`SET LOCAL idle_in_transaction_session_timeout = '10s'`;
    const [tree] = await sql<{ size: number; frontier: Buffer }[]>`
        SELECT size, frontier FROM comity.tree WHERE log = ${id} FOR UPDATE`;
    const [log] = await sql<{ next: number }[]>`SELECT next FROM comity.log WHERE id = ${id}`;
    if (tree === undefined || log === undefined) return lost('the log');
    const frontier = new Frontier(hasher, tree.size, hashesOf(tree.frontier, tree.size));
    const to = Math.min(log.next, tree.size + GROWTH_STEP);
    if (to > tree.size) {
      const added = new Map<string, { level: number; index: number; hashes: Uint8Array[] }>();
      const batches = await sql<{ first: number; leaves: Buffer }[]>`
          SELECT first, leaves FROM comity.batch
          WHERE log = ${id} AND first < ${to}
            AND first >= coalesce((SELECT max(first) FROM comity.batch WHERE log = ${id} AND first <= ${tree.size}), 0)
          ORDER BY first`;
      for (const { first, leaves } of batches) {
        for (let i = frontier.size - first; i < leaves.length / HASH_BYTES && frontier.size < to; i++) {
          const leaf = new Uint8Array(leaves.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
          frontier.append(leaf, (binaryLevel, index, hash) => {
            if (binaryLevel % 8 === 0 && binaryLevel > 0) keepTileHash(added, binaryLevel / 8, index, hash);
          });
        }
      }
      if (frontier.size !== to) return lost(`entries from ${frontier.size} on`);
      for (const { level, index, hashes } of added.values()) {
        await sql`
            INSERT INTO comity.tile (log, level, index, hashes)
            VALUES (${id}, ${level}, ${index}, ${Buffer.concat(hashes)})
            ON CONFLICT (log, level, index) DO UPDATE SET hashes = comity.tile.hashes || excluded.hashes`;
      }
      await sql`
          UPDATE comity.tree SET size = ${to}, frontier = ${Buffer.concat(frontier.hashes)} WHERE log = ${id}`;
    }
    return { head: { size: frontier.size, root: frontier.root() }, done: to === log.next };
  });
}

function keepTileHash(
  added: Map<string, { level: number; index: number; hashes: Uint8Array[] }>,
  level: number,
  node: number,
  hash: Uint8Array,
): void {
  const index = Math.floor(node / TILE_WIDTH);
  const name = `${level}/${index}`;
  const tile = added.get(name) ?? { level, index, hashes: [] };
  tile.hashes.push(hash);
  added.set(name, tile);
}

function hashesOf(bytes: Buffer, size: number): Uint8Array[] {
  return rootNodes(size).map((_, i) => new Uint8Array(bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)));
}

export function lost(what: string): never {
  throw new LedgerError('damaged', `database lost ${what}`, 'restore the database from a backup');
}
