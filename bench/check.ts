import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadLaw } from '../src/rules/load.ts';
import type { Benchmark, Row } from './bench.ts';
import { ofRounds, row } from './bench.ts';
import { inTemporary } from './processes.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Runs the command and reports the peak memory of its process on its last line of standard error. */
const RUNNER = `process.on('exit', () => process.stderr.write('\\nrss ' + process.resourceUsage().maxRSS)); process.argv.splice(1, 1); await import(process.argv[1]);`;

function run(args: readonly string[]): {
  readonly ms: number;
  readonly mebibytes: number;
  readonly out: string;
} {
  const entry = join(ROOT, 'dist/cli/main.js');
  const start = performance.now();
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', RUNNER, '--', entry, entry, ...args],
    { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 30 },
  );
  const ms = performance.now() - start;
  if (status === 2) throw new Error(stderr);
  return { ms, mebibytes: Number(/rss (\d+)$/.exec(stderr)?.[1] ?? Number.NaN) / 1024, out: stdout };
}

/** The manifest of an example, offered in every market that the law covers. */
function everywhere(name: string, folder: string): string {
  const { law } = loadLaw();
  const markets = [...new Set([...law.rulebooks.values()].map(({ jurisdiction }) => jurisdiction))];
  const text = readFileSync(join(ROOT, 'examples', name, 'comity.yaml'), 'utf8').replace(
    /^markets:\n(?: {2}.*\n)+/m,
    `markets:\n${markets.map((market) => `  ${market}: {role: [provider, deployer]}\n`).join('')}`,
  );
  const file = join(folder, 'comity.yaml');
  writeFileSync(file, text);
  return file;
}

export const benchmark: Benchmark = {
  name: 'check',
  summary: '`comity check` in a process of its own: one manifest over all markets, and a thousand manifests',
  parts: {
    all: () => inTemporary(checkRows),
  },
};

function checkRows(folder: string): readonly Row[] {
  spawnSync(process.execPath, [join(ROOT, 'scripts/build.ts')], { cwd: ROOT, stdio: 'inherit' });
  const one = everywhere('cv-screener', folder);
  if (!run(['where', one]).out.includes('CV screener')) throw new Error('the check did not run');
  const singles = Array.from({ length: 15 }, () => run(['check', one]));
  const many = join(folder, 'many');
  for (let i = 0; i < 1000; i++) {
    mkdirSync(join(many, String(i)), { recursive: true });
    writeFileSync(
      join(many, String(i), 'comity.yaml'),
      readFileSync(join(ROOT, 'examples', i % 2 === 0 ? 'cv-screener' : 'support-chatbot', 'comity.yaml')),
    );
  }
  const thousands = Array.from({ length: 3 }, () => run(['check', many]));
  return [
    row(
      'one manifest, all markets, cold process',
      'ms',
      singles.map(({ ms }) => ms),
    ),
    row(
      'its memory',
      'MiB',
      singles.map(({ mebibytes }) => mebibytes),
    ),
    ofRounds(
      '1 000 manifests in one run',
      'ms',
      thousands.map(({ ms }) => ms),
    ),
    ofRounds(
      'their memory',
      'MiB',
      thousands.map(({ mebibytes }) => mebibytes),
    ),
  ];
}
