import type { Condition } from '../facts/condition.ts';
import { mentions } from '../facts/condition.ts';
import type { FactTest } from '../facts/test.ts';
import type { Fact, Vocabulary } from '../facts/vocabulary.ts';
import { conjunction, disjunction } from '../kernel/export/smtlib-term.ts';
import type { Law } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import { intervalAt, takesEffect } from '../rules/time.ts';

// The law on one day as SMT-LIB 2, two-valued: every fact has a value. Facts are constants (a set is one boolean per
// word), rules are named booleans. Where the law is unsettled, a free boolean stands for how it will be settled, so
// that what is proved holds under every reading.

/** The name of what a rule is, exceptions and all. `prefix` keeps two versions of the law apart. */
export function ruleSymbol(id: string, prefix = ''): string {
  return `|${prefix}rule ${id}|`;
}

/** The name of what a rule would be without its exceptions. */
export function bareSymbol(id: string, prefix = ''): string {
  return `|${prefix}bare ${id}|`;
}

/** The name of one word of a set or enum, or of a whole fact. */
export function factSymbol(fact: Fact, word?: string): string {
  return word === undefined ? `|${fact.id}|` : `|${fact.id} = ${word}|`;
}

const DAY_MS = 86_400_000;

/** Days are counted from 1970-01-01. */
export function dayNumber(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) / DAY_MS;
}

/** Facts that some rules test, with everything that constraints tie to them. */
function factsAround(vocabulary: Vocabulary, rules: readonly Rule[]): ReadonlySet<string> {
  const facts = new Set(rules.flatMap(({ when }) => (when === undefined ? [] : [...mentions(when).facts])));
  const ties = vocabulary.constraints.map(({ when, then }) => [
    ...mentions(when).facts,
    ...then.map(({ fact }) => fact),
  ]);
  for (let size = -1; size !== facts.size; ) {
    size = facts.size;
    for (const tied of ties)
      if (tied.some((fact) => facts.has(fact))) for (const fact of tied) facts.add(fact);
  }
  return facts;
}

/** The facts that rules rest on, and their constraints. */
export function encodeFacts(vocabulary: Vocabulary, rules: readonly Rule[]): string {
  const { facts } = vocabulary;
  const around = factsAround(vocabulary, rules);
  const constraints = vocabulary.constraints.filter(({ when }) =>
    [...mentions(when).facts].some((fact) => around.has(fact)),
  );
  const lines = [...around]
    .sort()
    .flatMap((id) => facts.get(id) ?? [])
    .flatMap((fact): readonly string[] => {
      switch (fact.type) {
        case 'bool':
          return [`(declare-const ${factSymbol(fact)} Bool)`];
        case 'enum': {
          const words = [...fact.values.keys()].map((word) => factSymbol(fact, word));
          const pairs = words.flatMap((a, i) =>
            words.slice(i + 1).map((b) => `(assert (not (and ${a} ${b})))`),
          );
          return [
            ...words.map((word) => `(declare-const ${word} Bool)`),
            `(assert (or ${words.join(' ')}))`,
            ...pairs,
          ];
        }
        case 'set':
          // Sets of places are stated in full by nobody who asks these questions; what they decide is a fact of its own.
          return [...fact.values.keys()].map((word) => `(declare-const ${factSymbol(fact, word)} Bool)`);
        case 'date':
          return [`(declare-const ${factSymbol(fact)} Int)`];
        default:
          return [
            `(declare-const ${factSymbol(fact)} ${fact.type === 'int' ? 'Int' : 'Real'})`,
            `(assert (>= ${factSymbol(fact)} 0))`,
          ];
      }
    });
  const ties = constraints.map(({ when, then }) => {
    const conclusions = then.map(({ fact, test }) => encodeTest(factNamed(facts, fact), test));
    return `(assert (=> ${encodeCondition(when, facts, '')} ${conjunction(conclusions)}))`;
  });
  return [...lines, ...ties].join('\n');
}

