import { join } from 'node:path';
import { type CaseResult, runCase } from '../../assess/case.ts';
import { lintLaw } from '../../assess/lint.ts';
import { loadCases } from '../../assess/load-cases.ts';
import { survivors } from '../../assess/mutation.ts';
import { today } from '../../facts/date.ts';
import type { Position } from '../../facts/problem.ts';
import { InputError } from '../../facts/problem.ts';
import { didYouMean } from '../../facts/suggest.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import { BUNDLED_LAW, loadLaw } from '../../rules/load.ts';
import { matches } from '../../rules/rule.ts';
import type { Arguments, Command, ExitCode, Io } from '../command.ts';
import { EXIT } from '../command.ts';
import { runLawAnalyze } from './analyze.ts';
import { runLawDiff } from './diff.ts';
import { EXPORT_OPTIONS, exportDetails, runLawExport } from './export.ts';
import { instrumentRows, printInstrument, printList } from './list.ts';
import { renderInstrument } from './render.ts';
import { printRule } from './rule.ts';

const VERBS = ['list', 'show', 'test', 'lint', 'diff', 'render', 'analyze', 'export'] as const;

export const command: Command = {
  name: 'law',
  summary: 'list, show, test, lint, compare, render, analyse and export the law itself',
  usage:
    'law list | show <id> | test [directory] | lint | diff <old> <new> | render <rulebook> | analyze [rules] | export --to <target>   [options]',
  details: [
    '  list   every instrument: state, depth, rules, cases, confidence, review',
    '  show   one instrument, or one rule of it, as encoded',
    '  test   run the worked cases of law/cases, or of any directory or file',
    '  lint   what a lawyer or engineer should mend',
    '  diff   two versions of the law (directories or git revisions), and whose outcome changes',
    '  render one instrument as a page that a lawyer can read',
    '  analyze  rules that never or always hold, exceptions without effect, duties twice (needs z3-solver);',
    '         with --base what a change of the law changes, with facts that show it',
    '  export the law on a day as Cedar, Rego, SMT-LIB or CEL, and what their engines are given for a manifest',
    '',
    exportDetails(),
  ].join('\n'),
  options: {
    law: { type: 'string', value: 'DIR', help: 'use this body of law instead of the bundled one' },
    format: {
      type: 'string',
      value: 'table|json|markdown|html',
      help: 'how to print (default table); markdown and html are for render',
    },
    manifest: { type: 'string', multiple: true, value: 'PATHS', help: 'diff: also whose outcome changes' },
    'as-of': { type: 'string', value: 'DATE', help: 'diff, export: on that day (default: today)' },
    mutate: {
      type: 'string',
      value: 'RULES',
      help: 'test: change every leaf of these rules (eu/ai-act:*) and list the changes no case notices',
    },
    base: { type: 'string', value: 'REVISION', help: 'analyze: compare with this version of the law' },
    ...EXPORT_OPTIONS,
    notices: { type: 'boolean', help: 'lint, analyze: print notices too' },
    verbose: { type: 'boolean', help: 'test: print cases that pass too; diff: print editorial changes too' },
  },
  examples: [
    'comity law list',
    'comity law export --to rego --market KR',
    'comity law show eu/ai-act:art-5-1-f',
    'comity law test law/cases/eu',
  ],
  run,
};

function run(args: Arguments, io: Io): ExitCode | Promise<ExitCode> {
  const [verb, ...rest] = args.positionals;
  const known = VERBS.find((name) => name === verb);
  if (known === undefined)
    throw new InputError([
      {
        code: 'usage',
        message: verb === undefined ? 'which part of the law?' : `unknown verb \`law ${verb}\``,
        help: didYouMean(verb ?? '', VERBS),
      },
    ]);
  if (known === 'diff') return runLawDiff(rest, args, io);
  const loaded = loadLaw(args.text('law') ?? BUNDLED_LAW);
  switch (known) {
    case 'analyze':
      return runLawAnalyze(loaded, rest, (places) => runAll(loaded, [], places), args, io);
    case 'render':
      return render(loaded, rest, args, io);
    case 'test':
      if (args.text('mutate') !== undefined) return mutate(loaded, rest, args.text('mutate') ?? '', io);
      return testCases(loaded, rest, args, io);
    case 'lint':
      return lint(loaded, args, io);
    case 'list':
      return list(loaded, args, io);
    case 'export':
      return runLawExport(loaded, args, io);
    case 'show':
      return show(loaded, rest, args, io);
  }
}

function list(loaded: LoadedLaw, args: Arguments, io: Io): ExitCode {
  const rows = instrumentRows(loaded, runAll(loaded, []));
  if (args.text('format') === 'json') io.out(`${JSON.stringify(rows, undefined, 2)}\n`);
  else printList(rows, loaded.digest, io);
  return EXIT.clean;
}

