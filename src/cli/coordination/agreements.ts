import type { Problem } from '../../facts/problem.ts';
import { throwIfAny } from '../../facts/problem.ts';
import { didYouMean } from '../../facts/suggest.ts';
import type { Agreement, Agreements, Pillar } from '../../rules/agreement.ts';
import { concerns, isLive, PILLARS } from '../../rules/agreement.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import type { Arguments, Command, ExitCode, Io } from '../command.ts';
import { EXIT } from '../command.ts';
import { lawOf } from '../input.ts';
import { row } from '../style.ts';
import { count } from '../words.ts';
import type { AgreementsAnswer } from './agreements-report.ts';
import { agreementsReport } from './agreements-report.ts';
import { loadAgreements } from './coordination.ts';

export const command: Command = {
  name: 'agreements',
  summary: 'how countries coordinate on AI, and what that changes for a team',
  usage: 'agreements [agreement …] [--between PLACES] [options]',
  options: {
    between: {
      type: 'string',
      multiple: true,
      value: 'PLACES',
      help: 'only those that all these places take part in: --between EU KR',
    },
    pillar: { type: 'string', multiple: true, value: 'PILLARS', help: PILLARS.join(', ') },
    'in-force': {
      type: 'boolean',
      help: 'only what is in force, or, where it does not bind, being carried out',
    },
    law: { type: 'string', value: 'DIR', help: 'use this body of law instead of the bundled one' },
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity agreements --between EU KR --in-force',
    'comity agreements coe-cets-225',
    'comity agreements --pillar safety --format json',
  ],
  run,
};

function run(args: Arguments, io: Io): ExitCode {
  const loaded = lawOf(args);
  const agreements = loadAgreements(loaded);
  const answer = answerOf(args, loaded, agreements);
  if (args.text('format') === 'json')
    io.out(`${JSON.stringify(agreementsReport(answer, agreements), undefined, 2)}\n`);
  else printAnswer(answer, agreements, args.texts('between').length === 0 && args.positionals.length > 0, io);
  return EXIT.clean;
}

function answerOf(args: Arguments, loaded: LoadedLaw, { byId, groups }: Agreements): AgreementsAnswer {
  // `--between EU KR`: the second place reaches us as an argument of its own.
  const between = args.texts('between').length > 0 ? [...args.texts('between'), ...args.positionals] : [];
  const named = between.length > 0 ? [] : args.positionals;
  const { jurisdictions } = loaded.law;
  const problems: Problem[] = [
    ...unknown(between, 'place', [...jurisdictions.byId.keys()]),
    ...unknown(args.texts('pillar'), 'pillar', PILLARS),
    ...unknown(named, 'agreement', [...byId.keys()]),
  ];
  throwIfAny(problems);
  const pillars = args.texts('pillar').filter((word): word is Pillar => PILLARS.some((one) => one === word));
  const chosen = [...byId.values()].filter(
    (agreement) =>
      (named.length === 0 || named.includes(agreement.id)) &&
      pillars.every((pillar) => agreement.pillars.includes(pillar)) &&
      (!args.flag('in-force') || isLive(agreement)),
  );
  const standing = (how: ReturnType<typeof concerns>): readonly Agreement[] =>
    chosen.filter((agreement) => concerns(agreement, between, groups, jurisdictions) === how);
  return { between, found: standing('yes'), open: standing('open') };
}

function unknown(words: readonly string[], what: string, known: readonly string[]): readonly Problem[] {
  return words
    .filter((word) => !known.includes(word))
    .map((word) => ({
      code: 'unknown-name',
      message: `unknown ${what} \`${word}\``,
      help: didYouMean(word, known),
    }));
}

