import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCases } from '../../assess/case.ts';
import type { Day } from '../../facts/date.ts';
import { gather } from '../../facts/knowledge.ts';
import { parseSource } from '../../facts/source.ts';
import type { Law } from '../../rules/law.ts';
import { BUNDLED_LAW, loadLaw } from '../../rules/load.ts';
import type { Rule } from '../../rules/rule.ts';
import { learning, randomRules, rulesBody } from '../../rules/testdata/random-law.ts';
import { day, smallLaw, stated } from '../../rules/testdata/small-law.ts';
import { SolverSession } from '../../solve/session.ts';
import type { Exported } from './exported.ts';
import { exportLaw } from './exported.ts';
import type { Formula } from './formula.ts';
import type { Subject } from './input.ts';
import { rego } from './rego.ts';
import { constructs } from './testdata/constructs.ts';
import type { Engine } from './testdata/engines.ts';
import {
  cedarEngine,
  celEngine,
  expected,
  opaBuild,
  opaCommand,
  opaEngine,
  opaNative,
  smtEngine,
} from './testdata/engines.ts';
import { dice, randomKnowledge } from './testdata/random-knowledge.ts';

const LONG = process.env.COMITY_LONG === '1';
const TIMEOUT = LONG ? 1_800_000 : 120_000;
const NOW = day('2026-11-25');
const OPA = opaCommand();

let session: SolverSession;
beforeAll(async () => {
  session = await SolverSession.open();
});
afterAll(() => session.close());

/** The engines that run here; that of OPA where its compiler is. */
const ENGINES: Readonly<Record<string, (exported: Exported) => Promise<Engine>>> = {
  cedar: async (exported) => cedarEngine(exported),
  cel: async (exported) => celEngine(exported),
  smtlib: (exported) => smtEngine(session, exported),
  ...(OPA === undefined
    ? {}
    : { rego: (exported: Exported) => opaEngine(exported, opaBuild(OPA, rego.render(exported))) }),
};
const names = Object.keys(ENGINES);

function exportOf(law: Law, wanted: (rule: Rule) => boolean = () => true, asOf: Day = NOW): Exported {
  return exportLaw({ law, digest: 'test', moment: { asOf, knownAt: asOf }, wanted });
}

/** Without its constraints, so that anything may be known of facts. */
function unconstrained(law: Law): Law {
  return { ...law, vocabulary: { ...law.vocabulary, constraints: [] } };
}

function subjectsOf(exported: Exported, market: string, seeds: Iterable<number>): readonly Subject[] {
  return [...seeds].map((seed) => ({
    feature: `feature ${seed}`,
    market,
    knowledge: randomKnowledge(exported, seed),
  }));
}

async function differences(
  engine: Engine,
  subjects: readonly Subject[],
  budget = Number.POSITIVE_INFINITY,
): Promise<readonly string[]> {
  const until = performance.now() + budget;
  const found: string[] = [];
  for (const [i, subject] of subjects.entries()) {
    if (i > 2 && performance.now() > until) break;
    for (const one of await engine.differences(subject)) found.push(`${subject.feature}: ${one}`);
  }
  return found;
}

async function differs(engine: Engine, subjects: readonly Subject[]): Promise<boolean> {
  for (const subject of subjects) if ((await engine.differences(subject)).length > 0) return true;
  return false;
}

const seeds = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);

