// The load generator of `ledger-http.ts`. It speaks just enough HTTP/1.1 over bare sockets: a full client costs more
// than the server that it is to measure.
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { cpuSeconds } from './processes.ts';

const ENTRY_BYTES = 1024;
/** Requests that are answered but not timed, so that both sides are compiled. */
const WARM_UP_MS = 1000;
/** Of each kind of request, how many are sent again at the end. */
const AGAIN = 16;

/** What to send, where, and for how long. */
export interface Load {
  readonly url: string;
  readonly path: '/add' | '/v1/append';
  readonly connections: number;
  /** Entries in a request. */
  readonly batch: number;
  readonly seconds: number;
  /** Process id of the server, whose CPU time is read where the system has `/proc`. */
  readonly server: number;
  /** Where to write what was acknowledged: pairs of index and number, 32 bits each. */
  readonly acknowledged: string;
}

/** What was measured. */
export interface Measured {
  /** Entries. */
  readonly perSecond: number;
  readonly perCpuSecond: number | undefined;
  /** Milliseconds of each request. */
  readonly times: readonly number[];
}

const NEWLINE = Buffer.from('\n');
const TEMPLATE = Buffer.from(`{"n":"0000000000","text":"${'a'.repeat(ENTRY_BYTES - 28)}"}`);

/** The entry of a number: JSON of {@link ENTRY_BYTES} bytes. */
export function entryOf(number: number): Buffer {
  const entry = Buffer.from(TEMPLATE);
  entry.write(String(number).padStart(10, '0'), 6, 'latin1');
  return entry;
}

/** A connection that is kept alive, with one request under way at a time. */
export class Connection {
  readonly #socket: Socket;
  readonly #host: string;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { readonly resolve: (body: string) => void; readonly reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('server closed the connection')));
  }

  static open(url: string): Promise<Connection> {
    const { hostname, port, host } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => resolve(new Connection(socket, host)));
      socket.once('error', reject);
    });
  }

  /** Body of the answer. @throws if its status is not 200 */
  post(path: string, body: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.cork();
      this.#socket.write(
        `POST ${path} HTTP/1.1\r\nhost: ${this.#host}\r\ncontent-length: ${body.length}\r\n\r\n`,
      );
      this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#received.toString('latin1', 0, end);
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const body = this.#received.toString('utf8', end + 4, end + 4 + length);
    this.#received = this.#received.subarray(end + 4 + length);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (head.startsWith('HTTP/1.1 200 ')) waiting?.resolve(body);
    else waiting?.reject(new Error(`server answered ${head.split('\r\n', 1)[0]}: ${body}`));
  }
}

if (import.meta.main) console.log(JSON.stringify(await generate(JSON.parse(process.argv[2] ?? '') as Load)));

async function generate(load: Load): Promise<Measured> {
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => Connection.open(load.url)),
  );
  const pairs: number[] = [];
  const times: number[] = [];
  let number = 0;
  const timedFrom = performance.now() + WARM_UP_MS;
  const until = timedFrom + load.seconds * 1000;
  let cpuBefore: number | undefined;
  await Promise.all(
    connections.map(async (connection) => {
      for (let sent = performance.now(); sent < until; sent = performance.now()) {
        if (sent >= timedFrom) cpuBefore ??= cpuSeconds(load.server);
        const first = number;
        number += load.batch;
        const indexes = await send(connection, load, first);
        if (sent >= timedFrom) times.push(performance.now() - sent);
        for (const [i, index] of indexes.entries()) pairs.push(index, first + i);
      }
    }),
  );
  const seconds = (performance.now() - timedFrom) / 1000;
  const cpuAfter = cpuSeconds(load.server);
  await checkSentAgain(connections[0], load, pairs);
  for (const connection of connections) connection.close();
  writeFileSync(load.acknowledged, Uint32Array.from(pairs));
  const entries = times.length * load.batch;
  return {
    perSecond: entries / seconds,
    perCpuSecond:
      cpuBefore === undefined || cpuAfter === undefined ? undefined : entries / (cpuAfter - cpuBefore),
    times,
  };
}

/** Sends the entries from `first` on, and returns their indexes. */
async function send(
  connection: Connection,
  { path, batch }: Load,
  first: number,
): Promise<readonly number[]> {
  if (path === '/add') return [indexOf(Number(await connection.post(path, entryOf(first))))];
  const lines = Array.from({ length: batch }, (_, i) => [entryOf(first + i), NEWLINE]).flat();
  const answer = await connection.post(path, Buffer.concat(lines));
  const indexes = answer
    .trimEnd()
    .split('\n')
    .map((line) => indexOf((JSON.parse(line) as { readonly index: unknown }).index));
  if (indexes.length !== batch) throw new Error(`${indexes.length} of ${batch} entries were acknowledged`);
  return indexes;
}

function indexOf(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`server answered ${String(value)} instead of an index`);
}

/** Exactly once: a request that is sent again gets the places that it had. */
async function checkSentAgain(
  connection: Connection | undefined,
  load: Load,
  pairs: readonly number[],
): Promise<void> {
  if (connection === undefined) throw new Error('no connection');
  const places = new Map<number, number>();
  for (let at = 0; at < pairs.length; at += 2) places.set(pairs[at + 1] ?? -1, pairs[at] ?? -1);
  for (let i = 0; i < AGAIN; i++) {
    const first = i * load.batch;
    if (!places.has(first)) break;
    for (const [offset, index] of (await send(connection, load, first)).entries()) {
      if (places.get(first + offset) !== index) throw new Error(`entry ${first + offset} was appended twice`);
    }
  }
}
