import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gather } from '../../facts/knowledge.ts';
import type { Manifest } from '../../facts/manifest.ts';
import type { Problem } from '../../facts/problem.ts';
import { throwIfAny } from '../../facts/problem.ts';
import { didYouMean } from '../../facts/suggest.ts';
import type { Exported } from '../../kernel/export/exported.ts';
import { EXPRESSED, LEFT_OUT } from '../../kernel/export/header.ts';
import type { Target, TargetName } from '../../kernel/export/target.ts';
import { exportFor, TARGETS } from '../../kernel/export/target.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import type { Rule } from '../../rules/rule.ts';
import type { Arguments, ExitCode, Io, Option } from '../command.ts';
import { choice, EXIT, mistake } from '../command.ts';
import { findManifests, momentOf, readManifests } from '../input.ts';
import { wrap } from '../style.ts';

const NAMES = Object.keys(TARGETS) as readonly TargetName[];

/** Options of `comity law export` beside those that the verbs of `comity law` share. */
export const EXPORT_OPTIONS: Readonly<Record<string, Option>> = {
  to: { type: 'string', value: 'TARGET', help: `export: ${NAMES.join(', ')}` },
  instrument: {
    type: 'string',
    multiple: true,
    value: 'IDS',
    help: 'export: only the rules of these instruments, and what they rest on',
  },
  market: { type: 'string', multiple: true, value: 'CODES', help: 'export: only the law of these markets' },
  'known-at': {
    type: 'string',
    value: 'DATE',
    help: 'export: what was known on that day (default: --as-of)',
  },
  'skip-inexpressible': {
    type: 'boolean',
    help: 'export: leave out and list what the target cannot express, instead of stopping',
  },
  input: {
    type: 'string',
    multiple: true,
    value: 'PATHS',
    help: 'export: what the engine is given for these manifests, in place of the rules',
  },
  out: {
    type: 'string',
    value: 'DIR',
    help: 'export: write the rules, what belongs beside them and, with --input, the inputs here',
  },
};

/** A point of a list, at the width of a terminal. */
function item(sign: '+' | '-', text: string): readonly string[] {
  return wrap(text, 76).map((line, i) => `  ${i === 0 ? sign : ' '} ${line}`);
}

/** What the exports cover, for the help. */
export function exportDetails(): string {
  const own = (all: readonly string[], shared: readonly string[]): readonly string[] =>
    all.filter((line) => !shared.includes(line));
  return [
    'export: every target says',
    ...EXPRESSED.flatMap((line) => item('+', line)),
    'and leaves out',
    ...LEFT_OUT.flatMap((line) => item('-', line)),
    ...NAMES.flatMap((name) => {
      const { title, coverage } = TARGETS[name];
      return [
        `${name} (${title})`,
        ...own(coverage.expressed, EXPRESSED).flatMap((line) => item('+', line)),
        ...own(coverage.leftOut, LEFT_OUT).flatMap((line) => item('-', line)),
      ];
    }),
    'What a target cannot express stops the export, with the rule and its place.',
  ].join('\n');
}

interface File {
  readonly name: string;
  readonly text: string;
}

/** `comity law export --to <target>`: the law on a day in another language, or what an engine is given for a manifest. */
export function runLawExport(loaded: LoadedLaw, args: Arguments, io: Io): ExitCode {
  if (args.text('to') === undefined)
    throw mistake('export to what?', `\`--to\` takes ${NAMES.map((name) => `\`${name}\``).join(', ')}`);
  const target = TARGETS[choice(args, 'to', NAMES, 'rego')];
  const { law, digest } = loaded;
  const selection = { law, digest, moment: momentOf(args), wanted: wantedBy(loaded, args) };
  const exported = exportFor(target, selection, args.flag('skip-inexpressible'));
  for (const { rule, why } of exported.skipped)
    io.err(`skipped: ${rule.at.file}:${rule.at.line}: ${why.message}\n`);
  const paths = args.texts('input');
  const inputs = paths.length === 0 ? [] : inputsOf(target, exported, manifestsOf(loaded, paths), args);
  const directory = args.text('out');
  if (directory !== undefined) {
    const rules = { name: target.file, text: target.render(exported) };
    const beside = [...target.beside(exported)].map(([name, text]) => ({ name, text }));
    write(directory, [rules, ...beside, ...inputs], io);
  } else if (paths.length === 0) io.out(target.render(exported));
  else io.out(onlyOne(inputs).text);
  return EXIT.clean;
}

/** Rules of the instruments and markets asked for; all where none are. */
function wantedBy({ law }: LoadedLaw, args: Arguments): (rule: Rule) => boolean {
  const instruments = args.texts('instrument');
  const markets = args.texts('market');
  throwIfAny([
    ...unknown('instrument', instruments, [...law.rulebooks.keys()]),
    ...unknown('market', markets, [...law.jurisdictions.byId.keys()]),
  ]);
  const places = new Set(markets.flatMap((market) => law.jurisdictions.chain(market)));
  return ({ rulebook }) =>
    (instruments.length === 0 || instruments.includes(rulebook)) &&
    (markets.length === 0 || places.has(law.rulebooks.get(rulebook)?.jurisdiction ?? ''));
}

function unknown(what: string, asked: readonly string[], known: readonly string[]): readonly Problem[] {
  return asked
    .filter((name) => !known.includes(name))
    .map((name) => ({
      code: 'unknown-name',
      message: `unknown ${what} \`${name}\``,
      help: didYouMean(name, known),
    }));
}

function manifestsOf(loaded: LoadedLaw, paths: readonly string[]): readonly Manifest[] {
  return readManifests(findManifests(paths), loaded);
}

/** What is known of each feature in each of its markets, or in those asked for. */
function inputsOf(
  target: Target,
  exported: Exported,
  manifests: readonly Manifest[],
  args: Arguments,
): readonly File[] {
  const { law } = exported;
  const asked = args.texts('market');
  return manifests.flatMap((manifest) =>
    (asked.length > 0 ? asked : manifest.markets).map((market) => {
      const statements = manifest.statements(market);
      const { knowledge } = gather(law.vocabulary, law.jurisdictions, market, statements);
      const feature = manifest.name;
      const words = feature.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-');
      return {
        name: `input-${words}-${market}.${target.inputExtension}`,
        text: target.input(exported, { feature, market, knowledge }),
      };
    }),
  );
}

function onlyOne(inputs: readonly File[]): File {
  const [first, second] = inputs;
  if (first !== undefined && second === undefined) return first;
  throw mistake(
    `there are ${inputs.length} inputs: one for each market of each manifest`,
    'name one with `--market`, or write all of them with `--out`',
  );
}

function write(directory: string, files: readonly File[], io: Io): void {
  try {
    mkdirSync(directory, { recursive: true });
    for (const { name, text } of files) {
      const path = join(directory, name);
      writeFileSync(path, text);
      io.out(`${path}\n`);
    }
  } catch (error) {
    throw mistake(
      `cannot write to \`${directory}\`: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`,
      'name a directory that can be written to',
    );
  }
}
