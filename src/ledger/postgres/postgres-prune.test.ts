import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFilesStore, openFilesStore } from '../files/files-store.ts';
import { moveLog } from '../log/move.ts';
import { check, describePruning, entryAt, fill, openOn, pruneAt } from '../log/prune.case.ts';
import { type LogStore, PRUNE_STEP } from '../log/store.ts';
import { describeHolds } from '../sealing/holds.case.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import type { Sql } from './connection.ts';
import { openPostgresHolds } from './holds.ts';
import { createPostgresStore, openPostgresStore } from './postgres-store.ts';
import { openPostgresVault } from './postgres-vault.ts';
import { startTestServer, type TestServer, withSql } from './server.case.ts';

let server: TestServer | undefined;
const url = () => server?.url ?? '';
/** Name of a log that was filled once; tests work on copies of its rows. */
const FILLED = `log.example/${randomUUID()}`;

beforeAll(async () => {
  server = await startTestServer();
  await withSql(url(), async (sql) => {
    await createPostgresStore(sql, FILLED);
    await fill(await openPostgresStore(sql, FILLED));
  });
}, 120_000);

afterAll(() => server?.stop());

async function withCopy(run: (sql: Sql, origin: string) => Promise<void>): Promise<void> {
  await withSql(url(), async (sql) => {
    const origin = `log.example/${randomUUID()}`;
    await createPostgresStore(sql, origin);
    const ids = await sql<{ origin: string; id: number }[]>`
      SELECT origin, id FROM comity.log WHERE origin IN (${FILLED}, ${origin})`;
    const [from, to] = [FILLED, origin].map((name) => ids.find((row) => row.origin === name)?.id ?? 0);
    if (from === undefined || to === undefined) throw new Error('two logs expected');
    await sql`UPDATE comity.log SET next = old.next, published = old.published, published_size = old.published_size
      FROM comity.log AS old WHERE log.id = ${to} AND old.id = ${from}`;
    await sql`UPDATE comity.tree SET size = old.size, frontier = old.frontier
      FROM comity.tree AS old WHERE tree.log = ${to} AND old.log = ${from}`;
    await sql`INSERT INTO comity.batch SELECT ${to}, first, count, body, leaves, keys FROM comity.batch WHERE log = ${from}`;
    await sql`INSERT INTO comity.entry_key SELECT ${to}, key, index FROM comity.entry_key WHERE log = ${from}`;
    await sql`INSERT INTO comity.tile SELECT ${to}, level, index, hashes FROM comity.tile WHERE log = ${from}`;
    await sql`INSERT INTO comity.head SELECT ${to}, number, size, root, note, at FROM comity.head WHERE log = ${from}`;
    await run(sql, origin);
  });
}

describePruning('PostgreSQL', (run) =>
  withCopy(async (sql, origin) => {
    let store: LogStore = await openPostgresStore(sql, origin);
    await run(
      store,
      async () => {
        await store.close();
        store = await openPostgresStore(sql, origin);
        return store;
      },
      (now) => openPostgresVault(sql, { name: origin, wrapper: localWrapper(Buffer.alloc(32, 1)), now }),
    );
  }),
);

describeHolds('PostgreSQL', (run) =>
  withSql(url(), async (sql) => {
    const name = randomUUID();
    const vault = await openPostgresVault(sql, { name, wrapper: localWrapper(Buffer.alloc(32, 1)) });
    await run(vault, () => openPostgresHolds(sql, name));
    await expect(openPostgresHolds(sql, 'another')).rejects.toMatchObject({ code: 'not-found' });
  }),
);

describe('PostgreSQL: a pruned log', { timeout: 60_000 }, () => {
  test('is seen as such by replicas that had it open, and keeps no byte below', () =>
    withCopy(async (sql, origin) => {
      const replica = await openPostgresStore(sql, origin);
      await replica.grow();
      await replica.readBundle(0, 256);
      await pruneAt(await openOn(await openPostgresStore(sql, origin)));
      await expect(replica.readBundle(0, 256)).rejects.toMatchObject({ code: 'pruned' });
      const [left] = await sql<{ bytes: number }[]>`
        SELECT coalesce(sum(octet_length(body)), 0)::bigint AS bytes FROM comity.batch JOIN comity.log ON id = log
        WHERE origin = ${origin} AND first + count <= ${PRUNE_STEP}`;
      expect(left).toEqual({ bytes: 0 });
    }));

  test('comes from files and goes back with its tree, its keys and what was pruned', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'comity-prune-move-'));
    const opened = async (name: string) => {
      await createFilesStore(join(folder, name));
      return (await openFilesStore(join(folder, name))).store;
    };
    await withSql(url(), async (sql) => {
      const origin = `log.example/${randomUUID()}`;
      const from = await opened('from');
      await fill(from, PRUNE_STEP + 300);
      await pruneAt(await openOn(from));
      await createPostgresStore(sql, origin);
      const through = await openPostgresStore(sql, origin);
      await moveLog(from, through);
      const back = await opened('back');
      await moveLog(through, back);
      for (const store of [through, back]) {
        expect(await store.grow()).toEqual(await from.grow());
        expect(await store.heads()).toEqual(await from.heads());
        expect(await store.prunings()).toEqual(await from.prunings());
        const { bytes, key } = entryAt(4711);
        expect(await (await openOn(store)).append(bytes, key)).toMatchObject({
          index: 4711,
          duplicate: true,
        });
        expect(await check(store)).toMatchObject({ pruned: PRUNE_STEP, faults: [] });
        await store.close();
      }
      await from.close();
    });
    rmSync(folder, { recursive: true });
  });

  test('whose bytes are gone without a pruning is damaged, not pruned', () =>
    withCopy(async (sql, origin) => {
      const store = await openPostgresStore(sql, origin);
      await store.grow();
      await sql`UPDATE comity.batch SET body = '' FROM comity.log WHERE id = log AND origin = ${origin} AND first = 0`;
      await expect(store.readBundle(0, 256)).rejects.toMatchObject({ code: 'damaged' });
    }));
});
