// The log over HTTP. Server, load generator and witnesses are processes of
// their own; server and generator have a core each where `taskset` exists. Entries are durable by fdatasync before they
// are acknowledged and appended exactly once; after each round the log is read back: it must hold the acknowledged
// entries, each at the index that was answered, and nothing else, under the root that it signed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLogDirectory, readLogDirectory } from '../src/ledger/log/directory.ts';
import { nodeHasher } from '../src/ledger/log/node-hash.ts';
import { nodeSignatures } from '../src/ledger/log/node-signatures.ts';
import { createWitnessDirectory, trustLogs } from '../src/ledger/witness/keys.ts';
import { parseQuorum, quorumPolicy } from '../src/ledger/witness/quorum.ts';
import { Frontier } from '../src/tlog/frontier.ts';
import { parseVerifierKey } from '../src/tlog/note-key.ts';
import { type Policy, verifyCheckpoint } from '../src/tlog/policy.ts';
import type { Benchmark, Row } from './bench.ts';
import { ofRounds, row } from './bench.ts';
import { Connection, entryOf, type Load, type Measured } from './ledger-http-load.ts';
import {
  CORES,
  collected,
  figure,
  inTemporary,
  OTHER_CORE,
  pause,
  SERVER_CORE,
  type Served,
  serve,
  start,
  traced,
} from './processes.ts';

const SECONDS = 3;
const ROUNDS = 3;
/** How long one state of the witnesses is measured. */
const WITNESSED_SECONDS = 10;
const COUNTRIES = ['de', 'br', 'jp', 'ch'];
const GENERATOR = join(import.meta.dirname, 'ledger-http-load.ts');

interface Shape extends Pick<Load, 'path' | 'connections' | 'batch'> {
  readonly title: string;
  /** What the rows show, besides their figures. */
  readonly perSecond?: Partial<Row>;
  readonly request?: Partial<Row>;
  readonly perCpuSecond?: Partial<Row>;
}

const ADD: Shape = {
  title: 'POST /add, 64 connections',
  path: '/add',
  connections: 64,
  batch: 1,
  perSecond: {
    goal: '≥ 17,000 entries/s',
    claim: 'durable entries of 1 KB acknowledged over HTTP one by one, exactly once',
  },
  request: { goal: 'p99 ≤ 10 ms', claim: 'one such request' },
};

const APPEND: Shape = {
  title: 'POST /v1/append, 4 connections, 256 lines',
  path: '/v1/append',
  connections: 4,
  batch: 256,
  perCpuSecond: {
    goal: '≥ 100,000 entries/CPU s',
    claim: 'durable entries of 1 KB acknowledged over HTTP in batches of 256',
  },
};

export const benchmark: Benchmark = {
  name: 'ledger-http',
  summary: 'append over HTTP, one by one and in batches, and to checkpoints of a quorum of witnesses',
  parts: {
    add: () => shapeRows(ADD),
    append: () => shapeRows(APPEND),
    witnessed: () => inTemporary(witnessed),
  },
};

async function shapeRows(shape: Shape): Promise<readonly Row[]> {
  console.error(CORES);
  const rounds: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push((await measure(shape)).measured);
  const perCpuSecond = rounds.flatMap(({ perCpuSecond }) => perCpuSecond ?? []);
  const { title } = shape;
  return [
    ofRounds(
      title,
      'entries/s',
      rounds.map(({ perSecond }) => perSecond),
      { ...shape.perSecond, detail: await syncsOf(shape) },
    ),
    row(
      `${title}: a request`,
      'ms',
      rounds.flatMap(({ times }) => times),
      shape.request,
    ),
    ...(perCpuSecond.length === 0
      ? []
      : [ofRounds(`${title}: the server`, 'entries/CPU s', perCpuSecond, shape.perCpuSecond)]),
  ];
}

/** One round on a log of its own. `during` runs beside the load and is told the server's process. */
function measure<T>(
  { path, connections, batch }: Shape,
  during?: (pid: number) => Promise<(() => Promise<T>) | undefined>,
): Promise<{ readonly measured: Measured; readonly entries: number; readonly seen: T | undefined }> {
  return inTemporary(async (directory) => {
    await createLogDirectory(directory, 'bench.example/http');
    const server = await serve(SERVER_CORE, ['log', 'serve', directory, '--anybody-writes']);
    const load: Load = {
      path,
      connections,
      batch,
      url: server.url,
      server: server.pid,
      seconds: SECONDS,
      acknowledged: join(directory, 'acknowledged'),
    };
    const { measured, seen } = await withStopped(server, async () => {
      const finish = await during?.(server.pid);
      const text = await output(OTHER_CORE, [GENERATOR, JSON.stringify(load)]);
      return { measured: JSON.parse(text) as Measured, seen: await finish?.() };
    });
    return { measured, entries: await checkHolds(directory, load.acknowledged), seen };
  });
}

