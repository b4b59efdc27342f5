import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeIndex } from '../query/record-index.case.ts';
import type { RecordQuery } from '../query/record-index.ts';
import { openRecordIndex } from '../query/sqlite-index.ts';
import { startProducer } from '../record/producer.ts';
import type { AuditRecord } from '../record/record.ts';
import { rfc3339 } from '../record/time.ts';
import { connect, type Sql } from './connection.ts';
import { startPooler } from './pooler.case.ts';
import { openPostgresIndex } from './postgres-index.ts';
import { startTestServer, type TestServer, withSql } from './server.case.ts';

let server: TestServer | undefined;
let sql: Sql;

beforeAll(async () => {
  server = await startTestServer();
  sql = await connect(server.url);
}, 60_000);

afterAll(async () => {
  await sql.end({ timeout: 1 });
  await server?.stop();
});

describeIndex('PostgreSQL', (origin) => openPostgresIndex(sql, origin));

/** Few values of each kind, so that random queries meet random records. */
const WORDS = ['a', 'b', 'a-b', 'a.b', 'A', 'ab', 'rule', 'x_1', 'allowed', '4.1', 'gpt-4.1', 'gpt'];
const word = fc.constantFrom(...WORDS);
const MARKETS = ['DE', 'KR', 'US-CO'] as const;
const VERDICTS = ['allowed', 'allowed-if', 'cannot-tell', 'not-allowed'] as const;
const OUTCOMES = ['succeeded', 'failed', 'unknown'] as const;
const HASH = `sha256:${'0'.repeat(64)}`;
const trace = fc.constantFrom('0'.repeat(32), 'f'.repeat(32));
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });

const recordOf = fc
  .record({
    kind: fc.constantFrom('decision', 'chat', 'effect'),
    system: word.filter((text) => text !== 'x_1'),
    tenant: fc.constantFrom('t', 'u'),
    time: fc.integer({ min: 0, max: 9 }),
    jur: fc.uniqueArray(fc.constantFrom(...MARKETS)),
    market: fc.constantFrom(...MARKETS),
    rules: fc.array(word, { minLength: 1, maxLength: 4 }),
    verdict: fc.constantFrom(...VERDICTS),
    outcome: fc.constantFrom(...OUTCOMES),
    trace: optional(trace),
    names: fc.array(word, { minLength: 1, maxLength: 3 }),
    keys: fc.uniqueArray(fc.constantFrom('A'.repeat(22), 'B'.repeat(21).concat('Q')), { maxLength: 2 }),
  })
  .map((made): AuditRecord => {
    const producer = startProducer({
      id: made.system,
      resource: { 'comity.system.id': made.system, 'comity.tenant': made.tenant, 'service.name': 's' },
      retain: { class: 'logs', hold: false, min: 'P0D' },
      jur: made.jur,
    });
    const context = {
      time: rfc3339(made.time),
      ...(made.trace === undefined ? {} : { trace_id: made.trace }),
    };
    const record = recordIn(producer, made, context);
    const sealed = made.keys.map((k) => ({ alg: 'A256GCM' as const, h: 'h', k, len: 284 }));
    return sealed.length === 0 ? record : ({ ...record, sealed } as AuditRecord);
  });

function recordIn(
  producer: ReturnType<typeof startProducer>,
  made: {
    readonly kind: string;
    readonly market: string;
    readonly rules: readonly string[];
    readonly verdict: (typeof VERDICTS)[number];
    readonly outcome: (typeof OUTCOMES)[number];
    readonly names: readonly string[];
  },
  context: Parameters<typeof producer.record>[2],
): AuditRecord {
  const name = made.names.join(':');
  if (made.kind === 'effect')
    return producer.record(
      'comity.tool.effect',
      { 'comity.tool.outcome': made.outcome, 'gen_ai.tool.name': 'pay' },
      context,
    );
  if (made.kind === 'chat') {
    return producer.record(
      'gen_ai.client.inference.operation.details',
      {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'p',
        'gen_ai.request.model': name,
        'gen_ai.request.temperature': 0.5,
      },
      context,
    );
  }
  return producer.record(
    'comity.policy.decision',
    {
      'comity.market': made.market,
      'comity.policy.id': name,
      'comity.policy.rules': made.rules,
      'comity.policy.verdict': made.verdict,
      'comity.policy.version_hash': HASH,
      'comity.ruleset.digest': HASH,
    },
    context,
  );
}

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme-ascii' }));
const phrase = fc
  .tuple(
    fc.array(fc.oneof({ weight: 4, arbitrary: word }, { weight: 1, arbitrary: anyText }), { maxLength: 3 }),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([words, quoted, prefix]) => {
    const text = words.join(quoted ? ' ' : ':');
    return `${quoted ? `"${text}"` : text}${prefix ? '*' : ''}`;
  });
const texts = fc.array(phrase, { minLength: 1, maxLength: 2 }).map((phrases) => phrases.join(' '));

