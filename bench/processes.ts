// Processes of a benchmark: servers and generators of load, each with a core of its own where `taskset` exists.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = join(import.meta.dirname, '../src/cli/main.ts');

export const SERVER_CORE = 0;
export const OTHER_CORE = 1;

export const pinned = cpus().length > OTHER_CORE && succeeds('taskset', '--version');

/** Where servers and generators of load run, for people. */
export const CORES = pinned
  ? `server on core ${SERVER_CORE}, load and witnesses on core ${OTHER_CORE}`
  : 'no taskset or one core only: nothing is pinned';

/** Keeps this process, with all its threads, on the core of servers: for what has no server. */
export function stayOnOneCore(): void {
  const kept = pinned && succeeds('taskset', '-acp', String(SERVER_CORE), String(process.pid));
  console.error(kept ? `on core ${SERVER_CORE}` : CORES);
}

/** Starts a program on a core. `taskset` becomes what it starts, so the id is the program's own. */
export function start(
  core: number,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const [program = '', ...rest] = pinned ? ['taskset', '-c', String(core), ...command] : command;
  return spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
}

/** A server that runs. */
export interface Served {
  /** What it printed first. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a server of ours, a verb of the command, and waits for the address that it prints. */
export async function serve(core: number, verb: readonly string[]): Promise<Served> {
  const child = start(core, [process.execPath, MAIN, ...verb]);
  const errors = collected(child.stderr);
  const url = await new Promise<string>((resolve, reject) => {
    if (child.stdout !== null) createInterface(child.stdout).once('line', resolve);
    child.once('exit', (code) =>
      reject(new Error(`server ended with ${code} before it listened: ${errors()}`)),
    );
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const code = await ended(child);
    if (code !== 0) throw new Error(`server ended with ${code}: ${errors()}`);
  };
  return { url, pid: child.pid ?? 0, stop };
}

/** What a stream has given so far, as text. */
export function collected(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

/** How a process ended. */
export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', resolve));
}

/** Whether a program is there and does what it is asked. */
export function succeeds(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

const TRACER = 'strace';

/**
 * Traces system calls of a process, which slows it down: what is traced is not timed.
 * @returns stops, and gives what was written; undefined where there is no `strace`
 */
export async function traced(
  pid: number,
  calls: string,
  ...options: readonly string[]
): Promise<(() => Promise<string>) | undefined> {
  if (!succeeds(TRACER, '-V')) return undefined;
  const directory = temporary();
  const file = join(directory, 'trace');
  const args = ['-f', ...options, '-e', `trace=${calls}`, '-o', file, '-p', String(pid)];
  const tracer = spawn(TRACER, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  // It says on standard error that it is attached, or why it is not.
  await new Promise((resolve) => tracer.stderr.once('data', resolve));
  return async () => {
    tracer.kill('SIGINT');
    await ended(tracer);
    const text = readFileSync(file, 'latin1');
    rmSync(directory, { recursive: true });
    return text;
  };
}

/** CPU time of a process so far, of all its threads; undefined where there is no `/proc`. */
export function cpuSeconds(pid: number): number | undefined {
  try {
    // proc(5): after the name in parentheses, utime and stime are the 12th and 13th field, in ticks of 1/100 s.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

/** A directory of its own, under `TMPDIR`. */
function temporary(): string {
  return mkdtempSync(join(tmpdir(), 'comity-bench-'));
}

/** Runs something in a directory of its own, which is gone afterwards. */
export async function inTemporary<T>(run: (directory: string) => Promise<T> | T): Promise<T> {
  const directory = temporary();
  try {
    return await run(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function figure(value: number): string {
  return Math.round(value).toLocaleString('en');
}
