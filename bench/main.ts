// `npm run bench -- <name> [--json]`: one benchmark. Machine, versions and load come first; with `--json`, one line per row.
import type { Benchmark } from './bench.ts';
import { machine, table } from './bench.ts';

const BENCHMARKS: Readonly<Record<string, () => Promise<{ readonly benchmark: Benchmark }>>> = {
  check: () => import('./check.ts'),
  law: () => import('./law.ts'),
  decide: () => import('./decide.ts'),
  plan: () => import('./plan.ts'),
  kernel: () => import('./kernel.ts'),
};

/** Benchmarks of the log: scripts of their own, since they pin cores, start servers and count system calls. */
const SCRIPTS: Readonly<Record<string, { readonly summary: string; readonly run: () => Promise<unknown> }>> =
  {
    tlog: {
      summary: 'hashing, proofs and signatures of the transparency log',
      run: () => import('./tlog.ts'),
    },
    'ledger-append': { summary: 'durable append to files', run: () => import('./ledger-append.ts') },
    'ledger-http': {
      summary: 'append over HTTP, and to witnessed checkpoints',
      run: () => import('./ledger-http.ts'),
    },
    'ledger-postgres': {
      summary: 'durable append to PostgreSQL by several replicas',
      run: () => import('./ledger-postgres.ts'),
    },
    'ledger-sealed': { summary: 'full sealed records', run: () => import('./ledger-sealed.ts') },
    'ledger-verify': {
      summary: 'verify a bundle of a million entries',
      run: () => import('./ledger-verify.ts'),
    },
  };

const [name, ...flags] = process.argv.slice(2);
if (name !== undefined && Object.hasOwn(SCRIPTS, name)) {
  process.argv.splice(2, 1);
  await SCRIPTS[name]?.run();
  process.exit();
}
const load = name === undefined || !Object.hasOwn(BENCHMARKS, name) ? undefined : BENCHMARKS[name];
if (load === undefined) {
  for (const [known, entry] of Object.entries(BENCHMARKS))
    console.error(`${known.padEnd(17)}${(await entry()).benchmark.summary}`);
  for (const [known, { summary }] of Object.entries(SCRIPTS)) console.error(`${known.padEnd(17)}${summary}`);
  console.error('\nusage: npm run bench -- <name> [--json]');
  process.exit(name === undefined || name === '--help' ? 0 : 2);
}
const { benchmark } = await load();
const json = flags.includes('--json');
(json ? console.error : console.log)(machine());
const rows = await benchmark.run();
console.log(json ? rows.map((row) => JSON.stringify(row)).join('\n') : table(rows));