/** Reads the log back and compares it with what was acknowledged. */
async function checkHolds(directory: string, acknowledged: string): Promise<number> {
  const bytes = readFileSync(acknowledged);
  const numbers = new Map<number, number>();
  for (let at = 0; at < bytes.length; at += 8)
    numbers.set(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4));
  if (numbers.size * 8 !== bytes.length) throw new Error('two entries were given the same index');
  const view = await readLogDirectory(directory);
  const head = view.published();
  if (head?.size !== numbers.size)
    throw new Error(`${numbers.size} entries were acknowledged, but the log holds ${head?.size ?? 0}`);
  const hasher = nodeHasher();
  const frontier = new Frontier(hasher);
  let index = 0;
  for await (const entries of view.entries(0, head.size)) {
    for (const entry of entries) {
      const number = numbers.get(index);
      if (number === undefined || !entryOf(number).equals(entry))
        throw new Error(`index ${index} holds another entry than was acknowledged`);
      frontier.append(hasher.leaf(entry));
      index += 1;
    }
  }
  if (Buffer.compare(frontier.root(), head.root) !== 0)
    throw new Error('log has another root than its entries');
  await view.close();
  return head.size;
}

/** The server's system calls that make data durable, in a run that is not timed. */
async function syncsOf(shape: Shape): Promise<string> {
  const { entries, seen } = await measure(shape, (pid) => traced(pid, 'fdatasync,fsync', '-c'));
  if (seen === undefined) return 'no strace: system calls are not counted';
  const counts = [...seen.matchAll(/^ *[\d.]+ +[\d.]+ +\d+ +(\d+) .*?(f(?:data)?sync)$/gm)];
  const text = counts.map(([, count, name]) => `${figure(Number(count))} ${name}`).join(', ');
  return text === ''
    ? 'strace could not attach'
    : `traced and not timed: ${text} for ${figure(entries)} entries`;
}

/** From an acknowledged append to a checkpoint that three of four countries cosigned, as a reader sees it. */
async function witnessed(root: string): Promise<readonly Row[]> {
  const directory = join(root, 'witnessed');
  const { keys } = await createLogDirectory(directory, 'bench.example/witnessed');
  const about = COUNTRIES.map((country) => {
    const own = join(root, country);
    const description = createWitnessDirectory(own, `witness.${country}.example`);
    trustLogs(own, keys);
    return { country, directory: own, key: description.keys[0] ?? '' };
  });
  const witnesses = await Promise.all(
    about.map((witness) => serve(OTHER_CORE, ['witness', 'serve', witness.directory])),
  );
  const quorum = JSON.stringify({
    v: 'comity.quorum/1',
    required: 3,
    rogue: 1,
    log_operator: 'bench',
    witnesses: about.map(({ country, key }, i) => ({
      name: country,
      key,
      url: witnesses[i]?.url,
      country,
      operator: `operator-${country}`,
      cloud: `cloud-${country}`,
    })),
  });
  const file = join(root, 'quorum.json');
  writeFileSync(file, quorum);
  const policy = quorumPolicy(
    parseQuorum(quorum),
    keys.map((key) => parseVerifierKey(key)),
  );
  const servers = [...witnesses];
  try {
    const server = await serve(SERVER_CORE, [
      'log',
      'serve',
      directory,
      '--anybody-writes',
      '--quorum',
      file,
    ]);
    servers.unshift(server);
    const goal = 'p99 ≤ 1,500 ms';
    const all = await witnessedTimes(server.url, policy, 0);
    await witnesses[0]?.stop();
    // Other entries than before: the same ones would be answered with the places that they have.
    const three = await witnessedTimes(server.url, policy, 1_000_000);
    return [
      row('append to checkpoint, 4 of 4 witnesses', 'ms', all, { goal }),
      row('append to checkpoint, 3 of 4 witnesses', 'ms', three, {
        goal,
        claim: 'from an append to a checkpoint that 3 of 4 witnesses signed, published every second',
      }),
    ];
  } finally {
    for (const one of servers) await one.stop();
  }
}

/** Appends at a steady pace, so that entries meet every moment between two checkpoints, and watches `/checkpoint`. */
async function witnessedTimes(url: string, policy: Policy, from: number): Promise<number[]> {
  const connection = await Connection.open(url);
  const waiting = new Map<number, number>();
  const times: number[] = [];
  const until = performance.now() + WITNESSED_SECONDS * 1000;
  let appending = true;
  const watch = async (): Promise<void> => {
    let last = '';
    while (appending || waiting.size > 0) {
      const response = await fetch(`${url}/checkpoint`);
      const note = await response.text();
      const seen = performance.now();
      if (response.status === 200 && note !== last) {
        last = note;
        // Throws unless three countries signed.
        const { size } = verifyCheckpoint(note, policy, nodeSignatures).checkpoint;
        for (const [index, sent] of waiting) {
          if (index >= size) continue;
          times.push(seen - sent);
          waiting.delete(index);
        }
      }
      await pause(5);
    }
  };
  const watching = watch();
  for (let number = from; performance.now() < until; number++) {
    const sent = performance.now();
    waiting.set(Number(await connection.post('/add', entryOf(number))), sent);
    await pause(20);
  }
  appending = false;
  await watching;
  connection.close();
  return times;
}

/** Runs something, and stops the server whatever comes of it. */
async function withStopped<T>(server: Served, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } finally {
    await server.stop();
  }
}

/** What a script of ours prints. @throws if it fails */
async function output(core: number, args: readonly string[]): Promise<string> {
  const child = start(core, [process.execPath, ...args]);
  const [text, errors] = [collected(child.stdout), collected(child.stderr)];
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`load generator ended with ${code}: ${errors()}`);
  return text();
}
