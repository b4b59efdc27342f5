import { probeBeside } from '../assess/evidence-files.ts';
import type { Answer, WhatIf } from '../assess/whatif.ts';
import { whatIf } from '../assess/whatif.ts';
import type { Manifest } from '../facts/manifest.ts';
import { InputError } from '../facts/problem.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Law } from '../rules/law.ts';
import type { LoadedLaw } from '../rules/load.ts';
import type { Arguments, Command, ExitCode, Io } from './command.ts';
import { EXIT } from './command.ts';
import { findManifests, lawOf, momentOf, QUESTION_OPTIONS, readManifests } from './input.ts';
import { paint, row } from './style.ts';
import { changeText, citation, count, effectOf } from './words.ts';

const GOALS = ['allowed', 'allowed-if'] as const;
const DEFAULT_LIMIT_SECONDS = 10;

export const command: Command = {
  name: 'whatif',
  summary: 'the least change that turns a no into a yes, or the rules that make it impossible',
  usage: 'whatif [manifest or directory …] --market KR --to allowed [options]',
  details:
    'Changes are weighed by the vocabulary: what it costs to change a fact, or to find it out. Each answer is checked before it is shown.',
  options: {
    ...QUESTION_OPTIONS,
    to: { type: 'string', value: GOALS.join('|'), help: 'the outcome wanted (default allowed-if)' },
    answers: { type: 'string', value: 'N', help: 'how many answers, cheapest first (default 3)' },
    limit: {
      type: 'string',
      value: 'SECONDS',
      help: `how long to search per market (default ${DEFAULT_LIMIT_SECONDS})`,
    },
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity whatif examples/voice-coach --market EU',
    'comity whatif --market KR --to allowed --answers 1',
  ],
  run,
};

function positive(args: Arguments, name: string, fallback: number): number {
  const text = args.text(name);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!(value > 0))
    throw new InputError([{ code: 'usage', message: `\`--${name} ${text}\` is no positive number` }]);
  return value;
}

function run(args: Arguments, io: Io): ExitCode {
  const loaded = lawOf(args);
  const moment = momentOf(args);
  const goal = GOALS.find((word) => word === (args.text('to') ?? 'allowed-if'));
  if (goal === undefined)
    throw new InputError([
      {
        code: 'usage',
        message: `\`--to ${args.text('to')}\` is no goal`,
        help: didYouMean(args.text('to') ?? '', GOALS),
      },
    ]);
  const answers = positive(args, 'answers', 3);
  const limit = positive(args, 'limit', DEFAULT_LIMIT_SECONDS);
  const results = readManifests(findManifests(args.positionals), loaded).flatMap((manifest) =>
    marketsOf(args, loaded, manifest).map((market) => {
      if (!hasRulebook(loaded.law, market))
        throw new InputError([
          {
            code: 'usage',
            message: `no rulebook for \`${market}\`: no change of facts makes an answer there`,
            help: 'name markets with rulebooks; `comity law list` shows them',
          },
        ]);
      const result = whatIf({
        law: loaded.law,
        market,
        moment,
        statements: manifest.statements(market),
        declared: manifest.controls,
        probe: probeBeside(manifest),
        goal,
        answers,
        limitMs: limit * 1000,
      });
      return { manifest, market, result };
    }),
  );
  if (args.text('format') === 'json')
    io.out(
      `${JSON.stringify({ format: 'comity.whatif/1', ruleset: loaded.digest, as_of: moment.asOf, goal, results: results.map(({ manifest, market, result }) => ({ name: manifest.name, file: manifest.file, market, ...report(loaded.law, result) })) }, undefined, 2)}\n`,
    );
  else
    for (const { manifest, market, result } of results)
      print(loaded.law, manifest, market, goal, result, limit, io);
  return results.every(({ result }) => result.kind === 'reached')
    ? EXIT.clean
    : results.some(({ result }) => result.kind === 'gave-up')
      ? EXIT.cannotTell
      : EXIT.findings;
}

function marketsOf(args: Arguments, { law }: LoadedLaw, manifest: Manifest): readonly string[] {
  const asked = args.texts('market');
  for (const market of asked)
    if (!law.jurisdictions.byId.has(market))
      throw new InputError([
        {
          code: 'unknown-name',
          message: `unknown market \`${market}\``,
          help: didYouMean(market, [...law.jurisdictions.byId.keys()]),
        },
      ]);
  return asked.length > 0 ? asked : manifest.markets.filter((market) => hasRulebook(law, market));
}

function hasRulebook(law: Law, market: string): boolean {
  const chain = law.jurisdictions.chain(market);
  return [...law.rulebooks.values()].some(
    ({ jurisdiction, binding }) => binding && chain.includes(jurisdiction),
  );
}

function print(
  law: Law,
  manifest: Manifest,
  market: string,
  goal: string,
  result: WhatIf,
  limit: number,
  io: Io,
): void {
  io.out(`${paint(io, 'bold', manifest.name)} in ${market}, to ${goal}\n`);
  switch (result.kind) {
    case 'reached':
      for (const [i, answer] of result.answers.entries()) printAnswer(i + 1, answer, goal, io);
      if (!result.complete)
        io.out(
          row(
            io,
            [['  ', 2]],
            `the limit of ${limit} s ran out; cheaper answers than these there are none, further ones there may be`,
          ),
        );
      return;
    case 'impossible':
      io.out('  impossible: no fact that can be changed changes these\n');
      for (const rule of result.core)
        io.out(row(io, [['    ', 4]], `${effectOf(law, rule)} (${citation(law, rule)}) [${rule.id}]`));
      return;
    case 'gave-up':
      io.out(
        row(
          io,
          [['  ', 2]],
          `no answer within the limit of ${limit} s (${result.tried} combinations tried); nothing follows from that`,
        ),
      );
  }
}

function printAnswer(n: number, { changes, cost, outcome, controls }: Answer, goal: string, io: Io): void {
  const head =
    changes.length === 0
      ? `already ${outcome}`
      : `${outcome} by ${count(changes.length, 'change')} (effort ${cost})`;
  io.out(row(io, [[`  ${n}. `, 5]], head));
  for (const change of changes) io.out(row(io, [['     ', 5]], changeText(change)));
  if (controls.length > 0)
    io.out(
      row(io, [['     ', 5]], `${goal === 'allowed' ? 'and build' : 'outstanding'}: ${controls.join(', ')}`, [
        'dim',
      ]),
    );
}

function report(law: Law, result: WhatIf): Record<string, unknown> {
  switch (result.kind) {
    case 'reached':
      return { result: 'reached', complete: result.complete, answers: result.answers };
    case 'impossible':
      return {
        result: 'impossible',
        core: result.core.map((rule) => ({ rule: rule.id, cite: citation(law, rule) })),
      };
    case 'gave-up':
      return { result: 'gave-up', tried: result.tried };
  }
}