function render(loaded: LoadedLaw, [name]: readonly string[], args: Arguments, io: Io): ExitCode {
  const rulebook = name === undefined ? undefined : loaded.law.rulebooks.get(name);
  if (rulebook === undefined)
    throw new InputError([
      {
        code: 'unknown-name',
        message: name === undefined ? 'which instrument?' : `no instrument \`${name}\``,
        help: didYouMean(name ?? '', [...loaded.law.rulebooks.keys()]),
      },
    ]);
  const format = args.text('format') ?? 'markdown';
  if (format !== 'markdown' && format !== 'html')
    throw new InputError([
      { code: 'usage', message: `\`--format ${format}\` is not known here`, help: 'markdown or html' },
    ]);
  const cases = loadCases(loaded, [join(loaded.directory, 'cases')], `${rulebook.id}:`);
  const results = cases.map((one) => runCase(loaded.law, one));
  io.out(renderInstrument(loaded, rulebook, results, format));
  return EXIT.clean;
}

function show(loaded: LoadedLaw, [name]: readonly string[], args: Arguments, io: Io): ExitCode {
  const { law } = loaded;
  if (name === undefined)
    throw new InputError([
      { code: 'usage', message: 'which instrument or rule?', help: '`comity law list` names them' },
    ]);
  const rulebook = law.rulebooks.get(name);
  const rule = law.rules.get(name);
  if (rulebook === undefined && rule === undefined) {
    throw new InputError([
      {
        code: 'unknown-name',
        message: `no instrument or rule \`${name}\``,
        help: didYouMean(name, [...(name.includes(':') ? law.rules.keys() : law.rulebooks.keys())]),
      },
    ]);
  }
  if (args.text('format') === 'json')
    io.out(
      `${JSON.stringify(rulebook ?? rule, (_key, value) => (value instanceof Map ? Object.fromEntries(value) : value), 2)}\n`,
    );
  else if (rulebook !== undefined) printInstrument(loaded, rulebook, io);
  else if (rule !== undefined) printRule(loaded, rule, io);
  return EXIT.clean;
}

function place(at: Position | undefined): string {
  return at === undefined ? '' : `${at.file}:${at.line}: `;
}

/** Runs cases, all or those of markets that inherit the law of some places. */
function runAll(
  loaded: LoadedLaw,
  paths: readonly string[],
  places?: ReadonlySet<string>,
): readonly CaseResult[] {
  const { law, directory } = loaded;
  const where = paths.length > 0 ? paths : [join(directory, 'cases')];
  const cases = loadCases(loaded, where).filter(
    ({ market }) =>
      places === undefined || law.jurisdictions.chain(market).some((place) => places.has(place)),
  );
  return cases.map((one) => runCase(law, one));
}

function testCases(loaded: LoadedLaw, paths: readonly string[], args: Arguments, io: Io): ExitCode {
  const results = runAll(loaded, paths);
  const failed = results.filter((result) => result.failures.length > 0);
  if (args.text('format') === 'json') {
    io.out(
      `${JSON.stringify({ digest: loaded.digest, cases: results.map((result) => ({ id: result.case.id, title: result.case.title, passed: result.failures.length === 0, failures: result.failures })) }, undefined, 2)}\n`,
    );
    return failed.length > 0 ? EXIT.findings : EXIT.clean;
  }
  for (const result of results) {
    if (result.failures.length === 0) {
      if (args.flag('verbose')) io.out(`pass  ${result.case.id}  ${result.case.title}\n`);
      continue;
    }
    io.out(`FAIL  ${result.case.id}  ${result.case.title}  (${place(result.case.at).slice(0, -2)})\n`);
    for (const failure of result.failures) io.out(`      ${failure}\n`);
  }
  io.out(
    `${results.length} cases: ${results.length - failed.length} passed, ${failed.length} failed · ruleset ${loaded.digest.slice(0, 8)}\n`,
  );
  return failed.length > 0 ? EXIT.findings : EXIT.clean;
}

function mutate(loaded: LoadedLaw, paths: readonly string[], pattern: string, io: Io): ExitCode {
  const rules = [...loaded.law.rules.values()].filter((rule) => matches(pattern, rule.id));
  if (rules.length === 0)
    throw new InputError([
      { code: 'unknown-name', message: `\`${pattern}\` names no rule`, help: 'for example `eu/ai-act:*`' },
    ]);
  const cases = loadCases(loaded, paths.length > 0 ? paths : [join(loaded.directory, 'cases')]);
  const result = survivors(loaded.law, cases, rules, (done) => {
    if (done % 20 === 0) io.progress(`${done} of ${rules.length} rules`);
  });
  io.progress('');
  for (const { rule, what } of result.survivors) io.out(`survives  ${rule}  ${what}\n`);
  io.out(
    `${rules.length} rules, ${result.mutants} mutants, ${result.survivors.length} survivors against ${cases.length} cases\n`,
  );
  return result.survivors.length > 0 ? EXIT.findings : EXIT.clean;
}

function lint(loaded: LoadedLaw, args: Arguments, io: Io): ExitCode {
  const findings = lintLaw(loaded.law, runAll(loaded, []), today());
  const warnings = findings.filter((finding) => finding.severity === 'warning');
  const shown = args.flag('notices') ? findings : warnings;
  for (const finding of shown) io.out(`${place(finding.at)}${finding.severity}: ${finding.message}\n`);
  io.out(
    `${loaded.law.rulebooks.size} rulebooks, ${loaded.law.rules.size} rules: ${warnings.length} warnings, ${findings.length - warnings.length} notices · ruleset ${loaded.digest.slice(0, 8)}\n`,
  );
  return warnings.length > 0 ? EXIT.findings : EXIT.clean;
}
