// Our log beside Tessera's on POSIX files. Both servers are sent the same by Tessera's own load generator, one after the other, on the same core. Nothing of Tessera is in this
// project: where Go is present, its module is fetched through Go's module proxy and built outside of it.
//
// What an acknowledgement means. Tessera: the entry is in its bundle and its tiles, files that were written with O_SYNC
// and whose directories were synced. Ours: the batch of the entry was covered by an fdatasync that returned. Neither
// waits for a checkpoint. Ours never appends an entry twice, whenever it is sent again. Tessera's server remembers its
// newest 256 Ki entries in memory; with antispam it also looks in a database that follows the log, and refuses entries
// while the database is far behind.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
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
import type { Benchmark, Flags, Part, Row } from './bench.ts';
import { notRun, ofRounds } from './bench.ts';
import {
  CORES,
  collected,
  cpuSeconds,
  ended,
  figure,
  freePort,
  inTemporary,
  OTHER_CORE,
  pause,
  SERVER_CORE,
  type Served,
  serve,
  start,
  succeeds,
  traced,
} from './processes.ts';

const MODULE = 'github.com/transparency-dev/tessera';
const VERSION = 'v1.0.4';
const PROGRAMS = [`${MODULE}/cmd/conformance/posix`, `${MODULE}/internal/hammer`];
const ORIGIN = 'bench.example/tessera';
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

const CACHE = join(tmpdir(), `comity-bench-tessera-${VERSION}`);
const OURS = 'ours, exactly once';

export const benchmark: Benchmark = {
  name: 'ledger-tessera',
  summary: "append over HTTP beside Tessera under Tessera's own load, where Go is present",
  flags: { seconds: { type: 'string', default: '20' } },
  parts: {
    ours: partOf({
      title: OURS,
      loads: [64, 256, 480].map((writers) => ({ writers, most: UNLIMITED })),
      start: (directory) => serve(SERVER_CORE, ['log', 'serve', directory, '--anybody-writes']),
    }),
    tessera: partOf({
      title: 'Tessera, antispam off',
      loads: [256, 1024, 3000].map((writers) => ({ writers, most: UNLIMITED })),
      start: (directory, key) => startTessera(directory, key, false),
    }),
    // It refuses entries while its database is behind, so the pace at which it keeps up is looked for too.
    'tessera-antispam': partOf({
      title: 'Tessera, antispam on',
      loads: [4000, 8000, 12_000, 16_000, UNLIMITED].map((most) => ({ writers: 1024, most })),
      start: (directory, key) => startTessera(directory, key, true),
    }),
  },
  compare: (rows) =>
    rows.map((one) => {
      const ours = rows.find(({ name, unit }) => name === OURS && unit === one.unit);
      return ours === undefined || ours === one
        ? one
        : { ...one, ratio: one.median / ours.median, peer: 'the rate of ours' };
    }),
};

/** Both rates of a server, each under the load that it does best with. */
function partOf(contender: Contender): Part {
  return (flags) => {
    const why = hindrance();
    return why === undefined ? rowsOf(contender, flags) : [notRun(contender.title, 'entries/s', why)];
  };
}

/** Why there is nothing to compare with. */
function hindrance(): string | undefined {
  const go = ['go', '/usr/local/go/bin/go'].find((program) => succeeds(program, 'version'));
  if (go === undefined) return 'no Go (https://go.dev/dl)';
  if (cpus().length <= OTHER_CORE) return 'one core only';
  if (!built(go)) return `Go could not build ${MODULE}@${VERSION}`;
  const version = spawnSync(go, ['version'], { encoding: 'utf8' }).stdout.trim();
  console.error(`${version}, Tessera ${VERSION}; ${CORES}; entries of ${ENTRY_BYTES} bytes`);
  return undefined;
}

function built(program: string): boolean {
  mkdirSync(CACHE, { recursive: true });
  return (
    spawnSync(program, ['install', ...PROGRAMS.map((name) => `${name}@${VERSION}`)], {
      stdio: 'inherit',
      env: { ...process.env, GOBIN: CACHE },
    }).status === 0
  );
}

async function rowsOf(contender: Contender, { seconds }: Flags): Promise<readonly Row[]> {
  const { title } = contender;
  const load = await bestLoad(contender);
  const measured = await measure(contender, load, Number(seconds), true);
  const detail = [
    described(load),
    `generator used ${Math.round(measured.generator * 100)} % of its core`,
    `${figure(measured.refused)} refused`,
    `${figure(measured.entries)} read back`,
    await syncsOf(contender, load),
  ].join('; ');
  return [
    ofRounds(title, 'entries/s', [measured.perSecond], { detail }),
    ofRounds(title, 'entries/CPU s', [measured.perCpuSecond], {
      claim: `durable entries of 1 KB under Tessera's load generator: ${title}`,
    }),
  ];
}

/**
 * Tessera as its conformance server sets it: batches of 256 or 1 s, a checkpoint every second, the newest 262,144 entries
 * remembered.
 */
async function startTessera(directory: string, key: string, antispam: boolean): Promise<Served> {
  const port = await freePort();
  const command = [
    join(CACHE, 'posix'),
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
}

async function bestLoad(contender: Contender): Promise<Load> {
  let best: Measured | undefined;
  for (const load of contender.loads) {
    const measured = await measure(contender, load, TRIAL_SECONDS, false);
    console.error(`  tried ${described(measured)}: ${figure(measured.perSecond)} entries/s`);
    if (best === undefined || measured.perSecond > best.perSecond) best = measured;
  }
  if (best === undefined) throw new Error('no load to try');
  return best;
}

/** One round on a log of its own. */
async function measure(
  contender: Contender,
  { writers, most }: Load,
  duration: number,
  check: boolean,
): Promise<Measured> {
  return withLog(contender, async (server, key) => {
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

function withLog<T>(contender: Contender, run: (server: Served, key: string) => Promise<T>): Promise<T> {
  return inTemporary(async (directory) => {
    const { keys } = await createLogDirectory(directory, ORIGIN);
    const server = await contender.start(directory, readFileSync(join(directory, 'log.key'), 'utf8').trim());
    try {
      // The generator wants a checkpoint to begin with.
      await until(async () => (await sizeOf(server.url)) !== undefined);
      return await run(server, keys[0] ?? '');
    } finally {
      await server.stop();
    }
  });
}

/** Starts Tessera's generator. Stopping it tells how many requests failed. */
function hammered(url: string, key: string, { writers, most }: Load) {
  const command = [
    join(CACHE, 'hammer'),
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
function syncsOf(contender: Contender, load: Load): Promise<string> {
  return withLog(contender, async (server, key) => {
    const finish = await traced(server.pid, 'fdatasync,fsync,openat');
    if (finish === undefined) return 'no strace: system calls are not counted';
    const hammer = hammered(server.url, key, load);
    await pause(TRACED_SECONDS * 1000);
    await hammer.stop();
    const calls = await finish();
    const size = await until(async () => (await sizeOf(server.url)) || undefined);
    const count = (pattern: RegExp): string =>
      (((calls.match(pattern)?.length ?? 0) / size) * 1000).toFixed(1);
    return (
      `traced and not timed, for 1,000 entries: ${count(/ fdatasync\(/g)} fdatasync, ${count(/ fsync\(/g)} fsync, ` +
      `${count(/ openat\([^\n]*O_SYNC/g)} files written with O_SYNC`
    );
  });
}

async function sizeOf(url: string): Promise<number | undefined> {
  const response = await fetch(`${url}/checkpoint`);
  const [, size] = (await response.text()).split('\n');
  return response.status === 200 ? Number(size) : undefined;
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
