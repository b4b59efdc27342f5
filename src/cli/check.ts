import type { MarketAssessment, Outcome } from '../assess/assessment.ts';
import { OUTCOMES } from '../assess/assessment.ts';
import type { FeatureAssessment } from '../assess/feature.ts';
import { outstandingControls } from '../assess/feature.ts';
import type { Law } from '../rules/law.ts';
import type { Arguments, Command, ExitCode, Io } from './command.ts';
import { choice, EXIT } from './command.ts';
import type { Run } from './input.ts';
import { assessAll, QUESTION_OPTIONS } from './input.ts';
import { junitOf } from './junit.ts';
import { markdownOf } from './markdown.ts';
import { featureReport, reportOf } from './report.ts';
import { sarifOf } from './sarif.ts';
import { paint, row } from './style.ts';
import { citation, count, coverOf, effectOf, OUTCOME_COLOURS, sentence, waitsFor } from './words.ts';

const FORMATS = ['table', 'json', 'sarif', 'markdown', 'junit'] as const;
const THRESHOLDS = ['not-allowed', 'cannot-tell', 'allowed-if'] as const;

export const command: Command = {
  name: 'check',
  summary: 'what each market allows, asks and leaves open, with the article',
  usage: 'check [manifest or directory …] [options]',
  details: [
    'exit codes:',
    '  0  no market at or above the threshold',
    '  1  some market at or above it (--fail-on, default not-allowed)',
    '  2  bad input',
    '  3  with --strict: some market cannot be told',
  ].join('\n'),
  options: {
    ...QUESTION_OPTIONS,
    format: { type: 'string', value: FORMATS.join('|'), help: 'how to print (default table)' },
    'fail-on': {
      type: 'string',
      value: THRESHOLDS.join('|'),
      help: 'the mildest outcome that fails (default not-allowed)',
    },
    strict: { type: 'boolean', help: 'fail when an outcome cannot be told' },
    all: {
      type: 'boolean',
      help: 'table: print covered duties, rights, others’ duties and all that is coming',
    },
  },
  examples: [
    'comity check',
    'comity check examples --market EU,KR --as-of 2027-12-02',
    'comity check --format sarif > comity.sarif',
  ],
  run,
};

function run(args: Arguments, io: Io): ExitCode {
  const format = choice(args, 'format', FORMATS, 'table');
  const threshold = choice(args, 'fail-on', THRESHOLDS, 'not-allowed');
  const result = assessAll(args, args.positionals);
  const { law } = result.loaded;
  switch (format) {
    case 'json':
      io.out(
        `${JSON.stringify(
          reportOf(
            result.loaded,
            result.moment,
            result.features.map((feature) => featureReport(law, feature, 'full')),
          ),
          undefined,
          2,
        )}\n`,
      );
      break;
    case 'sarif':
      io.out(`${JSON.stringify(sarifOf(result), undefined, 2)}\n`);
      break;
    case 'markdown':
      io.out(markdownOf(result));
      break;
    case 'junit':
      io.out(junitOf(result));
      break;
    case 'table':
      printTables(result, args.flag('all'), io);
  }
  return exitCode(result.features, threshold, args.flag('strict'));
}

function exitCode(features: readonly FeatureAssessment[], threshold: Outcome, strict: boolean): ExitCode {
  const outcomes = new Set(
    features.flatMap((feature) => feature.markets.map((assessment) => assessment.outcome)),
  );
  const failing = OUTCOMES.slice(0, OUTCOMES.indexOf(threshold) + 1);
  if (failing.some((outcome) => outcomes.has(outcome))) return EXIT.findings;
  return strict && outcomes.has('cannot-tell') ? EXIT.cannotTell : EXIT.clean;
}

