// Full records in one process: made, sealed, validated, canonical, durable with their sealed parts, acknowledged:
// `node bench/ledger-sealed.ts [directory]`. Every tenth second of it is opened again and compared.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFilesVault } from '../src/ledger/files/vault.ts';
import { openLedger } from '../src/ledger/ledger.ts';
import { createLogDirectory, openLogDirectory } from '../src/ledger/log/directory.ts';
import { startProducer } from '../src/ledger/record/producer.ts';
import { readDisclosure } from '../src/ledger/sealing/disclosure.ts';
import { localWrapper } from '../src/ledger/sealing/wrapping.ts';

const SECONDS = 5;
/** Records that are appended but not timed, so that what runs is compiled. */
const WARM_UP_MS = 1500;
/** What one core should do of full sealed records. */
const GOAL = 25_000;
const SENDERS = 4;
const BATCH = 256;
/** People that records are about. */
const PEOPLE = 500;
const PROMPT = 'x'.repeat(400);

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'comity-bench-'));
console.log(
  `${cpus()[0]?.model ?? 'unknown processor'} · Node ${process.version} · ${SENDERS} senders, batches of ${BATCH}, one sealed prompt of ${PROMPT.length} characters each`,
);
try {
  await createLogDirectory(join(directory, 'log'), 'bench.example/sealed');
  const log = await openLogDirectory(join(directory, 'log'));
  const vault = await openFilesVault(join(directory, 'vault'), { wrapper: localWrapper(randomBytes(32)) });
  const producer = startProducer({
    id: 'bench',
    resource: { 'comity.system.id': 'bench', 'comity.tenant': 'bench', 'service.name': 'bench' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: ['DE', 'BR'],
  });
  const ledger = await openLedger({ log, vault, producer });
  const times: number[] = [];
  let [number, count] = [0, 0];
  const began = performance.now() + WARM_UP_MS;
  const until = began + SECONDS * 1000;
  let cpu: NodeJS.CpuUsage | undefined;
  const opened: Promise<void>[] = [];
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      while (performance.now() < until) {
        const first = number;
        const submissions = Array.from({ length: BATCH }, () => ({
          record: producer.record('gen_ai.client.inference.operation.details', {
            'gen_ai.operation.name': 'chat',
            'gen_ai.provider.name': 'example',
            'gen_ai.request.model': 'model',
            'gen_ai.usage.input_tokens': 100,
            'gen_ai.usage.output_tokens': 200,
          }),
          seal: [
            { subjects: [`person ${number % PEOPLE}`] as const, fields: { prompt: `${number++} ${PROMPT}` } },
          ],
        }));
        const sent = performance.now();
        if (sent >= began) cpu ??= process.cpuUsage();
        const [place] = await ledger.append(submissions);
        if (sent >= began) {
          times.push(performance.now() - sent);
          count += BATCH;
        }
        if (place !== undefined && first % (50 * BATCH) === 0) opened.push(check(place.index, first));
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const used = process.cpuUsage(cpu);
  await Promise.all(opened);
  times.sort((a, b) => a - b);
  const entry = await log.read(0);
  const [user, system] = [used.user / count, used.system / count];
  console.log(
    `${figure(count / seconds)} records/s · ${figure(1e6 / (user + system))} per CPU second (goal ${figure(GOAL)}): ` +
      `${(user + system).toFixed(1)} µs a record, ${system.toFixed(1)} of them in the kernel · ` +
      `p50 ${times[Math.floor(times.length / 2)]?.toFixed(1)} ms  p99 ${times[Math.floor(times.length * 0.99)]?.toFixed(1)} ms a batch · ` +
      `${entry.length} bytes a leaf · ${opened.length} opened and compared`,
  );
  await ledger.close();

  async function check(index: number, expected: number): Promise<void> {
    const { disclosures } = await ledger.open(index);
    const { value } = readDisclosure(disclosures[0] ?? '');
    if (value !== `${expected} ${PROMPT}`) throw new Error(`record ${index} opened as something else`);
  }
} finally {
  rmSync(directory, { recursive: true });
}

function figure(value: number): string {
  return Math.round(value).toLocaleString('en');
}
