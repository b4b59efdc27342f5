// `npm run equality -- [--triples 1000000] [--seed N]`: the kernel against the reference interpreter on random law.
// A triple is a law, a feature and a call; each is decided in every way the kernel has, and by the interpreter.
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { mismatchOf, situations } from '../src/kernel/testdata/situations.ts';

/** Calls to each law and feature, at most. */
const CALLS = 32;
/** Laws between two lines of progress, each part with a seed of its own. */
const PART = 500;

const { values } = parseArgs({
  options: {
    triples: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const [wanted, seed] = [Number(values.triples), Number(values.seed)];
if (!Number.isSafeInteger(wanted) || wanted < 1 || !Number.isSafeInteger(seed))
  throw new RangeError('--triples and --seed are whole numbers');

const began = performance.now();
let [triples, laws] = [0, 0];
for (let part = 0; triples < wanted; part++) {
  const run = fc.check(
    fc.property(situations(CALLS), (situation) => {
      triples += situation.calls.length;
      laws += 1;
      const mismatch = mismatchOf(situation);
      if (mismatch !== undefined) throw new Error(mismatch);
    }),
    { numRuns: PART, seed: (seed + part) | 0 },
  );
  if (run.failed) {
    console.error(fc.defaultReportMessage(run));
    process.exit(1);
  }
  if (process.stderr.isTTY) process.stderr.write(`\r${triples} of ${wanted} triples`);
}
const seconds = Math.round((performance.now() - began) / 1000);
console.log(`${triples} triples of ${laws} laws in ${seconds} s, seed ${seed}: no mismatch`);