describe.each(names)('the rules exported to %s', (name) => {
  const open = (exported: Exported): Promise<Engine> => {
    const engine = ENGINES[name];
    if (engine === undefined) throw new RangeError(name);
    return engine(exported);
  };

  test(
    'come out as the interpreter has them, whatever is known, on every construct of the language',
    async () => {
      const exported = exportOf(unconstrained(constructs()));
      const subjects = subjectsOf(exported, 'AA', seeds(600));
      const seen = new Set(
        subjects.flatMap((subject) => [...expected(exported, subject)].map((one) => one.join(' '))),
      );
      // Every rule is seen with every value, but for what always holds and for what is unsettled and so never true.
      expect(seen.size).toBe(exported.rules.length * 3 - 3);
      expect(await differences(await open(exported), subjects)).toEqual([]);
    },
    TIMEOUT,
  );

  test(
    'come out as the interpreter has them on random rules and whatever is known',
    async () => {
      await fc.assert(
        fc.asyncProperty(randomRules, fc.nat(), async (rules, seed) => {
          const exported = exportOf(unconstrained(smallLaw({ 'aa/act': rulesBody(rules) })));
          const subjects = subjectsOf(
            exported,
            'AA',
            seeds(12).map((i) => seed + i),
          );
          expect(await differences(await open(exported), subjects)).toEqual([]);
        }),
        // Compiling with OPA takes most of a second.
        { numRuns: (name === 'rego' ? 8 : 60) * (LONG ? 50 : 1) },
      );
    },
    TIMEOUT,
  );

  test(
    'come out as the interpreter has them on random rules and stated facts, under the constraints',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          randomRules,
          fc.array(learning, { minLength: 3, maxLength: 6 }),
          async (rules, facts) => {
            const law = smallLaw({ 'aa/act': rulesBody(rules) });
            const exported = exportOf(law);
            const subjects = facts
              .flatMap(({ before, after }) => [before, after])
              .map((one) => ({
                feature: JSON.stringify(one),
                market: 'AA',
                knowledge: gather(law.vocabulary, law.jurisdictions, 'AA', stated(one)).knowledge,
              }));
            expect(await differences(await open(exported), subjects)).toEqual([]);
          },
        ),
        { numRuns: (name === 'rego' ? 5 : 30) * (LONG ? 50 : 1) },
      );
    },
    TIMEOUT,
  );

  test(
    'differ from the interpreter where the exporter is wrong',
    async () => {
      const exported = exportOf(unconstrained(constructs()));
      const subjects = subjectsOf(exported, 'AA', seeds(300));
      for (const [what, mutate] of MUTATIONS) {
        const mutant = {
          ...exported,
          definitions: exported.definitions.map((one) => ({
            ...one,
            rails: { definitely: changed(one.rails.definitely, mutate), possibly: one.rails.possibly },
          })),
        };
        const rules = mutant.rules.map((one) => ({
          ...one,
          rails:
            mutant.definitions.find(({ kind, name: id }) => kind === 'rule' && id === one.rule.id)?.rails ??
            one.rails,
        }));
        expect(await differs(await open({ ...mutant, rules }), subjects), what).toBe(true);
      }
    },
    TIMEOUT,
  );

  test(
    'come out as the interpreter has them on the law of the world',
    async () => {
      const { law } = loadLaw();
      const places = LONG ? undefined : new Set(law.jurisdictions.chain(name === 'cedar' ? 'KR' : 'DE'));
      const exported = exportOf(unconstrained(law), (rule) =>
        places === undefined ? true : places.has(law.rulebooks.get(rule.rulebook)?.jurisdiction ?? ''),
      );
      const engine = await open(exported);
      // Random knowledge and worked cases in turn, as many as there is time for.
      const random = subjectsOf(exported, 'DE', seeds(LONG ? 1000 : 12));
      const worked = caseSubjects(law, LONG ? 1 : 60);
      const subjects = random.flatMap((subject, i) => [subject, worked[(i * 7) % worked.length] ?? subject]);
      expect(await differences(engine, subjects, LONG ? 300_000 : 8_000)).toEqual([]);
    },
    TIMEOUT,
  );
});

describe('the native engine of OPA, where `opa` is on the path or named by the variable OPA', () => {
  test.runIf(OPA !== undefined)('answers as the interpreter does', () => {
    const exported = exportOf(unconstrained(constructs()));
    expect(opaNative(OPA ?? '', exported, subjectsOf(exported, 'AA', seeds(300)))).toEqual([]);
  });

  test.runIf(OPA !== undefined && LONG)(
    'answers as the interpreter does on the law of the world',
    () => {
      const { law } = loadLaw();
      const exported = exportOf(unconstrained(law));
      expect(opaNative(OPA ?? '', exported, subjectsOf(exported, 'DE', seeds(100)))).toEqual([]);
    },
    TIMEOUT,
  );
});

/** What is stated in worked cases of the law, now and then with a fact withheld. */
function caseSubjects(law: Law, step: number): readonly Subject[] {
  const folder = join(BUNDLED_LAW, 'cases');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .sort();
  const chosen = files
    .filter((_, i) => i % step === 0)
    .map((name) => parseSource(readFileSync(join(folder, name), 'utf8'), name));
  const roll = dice(7);
  return readCases(chosen, law).map(({ id, market, statements }) => ({
    feature: id,
    market,
    knowledge: gather(
      law.vocabulary,
      law.jurisdictions,
      market,
      statements.filter(() => roll(5) > 0),
    ).knowledge,
  }));
}

/** Applies a change everywhere in a formula. */
function changed(formula: Formula, mutate: (formula: Formula) => Formula): Formula {
  const below =
    'of' in formula ? { ...formula, of: formula.of.map((child) => changed(child, mutate)) } : formula;
  return mutate(below);
}

const MUTATIONS: readonly (readonly [string, (formula: Formula) => Formula])[] = [
  ['and for or', (formula) => (formula.kind === 'or' ? { ...formula, kind: 'and' } : formula)],
  ['or for and', (formula) => (formula.kind === 'and' ? { ...formula, kind: 'or' } : formula)],
  [
    'one more of several',
    (formula) => (formula.kind === 'at-least' ? { ...formula, n: formula.n + 1 } : formula),
  ],
  [
    'a test on the other rail',
    (formula) =>
      formula.kind === 'test'
        ? { ...formula, rail: formula.rail === 'definitely' ? 'possibly' : 'definitely' }
        : formula,
  ],
  [
    'an exception on the other rail',
    (formula) =>
      formula.kind === 'rule'
        ? { ...formula, rail: formula.rail === 'definitely' ? 'possibly' : 'definitely' }
        : formula,
  ],
  ['a forgotten negation', (formula) => (formula.kind === 'test' ? { ...formula, negated: false } : formula)],
];