function printAnswer(
  { between, found, open }: AgreementsAnswer,
  agreements: Agreements,
  inFull: boolean,
  io: Io,
): void {
  for (const agreement of found) {
    if (inFull) printInFull(agreement, agreements, io);
    else printBrief(agreement, io);
  }
  if (inFull) return;
  const binding = found.filter(({ force, state }) => force === 'binding' && state.is === 'in-force').length;
  const whom = between.length === 0 ? '' : ` of ${between.join(' and ')}`;
  io.out(`${count(found.length, 'agreement')}${whom}, ${binding} binding and in force\n`);
  if (open.length > 0)
    io.out(
      row(io, [], `Parties not listed one by one, so not compared: ${open.map(({ id }) => id).join(', ')}`, [
        'dim',
      ]),
    );
}

function stateWords({ state }: Agreement): string {
  return `${state.is.replaceAll('-', ' ')} (${state.asOf})`;
}

/** How sure we are, said only where there is doubt. */
function doubt({ source, uncertain }: Agreement): string {
  const parts = [
    ...(source.mark === 'recalled' ? ['from memory'] : []),
    ...(source.confidence === 'high' ? [] : [`confidence ${source.confidence}`]),
    ...(uncertain === undefined ? [] : [`not known: ${uncertain.replace(/\.$/, '')}`]),
  ];
  return parts.length === 0 ? '' : ` [${parts.join('; ')}]`;
}

function printBrief(agreement: Agreement, io: Io): void {
  const about = [
    agreement.force === 'binding' ? 'binding' : 'not binding',
    stateWords(agreement),
    ...(agreement.pillars.length === 0 ? [] : [agreement.pillars.join(', ')]),
  ];
  io.out(row(io, [[`${agreement.id}  `, agreement.id.length + 2]], about.join(' · '), ['bold']));
  io.out(row(io, [['  ', 2]], agreement.title));
  io.out(row(io, [['  for teams  ', 13]], `${agreement.forTeams}${doubt(agreement)}`, ['dim']));
  printRecognition(agreement, io);
}

function printRecognition({ recognition }: Agreement, io: Io): void {
  for (const { kind, by, of, what, cite, excludes, until } of recognition) {
    const label = kind === 'legal-recognition' ? 'legal recognition' : 'engineering reuse';
    const limits = `${excludes === undefined ? '' : `; not: ${excludes}`}${until === undefined ? '' : `; until ${until}`}`;
    io.out(
      row(
        io,
        [['  accepts    ', 13]],
        `${label}: ${by.join(', ')} of ${of.join(', ')}: ${what} (${cite})${limits}`,
        ['dim'],
      ),
    );
  }
}

function printInFull(agreement: Agreement, { groups }: Agreements, io: Io): void {
  const line = (label: string, words: string | undefined): void => {
    if (words !== undefined && words !== '') io.out(row(io, [[`  ${label.padEnd(13)}`, 15]], words, ['dim']));
  };
  const { source, state } = agreement;
  io.out(row(io, [[`${agreement.id}  `, agreement.id.length + 2]], agreement.title, ['bold']));
  line('state', `${stateWords(agreement)}${state.note === undefined ? '' : `: ${state.note}`}`);
  line('force', `${agreement.force}${agreement.forceNote === undefined ? '' : `. ${agreement.forceNote}`}`);
  line('parties', agreement.parties.join(', '));
  line('signed', agreement.signatories.join(', '));
  line('concerns', agreement.concerns.join(', '));
  line('groups', agreement.groups.map((id) => groups.get(id)?.title ?? id).join('; '));
  line('bodies', agreement.organisations.join('; '));
  line('not listed', agreement.unlisted);
  line('stayed away', agreement.absent.join(', '));
  line('dates', agreement.dates.map(({ on, what }) => `${on} ${what}`).join('; '));
  line('pillars', agreement.pillars.join(', '));
  line('commitments', agreement.commitments);
  line('for teams', agreement.forTeams);
  printRecognition(agreement, io);
  line('not known', agreement.uncertain);
  line(
    'source',
    `${source.mark}${source.seen === undefined ? '' : ` ${source.seen}`}, confidence ${source.confidence}${source.note === undefined ? '' : `. ${source.note}`}`,
  );
  for (const url of source.urls) line('', url);
}
