import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { OUTCOMES } from '../assess/assessment.ts';
import { probeBeside } from '../assess/evidence-files.ts';
import type { FeatureAssessment } from '../assess/feature.ts';
import { assessFeature } from '../assess/feature.ts';
import type { FeatureChange, MarketChange } from '../assess/feature-diff.ts';
import { compareFeatures, gotWorse } from '../assess/feature-diff.ts';
import { readManifest } from '../facts/manifest.ts';
import type { Problem } from '../facts/problem.ts';
import { InputError, throwIfAny } from '../facts/problem.ts';
import type { Law } from '../rules/law.ts';
import type { LoadedLaw } from '../rules/load.ts';
import type { Moment } from '../rules/time.ts';
import type { Arguments, Command, ExitCode, Io } from './command.ts';
import { EXIT } from './command.ts';
import { findManifests, lawOf, MANIFEST_NAME, momentOf, QUESTION_OPTIONS } from './input.ts';
import { filesAtRevision, repositoryRoot } from './revision.ts';
import { paint, row } from './style.ts';
import { citation } from './words.ts';

/** The comment on a pull request is found again by this line. */
const MARKER = '<!-- comity diff -->';
const { market: _market, ...OPTIONS } = QUESTION_OPTIONS;

export const command: Command = {
  name: 'diff',
  summary: 'what a change of the manifests does to outcomes and duties, per market',
  usage: 'diff <revision> [revision] [options]',
  details:
    'Compares the manifests of this repository at two git revisions; without the second, with the working tree.\nThe law is the same on both sides: `comity law diff` compares two versions of the law.',
  options: {
    ...OPTIONS,
    format: {
      type: 'string',
      value: 'table|json|github',
      help: 'how to print (default table); github is a comment for a pull request',
    },
  },
  examples: ['comity diff main', 'comity diff main HEAD --format github'],
  run,
};

function run(args: Arguments, io: Io): ExitCode {
  const [old, now] = args.positionals;
  if (old === undefined)
    throw new InputError([
      { code: 'usage', message: 'compared with which revision?', help: 'for example `comity diff main`' },
    ]);
  const loaded = lawOf(args);
  const moment = momentOf(args);
  const root = repositoryRoot();
  const before = assessRevision(old, root, loaded, moment);
  const after =
    now === undefined ? assessTree(root, loaded, moment) : assessRevision(now, root, loaded, moment);
  const changes = compareFeatures(before, after);
  switch (args.text('format') ?? 'table') {
    case 'json':
      io.out(
        `${JSON.stringify({ format: 'comity.diff/1', ruleset: loaded.digest, as_of: moment.asOf, before: old, after: now ?? 'working tree', features: changes }, undefined, 2)}\n`,
      );
      break;
    case 'github':
      io.out(comment(loaded, moment, changes));
      break;
    default:
      print(loaded.law, changes, io);
  }
  return gotWorse(changes, OUTCOMES) ? EXIT.findings : EXIT.clean;
}

function assessRevision(
  revision: string,
  root: string,
  loaded: LoadedLaw,
  moment: Moment,
): readonly FeatureAssessment[] {
  const files = filesAtRevision(
    revision,
    '',
    (path) => MANIFEST_NAME.test(path) && !path.split('/').includes('node_modules'),
  );
  return assessTexts(
    files.map(({ path, text }) => ({ file: path, text })),
    root,
    loaded,
    moment,
  );
}

function assessTree(root: string, loaded: LoadedLaw, moment: Moment): readonly FeatureAssessment[] {
  const files = findManifests([root]);
  return assessTexts(
    files.map((file) => ({
      file: relative(root, file).replaceAll('\\', '/'),
      text: readFileSync(file, 'utf8'),
    })),
    root,
    loaded,
    moment,
  );
}

/** Evidence is looked at in the working tree on both sides: what an old revision had is not checked out for it. */
function assessTexts(
  files: readonly { readonly file: string; readonly text: string }[],
  root: string,
  { law }: LoadedLaw,
  moment: Moment,
): readonly FeatureAssessment[] {
  const problems: Problem[] = [];
  const features = files.flatMap(({ file, text }) => {
    try {
      const manifest = readManifest(text, file, law);
      return [assessFeature(law, manifest, { moment, probe: probeBeside(manifest, root) })];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  });
  throwIfAny(problems);
  return features;
}

const NEW = 'not offered';

function print(law: Law, changes: readonly FeatureChange[], io: Io): void {
  for (const { name, file, markets } of changes) {
    io.out(`${paint(io, 'bold', name)} · ${file}\n`);
    for (const change of markets) {
      io.out(row(io, [[`  ${change.market}`, 10]], arrow(change), ['bold']));
      for (const line of details(law, change)) io.out(row(io, [['', 10]], line));
    }
  }
  if (changes.length === 0) io.out('nothing changes in any market\n');
}

function arrow({ before, after }: MarketChange): string {
  return before === after ? `${before ?? NEW}` : `${before ?? NEW} → ${after ?? NEW}`;
}

function details(law: Law, { gained, lost, outstanding, settled }: MarketChange): readonly string[] {
  const cites = (ids: readonly string[]): string => {
    const shown = ids.slice(0, 5).map((id) => {
      const rule = law.rules.get(id);
      return rule === undefined ? id : `${citation(law, rule)} [${id}]`;
    });
    return `${shown.join('; ')}${ids.length > 5 ? ` and ${ids.length - 5} more` : ''}`;
  };
  return [
    ...(gained.length > 0 ? [`newly holds: ${cites(gained)}`] : []),
    ...(lost.length > 0 ? [`no longer holds: ${cites(lost)}`] : []),
    ...(outstanding.length > 0 ? [`newly outstanding: ${outstanding.join(', ')}`] : []),
    ...(settled.length > 0 ? [`no longer outstanding: ${settled.join(', ')}`] : []),
  ];
}

/** One short comment, updated in place by its marker. */
function comment({ law, digest }: LoadedLaw, moment: Moment, changes: readonly FeatureChange[]): string {
  const rows = changes.flatMap(({ name, markets }) =>
    markets.map(
      (change) =>
        `| ${name} | ${change.market} | ${change.before === change.after ? arrow(change) : `**${arrow(change)}**`} | ${details(law, change).join('<br>').replaceAll('|', '\\|')} |`,
    ),
  );
  const body =
    rows.length === 0
      ? ['This change alters no outcome and no duty in any market.']
      : ['| feature | market | outcome | what changes |', '|---|---|---|---|', ...rows];
  return [
    MARKER,
    '### Comity',
    '',
    ...body,
    '',
    `As of ${moment.asOf}, ruleset \`${digest.slice(0, 8)}\`. Not legal advice.`,
    '',
  ].join('\n');
}
