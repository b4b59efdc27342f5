import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeBundle } from '../../tlog/bundle.ts';
import { entryOf, expectHolds } from '../log/store.case.ts';
import { createPostgresStore, openPostgresStore } from './postgres-store.ts';
import { startTestServer, type TestServer, withSql } from './server.case.ts';

const RUNS = process.env.COMITY_LONG === undefined ? 3 : 50;
let server: TestServer | undefined;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server?.stop());

const module = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/** Appends without end, and says what was acknowledged: `<number> <index>` a line. */
const APPENDER = `
  import { connect } from ${module('./connection.ts')};
  import { openPostgresStore } from ${module('./postgres-store.ts')};
  import { entryOf } from ${module('../log/store.case.ts')};
  const [url, origin, name] = process.argv.slice(-3);
  const store = await openPostgresStore(await connect(url), origin);
  for (let i = 0; ; i++) {
    const places = await store.append([entryOf(name + ' ' + i), entryOf(name + ' ' + i + ' too')]);
    process.stdout.write(i + ' ' + places.map(({ index }) => index).join(' ') + '\\n');
  }
`;

/** Takes the row of the log, as an append does, says so, and does not let go of it. */
const HOLDER = `
  import { connect } from ${module('./connection.ts')};
  const [url, origin] = process.argv.slice(-2);
  const sql = await connect(url);
  await sql.begin(async (transaction) => {
    await transaction\`UPDATE comity.log SET next = next + 100 WHERE origin = \${origin}\`;
    process.stdout.write('held\\n');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  });
`;

function replica(program: string, args: readonly string[]): ChildProcess & { readonly output: () => string } {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += String(chunk);
  });
  return Object.assign(child, { output: () => output });
}

async function killed(child: ChildProcess): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}

async function withLog(run: (url: string, origin: string) => Promise<void>): Promise<void> {
  const url = server?.url ?? '';
  const origin = `log.example/${randomUUID()}`;
  await withSql(url, async (sql) => {
    await createPostgresStore(sql, origin);
  });
  await run(url, origin);
}

test(
  `a replica that is killed while it holds the row of the log, ${RUNS} times, holds up nobody and leaves nothing`,
  () =>
    withLog(async (url, origin) => {
      await withSql(url, async (sql) => {
        const store = await openPostgresStore(sql, origin);
        const entries = [entryOf('first')];
        await store.append(entries);
        for (let run = 0; run < RUNS; run++) {
          const holder = replica(HOLDER, [url, origin]);
          await expect.poll(holder.output, { timeout: 20_000 }).toBe('held\n');
          const entry = entryOf(`after ${run}`);
          let done = false;
          const waiting = store.append([entry]).finally(() => {
            done = true;
          });
          await new Promise((resolve) => setTimeout(resolve, 100));
          expect(done).toBe(false);
          await killed(holder);
          // What the dead one had counted up is gone with it: places stay contiguous.
          expect(await waiting).toEqual([{ kind: 'appended', index: run + 1 }]);
          entries.push(entry);
        }
        await expectHolds(store, entries);
      });
    }),
  240_000,
);

test(
  'replicas that are killed while they append lose and double nothing that was acknowledged',
  () =>
    withLog(async (url, origin) => {
      const acknowledged = new Map<number, string>();
      for (let run = 0; run < RUNS; run++) {
        const names = ['a', 'b'].map((name) => `${name}${run}`);
        const replicas = names.map((name) => replica(APPENDER, [url, origin, name]));
        for (const one of replicas) {
          await expect.poll(() => one.output().split('\n').length, { timeout: 20_000 }).toBeGreaterThan(10);
        }
        await Promise.all(replicas.map(killed));
        for (const [i, one] of replicas.entries()) {
          const whole = one.output().slice(0, one.output().lastIndexOf('\n'));
          for (const line of whole.split('\n')) {
            const [number, first = -1, second = -1] = line.split(' ').map(Number);
            expect(second).toBe(first + 1);
            acknowledged.set(first, `${names[i]} ${number}`);
            acknowledged.set(second, `${names[i]} ${number} too`);
          }
        }
      }
      await withSql(url, async (sql) => {
        const store = await openPostgresStore(sql, origin);
        const { size } = await store.grow();
        const texts: string[] = [];
        for (let at = 0; at < size; at += 256) {
          const width = Math.min(256, size - at);
          const bundle = decodeBundle(await store.readBundle(at / 256, width), width);
          texts.push(...bundle.map((bytes) => Buffer.from(bytes).toString()));
        }
        expect(new Set(texts).size).toBe(texts.length);
        expect(acknowledged.size).toBeGreaterThan(RUNS * 20);
        for (const [index, text] of acknowledged) expect(texts[index]).toBe(text);
      });
    }),
  240_000,
);
