// Full records in one process, on one core: made, sealed, validated, canonical, durable with their sealed parts,
// acknowledged. Some of each round are opened again and compared.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { openFilesVault } from '../src/ledger/files/vault.ts';
import { type Ledger, openLedger, type Submission } from '../src/ledger/ledger.ts';
import { createLogDirectory, openLogDirectory } from '../src/ledger/log/directory.ts';
import type { Producer } from '../src/ledger/record/producer.ts';
import { readDisclosure } from '../src/ledger/sealing/disclosure.ts';
import { localWrapper } from '../src/ledger/sealing/wrapping.ts';
import type { Benchmark, Row } from './bench.ts';
import { number, ofRounds, row } from './bench.ts';
import { benchProducer, modelCall } from './ledger-record.ts';
import { inTemporary, stayOnOneCore } from './processes.ts';

const SECONDS = 5;
const ROUNDS = 3;
/** Records that are appended but not timed, so that what runs is compiled. */
const WARM_UP_SECONDS = 1.5;
const SENDERS = 4;
const BATCH = 256;
/** One record is opened out of as many batches. */
const OPENED_EVERY = 50;
/** People that records are about. */
const PEOPLE = 500;
const PROMPT = 'x'.repeat(400);

interface Measured {
  /** Milliseconds of each batch. */
  readonly times: readonly number[];
  readonly perSecond: number;
  /** CPU time of a record, µs. */
  readonly user: number;
  readonly system: number;
  readonly opened: number;
}

export const benchmark: Benchmark = {
  name: 'ledger-sealed',
  summary: 'full sealed records',
  parts: { batches: () => inTemporary(sealedRows) },
};

async function sealedRows(directory: string): Promise<readonly Row[]> {
  stayOnOneCore();
  await createLogDirectory(join(directory, 'log'), 'bench.example/sealed');
  const log = await openLogDirectory(join(directory, 'log'));
  const vault = await openFilesVault(join(directory, 'vault'), { wrapper: localWrapper(randomBytes(32)) });
  const producer = benchProducer();
  const ledger = await openLedger({ log, vault, producer });
  const prompts = numbers();
  await measure(ledger, producer, prompts, WARM_UP_SECONDS);
  const rounds: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(ledger, producer, prompts, SECONDS));
  const leaf = await log.read(0);
  await ledger.close();
  const sum = (of: (round: Measured) => number): number =>
    rounds.reduce((total, round) => total + of(round), 0);
  const title = `full sealed records, ${SENDERS} senders, batches of ${BATCH}`;
  return [
    ofRounds(
      title,
      'records/s',
      rounds.map(({ perSecond }) => perSecond),
      { detail: `${leaf.length} bytes a leaf; ${sum(({ opened }) => opened)} opened and compared` },
    ),
    row(
      `${title}: a batch`,
      'ms',
      rounds.flatMap(({ times }) => times),
    ),
    ofRounds(
      `${title}: the process`,
      'records/CPU s',
      rounds.map(({ user, system }) => 1e6 / (user + system)),
      {
        goal: '≥ 25,000 records/CPU s',
        claim: `full records, each with a prompt of ${PROMPT.length} characters sealed, in batches of ${BATCH}`,
        detail: `${number(sum(({ system }) => system) / ROUNDS)} µs of each in the operating system`,
      },
    ),
  ];
}

function numbers(): () => number {
  let next = 0;
  return () => next++;
}

async function measure(
  ledger: Ledger,
  producer: Producer,
  prompts: () => number,
  seconds: number,
): Promise<Measured> {
  const times: number[] = [];
  const opened: Promise<void>[] = [];
  const cpu = process.cpuUsage();
  const began = performance.now();
  const until = began + seconds * 1000;
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      while (performance.now() < until) {
        const first = prompts();
        const submissions = Array.from({ length: BATCH }, (_, i) =>
          submission(producer, i === 0 ? first : prompts()),
        );
        const sent = performance.now();
        const [place] = await ledger.append(submissions);
        times.push(performance.now() - sent);
        if (place !== undefined && times.length % OPENED_EVERY === 1)
          opened.push(check(ledger, place.index, first));
      }
    }),
  );
  const elapsed = (performance.now() - began) / 1000;
  const used = process.cpuUsage(cpu);
  await Promise.all(opened);
  const count = times.length * BATCH;
  return {
    times,
    perSecond: count / elapsed,
    user: used.user / count,
    system: used.system / count,
    opened: opened.length,
  };
}

function submission(producer: Producer, prompt: number): Submission {
  return {
    record: modelCall(producer),
    seal: [{ subjects: [`person ${prompt % PEOPLE}`], fields: { prompt: `${prompt} ${PROMPT}` } }],
  };
}

async function check(ledger: Ledger, index: number, expected: number): Promise<void> {
  const { disclosures } = await ledger.open(index);
  const { value } = readDisclosure(disclosures[0] ?? '');
  if (value !== `${expected} ${PROMPT}`) throw new Error(`record ${index} opened as something else`);
}