/** Rules of a law on a day: a set that contains all that its rules depend on. */
export function encodeRules(law: Law, moment: Moment, rules: readonly Rule[], prefix = ''): string {
  const { facts } = law.vocabulary;
  // A conclusion that these rules do not rest on may have further rules that conclude it: it is left out.
  const given = new Set(rules.map(({ id }) => id));
  const definitions = [...law.definitions].filter(([, own]) => own.every(({ id }) => given.has(id)));
  const derived = (name: string): string => `|${prefix}concluded ${name}|`;
  const declared = [
    ...definitions.map(([name]) => `(declare-const ${derived(name)} Bool)`),
    ...rules.flatMap((rule) => [
      `(declare-const ${ruleSymbol(rule.id, prefix)} Bool)`,
      `(declare-const ${bareSymbol(rule.id, prefix)} Bool)`,
    ]),
    // How an unsettled point will be settled is the same question in both versions of the law.
    ...(prefix === ''
      ? rules
          .filter(({ ambiguous }) => ambiguous !== undefined)
          .map(({ id }) => `(declare-const |settled ${id}| Bool)`)
      : []),
  ];
  const bodies = rules.flatMap((rule) => {
    const interval = intervalAt(rule, moment);
    const inForce = interval !== undefined && takesEffect(interval.state);
    const scope = rule.scoped ? law.rulebooks.get(rule.rulebook)?.scope : undefined;
    const parts = inForce
      ? [
          ...(scope === undefined ? [] : [derived(scope)]),
          ...(rule.when === undefined ? [] : [encodeCondition(rule.when, facts, prefix)]),
          ...(rule.ambiguous === undefined ? [] : [`|settled ${rule.id}|`]),
        ]
      : ['false'];
    const exceptions = (law.defeaters.get(rule.id) ?? []).map(({ id }) => `(not ${ruleSymbol(id, prefix)})`);
    return [
      `(assert (= ${bareSymbol(rule.id, prefix)} ${conjunction(parts)}))`,
      `(assert (= ${ruleSymbol(rule.id, prefix)} ${conjunction([bareSymbol(rule.id, prefix), ...exceptions])}))`,
    ];
  });
  const conclusions = definitions.map(
    ([name, own]) =>
      `(assert (= ${derived(name)} ${disjunction(own.map(({ id }) => ruleSymbol(id, prefix)))}))`,
  );
  return [...declared, ...bodies, ...conclusions].join('\n');
}

function factNamed(facts: ReadonlyMap<string, Fact>, id: string): Fact {
  const fact = facts.get(id);
  // INVARIANT: the loader refuses conditions on facts outside the vocabulary.
  if (fact === undefined) throw new RangeError(`no fact \`${id}\``);
  return fact;
}

function encodeCondition(condition: Condition, facts: ReadonlyMap<string, Fact>, prefix: string): string {
  switch (condition.kind) {
    case 'all':
      return conjunction(condition.of.map((child) => encodeCondition(child, facts, prefix)));
    case 'any':
      return disjunction(condition.of.map((child) => encodeCondition(child, facts, prefix)));
    case 'not':
      return `(not ${encodeCondition(condition.of, facts, prefix)})`;
    case 'at-least':
      return `((_ at-least ${condition.n}) ${condition.of.map((child) => encodeCondition(child, facts, prefix)).join(' ')})`;
    case 'derived':
      return condition.is
        ? `|${prefix}concluded ${condition.name}|`
        : `(not |${prefix}concluded ${condition.name}|)`;
    case 'fact':
      return encodeTest(factNamed(facts, condition.fact), condition.test);
  }
}

function encodeTest(fact: Fact, test: FactTest): string {
  switch (test.kind) {
    case 'known':
      return 'true';
    case 'is':
      if (typeof test.value === 'boolean') return test.value ? factSymbol(fact) : `(not ${factSymbol(fact)})`;
      return factSymbol(fact, test.value);
    case 'in':
    case 'has':
      return disjunction(test.values.map((word) => factSymbol(fact, word)));
    case 'only':
      return conjunction(
        [...fact.values.keys()]
          .filter((word) => !test.values.includes(word))
          .map((word) => `(not ${factSymbol(fact, word)})`),
      );
    case 'range': {
      const bound = (text: string): string =>
        fact.type === 'date' ? String(dayNumber(text)) : fact.type === 'decimal' ? real(text) : text;
      const { gte, gt, lte, lt } = test.range;
      const parts = [
        gte === undefined ? [] : [`(>= ${factSymbol(fact)} ${bound(gte)})`],
        gt === undefined ? [] : [`(> ${factSymbol(fact)} ${bound(gt)})`],
        lte === undefined ? [] : [`(<= ${factSymbol(fact)} ${bound(lte)})`],
        lt === undefined ? [] : [`(< ${factSymbol(fact)} ${bound(lt)})`],
      ];
      return conjunction(parts.flat());
    }
  }
}

/** An exact decimal literal. */
function real(text: string): string {
  return text.includes('.') ? text : `${text}.0`;
}
