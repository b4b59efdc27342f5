// `npm run bench -- <name> [--json]`: one benchmark. Machine, versions and load come first; with `--json`, one line per row.
import type { Benchmark } from './bench.ts';
import { machine, table } from './bench.ts';

const BENCHMARKS: Readonly<Record<string, () => Promise<{ readonly benchmark: Benchmark }>>> = {
  check: () => import('./check.ts'),
  law: () => import('./law.ts'),
  decide: () => import('./decide.ts'),
  plan: () => import('./plan.ts'),
};

const [name, ...flags] = process.argv.slice(2);
const load = name === undefined || !Object.hasOwn(BENCHMARKS, name) ? undefined : BENCHMARKS[name];
if (load === undefined) {
  for (const [known, entry] of Object.entries(BENCHMARKS))
    console.error(`${known.padEnd(12)}${(await entry()).benchmark.summary}`);
  console.error('\nusage: npm run bench -- <name> [--json]');
  process.exit(name === undefined || name === '--help' ? 0 : 2);
}
const { benchmark } = await load();
const json = flags.includes('--json');
(json ? console.error : console.log)(machine());
const rows = await benchmark.run();
console.log(json ? rows.map((row) => JSON.stringify(row)).join('\n') : table(rows));
