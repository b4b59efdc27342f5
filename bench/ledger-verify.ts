// Export of a whole log and its verification, as `comity verify` does it. Once with opaque entries, whose hashes, root
// and signature are checked, and once with records, each of which is also parsed, checked against the schema of its event
// and followed in its producer's sequence; threads of their own do that where there are cores. The verdict is checked,
// also that one altered byte is found.
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sharedFileBytes } from '../src/cli/ledger-input.ts';
import { exportEvidence } from '../src/ledger/evidence/export.ts';
import { verifyRecordsAside } from '../src/ledger/evidence/records-aside.ts';
import { createLogDirectory, openLogDirectory } from '../src/ledger/log/directory.ts';
import { nodeHasher } from '../src/ledger/log/node-hash.ts';
import { nodeSignatures } from '../src/ledger/log/node-signatures.ts';
import { canonicalBytes } from '../src/ledger/record/canonical.ts';
import { uuidBytes } from '../src/ledger/record/uuidv7.ts';
import { recordValidator } from '../src/ledger/record/validate.ts';
import { randomPool, sealRecord } from '../src/ledger/sealing/seal.ts';
import { parsePolicy } from '../src/tlog/policy.ts';
import type { Benchmark, Part, Row } from './bench.ts';
import { ofRounds } from './bench.ts';
import { entryOf } from './ledger-http-load.ts';
import { benchProducer, modelCall } from './ledger-record.ts';
import { figure, inTemporary } from './processes.ts';

const STEP = 2048;
const ROUNDS = 3;
const GOAL = '≤ 5 s';

type Made = { readonly bytes: Uint8Array; readonly key?: Uint8Array };

export const benchmark: Benchmark = {
  name: 'ledger-verify',
  summary: 'verify a bundle of a whole log',
  flags: { entries: { type: 'string', default: '1000000' } },
  parts: {
    opaque: verified('opaque entries of 1 KB', () => (number) => ({ bytes: entryOf(number) })),
    records: verified('sealed records', sealedRecords),
  },
};

function verified(title: string, make: () => (number: number) => Made): Part {
  return ({ entries }) =>
    inTemporary((directory) =>
      verifiedRows(directory, `${figure(Number(entries))} ${title}`, Number(entries), make()),
    );
}

async function verifiedRows(
  directory: string,
  title: string,
  count: number,
  make: (number: number) => Made,
): Promise<readonly Row[]> {
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
  const size = statSync(path).size;
  const fd = openSync(path, 'r+');
  writeSync(fd, 'X', Math.floor(size / 2));
  closeSync(fd);
  const altered = await verify();
  if (altered.kind !== 'INVALID') throw new Error('an altered entry was not found');
  return [
    ofRounds(`export of ${title}`, 's', [exported.seconds], { detail: `${figure(size / 2 ** 20)} MiB` }),
    ofRounds(`verify ${title}`, 's', times, {
      goal: GOAL,
      claim: `verify a bundle of ${title}, read from disk`,
      detail: `with one byte altered: ${altered.kind} (${altered.fault})`,
    }),
    ofRounds(`verify ${title}: CPU time of all threads`, 's', cpu),
  ];
}

function sealedRecords(): () => Made {
  const producer = benchProducer();
  const key = { id: randomBytes(16).toString('base64url'), key: randomBytes(32) };
  const keys = new Map([['somebody', key]]);
  const random = randomPool(64 * 1024);
  return () => {
    const { record } = sealRecord(
      modelCall(producer),
      [{ subjects: ['somebody'], fields: { prompt: 'x' } }],
      keys,
      random,
    );
    return { bytes: canonicalBytes(record), key: uuidBytes(record.id) };
  };
}

async function timed<T>(run: () => Promise<T>): Promise<{ seconds: number; value: T }> {
  const began = performance.now();
  const value = await run();
  return { seconds: (performance.now() - began) / 1000, value };
}
