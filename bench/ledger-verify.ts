// Export of a whole log and its verification, as `comity verify` does it: `node bench/ledger-verify.ts [entries]
// [directory]`. Once with opaque entries, whose hashes, root and signature are checked, and once with records, each of
// which is also parsed, checked against the schema of its event and followed in its producer's sequence; threads of
// their own do that where there are cores. The verdict is checked, also that one altered byte is found.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedFileBytes } from '../src/cli/ledger-input.ts';
import { exportEvidence } from '../src/ledger/evidence/export.ts';
import { verifyRecordsAside } from '../src/ledger/evidence/records-aside.ts';
import { createLogDirectory, openLogDirectory } from '../src/ledger/log/directory.ts';
import { nodeHasher } from '../src/ledger/log/node-hash.ts';
import { nodeSignatures } from '../src/ledger/log/node-signatures.ts';
import { canonicalBytes } from '../src/ledger/record/canonical.ts';
import { startProducer } from '../src/ledger/record/producer.ts';
import { uuidBytes } from '../src/ledger/record/uuidv7.ts';
import { recordValidator } from '../src/ledger/record/validate.ts';
import { randomPool, sealRecord } from '../src/ledger/sealing/seal.ts';
import { parsePolicy } from '../src/tlog/policy.ts';
import { machine } from './bench.ts';
import { entryOf } from './ledger-http-load.ts';

const STEP = 2048;
const ROUNDS = 3;
const GOAL_SECONDS = 5;

type Made = { readonly bytes: Uint8Array; readonly key?: Uint8Array };

const count = Number(process.argv[2] ?? 1_000_000);
const root = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'comity-bench-'));
console.log(machine());
try {
  await measure('opaque entries of 1,024 bytes', (number) => ({ bytes: entryOf(number) }));
  await measure('sealed records', sealedRecords());
} finally {
  rmSync(root, { recursive: true });
}

async function measure(title: string, make: (number: number) => Made): Promise<void> {
  const directory = mkdtempSync(join(root, 'log-'));
  const { keys } = await createLogDirectory(join(directory, 'log'), 'bench.example/verify');
  const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 });
  for (let at = 0; at < count; at += STEP) {
    await log.appendAll(Array.from({ length: Math.min(STEP, count - at) }, (_, i) => make(at + i)));
  }
  await log.publish();
  const path = join(directory, 'evidence.zip');
  const ranges = [{ from: 0, to: count }];
  const exported = await timed(() => exportEvidence(path, { store: log.store, ranges }));
  await log.close();
  const policy = parsePolicy(`log ${keys[0] ?? ''}\nquorum none\n`);
  const verify = async () => {
    const { verdict } = await verifyRecordsAside(sharedFileBytes(path), {
      policy,
      signatures: nodeSignatures,
      hasher: nodeHasher(),
      readRecord: recordValidator().parse,
      demandRecords: false,
    });
    return verdict;
  };
  const [times, cpu]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    const { seconds, value } = await timed(verify);
    const used = process.cpuUsage(before);
    if (value.kind !== 'LOG-SIGNED ONLY') throw new Error(`verdict ${value.kind}`);
    if (value.findings.records !== count) throw new Error(`${value.findings.records} entries were verified`);
    times.push(seconds);
    cpu.push((used.user + used.system) / 1e6);
  }
  const list = (values: number[]): string =>
    values
      .sort((a, b) => a - b)
      .map((value) => value.toFixed(2))
      .join(' · ');
  console.log(`${count.toLocaleString('en')} ${title}, ${(statSync(path).size / 2 ** 20).toFixed(0)} MiB`);
  console.log(`  export  ${exported.seconds.toFixed(2)} s`);
  console.log(
    `  verify  ${list(times)} s, read from disk included (goal ≤ ${GOAL_SECONDS} s); CPU time of all threads ${list(cpu)} s`,
  );
  const fd = openSync(path, 'r+');
  writeSync(fd, 'X', Math.floor(statSync(path).size / 2));
  const verdict = await verify();
  console.log(
    `  with one byte altered: ${verdict.kind}${verdict.kind === 'INVALID' ? ` (${verdict.fault})` : ''}`,
  );
  if (verdict.kind !== 'INVALID') throw new Error('an altered entry was not found');
  rmSync(directory, { recursive: true });
}

function sealedRecords(): () => Made {
  const producer = startProducer({
    id: 'bench',
    resource: { 'comity.system.id': 'bench', 'comity.tenant': 'bench', 'service.name': 'bench' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: ['DE', 'BR'],
  });
  const key = { id: randomBytes(16).toString('base64url'), key: randomBytes(32) };
  const keys = new Map([['somebody', key]]);
  const random = randomPool(64 * 1024);
  return () => {
    const call = producer.record('gen_ai.client.inference.operation.details', {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'example',
      'gen_ai.request.model': 'model',
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.output_tokens': 200,
    });
    const { record } = sealRecord(call, [{ subjects: ['somebody'], fields: { prompt: 'x' } }], keys, random);
    return { bytes: canonicalBytes(record), key: uuidBytes(record.id) };
  };
}

async function timed<T>(run: () => Promise<T>): Promise<{ seconds: number; value: T }> {
  const began = performance.now();
  const value = await run();
  return { seconds: (performance.now() - began) / 1000, value };
}
