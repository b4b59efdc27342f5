import { readFile } from 'node:fs/promises';
import type { Probe } from '../assess/evidence.ts';
import { probeBeside } from '../assess/evidence-files.ts';
import type { Day } from '../facts/date.ts';
import { parseDay, today } from '../facts/date.ts';
import type { Manifest } from '../facts/manifest.ts';
import { readManifest } from '../facts/manifest.ts';
import { InputError } from '../facts/problem.ts';
import type { Law } from '../rules/law.ts';
import type { LoadedLaw } from '../rules/load.ts';
import { BUNDLED_LAW } from '../rules/load.ts';
import { loadLawAside } from './law-aside.ts';
import type { Policy } from './policy.ts';
import { specialise } from './policy.ts';
import type { PolicyOptions } from './policy-options.ts';
import { Recheck } from './recheck.ts';

export interface CompileOptions
  extends Pick<PolicyOptions, 'markets' | 'callFacts' | 'keep' | 'build' | 'recheck'> {
  /** The day to decide for, `YYYY-MM-DD`; by default today in UTC. */
  readonly asOf?: string;
  /** What was known on that day; by default {@link asOf}. */
  readonly knownAt?: string;
  /** A directory, or a law that is loaded already; by default the one that comes with this package. */
  readonly law?: string | Pick<LoadedLaw, 'law' | 'digest'>;
  /** By default looks at the files beside the manifest. */
  readonly probe?: Probe;
}

/**
 * Compiles a feature under a law on a day into decisions on single calls. One decision in ten thousand is confirmed by
 * the reference interpreter, unless `recheck` says otherwise.
 *
 * @param manifest a file, or a manifest that is read already.
 * @throws InputError for every mistake in the manifest and the law, with file, line and column.
 *
 * @example
 * const policy = await compile('comity.yaml', { asOf: '2026-11-25' });
 * const decision = policy.decide({ 'user.age_band': 'under-13' });
 * for (const { market, outcome, controls } of decision.markets) console.log(market, outcome, controls);
 */
export async function compile(manifest: string | Manifest, options: CompileOptions = {}): Promise<Policy> {
  const { asOf: day, knownAt, law, probe, recheck = new Recheck(), ...rest } = options;
  const asOf = day === undefined ? today() : readDay('asOf', day);
  const loaded = typeof law === 'object' ? law : await loadLawAside(law ?? BUNDLED_LAW);
  const read = typeof manifest === 'string' ? await readManifestFile(manifest, loaded.law) : manifest;
  return specialise({
    ...rest,
    law: loaded.law,
    digest: loaded.digest,
    manifest: read,
    moment: { asOf, knownAt: knownAt === undefined ? asOf : readDay('knownAt', knownAt) },
    probe: probe ?? probeBeside(read),
    recheck,
  });
}

/** @throws InputError when the file cannot be read, and for every mistake in it. */
export async function readManifestFile(file: string, law: Law): Promise<Manifest> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new InputError([
      {
        code: 'unreadable',
        message: `cannot read \`${file}\`: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
        help: 'name the `comity.yaml` of the feature',
      },
    ]);
  }
  return readManifest(text, file, law);
}

function readDay(name: string, text: string): Day {
  const day = parseDay(text);
  if (day !== undefined) return day;
  throw new InputError([
    {
      code: 'bad-date',
      message: `\`${name}: ${text}\` is not a day of the calendar`,
      help: 'write YYYY-MM-DD',
    },
  ]);
}
