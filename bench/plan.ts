import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assess } from '../src/assess/assess.ts';
import { conflictsOf } from '../src/assess/conflict.ts';
import { assessFeature } from '../src/assess/feature.ts';
import { demandsOf, joinDemands } from '../src/assess/join.ts';
import { planRegions } from '../src/assess/plan.ts';
import { whatIf } from '../src/assess/whatif.ts';
import { loadOppositions } from '../src/cli/plan.ts';
import { parseDay } from '../src/facts/date.ts';
import { gather } from '../src/facts/knowledge.ts';
import { readManifest } from '../src/facts/manifest.ts';
import { loadLaw } from '../src/rules/load.ts';
import type { Benchmark, Row } from './bench.ts';
import { row, time } from './bench.ts';
import { inTemporary } from './processes.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const probe = (): { readonly kind: 'absent' } => ({ kind: 'absent' });

export const benchmark: Benchmark = {
  name: 'plan',
  summary: 'joins, conflicts and the region plan over all markets; what-if; the next question; `comity diff`',
  parts: {
    all: () => inTemporary(planRows),
  },
};

async function planRows(repository: string): Promise<readonly Row[]> {
  const loaded = loadLaw();
  const { law } = loaded;
  const oppositions = loadOppositions(loaded);
  const day = parseDay('2026-12-03');
  if (day === undefined) throw new Error('no day');
  const moment = { asOf: day, knownAt: day };
  const markets = [
    ...new Set(
      [...law.rulebooks.values()].filter(({ binding }) => binding).map(({ jurisdiction }) => jurisdiction),
    ),
  ].sort();
  const read = (name: string): ReturnType<typeof readManifest> =>
    readManifest(
      readFileSync(join(ROOT, 'examples', name, 'comity.yaml'), 'utf8').replace(
        /^markets:\n(?: {2}.*\n)+/m,
        `markets:\n${markets.map((market) => `  "${market}": {role: [provider, deployer, controller]}\n`).join('')}`,
      ),
      name,
      law,
    );
  const manifest = read('image-generator');
  const feature = assessFeature(law, manifest, { moment, probe });
  const demands = demandsOf(feature.markets);
  if (conflictsOf(law, oppositions, demands).length === 0)
    throw new Error('no conflict found where there is one');
  const joins = await time(20, () => {
    joinDemands(law, demands);
    conflictsOf(law, oppositions, demands);
  });
  const plan = await time(20, () => planRegions(law, oppositions, feature.markets));
  const voice = read('voice-coach');
  const ask = (): ReturnType<typeof whatIf> =>
    whatIf({
      law,
      market: 'EU',
      moment,
      statements: voice.statements('EU'),
      declared: voice.controls,
      probe,
      goal: 'allowed-if',
      answers: 1,
      limitMs: 10_000,
    });
  const answer = ask();
  if (answer.kind !== 'reached') throw new Error('what-if found nothing');
  const whatif = await time(10, ask, 1);
  const { knowledge } = gather(law.vocabulary, law.jurisdictions, 'EU', manifest.statements('EU'));
  const next = await time(
    50,
    () =>
      assess({ law, market: 'EU', moment, knowledge, declared: new Map(), probe, horizonMonths: 0 }).reasons
        .length,
  );
  const git = (...args: readonly string[]): void =>
    void execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      cwd: repository,
    });
  git('init', '-q');
  cpSync(join(ROOT, 'examples'), join(repository, 'examples'), { recursive: true });
  git('add', '-A');
  git('commit', '-qm', 'examples');
  const diff = await time(
    8,
    () => spawnSync(process.execPath, [join(ROOT, 'src/cli/main.ts'), 'diff', 'HEAD'], { cwd: repository }),
    1,
  );
  return [
    row(`joins and conflicts, ${markets.length} markets, ${demands.length} demands`, 'ms', joins),
    row(`plan, ${markets.length} markets`, 'ms', plan),
    row('what-if, one market, no solver', 'ms', whatif),
    row('outcome and open questions of one market', 'ms', next),
    row('comity diff on the examples, cold process', 'ms', diff),
  ];
}
