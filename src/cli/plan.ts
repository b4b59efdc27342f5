import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Conflict } from '../assess/conflict.ts';
import { formatValue } from '../assess/demand.ts';
import { probeBeside } from '../assess/evidence-files.ts';
import type { FeatureAssessment } from '../assess/feature.ts';
import type { JoinedControl } from '../assess/join.ts';
import type { Plan } from '../assess/plan.ts';
import { planRegions } from '../assess/plan.ts';
import type { Answer } from '../assess/whatif.ts';
import { whatIf } from '../assess/whatif.ts';
import { parseSource } from '../facts/source.ts';
import type { Law } from '../rules/law.ts';
import type { LoadedLaw } from '../rules/load.ts';
import type { Opposition } from '../rules/opposition.ts';
import { readOppositions } from '../rules/opposition.ts';
import type { Arguments, Command, ExitCode, Io } from './command.ts';
import { EXIT } from './command.ts';
import { assessAll, QUESTION_OPTIONS } from './input.ts';
import { paint, row } from './style.ts';
import { changeText, citation, count, sentence } from './words.ts';

export const command: Command = {
  name: 'plan',
  summary: 'the fewest builds that satisfy all markets, and what stands against one',
  usage: 'plan [manifest or directory …] [options]',
  options: {
    ...QUESTION_OPTIONS,
    format: { type: 'string', value: 'table|json|markdown', help: 'how to print (default table)' },
  },
  examples: ['comity plan', 'comity plan examples/cv-screener --market EU,KR,US-CO'],
  run,
};

/** The oppositions of a body of law; none where it has no `conflicts/`. */
export function loadOppositions({ law, directory }: LoadedLaw): readonly Opposition[] {
  const folder = join(directory, 'conflicts');
  const files = readdirSync(directory).includes('conflicts')
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.yaml'))
        .sort()
    : [];
  return readOppositions(
    files.map((name) => parseSource(readFileSync(join(folder, name), 'utf8'), `law/conflicts/${name}`)),
    law.controls,
  );
}