function printTables({ loaded, moment, features }: Run, all: boolean, io: Io): void {
  features.forEach((feature, i) => {
    if (i > 0) io.out('\n');
    io.out(
      `${paint(io, 'bold', feature.manifest.name)} · ${feature.manifest.file} · as of ${moment.asOf} · ruleset ${loaded.digest.slice(0, 8)}\n`,
    );
    for (const assessment of feature.markets) printMarket(loaded.law, assessment, all, io);
    printOpen(feature, io);
  });
  io.out(
    `\n${paint(io, 'dim', '`comity explain <rule> <manifest>` shows the proof of any line. Not legal advice.')}\n`,
  );
}

function printMarket(law: Law, assessment: MarketAssessment, all: boolean, io: Io): void {
  const name = law.jurisdictions.byId.get(assessment.market)?.name ?? assessment.market;
  io.out(
    `\n${paint(io, 'bold', assessment.market)} ${name}: ${paint(io, OUTCOME_COLOURS[assessment.outcome], assessment.outcome)}\n`,
  );
  for (const reason of assessment.reasons) {
    if (reason.kind === 'outstanding' || reason.kind === 'undecided') continue;
    const sign = reason.kind === 'prohibited' ? 'no' : reason.kind === 'per-request' ? 'per call' : 'open';
    const id = 'finding' in reason ? ` [${reason.finding.rule.id}]` : '';
    io.out(
      row(io, [[`  ${sign}`, 12]], `${sentence(law, reason)}${id}`, [
        reason.kind === 'prohibited' ? 'red' : 'yellow',
      ]),
    );
  }
  printDuties(law, assessment, io);
  printShown(law, assessment, all, io);
  printComing(law, assessment, all, io);
  const uncovered = assessment.uncovered.map((place) => law.jurisdictions.byId.get(place)?.name ?? place);
  if (uncovered.length > 0 && assessment.reasons[0]?.kind !== 'no-rulebook')
    io.out(row(io, [['  not covered', 15]], `law of ${uncovered.join(', ')}: no rulebook`, ['dim']));
}

