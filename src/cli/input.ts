import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { probeBeside } from '../assess/evidence-files.ts';
import type { FeatureAssessment } from '../assess/feature.ts';
import { assessFeature } from '../assess/feature.ts';
import type { Day } from '../facts/date.ts';
import { parseDay, today } from '../facts/date.ts';
import type { Manifest } from '../facts/manifest.ts';
import { readManifest } from '../facts/manifest.ts';
import type { Problem } from '../facts/problem.ts';
import { InputError, throwIfAny } from '../facts/problem.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Law } from '../rules/law.ts';
import type { LoadedLaw } from '../rules/load.ts';
import { BUNDLED_LAW, loadLaw } from '../rules/load.ts';
import type { Moment } from '../rules/time.ts';
import type { Arguments, Option } from './command.ts';

/** Options that every command with manifests understands. */
export const QUESTION_OPTIONS: Readonly<Record<string, Option>> = {
  market: {
    type: 'string',
    multiple: true,
    short: 'm',
    value: 'CODES',
    help: 'only these markets, for example EU,KR, or `all` that are encoded (default: those in the manifest)',
  },
  'as-of': { type: 'string', value: 'DATE', help: 'the day the question is asked for (default: today)' },
  'known-at': {
    type: 'string',
    value: 'DATE',
    help: 'what was known on that day, to replay a past answer (default: --as-of)',
  },
  law: { type: 'string', value: 'DIR', help: 'use this body of law instead of the bundled one' },
};

/** Names of manifests: `comity.yaml` and `*.comity.yaml`. */
export const MANIFEST_NAME = /(^|\.)comity\.ya?ml$/;
const SKIPPED = new Set(['node_modules', '.git', 'dist', 'coverage']);

/**
 * Finds manifests: files as given, and every `comity.yaml` or `*.comity.yaml` below a directory.
 *
 * @throws InputError when a path cannot be read or holds no manifest.
 */
export function findManifests(paths: readonly string[]): readonly string[] {
  const problems: Problem[] = [];
  const found = (paths.length > 0 ? paths : ['.']).flatMap((path) => {
    try {
      if (!statSync(path).isDirectory()) return [path];
      const below = walk(path);
      if (below.length === 0)
        problems.push({
          code: 'missing',
          message: `no \`comity.yaml\` in \`${path}\``,
          help: '`comity init` writes one',
        });
      return below;
    } catch (error) {
      problems.push({ code: 'unreadable', message: `cannot read \`${path}\`: ${reasonOf(error)}` });
      return [];
    }
  });
  throwIfAny(problems);
  return [...new Set(found)];
}

function walk(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(path);
      return MANIFEST_NAME.test(entry.name) ? [path] : [];
    });
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT'
    ? 'no such file or directory'
    : code === 'EACCES'
      ? 'permission denied'
      : code === 'EISDIR'
        ? 'is a directory'
        : (code ?? 'unknown error');
}

/** Reads manifests, all of them, and reports the mistakes of all of them at once. */
export function readManifests(files: readonly string[], { law }: LoadedLaw): readonly Manifest[] {
  const problems: Problem[] = [];
  const manifests = files.flatMap((file) => {
    try {
      return [readManifest(readText(file), file, law)];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  });
  throwIfAny(problems);
  return manifests;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError([{ code: 'unreadable', message: `cannot read \`${file}\`: ${reasonOf(error)}` }]);
  }
}

function dayOption(args: Arguments, name: string): Day | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const day = parseDay(text);
  if (day === undefined)
    throw new InputError([
      {
        code: 'bad-date',
        message: `\`--${name} ${text}\` is not a day of the calendar`,
        help: 'write YYYY-MM-DD',
      },
    ]);
  return day;
}

/** The day asked for, and the day of knowledge. */
export function momentOf(args: Arguments): Moment {
  const asOf = dayOption(args, 'as-of') ?? today();
  return { asOf, knownAt: dayOption(args, 'known-at') ?? asOf };
}

/** The body of law asked for. */
export function lawOf(args: Arguments): LoadedLaw {
  return loadLaw(args.text('law') ?? BUNDLED_LAW);
}

/** Places with rulebooks of their own, in the order of their codes. */
function encodedMarkets(law: Law): readonly string[] {
  return [...new Set([...law.rulebooks.values()].map(({ jurisdiction }) => jurisdiction))].sort();
}

function marketsOf(args: Arguments, { law }: LoadedLaw): readonly string[] | undefined {
  const asked = args.texts('market');
  if (asked.includes('all')) return encodedMarkets(law);
  const known = [...law.jurisdictions.byId.keys()];
  throwIfAny(
    asked
      .filter((market) => !law.jurisdictions.byId.has(market))
      .map((market) => ({
        code: 'unknown-name',
        message: `unknown market \`${market}\``,
        help: didYouMean(market, known),
      })),
  );
  return asked.length > 0 ? asked : undefined;
}

/** One run of the main job: law, day, and the verdict on every manifest named. */
export interface Run {
  readonly loaded: LoadedLaw;
  readonly moment: Moment;
  readonly features: readonly FeatureAssessment[];
}

/** Loads the law, finds and reads the manifests, and assesses them. */
export function assessAll(args: Arguments, paths: readonly string[]): Run {
  const loaded = lawOf(args);
  const moment = momentOf(args);
  const markets = marketsOf(args, loaded);
  const manifests = readManifests(findManifests(paths), loaded);
  const features = manifests.map((manifest) =>
    assessFeature(loaded.law, manifest, {
      moment,
      probe: probeBeside(manifest),
      ...(markets === undefined ? {} : { markets }),
    }),
  );
  return { loaded, moment, features };
}