function run(args: Arguments, io: Io): ExitCode {
  const { loaded, moment, features } = assessAll(args, args.positionals);
  const oppositions = loadOppositions(loaded);
  const plans = features.map((feature) => ({
    feature,
    plan: planRegions(loaded.law, oppositions, feature.markets),
    ways: waysOut(loaded.law, feature),
  }));
  const format = args.text('format') ?? 'table';
  if (format === 'json') {
    io.out(
      `${JSON.stringify({ format: 'comity.plan/1', ruleset: loaded.digest, as_of: moment.asOf, features: plans.map(({ feature, plan, ways }) => ({ name: feature.manifest.name, file: feature.manifest.file, ...planReport(loaded.law, plan, ways) })) }, undefined, 2)}\n`,
    );
  } else if (format === 'markdown')
    io.out(plans.map(({ feature, plan, ways }) => markdown(loaded.law, feature, plan, ways)).join('\n'));
  else {
    plans.forEach(({ feature, plan, ways }, i) => {
      if (i > 0) io.out('\n');
      print(loaded.law, feature, plan, ways, io);
    });
  }
  return plans.some(({ plan }) => plan.blocked.some(({ outcome }) => outcome === 'not-allowed'))
    ? EXIT.findings
    : EXIT.clean;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const letter = (i: number): string => LETTERS[i] ?? `V${i + 1}`;

/** The cheapest way out of each market that is not allowed. */
type Ways = ReadonlyMap<string, Answer>;

/** A plan is no search: what takes longer per market is left to `comity whatif`. */
const WAY_LIMIT_MS = 1000;

function waysOut(law: Law, { manifest, markets, moment }: FeatureAssessment): Ways {
  const ways = new Map<string, Answer>();
  for (const { market, outcome } of markets) {
    if (outcome !== 'not-allowed') continue;
    const found = whatIf({
      law,
      market,
      moment,
      statements: manifest.statements(market),
      declared: manifest.controls,
      probe: probeBeside(manifest),
      goal: 'allowed-if',
      answers: 1,
      limitMs: WAY_LIMIT_MS,
    });
    const [answer] = found.kind === 'reached' ? found.answers : [];
    if (answer !== undefined) ways.set(market, answer);
  }
  return ways;
}

/** The plan as stable JSON: `schema/plan.schema.json`. */
function planReport(law: Law, plan: Plan, ways: Ways): Record<string, unknown> {
  return {
    variants: plan.variants.map(({ markets, controls, outstanding }) => ({
      markets,
      controls: controls.map((joined) => controlReport(joined)),
      outstanding,
    })),
    conflicts: plan.conflicts.map((conflict) => ({
      id: conflict.id,
      title: conflict.title,
      kind: conflict.kind,
      why: conflict.why,
      left: sideReport(law, conflict.left),
      right: sideReport(law, conflict.right),
      resolutions: conflict.resolutions,
    })),
    blocked: plan.blocked.map(({ market, outcome, reasons }) => ({
      market,
      outcome,
      ...(ways.has(market) ? { least_change: ways.get(market)?.changes } : {}),
      reasons: reasons
        .filter(({ kind }) => kind !== 'outstanding' && kind !== 'undecided')
        .map((reason) => sentence(law, reason)),
    })),
  };
}

function controlReport({ control, values, demands }: JoinedControl): unknown {
  return {
    control: control.id,
    title: control.title,
    parameters: values.map(({ parameter, value, from }) => ({
      parameter,
      value,
      from: from.map(({ rule, market }) => ({ rule: rule.id, market })),
    })),
    rules: [...new Set(demands.map(({ rule }) => rule.id))].sort(),
  };
}

function sideReport(law: Law, { market, rule, parameters }: Conflict['left']): unknown {
  return { market, rule: rule.id, cite: citation(law, rule), parameters };
}

function strictest(joined: JoinedControl): string {
  return joined.values
    .map(({ parameter, value, from }) => {
      const definition = joined.control.parameters.get(parameter);
      const shown = definition === undefined ? String(value) : formatValue(definition, value);
      return `${parameter.replaceAll('_', ' ')} ${shown} (${[...new Set(from.map(({ market }) => market))].join(', ')})`;
    })
    .join('; ');
}

function print(law: Law, feature: FeatureAssessment, plan: Plan, ways: Ways, io: Io): void {
  const served = plan.variants.reduce((sum, { markets }) => sum + markets.length, 0);
  io.out(
    `${paint(io, 'bold', feature.manifest.name)} · as of ${feature.moment.asOf}: ${count(plan.variants.length, 'variant')} for ${count(served, 'market')}\n`,
  );
  plan.variants.forEach(({ markets, controls, outstanding }, i) => {
    io.out(
      row(
        io,
        [[`\n  ${letter(i)} `, 5]],
        `${markets.join(' ')}: ${count(controls.length, 'control')}, ${outstanding.length} outstanding`,
        ['bold'],
      ),
    );
    for (const joined of controls) {
      const sign = outstanding.includes(joined.control.id) ? '·' : '✓';
      const detail = strictest(joined);
      io.out(
        row(
          io,
          [
            [`    ${sign} `, 6],
            [joined.control.id, 8],
          ],
          `${joined.control.title}${detail === '' ? '' : `: ${detail}`}`,
          [undefined, 'bold'],
        ),
      );
    }
  });
  for (const conflict of plan.conflicts) printConflict(law, conflict, io);
  for (const { market, outcome, reasons } of plan.blocked) {
    const [first] = reasons;
    io.out(
      row(
        io,
        [
          ['\n  blocked ', 11],
          [`${market} `, 8],
        ],
        `${outcome}: ${first === undefined ? '' : sentence(law, first)}`,
        ['red', 'bold'],
      ),
    );
    for (const change of ways.get(market)?.changes ?? []) {
      io.out(
        row(
          io,
          [
            ['', 18],
            ['→ ', 2],
          ],
          changeText(change),
        ),
      );
    }
  }
  if (plan.conflicts.length === 0 && served > 1) io.out('\n  no conflict between these markets\n');
  io.out(`\n${paint(io, 'dim', '· outstanding  ✓ covered by evidence. Not legal advice.')}\n`);
}

function printConflict(law: Law, conflict: Conflict, io: Io): void {
  io.out(
    row(io, [['\n  conflict ', 12]], `${conflict.kind}: ${conflict.title} [${conflict.id}]`, ['yellow']),
  );
  for (const side of [conflict.left, conflict.right])
    io.out(
      row(
        io,
        [
          ['', 11],
          [`${side.market} `, 8],
        ],
        `${citation(law, side.rule)} [${side.rule.id}]`,
      ),
    );
  for (const { title, how } of conflict.resolutions)
    io.out(
      row(
        io,
        [
          ['', 11],
          ['→ ', 2],
        ],
        `${title}: ${how}`,
      ),
    );
}

function markdown(law: Law, feature: FeatureAssessment, plan: Plan, ways: Ways): string {
  const variants = plan.variants.flatMap(({ markets, controls, outstanding }, i) => [
    `### Variant ${letter(i)}: ${markets.join(', ')}`,
    '',
    '| control | strictest demand | state |',
    '|---|---|---|',
    ...controls.map(
      (joined) =>
        `| ${joined.control.id} ${joined.control.title} | ${strictest(joined).replaceAll('|', '\\|')} | ${outstanding.includes(joined.control.id) ? 'outstanding' : 'covered'} |`,
    ),
    '',
  ]);
  const conflicts = plan.conflicts.map(
    (conflict) =>
      `- **${conflict.kind}**: ${conflict.title}. ${conflict.left.market}: ${citation(law, conflict.left.rule)}; ${conflict.right.market}: ${citation(law, conflict.right.rule)}. ${conflict.resolutions.map(({ title }) => title).join('; ')}`,
  );
  const blocked = plan.blocked.map(
    ({ market, outcome, reasons: [first] }) =>
      `- ${market}: ${outcome}${first === undefined ? '' : ` (${sentence(law, first)})`}${(ways.get(market)?.changes ?? []).map((change) => `; ${changeText(change)}`).join('')}`,
  );
  return [
    `## ${feature.manifest.name}`,
    '',
    ...variants,
    ...(conflicts.length > 0 ? ['### Conflicts', '', ...conflicts, ''] : []),
    ...(blocked.length > 0 ? ['### Blocked', '', ...blocked, ''] : []),
  ].join('\n');
}
