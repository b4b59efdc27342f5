// Durable appends to PostgreSQL from replicas in processes of their own:
// `node bench/ledger-postgres.ts [replicas]`, against `DATABASE_URL` or a server that it starts.
// Each acknowledged entry was committed with synchronous_commit on; at the end the log is read back and its tree checked.
import { fork } from 'node:child_process';
import { cpus } from 'node:os';
import { Appender } from '../src/ledger/log/appender.ts';
import { nodeHasher } from '../src/ledger/log/node-hash.ts';
import { connect } from '../src/ledger/postgres/connection.ts';
import { createPostgresStore, openPostgresStore } from '../src/ledger/postgres/postgres-store.ts';
import { startTestServer } from '../src/ledger/postgres/server.case.ts';
import { decodeBundle } from '../src/tlog/bundle.ts';
import { Frontier } from '../src/tlog/frontier.ts';

const ENTRY_BYTES = 1024;
const SECONDS = 6;
const SENDERS = 6;
const BATCH = 512;

if (process.argv[2] === 'replica') await replica(process.argv[3] ?? '', process.argv[4] ?? '');
else await main(Number(process.argv[2] ?? 2));

async function main(replicas: number): Promise<void> {
  console.log(`${cpus()[0]?.model ?? 'unknown processor'} · Node ${process.version}`);
  const server = await startTestServer();
  const sql = await connect(server.url);
  const [version] = await sql<{ version: string }[]>`SELECT version()`;
  console.log(version?.version);
  const origin = `bench/${Date.now()}`;
  await createPostgresStore(sql, origin);
  const counts = await Promise.all(
    Array.from(
      { length: replicas },
      () =>
        new Promise<number>((resolve, reject) => {
          const child = fork(import.meta.filename, ['replica', server.url, origin]);
          child.on('message', (count) => resolve(Number(count)));
          child.on('error', reject);
        }),
    ),
  );
  const total = counts.reduce((sum, count) => sum + count, 0);
  console.log(
    `${replicas} replicas: ${Math.round(total / SECONDS).toLocaleString('en')} entries/s (${counts.map((count) => Math.round(count / SECONDS)).join(' + ')})`,
  );

  const store = await openPostgresStore(sql, origin);
  const began = performance.now();
  const head = await store.grow();
  console.log(`tree of ${head.size} entries grown in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  if (head.size !== total)
    throw new Error(`${total} entries were acknowledged, but the log holds ${head.size}`);
  const frontier = new Frontier(nodeHasher());
  for (let at = 0; at < head.size; at += 256) {
    const width = Math.min(256, head.size - at);
    const hasher = nodeHasher();
    for (const entry of decodeBundle(await store.readBundle(at / 256, width), width))
      frontier.append(hasher.leaf(entry));
  }
  if (Buffer.compare(frontier.root(), head.root) !== 0)
    throw new Error('log has another root than its entries');
  console.log('read back: same entries, same root');
  await sql.end();
  await server.stop();
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
