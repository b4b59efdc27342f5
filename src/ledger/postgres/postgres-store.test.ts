import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFilesStore, openFilesStore } from '../files/files-store.ts';
import { openLedger } from '../ledger.ts';
import { Appender, DEFAULT_LIMITS } from '../log/appender.ts';
import { openLog } from '../log/log.ts';
import { moveLog } from '../log/move.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { generateLogKey, logSigner } from '../log/node-signatures.ts';
import { describeStore, entriesOf, entryOf, expectHolds, headOf } from '../log/store.case.ts';
import type { LogStore, NewEntry } from '../log/store.ts';
import { startProducer } from '../record/producer.ts';
import { describeErasures } from '../sealing/erasure.case.ts';
import { SAFE_AGE_MS } from '../sealing/sweep.ts';
import { describeVault } from '../sealing/vault.case.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { connect, type Sql } from './connection.ts';
import { startPooler } from './pooler.case.ts';
import { createPostgresStore, fencePostgresStore, openPostgresStore } from './postgres-store.ts';
import { openPostgresVault } from './postgres-vault.ts';
import { startTestServer, type TestServer, withSql } from './server.case.ts';

let server: TestServer | undefined;
const url = () => server?.url ?? '';

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server?.stop());

/** A fresh log in the server, under a name of its own. */
async function withLog(run: (sql: Sql, origin: string) => Promise<void>): Promise<void> {
  await withSql(url(), async (sql) => {
    const origin = `log.example/${randomUUID()}`;
    await createPostgresStore(sql, origin);
    await run(sql, origin);
  });
}

describeStore('PostgreSQL', (run) =>
  withLog(async (sql, origin) => {
    let store: LogStore = await openPostgresStore(sql, origin);
    await run(store, async () => {
      await store.close();
      store = await openPostgresStore(sql, origin);
      return store;
    });
  }),
);

describeVault('PostgreSQL', (run) =>
  withSql(url(), async (sql) => {
    const name = randomUUID();
    const clock = { now: Date.UTC(2026, 10, 23) };
    const wrapper = localWrapper(Buffer.alloc(32, 1));
    const open = () => openPostgresVault(sql, { name, wrapper, now: () => clock.now });
    await run(await open(), open, clock);
  }),
);

test('several processes make one vault at the same time in a database that has none', () =>
  withSql(url(), async (sql) => {
    const database = `vaults_${randomUUID().replaceAll('-', '')}`;
    await sql.unsafe(`CREATE DATABASE ${database}`);
    const own = new URL(url());
    own.pathname = database;
    const clients = await Promise.all([1, 2, 3, 4].map(() => connect(own.href, 1)));
    try {
      const wrapper = localWrapper(Buffer.alloc(32, 1));
      const vaults = await Promise.all(
        clients.map((client) => openPostgresVault(client, { name: 'v', wrapper })),
      );
      const codes = await Promise.all(vaults.map((vault) => vault.authenticate('message')));
      expect(new Set(codes).size).toBe(1);
    } finally {
      for (const client of clients) await client.end({ timeout: 1 });
      await sql.unsafe(`DROP DATABASE ${database}`);
    }
  }));

describeErasures('PostgreSQL', (run) =>
  withSql(url(), async (sql) => {
    const name = randomUUID();
    const wrapper = localWrapper(Buffer.alloc(32, 1));
    await run({
      open: (clock) => openPostgresVault(sql, { name, wrapper, now: () => clock.now }),
      async backUp() {
        const backup = `backup_${name.replaceAll('-', '')}`;
        const tables = ['vault', 'subject_key', 'sealed_part', 'erasure', 'hold', 'sweep'] as const;
        const own = (table: string) =>
          table === 'vault' ? 'name = $1' : 'vault = (SELECT id FROM comity.vault WHERE name = $1)';
        await sql.unsafe(`CREATE SCHEMA ${backup}`);
        for (const table of tables)
          await sql.unsafe(`CREATE TABLE ${backup}.${table} AS TABLE comity.${table} WITH NO DATA`);
        for (const table of tables)
          await sql.unsafe(
            `INSERT INTO ${backup}.${table} SELECT * FROM comity.${table} WHERE ${own(table)}`,
            [name],
          );
        return async () => {
          for (const table of tables.toReversed())
            await sql.unsafe(`DELETE FROM comity.${table} WHERE ${own(table)}`, [name]);
          for (const table of tables)
            await sql.unsafe(`INSERT INTO comity.${table} SELECT * FROM ${backup}.${table}`);
        };
      },
    });
  }),
);

