import type { Condition } from '../facts/condition.ts';
import { gather } from '../facts/knowledge.ts';
import { Interpreter } from '../rules/interpreter.ts';
import type { Law } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';
import type { Case } from './case.ts';
import { runCase } from './case.ts';

/** A rule with one leaf changed. */
export interface Mutant {
  readonly rule: Rule;
  readonly what: string;
}

/**
 * All rules with one leaf of their condition negated, and, where a leaf compares with a bound, with the bound
 * itself moved from inside to outside. If no case notices, nothing in the cases shows what the leaf is for.
 */
export function mutantsOf(rule: Rule): readonly Mutant[] {
  return rule.when === undefined
    ? []
    : variants(rule.when).map(({ condition, what }) => ({ rule: { ...rule, when: condition }, what }));
}

interface Variant {
  readonly condition: Condition;
  readonly what: string;
}

function variants(condition: Condition): readonly Variant[] {
  switch (condition.kind) {
    case 'fact':
    case 'derived': {
      const name = condition.kind === 'fact' ? condition.fact : condition.name;
      const negated: Variant = { condition: { kind: 'not', of: condition }, what: `${name} negated` };
      return [negated, ...boundary(condition)];
    }
    case 'not':
      return variants(condition.of).map((variant) => ({
        ...variant,
        condition: { kind: 'not', of: variant.condition },
      }));
    default:
      return condition.of.flatMap((child, i) =>
        variants(child).map((variant) => ({
          ...variant,
          condition: {
            ...condition,
            of: condition.of.map((other, j) => (i === j ? variant.condition : other)),
          },
        })),
      );
  }
}

const SWAPPED = { gte: 'gt', gt: 'gte', lte: 'lt', lt: 'lte' } as const;

function boundary(condition: Condition): readonly Variant[] {
  if (condition.kind !== 'fact' || condition.test.kind !== 'range') return [];
  const { range } = condition.test;
  if (range.gte !== undefined && range.gte === range.lte) return [];
  return (['gte', 'gt', 'lte', 'lt'] as const).flatMap((key) => {
    const value = range[key];
    if (value === undefined) return [];
    const { [key]: _moved, ...rest } = range;
    return [
      {
        condition: { ...condition, test: { kind: 'range', range: { ...rest, [SWAPPED[key]]: value } } },
        what: `${condition.fact} ${key} ${value} becomes ${SWAPPED[key]}`,
      },
    ];
  });
}

/** A mutant that no case noticed. */
export interface Survivor {
  readonly rule: string;
  readonly what: string;
}

/**
 * Runs every mutant of the rules against the cases.
 *
 * @param onProgress told of each rule when its mutants are done.
 */
export function survivors(
  law: Law,
  cases: readonly Case[],
  rules: readonly Rule[],
  onProgress: (done: number) => void = () => {},
): { readonly mutants: number; readonly survivors: readonly Survivor[] } {
  const prepared = cases
    .filter((one) => runCase(law, one).failures.length === 0)
    .map((one) => ({
      one,
      knowledge: gather(law.vocabulary, law.jurisdictions, one.market, one.statements).knowledge,
      chain: law.jurisdictions.chain(one.market),
    }));
  const found: Survivor[] = [];
  let mutants = 0;
  rules.forEach((rule, i) => {
    const home = law.rulebooks.get(rule.rulebook)?.jurisdiction ?? '';
    const near = prepared.filter(({ chain }) => chain.includes(home));
    for (const mutant of mutantsOf(rule)) {
      mutants += 1;
      const mutated = replaceRule(law, mutant.rule);
      const noticed = near.some(({ one, knowledge }) => {
        const moment = { asOf: one.asOf, knownAt: one.knownAt ?? one.asOf };
        const before = new Interpreter({ law, moment, knowledge });
        const after = new Interpreter({ law: mutated, moment, knowledge });
        // Only a case in which the rule itself changes, or which looks ahead, can notice.
        if (one.expect.coming.length === 0 && before.holds(rule) === after.holds(mutant.rule)) return false;
        return runCase(mutated, one).failures.length > 0;
      });
      if (!noticed) found.push({ rule: rule.id, what: mutant.what });
    }
    onProgress(i + 1);
  });
  return { mutants, survivors: found };
}

function replaceRule(law: Law, rule: Rule): Law {
  const swap = (rules: readonly Rule[]): readonly Rule[] =>
    rules.map((other) => (other.id === rule.id ? rule : other));
  const rulebook = law.rulebooks.get(rule.rulebook);
  if (rulebook === undefined) return law;
  const { effect } = rule;
  const concluded = effect.kind === 'define' || effect.kind === 'classify' ? effect.fact : undefined;
  const defeated = effect.kind === 'defeats' ? effect.rules : [];
  return {
    ...law,
    rulebooks: new Map([...law.rulebooks, [rulebook.id, { ...rulebook, rules: swap(rulebook.rules) }]]),
    rules: new Map([...law.rules, [rule.id, rule]]),
    definitions:
      concluded === undefined
        ? law.definitions
        : new Map([...law.definitions, [concluded, swap(law.definitions.get(concluded) ?? [])]]),
    defeaters:
      defeated.length === 0
        ? law.defeaters
        : new Map([
            ...law.defeaters,
            ...defeated.map((target) => [target, swap(law.defeaters.get(target) ?? [])] as const),
          ]),
  };
}
