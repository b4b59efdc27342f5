import type { Condition } from '../../facts/condition.ts';
import type { FactTest } from '../../facts/test.ts';
import type { Fact } from '../../facts/vocabulary.ts';

/** Two answers in place of a third truth value: *definitely* true, and *possibly* true. Unknown is the second without the first. */
export const RAILS = ['definitely', 'possibly'] as const;
export type Rail = (typeof RAILS)[number];

/**
 * A two-valued formula on one rail, in negation normal form: negations stand on what it is made of only, where every
 * target can say them. Nothing in it is ever undefined.
 */
export type Formula =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Formula[] }
  | { readonly kind: 'at-least'; readonly n: number; readonly of: readonly Formula[] }
  | TestFormula
  /** What a rule, or the rules that conclude a fact, come out as. */
  | {
      readonly kind: 'rule' | 'concluded';
      readonly name: string;
      readonly rail: Rail;
      readonly negated: boolean;
    };

/** A test on what is known of one fact. */
export interface TestFormula {
  readonly kind: 'test';
  readonly fact: Fact;
  /** Names the fact in the input: its id, with `@place` where it is asked for a place around the market. */
  readonly key: string;
  /** The place around the market that it is asked for. */
  readonly place?: string;
  readonly test: FactTest;
  readonly rail: Rail;
  readonly negated: boolean;
}

export const TRUE: Formula = { kind: 'constant', value: true };
export const FALSE: Formula = { kind: 'constant', value: false };

export function and(of: readonly Formula[]): Formula {
  const open = of.filter((one) => one.kind !== 'constant' || !one.value);
  const [first = TRUE, second] = open;
  if (open.some(({ kind }) => kind === 'constant')) return FALSE;
  return second === undefined ? first : { kind: 'and', of: open };
}

export function or(of: readonly Formula[]): Formula {
  const open = of.filter((one) => one.kind !== 'constant' || one.value);
  const [first = FALSE, second] = open;
  if (open.some(({ kind }) => kind === 'constant')) return TRUE;
  return second === undefined ? first : { kind: 'or', of: open };
}

export function atLeast(n: number, of: readonly Formula[]): Formula {
  const open = of.filter(({ kind }) => kind !== 'constant');
  const wanted = n - of.filter((one) => one.kind === 'constant' && one.value).length;
  if (wanted <= 0) return TRUE;
  if (wanted > open.length) return FALSE;
  if (wanted === 1) return or(open);
  return wanted === open.length ? and(open) : { kind: 'at-least', n: wanted, of: open };
}

export function opposite(rail: Rail): Rail {
  return rail === 'definitely' ? 'possibly' : 'definitely';
}

/** The name under which the input states a fact. */
function factKey(fact: string, place: string | undefined): string {
  return place === undefined ? fact : `${fact}@${place}`;
}

/** What a formula is made of: looks names up while a condition is taken apart. */
export interface Names {
  fact(id: string): Fact;
  /** What the rules that conclude a fact come out as. */
  concluded(name: string, rail: Rail, negated: boolean): Formula;
}

/**
 * A condition on one rail. What is not possibly so is definitely not so: negation changes the rail, and goes down to
 * the tests by De Morgan's laws.
 */
export function formulaOf(condition: Condition, rail: Rail, names: Names, negated = false): Formula {
  const each = (of: readonly Condition[]): readonly Formula[] =>
    of.map((child) => formulaOf(child, rail, names, negated));
  switch (condition.kind) {
    case 'all':
      return negated ? or(each(condition.of)) : and(each(condition.of));
    case 'any':
      return negated ? and(each(condition.of)) : or(each(condition.of));
    case 'at-least': {
      // Not at least `n` of them: at least so many fail that fewer than `n` are left.
      const n = negated ? condition.of.length - condition.n + 1 : condition.n;
      return atLeast(n, each(condition.of));
    }
    case 'not':
      return formulaOf(condition.of, opposite(rail), names, !negated);
    case 'derived':
      return condition.is
        ? names.concluded(condition.name, rail, negated)
        : names.concluded(condition.name, opposite(rail), !negated);
    case 'fact':
      return {
        kind: 'test',
        fact: names.fact(condition.fact),
        key: factKey(condition.fact, condition.place),
        ...(condition.place === undefined ? {} : { place: condition.place }),
        test: condition.test,
        rail,
        negated,
      };
  }
}

/** Every test in a formula. */
export function testsIn(formula: Formula): readonly TestFormula[] {
  switch (formula.kind) {
    case 'test':
      return [formula];
    case 'and':
    case 'or':
    case 'at-least':
      return formula.of.flatMap(testsIn);
    default:
      return [];
  }
}
