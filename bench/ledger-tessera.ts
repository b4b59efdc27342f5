// Our log beside Tessera's on POSIX files: `node bench/ledger-tessera.ts [seconds] [directory]`. Both servers are sent
// the same by Tessera's own load generator, one after the other, on the same core. Nothing of Tessera is in this
// project: where Go is present, its module is fetched through Go's module proxy and built outside of it.
//
// What an acknowledgement means. Tessera: the entry is in its bundle and its tiles, files that were written with O_SYNC
// and whose directories were synced. Ours: the batch of the entry was covered by an fdatasync that returned. Neither
// waits for a checkpoint. Ours never appends an entry twice, whenever it is sent again. Tessera's server remembers its
// newest 256 Ki entries in memory; with antispam it also looks in a database that follows the log, and refuses entries
// while the database is far behind.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogDirectory } from '../src/ledger/log/directory.ts';
import { nodeHasher } from '../src/ledger/log/node-hash.ts';
import { nodeSignatures } from '../src/ledger/log/node-signatures.ts';
import { RemoteLog } from '../src/ledger/witness/remote-log.ts';
import { decodeBundle } from '../src/tlog/bundle.ts';
import { Frontier } from '../src/tlog/frontier.ts';
import { parsePolicy, verifyCheckpoint } from '../src/tlog/policy.ts';
import { TILE_WIDTH } from '../src/tlog/tile.ts';
import { machine } from './bench.ts';
import {
  collected,
  cpuSeconds,
  ended,
  figure,
  OTHER_CORE,
  pause,
  pinned,
  SERVER_CORE,
  type Served,
  serve,
  start,
  succeeds,
} from './processes.ts';

const MODULE = 'github.com/transparency-dev/tessera';
const VERSION = 'v1.0.4';
const PROGRAMS = [`${MODULE}/cmd/conformance/posix`, `${MODULE}/internal/hammer`];
const ORIGIN = 'bench.example/tessera';
const TRACER = 'strace';
const MAIN = join(import.meta.dirname, '../src/cli/main.ts');
/** The generator writes this many bytes in hexadecimal, then a space and a number that no other entry has. */
const ENTRY_BYTES = 1024;
const WARM_UP_SECONDS = 3;
const TRIAL_SECONDS = 4;
const TRACED_SECONDS = 5;
/** More than either server can take: the number of writers limits. */
const UNLIMITED = 100_000;

/** How the generator is run. */
interface Load {
  readonly writers: number;
  /** Entries a second that it tries at most. */
  readonly most: number;
}

interface Contender {
  readonly title: string;
  /** Loads to try; the one with the highest rate is then measured. */
  readonly loads: readonly Load[];
  /** Serves a log in an empty directory that holds only `log.key`. */
  start(directory: string, key: string): Promise<Served>;
}

interface Measured extends Load {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  /** Share of its core that the generator used. */
  readonly generator: number;
  readonly refused: number;
  readonly entries: number;
}

const go = ['go', '/usr/local/go/bin/go'].find((program) => succeeds(program, 'version'));
const seconds = Number(process.argv[2] ?? 20);
const cache = join(tmpdir(), `comity-bench-tessera-${VERSION}`);

if (go === undefined) console.log('not run: no Go (https://go.dev/dl)');
else if (cpus().length <= OTHER_CORE) console.log('not run: one core only');
else if (built(go)) await compare(go);
else console.log(`not run: Go could not build ${MODULE}@${VERSION}`);

function built(program: string): boolean {
  mkdirSync(cache, { recursive: true });
  return (
    spawnSync(program, ['install', ...PROGRAMS.map((name) => `${name}@${VERSION}`)], {
      stdio: 'inherit',
      env: { ...process.env, GOBIN: cache },
    }).status === 0
  );
}

