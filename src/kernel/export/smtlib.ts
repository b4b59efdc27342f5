import type { Domain } from '../../facts/domain.ts';
import type { Problem } from '../../facts/problem.ts';
import type { Fact } from '../../facts/vocabulary.ts';
import type { Exported, ExportedFact } from './exported.ts';
import { factNamed } from './exported.ts';
import type { Formula, Rail, TestFormula } from './formula.ts';
import { formulaOf, or, RAILS, testsIn } from './formula.ts';
import { EXPRESSED, headerOf, LEFT_OUT, oneLine, placeOf } from './header.ts';
import type { Subject } from './input.ts';
import { conjunction, disjunction } from './smtlib-term.ts';
import type { Coverage, Target } from './target.ts';

const COVERAGE: Coverage = {
  expressed: [
    ...EXPRESSED,
    'numbers exactly, days as days since 1970-01-01; what is known of a fact is free until it is asserted',
    '`|complete|`: everything is known; asserted, unknown is gone but for unsettled law',
    'constraints of the vocabulary: whatever is known does not contradict them',
    '`|not allowed PLACE|` and `|not allowed possibly PLACE|`: some prohibition of the place applies',
  ],
  leftOut: [...LEFT_OUT, 'names with `|` or `\\`, which SMT-LIB cannot quote'],
};

export const smtlib: Target = {
  title: 'SMT-LIB 2',
  file: 'law.smt2',
  inputExtension: 'smt2',
  coverage: COVERAGE,
  refuse,
  render,
  beside: () => new Map(),
  input: pinsOf,
};

const DAY_MS = 86_400_000;

function render(exported: Exported): string {
  const scope = withConstraints(exported);
  const { definitions, rules } = exported;
  const commentOf = (kind: string, name: string): readonly string[] => {
    const found = kind === 'rule' ? rules.find(({ rule }) => rule.id === name) : undefined;
    if (found === undefined) return [];
    const { rule, rulebook, status } = found;
    return [
      `; ${oneLine(rule.cite)} (${oneLine(rulebook.citation)})`,
      `; ${rule.effect.kind}, ${status} · ${placeOf(found)}`,
      ...(rule.ambiguous === undefined ? [] : [`; unsettled: ${oneLine(rule.ambiguous)}`]),
    ];
  };
  const prohibitions = rules.filter(({ prohibits }) => prohibits);
  const skipped = exported.skipped.filter(({ prohibits }) => prohibits);
  const places = [
    ...new Set([...prohibitions, ...skipped].map(({ rulebook }) => rulebook.jurisdiction)),
  ].sort();
  return `${[
    ...headerOf('SMT-LIB 2', COVERAGE, exported).map((line) => (line === '' ? ';' : `; ${line}`)),
    '',
    '(set-logic QF_LIRA)',
    '',
    '; Facts: what is known of them.',
    ...scope.facts.flatMap(declare),
    '',
    define('complete', conjunction(scope.facts.map(({ key, fact }) => knownOf(key, fact)))),
    '',
    '; What the vocabulary rules out.',
    ...scope.constraints,
    '',
    ...definitions.flatMap(({ kind, name, rails }) => [
      ...commentOf(kind, name),
      ...RAILS.map((rail) => define(symbolOf(kind, name, rail), expression(rails[rail]))),
      '',
    ]),
    ...places.flatMap((place) => {
      const own = prohibitions.filter(({ rulebook }) => rulebook.jurisdiction === place);
      // What is not exported may apply.
      const unsaid: Formula = {
        kind: 'constant',
        value: skipped.some(({ rulebook }) => rulebook.jurisdiction === place),
      };
      return [
        define(`not allowed ${place}`, expression(or(own.map(({ rails }) => rails.definitely)))),
        define(
          `not allowed possibly ${place}`,
          expression(or([unsaid, ...own.map(({ rails }) => rails.possibly)])),
        ),
      ];
    }),
  ].join('\n')}\n`;
}

function define(name: string, body: string): string {
  return `(define-fun |${name}| () Bool ${body})`;
}

/** The name of what a rule, or a conclusion, comes out as on a rail. */
export function symbolOf(kind: 'rule' | 'concluded', name: string, rail: Rail): string {
  return kind === 'rule' ? `${rail} ${name}` : `${rail} concluded ${name}`;
}

