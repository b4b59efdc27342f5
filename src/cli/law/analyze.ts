import type { CaseResult } from '../../assess/case.ts';
import { InputError } from '../../facts/problem.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import type { Rule } from '../../rules/rule.ts';
import { matches } from '../../rules/rule.ts';
import type { LawFinding } from '../../solve/analyze.ts';
import { analyzeChange, analyzeLaw } from '../../solve/analyze.ts';
import { SolverError, SolverSession } from '../../solve/session.ts';
import type { Arguments, ExitCode, Io } from '../command.ts';
import { EXIT } from '../command.ts';
import { momentOf } from '../input.ts';
import { lawAt } from '../revision.ts';
import { row } from '../style.ts';
import { count } from '../words.ts';

/** Implied duties are the ordinary case of one paragraph repeating another: worth knowing, nothing to mend. */
const NOTICES: ReadonlySet<LawFinding['kind']> = new Set(['implied', 'always', 'undecided']);

/** `comity law analyze [rules] [--base revision]`: the law checked the way a compiler checks a program. */
export async function runLawAnalyze(
  loaded: LoadedLaw,
  patterns: readonly string[],
  cases: (places: ReadonlySet<string>) => readonly CaseResult[],
  args: Arguments,
  io: Io,
): Promise<ExitCode> {
  const base = args.text('base');
  const before = base === undefined ? undefined : lawAt(base);
  let session: SolverSession;
  try {
    session = await SolverSession.open();
  } catch (error) {
    if (!(error instanceof SolverError)) throw error;
    throw new InputError([
      {
        code: 'usage',
        message: error.message,
        help: 'the analysis needs the optional package: `npm install z3-solver`',
      },
    ]);
  }
  try {
    const progress = (done: number, total: number): void => io.progress(`${done} of ${total} rules`);
    const findings =
      before === undefined
        ? await analyze(session, loaded, patterns, cases, args, progress)
        : await analyzeChange(session, before, loaded.law, momentOf(args), progress);
    io.progress('');
    if (args.text('format') === 'json')
      io.out(
        `${JSON.stringify({ format: 'comity.law-analyze/1', ruleset: loaded.digest, findings }, undefined, 2)}\n`,
      );
    else print(loaded, findings, args.flag('notices'), io);
    return findings.some(({ kind }) => !NOTICES.has(kind)) ? EXIT.findings : EXIT.clean;
  } finally {
    session.close();
  }
}

async function analyze(
  session: SolverSession,
  { law }: LoadedLaw,
  patterns: readonly string[],
  cases: (places: ReadonlySet<string>) => readonly CaseResult[],
  args: Arguments,
  onProgress: (done: number, total: number) => void,
): Promise<readonly LawFinding[]> {
  const only = (rule: Rule): boolean =>
    patterns.length === 0 ||
    patterns.some((pattern) => matches(pattern, rule.id) || matches(pattern, rule.rulebook));
  const places = new Set(
    [...law.rules.values()]
      .filter(only)
      .map(({ rulebook }) => law.rulebooks.get(rulebook)?.jurisdiction ?? ''),
  );
  const results = cases(places);
  return analyzeLaw(session, law, {
    moment: momentOf(args),
    only,
    seenTrue: new Set(results.flatMap(({ held }) => [...held])),
    seenFalse: new Set(results.flatMap(({ failed }) => [...failed])),
    onProgress,
  });
}

function print({ law, digest }: LoadedLaw, findings: readonly LawFinding[], notices: boolean, io: Io): void {
  const shown = notices ? findings : findings.filter(({ kind }) => !NOTICES.has(kind));
  for (const { kind, rule, message, witness } of shown) {
    const at = law.rules.get(rule)?.at;
    io.out(
      row(
        io,
        [[`${kind} `, 12]],
        `${rule}: ${message}${at === undefined ? '' : ` (${at.file}:${at.line})`}`,
        ['yellow'],
      ),
    );
    for (const { fact, value } of witness ?? [])
      io.out(`              ${fact}: ${Array.isArray(value) ? `[${value.join(', ')}]` : String(value)}\n`);
  }
  io.out(
    `${count(shown.length, 'finding')}${notices ? '' : `, ${count(findings.length - shown.length, 'notice')} (--notices shows them)`} · ruleset ${digest.slice(0, 8)}\n`,
  );
}
