// `npm run bench -- <name>`: one benchmark. Machine, versions and load come first; each part is a process of its own.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Benchmark, Row } from './bench.ts';
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
    'ledger-soak': {
      summary: 'memory of a server over ten minutes [--minutes N]',
      run: () => import('./ledger-soak.ts'),
    },
    'ledger-tessera': {
      summary: 'append over HTTP beside Tessera, where Go is present',
      run: () => import('./ledger-tessera.ts'),
    },
    'ledger-verify': {
      summary: 'verify a bundle of a million entries',
      run: () => import('./ledger-verify.ts'),
    },
  };

const {
  positionals: [name],
  values: { json = false, save = false, part },
} = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { json: { type: 'boolean' }, save: { type: 'boolean' }, part: { type: 'string' } },
});
if (name !== undefined && Object.hasOwn(SCRIPTS, name)) {
  process.argv.splice(2, 1);
  await SCRIPTS[name]?.run();
  process.exit();
}
const load = name === undefined || !Object.hasOwn(BENCHMARKS, name) ? undefined : BENCHMARKS[name];
if (name === undefined || load === undefined) {
  for (const [known, entry] of Object.entries(BENCHMARKS))
    console.error(`${known.padEnd(17)}${(await entry()).benchmark.summary}`);
  for (const [known, { summary }] of Object.entries(SCRIPTS)) console.error(`${known.padEnd(17)}${summary}`);
  console.error(
    '\nusage: npm run bench -- <name> [--part NAME] [--json] [--save]\n--save keeps the rows in bench/results, from which `npm run readme` writes',
  );
  process.exit(name === undefined ? 0 : 2);
}
const { benchmark } = await load();
if (typeof part === 'string') {
  const run = benchmark.parts[part];
  if (run === undefined) throw new Error(`no part \`${part}\`: ${Object.keys(benchmark.parts).join(', ')}`);
  print(await run());
} else {
  const before = machine();
  (json ? console.error : console.log)(before);
  const rows = Object.keys(benchmark.parts).flatMap((part) => inItsOwnProcess(benchmark, part));
  const compared = benchmark.compare?.(rows) ?? rows;
  if (json) print(compared);
  else console.log(table(compared));
  if (save) {
    const directory = fileURLToPath(new URL('results', import.meta.url));
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      `${directory}/${name}.json`,
      `${JSON.stringify({ on: new Date().toISOString().slice(0, 10), machine: before, rows: compared }, undefined, 2)}\n`,
    );
  }
}

function inItsOwnProcess({ name }: Benchmark, part: string): readonly Row[] {
  const { stdout, status } = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), name, '--part', part],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 },
  );
  if (status !== 0) throw new Error(`part \`${part}\` ended with ${status}`);
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Row);
}

function print(rows: readonly Row[]): void {
  console.log(rows.map((row) => JSON.stringify(row)).join('\n'));
}
