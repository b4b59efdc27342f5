// `npm run bench -- <name>`: one benchmark. Machine, versions and load come first; each part is a process of its own.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Benchmark, Flag, Row } from './bench.ts';
import { machine, table } from './bench.ts';

const BENCHMARKS: Readonly<Record<string, () => Promise<{ readonly benchmark: Benchmark }>>> = {
  check: () => import('./check.ts'),
  law: () => import('./law.ts'),
  decide: () => import('./decide.ts'),
  plan: () => import('./plan.ts'),
  kernel: () => import('./kernel.ts'),
  tlog: () => import('./tlog.ts'),
  'ledger-append': () => import('./ledger-append.ts'),
  'ledger-http': () => import('./ledger-http.ts'),
  'ledger-postgres': () => import('./ledger-postgres.ts'),
  'ledger-sealed': () => import('./ledger-sealed.ts'),
  'ledger-soak': () => import('./ledger-soak.ts'),
  'ledger-tessera': () => import('./ledger-tessera.ts'),
  'ledger-verify': () => import('./ledger-verify.ts'),
};

const USAGE = `
usage: npm run bench -- <name> [--part NAME] [--json] [--save]
--save keeps the rows in bench/results, from which \`npm run readme\` writes
files are made under TMPDIR: point it at the disk that is to be measured`;

const [name = '', ...args] = process.argv.slice(2);
const load = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
if (load === undefined) {
  for (const [known, entry] of Object.entries(BENCHMARKS)) {
    const { summary, flags = {} } = (await entry()).benchmark;
    console.error([known.padEnd(17), summary, ...Object.entries(flags).map(optionText)].join(''));
  }
  console.error(USAGE);
  process.exit(name === '' ? 0 : 2);
}
const { benchmark } = await load();
const {
  values: { json, save, part, ...flags },
} = options(benchmark);
if (part !== undefined) {
  const run = benchmark.parts[part];
  if (run === undefined) throw new Error(`no part \`${part}\`: ${Object.keys(benchmark.parts).join(', ')}`);
  print(await run(flags));
} else {
  const before = machine();
  (json ? console.error : console.log)(before);
  const rows = Object.keys(benchmark.parts).flatMap((part) => inItsOwnProcess(part));
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

function options({ flags }: Benchmark) {
  try {
    return parseArgs({
      args,
      options: {
        ...flags,
        json: { type: 'boolean', default: false },
        save: { type: 'boolean', default: false },
        part: { type: 'string' },
      },
    });
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

function inItsOwnProcess(part: string): readonly Row[] {
  const { stdout, status } = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--part', part],
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

function optionText([name, flag]: readonly [string, Flag]): string {
  return ` [--${name}${flag.type === 'boolean' ? '' : ` ${flag.default}`}]`;
}
