import type { ReuseAnswer, ReuseTables, Subject } from '../../assess/reuse.ts';
import { reuseOf } from '../../assess/reuse.ts';
import { InputError } from '../../facts/problem.ts';
import { didYouMean } from '../../facts/suggest.ts';
import type { End } from '../../rules/crosswalk.ts';
import type { Framework } from '../../rules/framework.ts';
import { findReference } from '../../rules/framework.ts';
import type { LoadedLaw } from '../../rules/load.ts';
import { isNorm } from '../../rules/rule.ts';
import type { Arguments, Command, ExitCode, Io } from '../command.ts';
import { EXIT } from '../command.ts';
import { lawOf, momentOf } from '../input.ts';
import type { Coordination } from './coordination.ts';
import { loadCoordination } from './coordination.ts';
import { crosswalkReport, registerReport } from './crosswalk-report.ts';
import { printAnswer, printOverview, printRegister } from './crosswalk-table.ts';

export const command: Command = {
  name: 'crosswalk',
  summary: 'which other duties the same evidence serves, and what is left over',
  usage: 'crosswalk [control | rule | instrument | framework[:reference]] [--to TARGET] [options]',
  details:
    'Without an argument it lists the frameworks and the published crosswalks.\nEngineering reuse means that a team uses its evidence twice; legal recognition, that the law of one\nplace accepts what was done under the law of another. Most rows are the first.',
  options: {
    to: { type: 'string', value: 'TARGET', help: 'only what lies in this framework, instrument or place' },
    'as-of': {
      type: 'string',
      value: 'DATE',
      help: 'leave out duties that are over by then (default: today)',
    },
    law: { type: 'string', value: 'DIR', help: 'use this body of law instead of the bundled one' },
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity crosswalk eu/ai-act:art-19',
    'comity crosswalk DIS-01 --to KR',
    'comity crosswalk eu/ai-act --to iso-42001',
    'comity crosswalk "nist-ai-rmf:GOVERN 1.6"',
  ],
  run,
};

/** What one run answers from. */
export interface Desk extends Coordination {
  readonly loaded: LoadedLaw;
  readonly tables: ReuseTables;
}

function run(args: Arguments, io: Io): ExitCode {
  const loaded = lawOf(args);
  const coordination = loadCoordination(loaded);
  const { crosswalks, agreements } = coordination;
  const desk: Desk = {
    ...coordination,
    loaded,
    tables: { law: loaded.law, crosswalks, agreements: agreements.byId },
  };
  const json = args.text('format') === 'json';
  const [name] = args.positionals;
  if (name === undefined) {
    if (json) io.out(`${JSON.stringify(registerReport(desk), undefined, 2)}\n`);
    else printRegister(desk, io);
    return EXIT.clean;
  }
  const moment = momentOf(args);
  const to = args.text('to');
  const wanted = to === undefined ? undefined : targetOf(desk, to);
  const asked = subjectsOf(desk, name);
  const answers = asked.subjects
    .map((subject) => reuseOf(desk.tables, subject, moment))
    .map((answer) => (wanted === undefined ? answer : narrowed(desk, answer, wanted)));
  if (json) io.out(`${JSON.stringify(crosswalkReport(desk, answers, moment, to), undefined, 2)}\n`);
  else if (asked.kind === 'one') for (const answer of answers) printAnswer(desk, answer, to, io);
  else printOverview(desk, name, answers, to, io);
  return EXIT.clean;
}

interface Asked {
  readonly kind: 'one' | 'many';
  readonly subjects: readonly Subject[];
}

/** What somebody named: one thing, or everything in an instrument or framework. */
function subjectsOf({ loaded: { law }, frameworks }: Desk, name: string): Asked {
  const control = law.controls.get(name.toUpperCase());
  if (control !== undefined) return { kind: 'one', subjects: [{ kind: 'control', id: control.id }] };
  if (law.rules.has(name)) return { kind: 'one', subjects: [{ kind: 'rule', id: name }] };
  const framework = frameworks.get(name.split(':')[0] ?? '');
  if (framework !== undefined && name.includes(':'))
    return { kind: 'one', subjects: [referenceOf(framework, name.slice(framework.id.length + 1))] };
  if (framework !== undefined)
    return {
      kind: 'many',
      subjects: [...framework.references.values()]
        .filter(({ heading }) => !heading)
        .map(({ ref }) => ({ kind: 'reference', framework: framework.id, ref })),
    };
  const rulebook = law.rulebooks.get(name);
  if (rulebook !== undefined)
    return {
      kind: 'many',
      subjects: rulebook.rules.filter(isNorm).map(({ id }) => ({ kind: 'rule', id })),
    };
  const known = name.includes(':')
    ? [...law.rules.keys()]
    : [...law.controls.keys(), ...frameworks.keys(), ...law.rulebooks.keys()];
  throw new InputError([
    {
      code: 'unknown-name',
      message: `no control, rule, instrument or framework \`${name}\``,
      help: didYouMean(name, known),
    },
  ]);
}

function referenceOf(framework: Framework, written: string): Subject {
  const found = findReference(framework, written.trim());
  if (found.kind === 'found') return { kind: 'reference', framework: framework.id, ref: found.reference.ref };
  throw new InputError([
    {
      code: 'unknown-name',
      message: `\`${framework.id}\` has no reference \`${written}\``,
      help: found.help,
    },
  ]);
}

/** Where an answer should lie: in a framework, in an instrument, or in a place and what it contains. */
interface Target {
  readonly holds: (end: End) => boolean;
  readonly place?: string;
}

function targetOf({ loaded: { law }, frameworks }: Desk, to: string): Target {
  if (frameworks.has(to)) return { holds: (end) => end.kind === 'reference' && end.framework === to };
  if (law.rulebooks.has(to))
    return {
      holds: (end) =>
        end.kind === 'rule'
          ? law.rules.get(end.id)?.rulebook === to
          : end.kind === 'provision' && end.rulebook === to,
    };
  if (law.jurisdictions.byId.has(to)) {
    const placeOf = (end: End): string | undefined =>
      end.kind === 'rule'
        ? law.rulebooks.get(law.rules.get(end.id)?.rulebook ?? '')?.jurisdiction
        : end.kind === 'provision'
          ? end.place
          : undefined;
    return {
      place: to,
      holds: (end) => law.jurisdictions.contains(to, placeOf(end) ?? ''),
    };
  }
  throw new InputError([
    {
      code: 'unknown-name',
      message: `\`--to ${to}\` is no framework, instrument or place`,
      help: didYouMean(to, [...frameworks.keys(), ...law.rulebooks.keys(), ...law.jurisdictions.byId.keys()]),
    },
  ]);
}

function narrowed({ loaded: { law } }: Desk, answer: ReuseAnswer, { holds, place }: Target): ReuseAnswer {
  return {
    ...answer,
    services: answer.services.filter(({ end }) => holds(end)),
    neighbours: answer.neighbours
      .map((one) => ({ ...one, ends: one.ends.filter(holds) }))
      .filter(({ ends }) => ends.length > 0),
    accepted: answer.accepted.filter(
      ({ acceptance: { by, of } }) =>
        place !== undefined && [...by, ...of].some((one) => law.jurisdictions.contains(one, place)),
    ),
  };
}