/** The facts of the rules, with those that constraints tie to them, and the constraints. */
function withConstraints(exported: Exported): {
  readonly facts: readonly ExportedFact[];
  readonly constraints: readonly string[];
} {
  const { law } = exported;
  const names = {
    fact: (id: string): Fact => factNamed(law, id),
    // INVARIANT: constraints test facts only; the loader refuses others.
    concluded: (): Formula => ({ kind: 'constant', value: false }),
  };
  const ties = law.vocabulary.constraints.map(({ id, when, then }) => {
    const broken = then.map(
      ({ fact, test }): Formula =>
        formulaOf({ kind: 'not', of: { kind: 'fact', fact, test } }, 'definitely', names),
    );
    return { id, formulas: [formulaOf(when, 'definitely', names), or(broken)] as const };
  });
  const facts = new Map(exported.facts);
  const used = new Set<string>();
  for (let size = -1; size !== facts.size; ) {
    size = facts.size;
    for (const { id, formulas } of ties) {
      const tested = formulas.flatMap(testsIn);
      if (!tested.some(({ key }) => facts.has(key))) continue;
      used.add(id);
      for (const { key, fact } of tested) if (!facts.has(key)) facts.set(key, { key, fact, scale: [] });
    }
  }
  return {
    facts: [...facts.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    constraints: ties
      .filter(({ id }) => used.has(id))
      .map(
        ({ formulas: [when, broken] }) => `(assert (not (and ${expression(when)} ${expression(broken)})))`,
      ),
  };
}

/** Everything that can be known of a fact, and that something of it is always possible. */
function declare(one: ExportedFact): readonly string[] {
  const bool = (name: string): string => `(declare-const |${name}| Bool)`;
  const { key, fact } = one;
  switch (fact.type) {
    case 'bool':
    case 'enum':
      return [
        ...wordsOf(fact).map((word) => bool(`${key} may be ${word}`)),
        `(assert ${disjunction(wordsOf(fact).map((word) => `|${key} may be ${word}|`))})`,
      ];
    case 'set':
      return wordsOf(fact).flatMap((word) => [
        bool(`${key} has ${word}`),
        bool(`${key} may have ${word}`),
        `(assert (=> |${key} has ${word}| |${key} may have ${word}|))`,
      ]);
    default:
      return [
        ...(['low', 'high'] as const).flatMap((end) => [
          bool(`${key} ${end} bounded`),
          bool(`${key} ${end} open`),
          `(declare-const |${key} ${end}| Real)`,
        ]),
        `(assert (=> (and |${key} low bounded| |${key} high bounded|) (or (< |${key} low| |${key} high|) ${pointOf(key)})))`,
      ];
  }
}

function pointOf(key: string): string {
  return `(and (= |${key} low| |${key} high|) (not |${key} low open|) (not |${key} high open|))`;
}

function wordsOf(fact: Fact): readonly string[] {
  return fact.type === 'bool' ? ['true', 'false'] : [...fact.values.keys()];
}

/** Exactly one value is left. */
function knownOf(key: string, fact: Fact): string {
  const words = wordsOf(fact);
  switch (fact.type) {
    case 'bool':
    case 'enum': {
      const others = (word: string): readonly string[] =>
        words.filter((other) => other !== word).map((other) => `(not |${key} may be ${other}|)`);
      return disjunction(words.map((word) => conjunction([`|${key} may be ${word}|`, ...others(word)])));
    }
    case 'set':
      return conjunction(words.map((word) => `(= |${key} has ${word}| |${key} may have ${word}|)`));
    default:
      return `(and |${key} low bounded| |${key} high bounded| ${pointOf(key)})`;
  }
}

function expression(formula: Formula): string {
  switch (formula.kind) {
    case 'constant':
      return String(formula.value);
    case 'and':
      return conjunction(formula.of.map(expression));
    case 'or':
      return disjunction(formula.of.map(expression));
    case 'at-least':
      // Counting by addition: cardinality operators are no part of the standard.
      return `(>= (+ ${formula.of.map((child) => `(ite ${expression(child)} 1 0)`).join(' ')}) ${formula.n})`;
    case 'test':
      return negate(
        formula.rail === 'definitely' ? definitelyPasses(formula) : possiblyPasses(formula),
        formula.negated,
      );
    default:
      return negate(`|${symbolOf(formula.kind, formula.name, formula.rail)}|`, formula.negated);
  }
}

function negate(text: string, negated: boolean): string {
  return negated ? `(not ${text})` : text;
}

function definitelyPasses({ test, key, fact }: TestFormula): string {
  const except = (allowed: readonly string[], verb: string): string =>
    conjunction(
      wordsOf(fact)
        .filter((word) => !allowed.includes(word))
        .map((word) => `(not |${key} ${verb} ${word}|)`),
    );
  switch (test.kind) {
    case 'known':
      return knownOf(key, fact);
    case 'is':
    case 'in':
      return except(test.kind === 'is' ? [String(test.value)] : test.values, 'may be');
    case 'has':
      return disjunction(test.values.map((word) => `|${key} has ${word}|`));
    case 'only':
      return except(test.values, 'may have');
    case 'range': {
      const { gte, gt, lte, lt } = test.range;
      return conjunction([
        ...(gte === undefined ? [] : [surely(key, 'low', '>', gte, true, fact)]),
        ...(gt === undefined ? [] : [surely(key, 'low', '>', gt, false, fact)]),
        ...(lte === undefined ? [] : [surely(key, 'high', '<', lte, true, fact)]),
        ...(lt === undefined ? [] : [surely(key, 'high', '<', lt, false, fact)]),
      ]);
    }
  }
}

/** The whole interval lies on the right side of a bound: its near end does. */
function surely(
  key: string,
  end: 'low' | 'high',
  order: '<' | '>',
  bound: string,
  inclusive: boolean,
  fact: Fact,
): string {
  const at = numberOf(fact, bound);
  const touching = inclusive ? '' : ` |${key} ${end} open|`;
  return `(and |${key} ${end} bounded| (or (${order} |${key} ${end}| ${at}) (and (= |${key} ${end}| ${at})${touching})))`;
}

/** Some of the interval lies on the right side of a bound: its far end does. */
function maybe(
  key: string,
  end: 'low' | 'high',
  order: '<' | '>',
  bound: string,
  inclusive: boolean,
  fact: Fact,
): string {
  const at = numberOf(fact, bound);
  const touching = inclusive ? ` (and (= |${key} ${end}| ${at}) (not |${key} ${end} open|))` : '';
  return `(or (not |${key} ${end} bounded|) (${order} |${key} ${end}| ${at})${touching})`;
}

function possiblyPasses({ test, key, fact }: TestFormula): string {
  switch (test.kind) {
    case 'known':
      return 'true';
    case 'is':
    case 'in': {
      const words = test.kind === 'is' ? [String(test.value)] : test.values;
      return disjunction(words.map((word) => `|${key} may be ${word}|`));
    }
    case 'has':
      return disjunction(test.values.map((word) => `|${key} may have ${word}|`));
    case 'only':
      return conjunction(
        wordsOf(fact)
          .filter((word) => !test.values.includes(word))
          .map((word) => `(not |${key} has ${word}|)`),
      );
    case 'range': {
      const { gte, gt, lte, lt } = test.range;
      return conjunction([
        ...(gte === undefined ? [] : [maybe(key, 'high', '>', gte, true, fact)]),
        ...(gt === undefined ? [] : [maybe(key, 'high', '>', gt, false, fact)]),
        ...(lte === undefined ? [] : [maybe(key, 'low', '<', lte, true, fact)]),
        ...(lt === undefined ? [] : [maybe(key, 'low', '<', lt, false, fact)]),
      ]);
    }
  }
}

/** An exact literal of sort Real. */
function numberOf(fact: Fact, text: string): string {
  const digits = fact.type === 'date' ? String(Date.parse(`${text}T00:00:00Z`) / DAY_MS) : text;
  const magnitude = digits.replace(/^-/, '');
  const literal = magnitude.includes('.') ? magnitude : `${magnitude}.0`;
  return digits.startsWith('-') ? `(- ${literal})` : literal;
}

/** Asserts what is known of a feature in a market: afterwards every rule has one answer. */
function pinsOf(exported: Exported, { feature, market, knowledge }: Subject): string {
  const { facts } = withConstraints(exported);
  return `${[
    `; What is known of ${oneLine(feature)} in ${market}: load it after ${smtlib.file}.`,
    ...facts.flatMap(({ key, fact, place }) => pin(key, fact, knowledge.domain(fact.id, place))),
  ].join('\n')}\n`;
}

function pin(key: string, fact: Fact, domain: Domain): readonly string[] {
  const is = (name: string, value: boolean): string => `(assert ${negate(`|${name}|`, !value)})`;
  switch (domain.kind) {
    case 'choice':
      return wordsOf(fact).map((word) => is(`${key} may be ${word}`, domain.possible.has(word)));
    case 'members':
      return wordsOf(fact).flatMap((word) => [
        is(`${key} has ${word}`, domain.certain.has(word)),
        is(`${key} may have ${word}`, domain.possible.has(word)),
      ]);
    case 'interval':
      return (['low', 'high'] as const).flatMap((end) => {
        const bound = domain[end];
        if (bound === undefined) return [is(`${key} ${end} bounded`, false)];
        return [
          is(`${key} ${end} bounded`, true),
          is(`${key} ${end} open`, !bound.inclusive),
          `(assert (= |${key} ${end}| ${numberOf(fact, bound.value)}))`,
        ];
      });
  }
}

/** A quoted symbol holds anything but these two (SMT-LIB 2.6 §3.1). */
const UNQUOTABLE = /[|\\]/;

function refuse(exported: Exported): ReadonlyMap<string, Problem> {
  return new Map(
    exported.rules.flatMap(({ rule, rails }) => {
      const tested = RAILS.flatMap((rail) => testsIn(rails[rail]));
      const names = [rule.id, ...tested.flatMap(({ key, fact }) => [key, ...wordsOf(fact)])];
      const bad = names.find((name) => UNQUOTABLE.test(name));
      if (bad === undefined) return [];
      const problem: Problem = {
        code: 'syntax',
        message: `rule \`${rule.id}\` names \`${bad}\`, which is no symbol of SMT-LIB`,
        at: rule.at,
        help: 'leave such rules out with `--skip-inexpressible`, or rename it',
      };
      return [[rule.id, problem]];
    }),
  );
}