test('two replicas that sweep while they append lose no part of a record, and leave none of no record', () =>
  withLog(async (sql, origin) => {
    const key = generateLogKey(origin);
    const clock = { now: Date.UTC(2026, 10, 23) };
    const now = () => clock.now;
    const replica = async (id: string, connection: Sql) => {
      const producer = startProducer({
        id,
        resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
        retain: { class: 'logs', hold: false, min: 'P0D' },
        jur: [],
      });
      const store = await openPostgresStore(connection, origin);
      const log = await openLog({ origin, store, signers: [logSigner(key)], publishEveryMs: 0 });
      const vault = await openPostgresVault(connection, {
        name: origin,
        wrapper: localWrapper(Buffer.alloc(32, 1)),
        now,
      });
      const ledger = await openLedger({ log, vault, producer, now });
      const submission = (n: number) => ({
        record: producer.heartbeat(),
        seal: [{ subjects: [`person ${n % 3}`] as const, fields: { n } }],
      });
      return { ledger, submission };
    };
    const clients = await Promise.all([connect(url(), 2), connect(url(), 2)]);
    try {
      const replicas = await Promise.all(clients.map((client, i) => replica(`gateway-${i}`, client)));
      const swept: number[] = [];
      for (let round = 0; round < 4; round++) {
        await Promise.all(
          replicas.map(async ({ ledger, submission }) => {
            const all = Array.from({ length: 40 }, (_, n) => submission(n));
            // Every fourth record never comes to be: its replica dies once the parts are in the vault.
            const prepared = await ledger.prepare(all);
            await ledger.vault.put(prepared.flatMap(({ blobs }) => blobs));
            const committing = ledger.commit(prepared.filter((_, n) => n % 4 !== 0));
            swept.push((await ledger.resume()).swept);
            await committing;
          }),
        );
        clock.now += SAFE_AGE_MS + 1;
      }
      for (const { ledger } of replicas) swept.push((await ledger.resume()).swept);
      expect(swept.reduce((sum, parts) => sum + parts)).toBe(4 * 2 * 10);
      const [first] = replicas;
      const size = (await first?.ledger.log.store.grow())?.size ?? 0;
      expect(size).toBe(4 * 2 * 30);
      for (let index = 0; index < size; index++)
        expect(await first?.ledger.open(index)).toMatchObject({ lost: 0, disclosures: [expect.anything()] });
      const [left] = await sql<{ parts: number }[]>`
        SELECT count(*)::integer AS parts FROM comity.sealed_part
        JOIN comity.vault ON vault.id = sealed_part.vault WHERE vault.name = ${origin}`;
      expect(left).toEqual({ parts: size });
      for (const { ledger } of replicas) await ledger.close();
    } finally {
      for (const client of clients) await client.end({ timeout: 1 });
    }
  }));

/** Entries of a store in the order of the log, as text. */
async function textsOf(store: LogStore): Promise<string[]> {
  const { size } = await store.grow();
  const texts: string[] = [];
  const { decodeBundle } = await import('../../tlog/bundle.ts');
  for (let at = 0; at < size; at += 256) {
    const width = Math.min(256, size - at);
    const bundle = await store.readBundle(at / 256, width);
    texts.push(...decodeBundle(bundle, width).map((bytes) => Buffer.from(bytes).toString()));
  }
  return texts;
}

test('entries handed over together keep their order over many batches', () =>
  withLog(async (sql, origin) => {
    const store = await openPostgresStore(sql, origin);
    const appender = new Appender(store, nodeHasher(), { ...DEFAULT_LIMITS, batchEntries: 50 });
    const places = await appender.appendAll(
      Array.from({ length: 2_000 }, (_, i) => ({ bytes: Buffer.from(`entry ${i}`) })),
    );
    expect(places.map(({ index }) => index)).toEqual(places.map((_, i) => i));
    await appender.close();
    await store.close();
  }));

