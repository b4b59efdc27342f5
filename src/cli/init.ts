import { existsSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import type { FeatureAssessment } from '../assess/feature.ts';
import { assessFeature } from '../assess/feature.ts';
import { parseDecimal } from '../facts/decimal.ts';
import type { Manifest } from '../facts/manifest.ts';
import { MANIFEST_VERSION, readManifest } from '../facts/manifest.ts';
import type { Problem } from '../facts/problem.ts';
import { formatProblem, InputError, throwIfAny } from '../facts/problem.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Fact } from '../facts/vocabulary.ts';
import type { LoadedLaw } from '../rules/load.ts';
import type { Arguments, Command, ExitCode, Io } from './command.ts';
import { EXIT } from './command.ts';
import { lawOf, momentOf } from './input.ts';
import { paint, row, wrap } from './style.ts';
import { headline, OUTCOME_COLOURS } from './words.ts';

export const command: Command = {
  name: 'init',
  summary: 'an interview that asks only what still matters, then writes comity.yaml',
  usage: 'init [file] [options]',
  details: [
    'Questions come in the order of what they settle. Press Enter to leave one open, `?` for the definition,',
    '`.` to stop and write what is known. With --yes nothing is asked: the flags are written as they are.',
  ].join('\n'),
  options: {
    name: { type: 'string', value: 'TEXT', help: 'name of the feature' },
    owner: { type: 'string', value: 'TEXT', help: 'who answers for it' },
    market: {
      type: 'string',
      multiple: true,
      short: 'm',
      value: 'CODES',
      help: 'markets, for example EU,KR,US-CO',
    },
    fact: {
      type: 'string',
      multiple: true,
      short: 'f',
      value: 'ID=VALUE',
      help: 'state a fact: purpose.uses=recruitment+grading, market.role=provider',
    },
    yes: { type: 'boolean', short: 'y', help: 'ask nothing' },
    force: { type: 'boolean', help: 'overwrite an existing file' },
    'as-of': { type: 'string', value: 'DATE', help: 'the day the questions are asked for (default: today)' },
    law: { type: 'string', value: 'DIR', help: 'use this body of law instead of the bundled one' },
  },
  examples: [
    'comity init',
    'comity init --yes --name "CV screener" --market EU,KR -f purpose.uses=recruitment -f market.role=provider',
  ],
  run,
};

/** What has been answered so far; market facts are the same for all markets until somebody edits the file. */
interface Draft {
  readonly name: string;
  readonly owner: string | undefined;
  readonly markets: readonly string[];
  readonly facts: ReadonlyMap<string, Answer>;
}

type Answer = string | boolean | readonly string[] | number;

async function run(args: Arguments, io: Io): Promise<ExitCode> {
  const file = args.positionals[0] ?? 'comity.yaml';
  if (existsSync(file) && !args.flag('force'))
    throw new InputError([
      { code: 'usage', message: `\`${file}\` exists`, help: 'edit it, or overwrite it with `--force`' },
    ]);
  const loaded = lawOf(args);
  const asking = !args.flag('yes');
  const lines = asking ? openTerminal(io) : undefined;
  try {
    let draft = await begin(args, loaded, lines, io);
    if (lines !== undefined) draft = await interview(draft, loaded, args, lines, io);
    const text = render(draft, loaded);
    readManifest(text, file, loaded.law);
    writeFileSync(file, text, { flag: args.flag('force') ? 'w' : 'wx' });
    io.err(`wrote ${file}; \`comity check ${file}\` shows what it means\n`);
    return EXIT.clean;
  } finally {
    lines?.close();
  }
}

/** Asks one question after the other. At the end of the input every further answer is undefined. */
interface Lines {
  question(text: string): Promise<string | undefined>;
  close(): void;
}

/** Lines are read one by one from an iterator, so that answers piped in at once are not lost. */
function openTerminal(io: Io): Lines {
  const reader = createInterface({ input: process.stdin });
  const lines = reader[Symbol.asyncIterator]();
  return {
    question: async (text) => {
      io.err(text);
      const next = await lines.next();
      return next.done === true ? undefined : next.value;
    },
    close: () => reader.close(),
  };
}

async function begin(args: Arguments, loaded: LoadedLaw, lines: Lines | undefined, io: Io): Promise<Draft> {
  const { law } = loaded;
  const ask = async (question: string): Promise<string | undefined> =>
    (await lines?.question(`${question} `))?.trim();
  const name = args.text('name') ?? (await ask('What is the feature called?')) ?? '';
  if (name === '')
    throw new InputError([
      { code: 'missing', message: 'the feature needs a name', help: 'give it with `--name`' },
    ]);
  let markets = [...args.texts('market')];
  while (markets.length === 0) {
    if (lines === undefined)
      throw new InputError([
        { code: 'missing', message: 'the feature needs a market', help: 'give them with `--market EU,KR`' },
      ]);
    const typed = await ask('In which markets? (codes such as EU, KR, US-CO, separated by commas)');
    if (typed === undefined)
      throw new InputError([
        { code: 'missing', message: 'the feature needs a market', help: 'give them with `--market EU,KR`' },
      ]);
    markets = typed
      .split(',')
      .map((market) => market.trim())
      .filter((market) => market !== '');
    const unknown = markets.find((market) => !law.jurisdictions.byId.has(market));
    if (unknown !== undefined) {
      io.err(`  unknown market \`${unknown}\`: ${didYouMean(unknown, [...law.jurisdictions.byId.keys()])}\n`);
      markets = [];
    }
  }
  const known = [...law.jurisdictions.byId.keys()];
  throwIfAny(
    markets
      .filter((market) => !known.includes(market))
      .map((market) => ({
        code: 'unknown-name',
        message: `unknown market \`${market}\``,
        help: didYouMean(market, known),
      })),
  );
  return { name, owner: args.text('owner'), markets, facts: factFlags(args, loaded) };
}

function factFlags(args: Arguments, { law }: LoadedLaw): ReadonlyMap<string, Answer> {
  const problems: Problem[] = [];
  const facts = new Map<string, Answer>();
  for (const flag of args.texts('fact')) {
    const [id = '', value] = flag.split('=');
    const fact = law.vocabulary.facts.get(id);
    if (fact === undefined || value === undefined) {
      problems.push({
        code: 'unknown-fact',
        message: value === undefined ? `\`--fact ${flag}\` has no \`=value\`` : `unknown fact \`${id}\``,
        help: didYouMean(id, [...law.vocabulary.facts.keys()]),
      });
      continue;
    }
    const answer = parseAnswer(fact, value.replaceAll('+', ','));
    if (answer === undefined)
      problems.push({
        code: 'unknown-value',
        message: `\`${value}\` is no value of \`${id}\``,
        help: hint(fact, value),
      });
    else facts.set(id, answer);
  }
  throwIfAny(problems);
  return facts;
}

/** Reads an answer as typed: yes and no, words, lists with commas, `none` for an empty set, numbers, days. */
export function parseAnswer(fact: Fact, typed: string): Answer | undefined {
  const text = typed.trim();
  switch (fact.type) {
    case 'bool':
      return /^(y|yes|true)$/i.test(text) ? true : /^(n|no|false)$/i.test(text) ? false : undefined;
    case 'enum':
      return fact.values.has(text) ? text : undefined;
    case 'set': {
      if (/^(none|\[\]|-)$/i.test(text)) return [];
      const words = text
        .split(',')
        .map((word) => word.trim())
        .filter((word) => word !== '');
      return words.length > 0 && words.every((word) => fact.values.has(word)) ? words : undefined;
    }
    case 'date':
      return /^\d{4}-\d{2}-\d{2}$/.test(text) ? text : undefined;
    default:
      return parseDecimal(text) === undefined ? undefined : Number(text);
  }
}

function hint(fact: Fact, typed: string): string {
  switch (fact.type) {
    case 'bool':
      return 'answer yes or no';
    case 'date':
      return 'write YYYY-MM-DD';
    case 'int':
    case 'decimal':
      return 'write a number';
    default: {
      const wrong =
        typed
          .split(',')
          .map((word) => word.trim())
          .find((word) => !fact.values.has(word)) ?? typed;
      return didYouMean(wrong, [...fact.values.keys()]);
    }
  }
}

async function interview(
  start: Draft,
  loaded: LoadedLaw,
  args: Arguments,
  lines: Lines,
  io: Io,
): Promise<Draft> {
  const moment = momentOf(args);
  const skipped = new Set<string>();
  let draft = start;
  for (;;) {
    const feature = assessFeature(loaded.law, manifestOf(draft, loaded), {
      moment,
      probe: () => ({ kind: 'absent' }),
    });
    const next = feature.open.find(({ fact }) => !skipped.has(fact.id));
    printState(feature, loaded, io);
    if (next === undefined) return draft;
    const answer = await askFact(next.fact, `bears on ${next.markets.join(', ')}`, lines, io);
    if (answer === 'stop') return draft;
    if (answer === 'skip') {
      skipped.add(next.fact.id);
      continue;
    }
    const told = { ...draft, facts: new Map([...draft.facts, [next.fact.id, answer.value]]) };
    try {
      manifestOf(told, loaded);
      draft = told;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      io.err(
        `${error.problems.map((problem) => `  ${formatProblem({ code: problem.code, message: problem.message })}`).join('\n')}\n`,
      );
    }
  }
}

async function askFact(
  fact: Fact,
  why: string,
  lines: Lines,
  io: Io,
): Promise<'skip' | 'stop' | { readonly value: Answer }> {
  io.err(`\n${row(io, [], `${fact.question} [${why}]`, ['bold'])}`);
  if (fact.type === 'enum' || (fact.type === 'set' && !fact.places)) {
    for (const [word, meaning] of fact.values) io.err(row(io, [[`  ${word}`, 30]], meaning));
  }
  const form = {
    bool: 'yes or no',
    enum: 'one word',
    set: 'words with commas, or none',
    int: 'a whole number',
    decimal: 'a number',
    date: 'YYYY-MM-DD',
  }[fact.type];
  for (;;) {
    const typed =
      (await lines.question(`${fact.id} (${form}; Enter: leave open, ?: what it means, .: stop) `))?.trim() ??
      '.';
    if (typed === '') return 'skip';
    if (typed === '.') return 'stop';
    if (typed === '?') {
      for (const line of wrap(`${fact.definition} Sources: ${fact.cites.join('; ')}.`, io.columns))
        io.err(`  ${line}\n`);
      continue;
    }
    const value = parseAnswer(fact, typed);
    if (value !== undefined) return { value };
    io.err(`  not understood: ${hint(fact, typed)}\n`);
  }
}

function printState(feature: FeatureAssessment, { law }: LoadedLaw, io: Io): void {
  io.err('\n');
  for (const assessment of feature.markets)
    io.err(
      row(
        io,
        [
          [assessment.market, 8],
          [assessment.outcome, 13],
        ],
        headline(law, assessment),
        ['bold', OUTCOME_COLOURS[assessment.outcome]],
      ),
    );
  io.err(paint(io, 'dim', `${feature.open.length} facts open\n`));
}

function manifestOf(draft: Draft, loaded: LoadedLaw): Manifest {
  return readManifest(render(draft, loaded), 'comity.yaml', loaded.law);
}

function render(draft: Draft, { law }: LoadedLaw): string {
  const facts = [...draft.facts].map(([id, value]) => ({
    id,
    value,
    per: law.vocabulary.facts.get(id)?.per,
  }));
  const defaults = facts
    .filter(({ per }) => per === 'market')
    .map(({ id, value }) => [id.slice('market.'.length), value]);
  const system = facts.filter(({ per }) => per === 'system').map(({ id, value }) => [id, value]);
  const data = {
    comity: MANIFEST_VERSION,
    name: draft.name,
    ...(draft.owner === undefined ? {} : { owner: draft.owner }),
    markets: Object.fromEntries(draft.markets.map((market) => [market, {}])),
    ...(defaults.length > 0 ? { market_defaults: Object.fromEntries(defaults) } : {}),
    ...(system.length > 0 ? { facts: Object.fromEntries(system) } : {}),
  };
  const schema = '# yaml-language-server: $schema=./node_modules/comity/schema/comity.schema.json';
  return `${schema}\n${stringify(data, { version: '1.2', schema: 'core', lineWidth: 110, flowCollectionPadding: false, collectionStyle: 'any' })}`;
}