async function compare(program: string): Promise<void> {
  const root = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'comity-bench-'));
  const version = spawnSync(program, ['version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`${machine()}\n${version}, Tessera ${VERSION}`);
  console.log(
    pinned
      ? `server on core ${SERVER_CORE}, Tessera's generator on core ${OTHER_CORE}; ${seconds} s each after ${WARM_UP_SECONDS} s, entries of ${ENTRY_BYTES} bytes`
      : 'no taskset: nothing is pinned',
  );
  console.log(
    'Tessera as its conformance server sets it: batches of 256 or 1 s, a checkpoint every second, the newest 262,144 entries remembered',
  );
  try {
    const results: Measured[] = [];
    for (const contender of contenders()) {
      const load = await bestLoad(root, contender);
      const measured = await measure(root, contender, load, seconds, true);
      results.push(measured);
      report(contender.title, measured);
      console.log(`${''.padEnd(34)}${await countSyncs(root, contender, load)}`);
    }
    const [ours, ...theirs] = results;
    for (const [i, title] of ['antispam off', 'antispam on'].entries()) {
      const other = theirs[i];
      if (ours === undefined || other === undefined) continue;
      console.log(
        `ours, exactly once, against Tessera, ${title}: ${(ours.perCpuSecond / other.perCpuSecond).toFixed(2)} × the entries per CPU second, ` +
          `${(ours.perSecond / other.perSecond).toFixed(2)} × per second`,
      );
    }
  } finally {
    rmSync(root, { recursive: true });
  }
}

function contenders(): readonly Contender[] {
  const posix = join(cache, 'posix');
  const tessera = (antispam: boolean) => async (directory: string, key: string) => {
    const port = await freePort();
    const command = [
      posix,
      `--storage_dir=${join(directory, 'tessera')}`,
      `--listen=127.0.0.1:${port}`,
      `--antispam=${antispam}`,
    ];
    console.error(`  ${command.join(' ')}`);
    const child = start(SERVER_CORE, command, { LOG_PRIVATE_KEY: key });
    const errors = collected(child.stderr);
    await until(() => listens(port), errors);
    const stop = async (): Promise<void> => {
      child.kill('SIGKILL');
      await ended(child);
    };
    return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, stop };
  };
  return [
    {
      title: 'ours, exactly once',
      loads: [64, 256, 480].map((writers) => ({ writers, most: UNLIMITED })),
      start: (directory) =>
        serve(SERVER_CORE, [process.execPath, MAIN, 'log', 'serve', directory, '--anybody-writes']),
    },
    {
      title: 'Tessera, antispam off',
      loads: [256, 1024, 3000].map((writers) => ({ writers, most: UNLIMITED })),
      start: tessera(false),
    },
    {
      // It refuses entries while its database is behind, so the pace at which it keeps up is looked for too.
      title: 'Tessera, antispam on',
      loads: [4000, 8000, 12_000, 16_000, UNLIMITED].map((most) => ({ writers: 1024, most })),
      start: tessera(true),
    },
  ];
}

async function bestLoad(root: string, contender: Contender): Promise<Load> {
  let best: Measured | undefined;
  for (const load of contender.loads) {
    const measured = await measure(root, contender, load, TRIAL_SECONDS, false);
    console.error(`  tried ${described(measured)}: ${figure(measured.perSecond)} entries/s`);
    if (best === undefined || measured.perSecond > best.perSecond) best = measured;
  }
  if (best === undefined) throw new Error('no load to try');
  return best;
}

/** One round on a log of its own. */
async function measure(
  root: string,
  contender: Contender,
  { writers, most }: Load,
  duration: number,
  check: boolean,
): Promise<Measured> {
  return withLog(root, contender, async (server, key) => {
    const hammer = hammered(server.url, key, { writers, most });
    await pause(WARM_UP_SECONDS * 1000);
    const before = await nextCheckpoint(server);
    const generatorBefore = cpuSeconds(hammer.pid) ?? Number.NaN;
    await pause(duration * 1000);
    const after = await nextCheckpoint(server);
    const generatorAfter = cpuSeconds(hammer.pid) ?? Number.NaN;
    const refused = await hammer.stop();
    const elapsed = (after.at - before.at) / 1000;
    const count = after.size - before.size;
    return {
      writers,
      most,
      perSecond: count / elapsed,
      perCpuSecond: count / (after.cpu - before.cpu),
      generator: (generatorAfter - generatorBefore) / elapsed,
      refused,
      entries: check ? await checkHolds(server.url, key) : count,
    };
  });
}

async function withLog<T>(
  root: string,
  contender: Contender,
  run: (server: Served, key: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(root, 'log-'));
  const { keys } = await createLogDirectory(directory, ORIGIN);
  const server = await contender.start(directory, readFileSync(join(directory, 'log.key'), 'utf8').trim());
  try {
    // The generator wants a checkpoint to begin with.
    await until(async () => (await sizeOf(server.url)) !== undefined);
    return await run(server, keys[0] ?? '');
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true });
  }
}