const queryOf: fc.Arbitrary<RecordQuery> = fc
  .record(
    {
      from: fc.integer({ min: 0, max: 9 }),
      to: fc.integer({ min: 0, max: 10 }),
      event: fc.constantFrom('comity.policy.decision', 'comity.tool.effect', 'comity.log.heartbeat'),
      tenant: fc.oneof(fc.constant('t'), anyText),
      system: fc.oneof(word, anyText),
      market: fc.oneof(fc.constantFrom(...MARKETS), anyText),
      rule: word,
      outcome: fc.constantFrom(...VERDICTS, ...OUTCOMES),
      producer: word,
      trace,
      keys: fc.array(fc.constantFrom('A'.repeat(22), 'B'.repeat(21).concat('Q'), 'none')),
      text: texts,
      after: fc.integer({ min: 0, max: 20 }),
      before: fc.integer({ min: 0, max: 40 }),
      limit: fc.integer({ min: 1, max: 50 }),
    },
    { requiredKeys: [] },
  )
  // Few conditions at a time, so that something is found.
  .chain((query) =>
    fc.subarray(Object.entries(query), { maxLength: 3 }).map((some) => Object.fromEntries(some)),
  );

test('both indexes give the same rows for random records and queries', async () => {
  let [found, empty, refused] = [0, 0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.array(optional(recordOf), { minLength: 1, maxLength: 30 }),
      fc.array(queryOf, { minLength: 10, maxLength: 20 }),
      async (records, queries) => {
        const both = [openRecordIndex(':memory:'), await openPostgresIndex(sql, randomUUID())];
        for (const index of both) expect(await index.apply(0, records, Buffer.alloc(32))).toBe(true);
        for (const query of queries) {
          const [sqlite, postgres] = await Promise.all(
            both.map((index) => index.query(query).catch((error: { code: unknown }) => error.code)),
          );
          expect(postgres).toEqual(sqlite);
          if (!Array.isArray(sqlite)) refused += 1;
          else if (sqlite.length === 0) empty += 1;
          else found += 1;
        }
        for (const index of both) await index.close();
      },
    ),
    { numRuns: 60 },
  );
  // The property says nothing if queries find nothing.
  expect(found).toBeGreaterThan(200);
  expect(empty).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(5);
});

test('an index can be dropped, and is built again', async () => {
  const origin = randomUUID();
  const record = fc.sample(recordOf, 1);
  await withSql(server?.url ?? '', async (own) => {
    const index = await openPostgresIndex(own, origin);
    await index.apply(0, record, Buffer.alloc(32));
    await own`DROP SCHEMA comity_index CASCADE`;
    const again = await openPostgresIndex(own, origin);
    expect(await again.query({})).toEqual([]);
    expect(await again.apply(0, record, Buffer.alloc(32))).toBe(true);
    expect(await index.query({})).toHaveLength(1);
    // An index of another log, opened before the drop, does not write among these.
    const other = await openPostgresIndex(own, randomUUID());
    await own`DELETE FROM comity_index.log WHERE entries = 0`;
    await expect(other.apply(0, record, Buffer.alloc(32))).rejects.toMatchObject({ code: 'closed' });
  });
});

test('entries are indexed together with the position, or not at all', async () => {
  const index = await openPostgresIndex(sql, randomUUID());
  const [good, other] = fc.sample(recordOf, 2);
  if (good === undefined || other === undefined) throw new Error('two records expected');
  // PostgreSQL takes no such character; no valid record has one.
  const bad: AuditRecord = { ...other, producer: { ...other.producer, id: 'a\0b' } };
  await expect(index.apply(0, [good, bad], Buffer.alloc(32))).rejects.toThrow();
  expect(await index.mark()).toEqual({ entries: 0, leaf: undefined });
  expect(await index.query({})).toEqual([]);
  expect(await index.apply(0, [good, other], Buffer.alloc(32))).toBe(true);
  expect(await index.query({})).toHaveLength(2);
});

test('several indexes are opened at the same time in a database that has none, behind a pooler', async () => {
  await sql`DROP SCHEMA IF EXISTS comity_index CASCADE`;
  const pooler = await startPooler(server?.url ?? '', 3);
  const clients = await Promise.all(Array.from({ length: 6 }, () => connect(pooler.url, 2)));
  try {
    const origin = randomUUID();
    const records = fc.sample(recordOf, 40);
    const indexes = await Promise.all(clients.map((client) => openPostgresIndex(client, origin)));
    // Each offers the same entries from wherever the index stands: every entry goes in once.
    await Promise.all(
      indexes.map(async (index) => {
        for (;;) {
          const { entries } = await index.mark();
          if (entries >= records.length) return;
          await index.apply(entries, records.slice(entries, entries + 4), Buffer.alloc(32));
        }
      }),
    );
    for (const index of indexes) {
      expect((await index.query({})).map((row) => row.id)).toEqual(records.map((record) => record.id));
    }
    expect(pooler.switches()).toBeGreaterThan(0);
  } finally {
    for (const client of clients) await client.end({ timeout: 1 });
    pooler.close();
  }
});

test('a user who may not make tables is told so', async () => {
  await sql`DROP SCHEMA IF EXISTS comity_index CASCADE`;
  const role = `reader_${randomUUID().slice(0, 8)}`;
  await sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'reader'`);
  const url = new URL(server?.url ?? '');
  url.username = role;
  url.password = 'reader';
  await withSql(url.href, async (reader) => {
    await expect(openPostgresIndex(reader, randomUUID())).rejects.toMatchObject({
      code: 'io-failed',
      message: 'user of the database may not make the index',
    });
  });
  await sql.unsafe(`DROP ROLE ${role}`);
});
