// Durable appends in one process, on one core. Every acknowledged entry was covered by an fdatasync that returned
// before; both are counted, and the log is checked against its own hashes at the end.
import { type Disk, systemDisk } from '../src/ledger/files/disk.ts';
import { createFilesStore, openFilesStore } from '../src/ledger/files/files-store.ts';
import { Appender } from '../src/ledger/log/appender.ts';
import { nodeHasher } from '../src/ledger/log/node-hash.ts';
import { Frontier } from '../src/tlog/frontier.ts';
import type { Benchmark, Row } from './bench.ts';
import { ofRounds, row } from './bench.ts';
import { figure, inTemporary, stayOnOneCore } from './processes.ts';

const ENTRY_BYTES = 1024;
const SECONDS = 4;
const ROUNDS = 3;
/** Room to check results in; more than any machine reaches in the time. */
const MOST_ENTRIES = 8_000_000;

interface Load {
  readonly title: string;
  /** Senders that each wait for their acknowledgement before they go on. */
  readonly senders: number;
  /** Entries that a sender sends at once. */
  readonly batch: number;
}

const LOADS: Readonly<Record<string, Load>> = {
  single: { title: 'one sender, one entry at a time', senders: 1, batch: 1 },
  senders: { title: '64 senders, one entry at a time', senders: 64, batch: 1 },
  crowd: { title: '1024 senders, one entry at a time', senders: 1024, batch: 1 },
  batches: { title: '4 senders, batches of 256', senders: 4, batch: 256 },
  'large-batches': { title: '4 senders, batches of 1024', senders: 4, batch: 1024 },
};

export const benchmark: Benchmark = {
  name: 'ledger-append',
  summary: 'durable append to files',
  parts: Object.fromEntries(Object.entries(LOADS).map(([name, load]) => [name, () => rowsOf(load)])),
};

interface Measured {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  /** Milliseconds of each append. */
  readonly times: readonly number[];
  readonly syncs: number;
  readonly entries: number;
}

async function rowsOf(load: Load): Promise<readonly Row[]> {
  stayOnOneCore();
  const rounds: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++)
    rounds.push(await inTemporary((directory) => measure(load, directory)));
  const { title } = load;
  const sum = (of: (round: Measured) => number): string =>
    figure(rounds.reduce((total, round) => total + of(round), 0));
  return [
    ofRounds(
      title,
      'entries/s',
      rounds.map(({ perSecond }) => perSecond),
      { detail: `${sum(({ syncs }) => syncs)} fdatasync for ${sum(({ entries }) => entries)} entries` },
    ),
    row(
      `${title}: an append`,
      'ms',
      rounds.flatMap(({ times }) => times),
    ),
    ofRounds(
      `${title}: the process`,
      'entries/CPU s',
      rounds.map(({ perCpuSecond }) => perCpuSecond),
    ),
  ];
}

async function measure({ senders, batch }: Load, directory: string): Promise<Measured> {
  await createFilesStore(directory);
  let syncs = 0;
  const disk: Disk = {
    ...systemDisk,
    sync: (fd, done) => {
      syncs += 1;
      systemDisk.sync(fd, done);
    },
  };
  const { store } = await openFilesStore(directory, { disk });
  const hasher = nodeHasher();
  const appender = new Appender(store, hasher);
  const times: number[] = [];
  const expected = new Frontier(hasher);
  const leaves = new Uint8Array(32 * MOST_ENTRIES);
  const acknowledged = new Uint8Array(MOST_ENTRIES);
  let number = 0;
  const cpuBefore = process.cpuUsage();
  const began = performance.now();
  const until = began + SECONDS * 1000;
  await Promise.all(
    Array.from({ length: senders }, async () => {
      while (performance.now() < until) {
        const entries = Array.from({ length: batch }, () => {
          // The beginning differs and the rest repeats: making random data would be half of what is measured.
          const bytes = Buffer.alloc(ENTRY_BYTES, 0x61);
          bytes.writeUInt32BE(number++, 12);
          return { bytes, key: bytes.subarray(0, 16) };
        });
        const sent = performance.now();
        const first = entries[0];
        const places =
          batch === 1 && first !== undefined
            ? [await appender.append(first.bytes, first.key)]
            : await appender.appendAll(entries);
        times.push(performance.now() - sent);
        for (const { index, leaf } of places) {
          leaves.set(leaf, index * 32);
          acknowledged[index] = 1;
        }
      }
    }),
  );
  const elapsed = (performance.now() - began) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const head = await store.grow();
  for (let index = 0; index < head.size; index++) {
    if (acknowledged[index] !== 1) throw new Error(`entry ${index} was never acknowledged`);
    expected.append(leaves.slice(index * 32, index * 32 + 32));
  }
  if (Buffer.compare(expected.root(), head.root) !== 0)
    throw new Error('log has another root than its entries');
  await store.close();
  return {
    perSecond: head.size / elapsed,
    perCpuSecond: head.size / ((cpu.user + cpu.system) / 1e6),
    times,
    syncs,
    entries: head.size,
  };
}