/** Starts Tessera's generator. Stopping it tells how many requests failed. */
function hammered(url: string, key: string, { writers, most }: Load) {
  const command = [
    join(cache, 'hammer'),
    `--log_public_key=${key}`,
    `--log_url=${url}/`,
    `--num_writers=${writers}`,
    `--max_write_ops=${most}`,
    `--leaf_min_size=${ENTRY_BYTES}`,
    '--dup_chance=0',
    '--num_readers_random=0',
    '--num_readers_full=0',
    '--max_read_ops=0',
    '--show_ui=false',
  ];
  const child = start(OTHER_CORE, command);
  const log = collected(child.stderr);
  return {
    pid: child.pid ?? 0,
    async stop(): Promise<number> {
      child.kill('SIGTERM');
      await ended(child);
      // Besides refused entries it complains of nothing; a fork or a wrong index it calls fatal.
      if (/^F\d/m.test(log())) throw new Error(`generator failed: ${log()}`);
      return [...log().matchAll(/\((\d+) x\) failed to create request/g)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
    },
  };
}

/** Waits for the next checkpoint: when it came, the entries that it covers, and the server's CPU time by then. */
async function nextCheckpoint(server: Served) {
  const size = (await sizeOf(server.url)) ?? 0;
  let next = size;
  await until(async () => {
    next = (await sizeOf(server.url)) ?? size;
    return next !== size;
  });
  return { at: performance.now(), size: next, cpu: cpuSeconds(server.pid) ?? Number.NaN };
}

/**
 * Reads the whole log back: entries of the generator, each once, under the root that the log signed.
 * @returns how many
 */
async function checkHolds(url: string, key: string): Promise<number> {
  const remote = new RemoteLog(ORIGIN, url, 10_000);
  const policy = parsePolicy(`log ${key}\nquorum none\n`);
  const { size, root } = verifyCheckpoint(await remote.checkpoint(), policy, nodeSignatures).checkpoint;
  const hasher = nodeHasher();
  const frontier = new Frontier(hasher);
  const numbers = new Set<number>();
  for (let at = 0; at < size; at += TILE_WIDTH) {
    const width = Math.min(TILE_WIDTH, size - at);
    const bundle = await remote.tile({ kind: 'entries', index: at / TILE_WIDTH, width });
    for (const entry of decodeBundle(bundle, width)) {
      const [, number] = /^[0-9a-f]{1024} (\d+)$/.exec(Buffer.from(entry).toString('latin1')) ?? [];
      if (number === undefined) throw new Error(`entry ${frontier.size} is not one of the generator's`);
      numbers.add(Number(number));
      frontier.append(hasher.leaf(entry));
    }
  }
  if (numbers.size !== size) throw new Error(`${size - numbers.size} entries stand in the log twice`);
  if (Buffer.compare(frontier.root(), root) !== 0) throw new Error('log has another root than its entries');
  return size;
}

/** System calls that make data durable, for each thousand entries, in a run that is not timed. */
async function countSyncs(root: string, contender: Contender, load: Load): Promise<string> {
  if (!succeeds(TRACER, '-V')) return 'no strace: system calls are not counted';
  const file = join(root, 'trace');
  return withLog(root, contender, async (server, key) => {
    const traced = ['-f', '-e', 'trace=fdatasync,fsync,openat', '-o', file, '-p', String(server.pid)];
    const strace = spawn(TRACER, traced, { stdio: ['ignore', 'ignore', 'pipe'] });
    // It says on standard error that it is attached, or why it is not.
    await new Promise((resolve) => strace.stderr.once('data', resolve));
    const hammer = hammered(server.url, key, load);
    await pause(TRACED_SECONDS * 1000);
    await hammer.stop();
    strace.kill('SIGINT');
    await ended(strace);
    const size = await until(async () => (await sizeOf(server.url)) || undefined);
    const calls = readFileSync(file, 'latin1');
    const count = (pattern: RegExp): string =>
      (((calls.match(pattern)?.length ?? 0) / size) * 1000).toFixed(1);
    return (
      `traced, for 1,000 entries: ${count(/ fdatasync\(/g)} fdatasync, ${count(/ fsync\(/g)} fsync, ` +
      `${count(/ openat\([^\n]*O_SYNC/g)} files written with O_SYNC`
    );
  });
}

async function sizeOf(url: string): Promise<number | undefined> {
  const response = await fetch(`${url}/checkpoint`);
  const [, size] = (await response.text()).split('\n');
  return response.status === 200 ? Number(size) : undefined;
}

function report(title: string, measured: Measured): void {
  console.log(
    `${title.padEnd(24)} ${figure(measured.perSecond).padStart(8)} entries/s ${figure(measured.perCpuSecond).padStart(8)} per CPU second of the server   ` +
      `${described(measured)}, generator used ${Math.round(measured.generator * 100)} % of its core, ${figure(measured.refused)} refused, ${figure(measured.entries)} read back`,
  );
}

function described({ writers, most }: Load): string {
  return `${writers} writers${most === UNLIMITED ? '' : ` at ${figure(most)}/s at most`}`;
}

/** Polls until there is something, for ten seconds at most. */
async function until<T>(
  look: () => Promise<T | false | undefined>,
  why: () => string = () => '',
): Promise<T> {
  const patience = performance.now() + 10_000;
  for (;;) {
    const seen = await look().catch(() => undefined);
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > patience) throw new Error(`waited in vain for a server. ${why()}`);
    await pause(20);
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
