// Memory over a long run: `node bench/ledger-soak.ts [--minutes 10] [--opaque] [directory]`. A server of its own takes
// records over HTTP at a steady pace; its memory is read every thirty seconds. After a third of the time it should
// grow no more. Sealed parts are left out: they stand in a database, whose cache is bounded.
//
// With `--opaque` entries are keyed by their hash instead of by an id that grows with time. To know for ever that an
// entry is there already, the server then keeps a filter of two bytes for each in memory; that growth is by design.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createLogDirectory } from '../src/ledger/log/directory.ts';
import { startProducer } from '../src/ledger/record/producer.ts';
import { machine } from './bench.ts';
import { Connection, entryOf } from './ledger-http-load.ts';
import { figure, pause, SERVER_CORE, serve } from './processes.ts';

const MAIN = join(import.meta.dirname, '../src/cli/main.ts');
const EVERY_MS = 30_000;
const CONNECTIONS = 4;
const BATCH = 64;
/** Entries a second: as many as leave the disk of a laptop room after an hour. */
const RATE = 10_000;
/** What the server may grow by, once it is warm; its collector lets it swing by as much. */
const GOAL_PERCENT = 3;

interface Sample {
  readonly minutes: number;
  /** Resident memory, MiB: all of it, and without the pages of files. */
  readonly resident: number;
  readonly anonymous: number;
  readonly entries: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '10' },
    opaque: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const root = mkdtempSync(join(positionals[0] ?? tmpdir(), 'comity-bench-'));
console.log(machine());
console.log(
  `${minutes} minutes of ${values.opaque ? 'opaque entries of 1,024 bytes' : 'records'}, ${figure(RATE)} a second, ${CONNECTIONS} connections, ${BATCH} to a request`,
);
try {
  const directory = join(root, 'log');
  await createLogDirectory(directory, 'bench.example/soak');
  const server = await serve(SERVER_CORE, [
    process.execPath,
    MAIN,
    'log',
    'serve',
    directory,
    '--anybody-writes',
  ]);
  try {
    report(await soak(server.url, server.pid));
  } finally {
    await server.stop();
  }
} finally {
  rmSync(root, { recursive: true });
}

async function soak(url: string, pid: number): Promise<readonly Sample[]> {
  const began = performance.now();
  const until = began + minutes * 60_000;
  let entries = 0;
  const send = async (): Promise<void> => {
    const connection = await Connection.open(url);
    const body = values.opaque ? opaqueBatches() : recordBatches();
    while (performance.now() < until) {
      await connection.post('/v1/append', body(entries));
      entries += BATCH;
      const ahead = entries / RATE - (performance.now() - began) / 1000;
      if (ahead > 0) await pause(ahead * 1000);
    }
    connection.close();
  };
  const sending = Array.from({ length: CONNECTIONS }, send);
  const samples: Sample[] = [];
  for (let next = began + EVERY_MS; next <= until; next += EVERY_MS) {
    await pause(next - performance.now());
    const sample = { minutes: (performance.now() - began) / 60_000, ...memoryOf(pid), entries };
    samples.push(sample);
    console.log(
      `${sample.minutes.toFixed(1).padStart(5)} min  resident ${sample.resident.toFixed(0).padStart(4)} MiB, ` +
        `${sample.anonymous.toFixed(0).padStart(4)} of it anonymous   ${figure(entries).padStart(11)} entries`,
    );
  }
  await Promise.all(sending);
  return samples;
}

function opaqueBatches(): (first: number) => Buffer {
  const newline = Buffer.from('\n');
  let number = 0;
  const own = Math.floor(Math.random() * 1000) * 10_000_000;
  return () =>
    Buffer.concat(
      Array.from({ length: BATCH }, () => [entryOf((own + number++) % 10 ** 10), newline]).flat(),
    );
}

function recordBatches(): () => Buffer {
  const producer = startProducer({
    id: 'bench',
    resource: { 'comity.system.id': 'bench', 'comity.tenant': 'bench', 'service.name': 'bench' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: ['DE', 'BR'],
  });
  const line = (): string =>
    `${JSON.stringify(
      producer.record('gen_ai.client.inference.operation.details', {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'example',
        'gen_ai.request.model': 'model',
        'gen_ai.usage.input_tokens': 100,
        'gen_ai.usage.output_tokens': 200,
      }),
    )}\n`;
  return () => Buffer.from(Array.from({ length: BATCH }, line).join(''));
}

/** From `/proc`, in MiB. */
function memoryOf(pid: number): Pick<Sample, 'resident' | 'anonymous'> {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
  return { resident: mib('VmRSS'), anonymous: mib('RssAnon') };
}

/** Growth once warm: from the middle third of the time to the last, by their medians, so that one collection more or less says nothing. */
function report(samples: readonly Sample[]): void {
  const third = (from: number): number => {
    const within = samples.filter(
      (sample) => sample.minutes > from && sample.minutes <= from + minutes / 3 + 0.1,
    );
    const sorted = within.map(({ resident }) => resident).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  const [middle, last] = [third(minutes / 3), third((2 * minutes) / 3)];
  const grown = ((last - middle) / middle) * 100;
  console.log(
    `resident, median of the middle third ${middle.toFixed(0)} MiB, of the last ${last.toFixed(0)} MiB: ` +
      `${grown >= 0 ? '+' : ''}${grown.toFixed(1)} % (goal ≤ ${GOAL_PERCENT} %)`,
  );
}