function printDuties(law: Law, assessment: MarketAssessment, io: Io): void {
  for (const [id, findings] of outstandingControls(assessment)) {
    const [first] = findings;
    if (first === undefined) continue;
    const open = findings.every((finding) => finding.truth === 'unknown' && !finding.perRequest);
    io.out(
      row(
        io,
        [
          [`  ${open ? 'undecided' : 'to do'}`, 12],
          [id, 8],
        ],
        `${law.controls.get(id)?.title ?? ''}: ${coverOf(law, first)}`,
        [open ? 'yellow' : 'cyan', 'bold'],
      ),
    );
    for (const finding of findings) {
      const why = finding.truth === 'unknown' && !finding.perRequest ? ` — ${waitsFor(finding)}` : '';
      const asked = effectOf(law, finding.rule)
        .replace(/^[^(]*/, '')
        .trim();
      io.out(
        row(
          io,
          [['', 20]],
          `${citation(law, finding.rule)}${asked === '' ? '' : ` ${asked}`} [${finding.rule.id}]${why}`,
        ),
      );
    }
  }
}

function printShown(law: Law, assessment: MarketAssessment, all: boolean, io: Io): void {
  const classes = assessment.findings.filter(
    ({ rule, truth }) => rule.effect.kind === 'classify' && truth === 'true',
  );
  for (const { rule } of classes)
    io.out(
      row(
        io,
        [['  class', 12]],
        `${rule.effect.kind === 'classify' ? rule.effect.label : ''} (${citation(law, rule)}) [${rule.id}]`,
        ['dim'],
      ),
    );
  const covered = assessment.findings.filter(
    ({ weight, coverage }) => weight === 'counts' && coverage?.covered === true,
  );
  const theirs = assessment.findings.filter(({ weight, truth }) => weight === 'theirs' && truth === 'true');
  const soft = assessment.findings.filter(
    ({ weight, truth, rule }) =>
      (weight === 'voluntary' || weight === 'effort') && truth === 'true' && rule.effect.kind !== 'classify',
  );
  const rights = assessment.findings.filter(
    ({ weight, truth, rule }) =>
      weight === 'shown' &&
      truth === 'true' &&
      (rule.effect.kind === 'grant' || rule.effect.kind === 'permit'),
  );
  if (!all) {
    const parts = [
      covered.length > 0 ? `${count(covered.length, 'duty')} covered` : '',
      theirs.length > 0 ? `${theirs.length} of others` : '',
      soft.length > 0 ? `${soft.length} voluntary or best efforts` : '',
    ].filter((part) => part !== '');
    if (parts.length > 0)
      io.out(row(io, [['  also', 12]], `${parts.join(' · ')} (--all shows them)`, ['dim']));
    return;
  }
  for (const finding of covered)
    io.out(
      row(
        io,
        [
          ['  covered', 12],
          [finding.coverage?.control ?? '', 8],
        ],
        `${coverOf(law, finding)}; ${citation(law, finding.rule)} [${finding.rule.id}]`,
        ['green', 'bold'],
      ),
    );
  for (const finding of theirs)
    io.out(
      row(
        io,
        [
          ['  theirs', 12],
          [finding.coverage?.control ?? '', 8],
        ],
        `${finding.owedBy.join(', ')}: ${effectOf(law, finding.rule)}; ${citation(law, finding.rule)} [${finding.rule.id}]`,
        ['dim', 'bold'],
      ),
    );
  for (const finding of soft)
    io.out(
      row(
        io,
        [[`  ${finding.weight === 'effort' ? 'effort' : 'voluntary'}`, 12]],
        `${effectOf(law, finding.rule)}; ${citation(law, finding.rule)} [${finding.rule.id}]`,
        ['dim'],
      ),
    );
  for (const finding of rights)
    io.out(
      row(
        io,
        [['  right', 12]],
        `${effectOf(law, finding.rule)}; ${citation(law, finding.rule)} [${finding.rule.id}]`,
        ['dim'],
      ),
    );
}

function printComing(law: Law, assessment: MarketAssessment, all: boolean, io: Io): void {
  const coming = assessment.coming.filter(
    ({ truth, weight }) => truth === 'true' && (all || weight !== 'theirs'),
  );
  const days = [
    ...new Set(coming.map(({ kind, from }) => `${kind === 'enacted' ? '' : `${kind} `}${from ?? ''}`.trim())),
  ].sort();
  for (const day of days) {
    const those = coming.filter(
      ({ kind, from }) => `${kind === 'enacted' ? '' : `${kind} `}${from ?? ''}`.trim() === day,
    );
    const shown = all
      ? those
      : those.filter(({ rule }) => rule.effect.kind === 'prohibit' || rule.effect.kind === 'classify');
    for (const { rule } of shown)
      io.out(
        row(
          io,
          [
            ['  coming', 12],
            [day.padEnd(16), 17],
          ],
          `${effectOf(law, rule)}; ${citation(law, rule)} [${rule.id}]`,
          ['dim'],
        ),
      );
    const rest = those.length - shown.length;
    if (rest > 0)
      io.out(
        row(
          io,
          [
            ['  coming', 12],
            [day.padEnd(16), 17],
          ],
          `${count(rest, 'more duty')} (${[...new Set(those.filter((one) => !shown.includes(one)).map(({ rule }) => rule.cite))].slice(0, 6).join(', ')}${rest > 6 ? ', …' : ''})`,
          ['dim'],
        ),
      );
  }
}

function printOpen(feature: FeatureAssessment, io: Io): void {
  if (feature.open.length === 0) return;
  io.out('\nopen questions, the most telling first\n');
  for (const { fact, markets, findings } of feature.open.slice(0, 5)) {
    io.out(
      row(
        io,
        [['  ', 2]],
        `${fact.question} [${fact.id}; ${fact.who}; ${markets.join(', ')}; ${count(findings, 'finding')}]`,
      ),
    );
  }
  if (feature.open.length > 5) io.out(`  and ${feature.open.length - 5} more (--format json lists all)\n`);
}
