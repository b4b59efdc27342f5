import { probeBeside } from '../../assess/evidence-files.ts';
import type { LawChange, OutcomeChange } from '../../assess/law-diff.ts';
import { diffLaw, outcomeChanges } from '../../assess/law-diff.ts';
import { InputError } from '../../facts/problem.ts';
import type { Law } from '../../rules/law.ts';
import type { Interval } from '../../rules/rule.ts';
import type { Arguments, ExitCode, Io } from '../command.ts';
import { EXIT } from '../command.ts';
import { findManifests, momentOf, readManifests } from '../input.ts';
import { lawAt } from '../revision.ts';
import { paint, row } from '../style.ts';

const SIGNS = { added: '+', removed: '-', 're-dated': '@', meaning: '~', editorial: ' ' } as const;
const COLOURS = {
  added: 'green',
  removed: 'red',
  're-dated': 'yellow',
  meaning: 'yellow',
  editorial: 'dim',
} as const;

/** `comity law diff <old> <new> [--manifest …]`: rules added, removed, re-dated, changed in meaning; whose outcome changes. */
export function runLawDiff([old, now]: readonly string[], args: Arguments, io: Io): ExitCode {
  if (old === undefined || now === undefined)
    throw new InputError([
      {
        code: 'usage',
        message: 'which two versions of the law?',
        help: 'for example `comity law diff v1.2.0 HEAD`, or two directories',
      },
    ]);
  const [before, after] = [lawAt(old), lawAt(now)];
  const changes = diffLaw(before, after);
  const paths = args.texts('manifest');
  const outcomes = paths.length === 0 ? [] : compareManifests(before, after, paths, args);
  if (args.text('format') === 'json')
    io.out(
      `${JSON.stringify({ format: 'comity.law-diff/1', before: old, after: now, changes, outcomes }, undefined, 2)}\n`,
    );
  else print(changes, outcomes, paths.length > 0, args.flag('verbose'), io);
  return changes.length > 0 ? EXIT.findings : EXIT.clean;
}

function compareManifests(
  before: Law,
  after: Law,
  paths: readonly string[],
  args: Arguments,
): readonly OutcomeChange[] {
  const files = findManifests(paths);
  const old = readManifests(files, { law: before, digest: '', directory: '' });
  const now = readManifests(files, { law: after, digest: '', directory: '' });
  const manifests = now.flatMap((manifest, i) => {
    const earlier = old[i];
    return earlier === undefined ? [] : [{ before: earlier, after: manifest, probe: probeBeside(manifest) }];
  });
  return outcomeChanges(before, after, manifests, momentOf(args));
}

function print(
  changes: readonly LawChange[],
  outcomes: readonly OutcomeChange[],
  asked: boolean,
  verbose: boolean,
  io: Io,
): void {
  const shown = verbose ? changes : changes.filter(({ kind }) => kind !== 'editorial');
  for (const change of shown) {
    io.out(
      row(
        io,
        [
          [`${SIGNS[change.kind]} `, 2],
          [`${change.what} `, 13],
        ],
        `${change.id}${detail(change)}`,
        [COLOURS[change.kind], 'dim'],
      ),
    );
  }
  const editorial = changes.length - shown.length;
  const tally = (['added', 'removed', 're-dated', 'meaning'] as const).map(
    (kind) =>
      `${changes.filter((change) => change.kind === kind).length} ${kind === 'meaning' ? 'changed in meaning' : kind}`,
  );
  io.out(`${tally.join(', ')}${editorial > 0 ? `, ${editorial} editorial (--verbose shows them)` : ''}\n`);
  for (const { name, market, before, after } of outcomes)
    io.out(
      row(
        io,
        [
          ['outcome ', 8],
          [`${market} `, 8],
        ],
        `${name}: ${before} → ${after}`,
        [undefined, 'bold'],
      ),
    );
  if (asked && outcomes.length === 0)
    io.out(`${paint(io, 'dim', 'no outcome of these manifests changes')}\n`);
}

/** Dates are shown as dates; of other changes, which parts of the rule they touch. */
function detail({ kind, fields, before, after }: LawChange): string {
  if (kind === 'added' || kind === 'removed') return '';
  if (kind !== 're-dated') return ` (${fields.join(', ')})`;
  const days = (side: unknown): string => {
    const intervals = (side as { readonly effective?: readonly Interval[] } | undefined)?.effective ?? [];
    return intervals.map(({ from, to }) => `${from}${to === undefined ? '' : `–${to}`}`).join(', ');
  };
  return `: ${days(before)} → ${days(after)}`;
}
