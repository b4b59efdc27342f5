import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openCheckpoint } from '../../tlog/checkpoint.ts';
import { noteVerifier } from '../../tlog/cosignature.ts';
import { sameBytes } from '../../tlog/hash.ts';
import { verifyConsistency, verifyInclusion } from '../../tlog/merkle.ts';
import { parseVerifierKey } from '../../tlog/note-key.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { nodeSignatures } from '../log/node-signatures.ts';

const RUNS = process.env.COMITY_LONG === '1' ? 500 : 12;
const RUNS_PER_LOG = 25;
const ORIGIN = 'log.example/killed';

/**
 * A process that appends as fast as it can and prints what was acknowledged: `<number> <index>` a line. It starts
 * with the numbers of the run before, as senders do that never heard back.
 */
const WRITER = `
  import { openLogDirectory } from ${JSON.stringify(new URL('../log/directory.ts', import.meta.url).href)};
  const [directory, first] = process.argv.slice(-2);
  const log = await openLogDirectory(directory, { publishEveryMs: 5 });
  let number = Number(first);
  const send = async () => {
    for (;;) {
      const mine = number++;
      const bytes = Buffer.from('entry ' + mine + ' ' + 'x'.repeat(mine % 700));
      const { index } = await log.append(bytes);
      process.stdout.write(mine + ' ' + index + '\\n');
    }
  };
  await Promise.all(Array.from({ length: 40 }, send));
`;

/** Runs the writer, kills it after a random time, and gives back what it had acknowledged. */
function runAndKill(directory: string, first: number): Promise<Map<number, number>> {
  const child = spawn(
    process.execPath,
    ['--input-type=module-typescript', '-e', WRITER, directory, String(first)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text: string) => {
    // Killed at a random moment of its work, not of its start.
    if (output === '') setTimeout(() => child.kill('SIGKILL'), Math.random() * 60);
    output += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      const whole = output.slice(0, output.lastIndexOf('\n'));
      const pairs = whole.split('\n').map((line) => line.split(' ').map(Number));
      resolve(
        new Map(
          pairs.flatMap(([number, index]) =>
            number === undefined || index === undefined ? [] : [[number, index]],
          ),
        ),
      );
    });
  });
}

test(`killed ${RUNS} times at random moments, a log loses and doubles nothing that it acknowledged`, {
  timeout: RUNS * 5_000,
}, async () => {
  // Everything is read back after each run, so no log gets long.
  for (let left = RUNS; left > 0; left -= RUNS_PER_LOG) await killRepeatedly(Math.min(left, RUNS_PER_LOG));
});

async function killRepeatedly(runs: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'comity-kill-'));
  const hasher = nodeHasher();
  const key = parseVerifierKey((await createLogDirectory(directory, ORIGIN)).keys[0] ?? '');
  const acknowledged = new Map<number, number>();
  let highest = 0;
  const checkpoints: { size: number; root: Uint8Array }[] = [];
  try {
    for (let run = 0; run < runs; run++) {
      for (const [number, index] of await runAndKill(directory, Math.max(0, highest - 30))) {
        highest = Math.max(highest, number);
        expect(acknowledged.get(number) ?? index).toBe(index);
        acknowledged.set(number, index);
      }
      const log = await openLogDirectory(directory, { publishEveryMs: 0 });
      // Killed before the first checkpoint there is none to hold the log to.
      const published = log.published();
      if (published !== undefined) {
        const file = readFileSync(join(directory, 'checkpoint'), 'utf8');
        checkpoints.push(openCheckpoint(file, ORIGIN, [noteVerifier(key, nodeSignatures)]).checkpoint);
      }
      const seen = new Map<string, number>();
      const { size } = await log.store.grow();
      let at = 0;
      for await (const entries of log.entries(0, size)) {
        for (const bytes of entries) {
          const text = Buffer.from(bytes).toString();
          expect(seen.has(text)).toBe(false);
          seen.set(text, at++);
        }
      }
      for (const [number, index] of acknowledged) {
        expect(seen.get(`entry ${number} ${'x'.repeat(number % 700)}`)).toBe(index);
      }
      const head = await log.publish();
      for (const older of checkpoints.slice(-5)) {
        if (older.size === 0 || older.size === head.size) continue;
        const proof = await log.tree().consistencyProof(older.size);
        verifyConsistency(
          { oldSize: older.size, oldRoot: older.root, newSize: head.size, newRoot: head.root },
          proof,
          hasher,
        );
      }
      const some = [...acknowledged.values()].at(-1) ?? 0;
      const proof = await log.tree().inclusionProof(some);
      const leaf = hasher.leaf(await log.read(some));
      verifyInclusion({ index: some, size: head.size, leaf, root: head.root }, proof, hasher);
      expect(sameBytes(await log.tree().root(), head.root)).toBe(true);
      await log.close();
    }
    expect(acknowledged.size).toBeGreaterThan(runs * 10);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
