import type { FeatureAssessment } from '../assess/feature.ts';
import type { Law } from '../rules/law.ts';
import type { LoadedLaw } from '../rules/load.ts';
import type { Arguments, Command, ExitCode, Io } from './command.ts';
import { EXIT } from './command.ts';
import { assessAll, QUESTION_OPTIONS } from './input.ts';
import { featureReport, reportOf } from './report.ts';
import { paint, row } from './style.ts';
import { headline, OUTCOME_COLOURS } from './words.ts';

export const command: Command = {
  name: 'where',
  summary: 'where may this feature ship, one line per market',
  usage: 'where [manifest or directory …] [options]',
  options: {
    ...QUESTION_OPTIONS,
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity where examples',
    'comity where comity.yaml --market all',
    'comity where comity.yaml --market EU,KR --as-of 2027-12-02',
  ],
  run,
};

function run(args: Arguments, io: Io): ExitCode {
  const { loaded, moment, features } = assessAll(args, args.positionals);
  if (args.text('format') === 'json') {
    io.out(
      `${JSON.stringify(
        reportOf(
          loaded,
          moment,
          features.map((feature) => featureReport(loaded.law, feature, 'brief')),
        ),
        undefined,
        2,
      )}\n`,
    );
    return EXIT.clean;
  }
  features.forEach((feature, i) => {
    if (i > 0) io.out('\n');
    printMatrix(loaded, feature, io);
  });
  io.out(
    `\n${paint(io, 'dim', 'What the encoded law says of what the manifests state. Not legal advice.')}\n`,
  );
  return EXIT.clean;
}

/** One line per market, and the question that settles most. */
function printMatrix({ law, digest }: LoadedLaw, feature: FeatureAssessment, io: Io): void {
  io.out(
    `${paint(io, 'bold', feature.manifest.name)} · as of ${feature.moment.asOf} · ruleset ${digest.slice(0, 8)}\n\n`,
  );
  io.out(
    row(
      io,
      [
        ['  market', 10],
        ['outcome', 13],
      ],
      'why',
      ['dim', 'dim'],
    ),
  );
  for (const assessment of feature.markets) {
    io.out(
      row(
        io,
        [
          [`  ${assessment.market}`, 10],
          [assessment.outcome, 13],
        ],
        headline(law, assessment) + uncovered(law, assessment.uncovered, assessment.market),
        ['bold', OUTCOME_COLOURS[assessment.outcome]],
      ),
    );
  }
  const [next] = feature.open;
  if (next !== undefined) {
    io.out('\n');
    io.out(
      row(
        io,
        [],
        `  next question (bears on ${next.markets.join(', ')}): ${next.fact.question} [${next.fact.id}]`,
      ),
    );
  }
}

function uncovered(law: Law, places: readonly string[], market: string): string {
  const others = places
    .filter((place) => place !== market)
    .map((place) => law.jurisdictions.byId.get(place)?.name ?? place);
  return others.length === 0 ? '' : `; law of ${others.join(', ')} not covered`;
}