describe('replicas', () => {
  test('append to one log at the same time, each entry once, in one order', () =>
    withLog(async (_, origin) => {
      const shared = entriesOf(40, 'shared');
      const replica = (name: string) =>
        withSql(url(), async (sql) => {
          const store = await openPostgresStore(sql, origin);
          const own = entriesOf(200, name);
          const places = new Map<NewEntry, number>();
          for (let at = 0; at < own.length; at += 10) {
            const batch = [...own.slice(at, at + 10), ...shared.slice(at / 10, at / 10 + 2)];
            for (const [i, place] of (await store.append(batch)).entries()) {
              const entry = batch[i];
              if (entry !== undefined) places.set(entry, place.index);
            }
          }
          return places;
        });
      const answers = await Promise.all(['a', 'b', 'c'].map(replica));
      await withSql(url(), async (sql) => {
        const store = await openPostgresStore(sql, origin);
        const texts = await textsOf(store);
        expect(texts).toHaveLength(3 * 200 + 21);
        expect(new Set(texts).size).toBe(texts.length);
        for (const places of answers) {
          for (const [entry, index] of places) expect(texts[index]).toBe(Buffer.from(entry.bytes).toString());
        }
      });
    }));

  test('grow one tree together', () =>
    withLog(async (sql, origin) => {
      const stores = await Promise.all([1, 2, 3].map(() => openPostgresStore(sql, origin)));
      const entries = entriesOf(900);
      for (let at = 0; at < 900; at += 100) {
        await stores[(at / 100) % 3]?.append(entries.slice(at, at + 100));
        const heads = await Promise.all(stores.map((store) => store.grow()));
        expect(new Set(heads.map(({ root }) => Buffer.from(root).toString('hex'))).size).toBe(1);
      }
      const [store] = stores;
      if (store !== undefined) await expectHolds(store, entries);
    }));

  test('keep one head of those they sign at the same time', () =>
    withLog(async (sql, origin) => {
      const stores = await Promise.all(Array.from({ length: 5 }, () => openPostgresStore(sql, origin)));
      const root = Buffer.alloc(32, 1);
      const won = await Promise.all(
        stores.map((store, i) => store.swapHead(undefined, headOf(1, root, ` by ${i}`))),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await stores[0]?.heads()).toHaveLength(1);
    }));

  test('that were fenced off neither append nor sign', () =>
    withLog(async (sql, origin) => {
      const stale = await openPostgresStore(sql, origin);
      await stale.append(entriesOf(3));
      await fencePostgresStore(sql, origin);
      await expect(stale.append([entryOf('late')])).rejects.toMatchObject({ code: 'fenced' });
      await expect(stale.swapHead(undefined, headOf(3, Buffer.alloc(32)))).rejects.toMatchObject({
        code: 'fenced',
      });
      const fresh = await openPostgresStore(sql, origin);
      await fresh.append([entryOf('new')]);
      await expectHolds(fresh, [...entriesOf(3), entryOf('new')]);
    }));

  test('are not held up by one that dies while it holds the row of the log', () =>
    withLog(async (sql, origin) => {
      const store = await openPostgresStore(sql, origin);
      await store.append(entriesOf(2));
      await withSql(url(), async (dying) => {
        let pid = 0;
        const held = dying
          .begin(async (transaction) => {
            const [row] = await transaction<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
            await transaction`UPDATE comity.log SET next = next + 100 WHERE origin = ${origin}`;
            pid = row?.pid ?? 0;
            await new Promise(() => undefined);
          })
          .catch(() => undefined);
        await expect.poll(() => pid).toBeGreaterThan(0);
        const waiting = store.append([entryOf('after')]);
        await new Promise((resolve) => setTimeout(resolve, 100));
        await sql`SELECT pg_terminate_backend(${pid})`;
        expect(await waiting).toEqual([{ kind: 'appended', index: 2 }]);
        await held;
      });
      await expectHolds(store, [...entriesOf(2), entryOf('after')]);
    }));
});

describe('behind a pooler in transaction mode', () => {
  test('replicas append, grow and sign as if each had connections of its own', async (context) => {
    if (server?.restart === undefined) return context.skip();
    const pooler = await startPooler(url(), 3);
    try {
      await withLog(async (_, origin) => {
        const replica = (name: string) =>
          withSql(pooler.url, async (sql) => {
            const store = await openPostgresStore(sql, origin);
            let [kept, lost] = [0, 0];
            for (let i = 0; i < 20; i++) {
              await store.append([...entriesOf(5, `${name} ${i}`), entryOf(`shared ${i}`)]);
              const previous = await store.head();
              const { size, root } = await store.grow();
              if (previous !== undefined && previous.size >= size) continue;
              if (await store.swapHead(previous, headOf(size, root, ` by ${name}`))) kept += 1;
              else lost += 1;
            }
            return { kept, lost };
          });
        const counts = await Promise.all(['a', 'b', 'c', 'd'].map(replica));
        expect(pooler.switches()).toBeGreaterThan(50);
        await withSql(url(), async (sql) => {
          const store = await openPostgresStore(sql, origin);
          const texts = await textsOf(store);
          expect(texts).toHaveLength(4 * 20 * 5 + 20);
          expect(new Set(texts).size).toBe(texts.length);
          const heads = await store.heads();
          expect(heads).toHaveLength(counts.reduce((sum, { kept }) => sum + kept, 0));
          expect(heads.every((head, i) => i === 0 || head.size >= (heads[i - 1]?.size ?? 0))).toBe(true);
        });
      });
    } finally {
      pooler.close();
    }
  });
});

