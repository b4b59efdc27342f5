// Memory over a long run. A server of its own takes records over HTTP at a steady pace; its memory is read every thirty
// seconds. After a third of the time it should grow no more. Sealed parts are left out: they stand in a database, whose
// cache is bounded.
//
// With `--opaque` entries are keyed by their hash instead of by an id that grows with time. To know for ever that an
// entry is there already, the server then keeps a filter of two bytes for each in memory; that growth is by design.
import { readFileSync } from 'node:fs';
import { createLogDirectory } from '../src/ledger/log/directory.ts';
import type { Benchmark, Flags, Row } from './bench.ts';
import { number, ofRounds } from './bench.ts';
import { Connection, entryOf } from './ledger-http-load.ts';
import { benchProducer, modelCall } from './ledger-record.ts';
import { CORES, figure, inTemporary, pause, SERVER_CORE, serve } from './processes.ts';

const EVERY_MS = 30_000;
const CONNECTIONS = 4;
const BATCH = 64;
/** Entries a second: as many as leave the disk of a laptop room after an hour. */
const RATE = 10_000;
/** What the server may grow by, once it is warm; its collector lets it swing by as much. */
const GOAL = '≤ 3 %';

interface Sample {
  readonly minutes: number;
  /** Resident memory, MiB: all of it, and without the pages of files. */
  readonly resident: number;
  readonly anonymous: number;
  readonly entries: number;
}

interface Soak {
  readonly minutes: number;
  readonly opaque: boolean;
}

export const benchmark: Benchmark = {
  name: 'ledger-soak',
  summary: 'memory of a server under load for minutes',
  flags: {
    minutes: { type: 'string', default: '10' },
    opaque: { type: 'boolean', default: false },
  },
  parts: { server: memoryRows },
};

function memoryRows(flags: Flags): Promise<readonly Row[]> {
  const how = { minutes: Number(flags.minutes), opaque: flags.opaque === true };
  if (!(how.minutes >= 2))
    throw new RangeError('`--minutes` must be 2 or more: memory is read twice a minute');
  console.error(CORES);
  return inTemporary(async (directory) => {
    await createLogDirectory(directory, 'bench.example/soak');
    const server = await serve(SERVER_CORE, ['log', 'serve', directory, '--anybody-writes']);
    try {
      return rowsOf(how, await soak(how, server.url, server.pid));
    } finally {
      await server.stop();
    }
  });
}

async function soak({ minutes, opaque }: Soak, url: string, pid: number): Promise<readonly Sample[]> {
  const began = performance.now();
  const until = began + minutes * 60_000;
  let entries = 0;
  const send = async (): Promise<void> => {
    const connection = await Connection.open(url);
    const body = opaque ? opaqueBatches() : recordBatches();
    while (performance.now() < until) {
      await connection.post('/v1/append', body());
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
    console.error(
      `${sample.minutes.toFixed(1).padStart(5)} min  resident ${sample.resident.toFixed(0).padStart(4)} MiB, ` +
        `${sample.anonymous.toFixed(0).padStart(4)} of it anonymous   ${figure(entries).padStart(11)} entries`,
    );
  }
  await Promise.all(sending);
  return samples;
}

function opaqueBatches(): () => Buffer {
  const newline = Buffer.from('\n');
  let number = 0;
  const own = Math.floor(Math.random() * 1000) * 10_000_000;
  return () =>
    Buffer.concat(
      Array.from({ length: BATCH }, () => [entryOf((own + number++) % 10 ** 10), newline]).flat(),
    );
}

function recordBatches(): () => Buffer {
  const producer = benchProducer();
  return () =>
    Buffer.from(Array.from({ length: BATCH }, () => `${JSON.stringify(modelCall(producer))}\n`).join(''));
}

/** From `/proc`, in MiB. */
function memoryOf(pid: number): Pick<Sample, 'resident' | 'anonymous'> {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const mib = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
  return { resident: mib('VmRSS'), anonymous: mib('RssAnon') };
}

/** Growth once warm: from the middle third of the time to the last, by their medians, so that one collection more or less says nothing. */
function rowsOf({ minutes, opaque }: Soak, samples: readonly Sample[]): readonly Row[] {
  const what = `${figure(RATE)} ${opaque ? 'opaque entries' : 'records'}/s for ${minutes} minutes`;
  const third = (name: string, from: number): Row =>
    ofRounds(
      `server at ${what}: resident, ${name} third`,
      'MiB',
      samples
        .filter((sample) => sample.minutes > from && sample.minutes <= from + minutes / 3 + 0.1)
        .map(({ resident }) => resident),
    );
  const [middle, last] = [third('middle', minutes / 3), third('last', (2 * minutes) / 3)];
  const growth = ((last.median - middle.median) / middle.median) * 100;
  return [
    middle,
    last,
    ofRounds(`server at ${what}: growth between them`, '%', [growth], {
      goal: GOAL,
      claim: `growth of a server's memory at ${what}, from the middle third to the last`,
      detail: `from ${number(middle.median)} to ${number(last.median)} MiB; ${figure(samples.at(-1)?.entries ?? 0)} entries`,
    }),
  ];
}
