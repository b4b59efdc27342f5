// Durable appends to PostgreSQL from replicas in processes of their own, against `DATABASE_URL` or a server that is
// started. Each acknowledged entry was committed with synchronous_commit on; after each round the log is read back and
// its tree checked.
import { fork } from 'node:child_process';
import { Appender } from '../src/ledger/log/appender.ts';
import { nodeHasher } from '../src/ledger/log/node-hash.ts';
import { connect, type Sql } from '../src/ledger/postgres/connection.ts';
import { createPostgresStore, openPostgresStore } from '../src/ledger/postgres/postgres-store.ts';
import { startTestServer } from '../src/ledger/postgres/server.case.ts';
import { decodeBundle } from '../src/tlog/bundle.ts';
import { Frontier } from '../src/tlog/frontier.ts';
import type { Benchmark, Flags, Row } from './bench.ts';
import { ofRounds } from './bench.ts';
import { figure } from './processes.ts';

const ENTRY_BYTES = 1024;
const SECONDS = 6;
const ROUNDS = 3;
const SENDERS = 6;
const BATCH = 512;

if (import.meta.main) await replica(process.argv[2] ?? '', process.argv[3] ?? '');

export const benchmark: Benchmark = {
  name: 'ledger-postgres',
  summary: 'durable append to PostgreSQL by several replicas',
  flags: { replicas: { type: 'string', default: '2' } },
  parts: { replicas: appendedRows },
};

async function appendedRows(flags: Flags): Promise<readonly Row[]> {
  const replicas = Number(flags.replicas);
  const server = await startTestServer();
  const sql = await connect(server.url);
  const [version] = await sql<{ version: string }[]>`SELECT version()`;
  console.error(version?.version);
  const rounds: (readonly number[])[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const origin = `bench/${Date.now()}`;
    await createPostgresStore(sql, origin);
    const counts = await Promise.all(
      Array.from({ length: replicas }, () => acknowledged(server.url, origin)),
    );
    await checkHolds(sql, origin, total(counts));
    rounds.push(counts);
  }
  await sql.end();
  await server.stop();
  const shares = rounds.map((counts) => counts.map((count) => figure(count / SECONDS)).join(' + '));
  return [
    ofRounds(
      `${replicas} replicas, batches of ${BATCH}`,
      'entries/s',
      rounds.map((counts) => total(counts) / SECONDS),
      {
        goal: '≥ 40,000 entries/s',
        claim: `durable entries of 1 KB in PostgreSQL, ${replicas} replicas appending to one log`,
        detail: `by replica ${shares.join(', ')}`,
      },
    ),
  ];
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Starts a replica and waits until it says how many of its entries were acknowledged. */
function acknowledged(url: string, origin: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [url, origin]);
    child.on('message', (count) => resolve(Number(count)));
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`replica ended with ${code}`)));
  });
}

/** Reads the log back: as many entries as were acknowledged, under the root that the store grew. */
async function checkHolds(sql: Sql, origin: string, entries: number): Promise<void> {
  const store = await openPostgresStore(sql, origin);
  const head = await store.grow();
  if (head.size !== entries)
    throw new Error(`${entries} entries were acknowledged, but the log holds ${head.size}`);
  const hasher = nodeHasher();
  const frontier = new Frontier(hasher);
  for (let at = 0; at < head.size; at += 256) {
    const width = Math.min(256, head.size - at);
    for (const entry of decodeBundle(await store.readBundle(at / 256, width), width))
      frontier.append(hasher.leaf(entry));
  }
  if (Buffer.compare(frontier.root(), head.root) !== 0)
    throw new Error('log has another root than its entries');
}

async function replica(url: string, origin: string): Promise<void> {
  const sql = await connect(url);
  const appender = new Appender(await openPostgresStore(sql, origin), nodeHasher());
  const until = performance.now() + SECONDS * 1000;
  let [acknowledged, number] = [0, 0];
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      while (performance.now() < until) {
        const entries = Array.from({ length: BATCH }, () => {
          const bytes = Buffer.alloc(ENTRY_BYTES, 0x61);
          bytes.writeUInt32BE(process.pid, 0);
          bytes.writeUInt32BE(Math.imul(number++, 0x9e3779b1) >>> 0, 12);
          return { bytes, key: bytes.subarray(0, 16) };
        });
        const places = await appender.appendAll(entries);
        acknowledged += places.length;
      }
    }),
  );
  await appender.close();
  await sql.end();
  process.send?.(acknowledged);
  process.disconnect();
}