describe('a server', () => {
  test('that restarts under load loses and doubles nothing that was acknowledged', async (context) => {
    const restart = server?.restart;
    if (restart === undefined) return context.skip();
    await withLog(async (_, origin) => {
      await withSql(url(), async (sql) => {
        const store = await openPostgresStore(sql, origin);
        const acknowledged = new Map<number, string>();
        let stop = false;
        const writer = async (name: string) => {
          for (let i = 0; !stop; i++) {
            const [place] = await store.append([entryOf(`${name} ${i}`)]);
            if (place !== undefined) acknowledged.set(place.index, `${name} ${i}`);
          }
        };
        const writers = ['a', 'b'].map(writer);
        for (const restarts of [1, 2, 3]) {
          const before = acknowledged.size;
          await expect.poll(() => acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(before + 20);
          if (restarts < 3) await restart();
        }
        stop = true;
        await Promise.all(writers);
        const texts = await textsOf(store);
        expect(new Set(texts).size).toBe(texts.length);
        for (const [index, text] of acknowledged) expect(texts[index]).toBe(text);
      });
    });
  });

  test('that is away for long is reported', () =>
    withSql('postgres://nobody@127.0.0.1:1/none', async (sql) => {
      await expect(openPostgresStore(sql, 'x')).rejects.toThrow();
    }));

  test('that does not sync what it acknowledges is refused', () =>
    withLog(async (sql, origin) => {
      const [{ name = '' } = {}] = await sql<{ name: string }[]>`SELECT current_database() AS name`;
      await sql.unsafe(`ALTER DATABASE "${name}" SET synchronous_commit = off`);
      try {
        await withSql(url(), async (lax) => {
          await expect(openPostgresStore(lax, origin)).rejects.toMatchObject({ code: 'not-durable' });
        });
      } finally {
        await sql.unsafe(`ALTER DATABASE "${name}" RESET synchronous_commit`);
      }
    }));

  test('without the log, or with it already, says so', () =>
    withLog(async (sql, origin) => {
      await expect(openPostgresStore(sql, 'log.example/none')).rejects.toMatchObject({ code: 'not-found' });
      await expect(createPostgresStore(sql, origin)).rejects.toMatchObject({ code: 'already-exists' });
    }));
});

describe('moving a log', () => {
  test('from files to PostgreSQL and back keeps entries, keys, heads and tree', () =>
    withLog(async (sql, origin) => {
      const directory = mkdtempSync(join(tmpdir(), 'comity-move-'));
      try {
        const [one, two] = [join(directory, 'one'), join(directory, 'two')];
        await createFilesStore(one);
        await createFilesStore(two);
        const files = (await openFilesStore(one)).store;
        const entries = entriesOf(3000);
        await files.append(entries.slice(0, 1000));
        const first = headOf(1000, (await files.grow()).root);
        await files.swapHead(undefined, first);
        await files.append(entries.slice(1000));
        const second = headOf(3000, (await files.grow()).root);
        await files.swapHead(first, second);

        const database = await openPostgresStore(sql, origin);
        const seen: number[] = [];
        const moved = await moveLog(files, database, (copied) => seen.push(copied));
        expect(Buffer.compare(moved.root, second.root)).toBe(0);
        expect(seen.at(-1)).toBe(3000);
        await expectHolds(database, entries);
        expect(await database.heads()).toEqual([first, second]);
        expect(await database.published()).toBe(second.note);
        expect(await database.append(entries.slice(5, 7))).toMatchObject([
          { kind: 'duplicate', index: 5 },
          { index: 6 },
        ]);

        const back = (await openFilesStore(two)).store;
        await moveLog(database, back);
        await expectHolds(back, entries);
        await moveLog(database, back);
        expect(await back.heads()).toEqual([first, second]);
        // The same entries in other places are another log.
        const disordered = join(directory, 'three');
        await createFilesStore(disordered);
        const other = (await openFilesStore(disordered)).store;
        await other.append([...entries.slice(1, 2), ...entries.slice(0, 1), ...entries.slice(2)]);
        await expect(moveLog(database, other)).rejects.toMatchObject({ code: 'damaged' });
        expect(await other.heads()).toEqual([]);
        await other.close();
        await back.append([entryOf('other')]);
        await expect(moveLog(database, back)).rejects.toMatchObject({ code: 'damaged' });
        for (const store of [files, back]) await store.close();
      } finally {
        rmSync(directory, { recursive: true });
      }
    }));
});
