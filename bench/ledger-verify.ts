// Export of a whole log and its verification, as the command line does them:
// `node bench/ledger-verify.ts [entries] [directory]`. The verdict is checked, also that one altered byte is found.
import { mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogDirectory, openLogDirectory } from '../src/ledger/directory.ts';
import { exportEvidence } from '../src/ledger/evidence/export.ts';
import { verifyEvidence } from '../src/ledger/evidence/verify.ts';
import { nodeHasher } from '../src/ledger/node-hash.ts';
import { nodeSignatures } from '../src/ledger/node-signatures.ts';
import { parsePolicy } from '../src/tlog/policy.ts';

const ENTRY_BYTES = 1024;
const STEP = 2048;
const ROUNDS = 3;

const count = Number(process.argv[2] ?? 1_000_000);
const directory = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'comity-bench-'));
console.log(
  `${cpus()[0]?.model ?? 'unknown processor'} · Node ${process.version} · ${count.toLocaleString('en')} entries of ${ENTRY_BYTES} bytes`,
);
try {
  const { keys } = await createLogDirectory(join(directory, 'log'), 'bench.example/verify');
  const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 });
  for (let at = 0; at < count; at += STEP) {
    const entries = Array.from({ length: Math.min(STEP, count - at) }, (_, i) => {
      const bytes = Buffer.alloc(ENTRY_BYTES, 0x61);
      bytes.writeUInt32BE(at + i, 12);
      return { bytes, key: bytes.subarray(0, 16) };
    });
    await log.appendAll(entries);
  }
  await log.publish();
  const path = join(directory, 'evidence.zip');
  const ranges = [{ from: 0, to: count }];
  const exported = await timed(() => exportEvidence(path, { store: log.store, ranges }));
  console.log(`export  ${exported.seconds.toFixed(2)} s  ${(statSync(path).size / 2 ** 20).toFixed(0)} MiB`);
  const policy = parsePolicy(`log ${keys[0] ?? ''}\nquorum none\n`);
  const verify = () =>
    verifyEvidence(readFileSync(path), { policy, signatures: nodeSignatures, hasher: nodeHasher() });
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { seconds, value } = await timed(async () => verify());
    if (value.kind !== 'LOG-SIGNED ONLY') throw new Error(`verdict ${value.kind}`);
    times.push(seconds);
  }
  times.sort((a, b) => a - b);
  console.log(`verify  ${times.map((time) => time.toFixed(2)).join(' · ')} s, read from disk included`);
  const fd = openSync(path, 'r+');
  writeSync(fd, 'X', Math.floor(statSync(path).size / 2));
  const verdict = verify();
  console.log(
    `verify with one byte altered: ${verdict.kind}${verdict.kind === 'INVALID' ? ` (${verdict.fault})` : ''}`,
  );
  if (verdict.kind !== 'INVALID') throw new Error('an altered entry was not found');
  await log.close();
} finally {
  rmSync(directory, { recursive: true });
}

async function timed<T>(run: () => Promise<T>): Promise<{ seconds: number; value: T }> {
  const began = performance.now();
  const value = await run();
  return { seconds: (performance.now() - began) / 1000, value };
}
