import type { RuleProperties } from 'json-rules-engine';
import { Engine } from 'json-rules-engine';
import type { Exported } from '../src/kernel/export/exported.ts';
import type { Formula, TestFormula } from '../src/kernel/export/formula.ts';
import { RAILS } from '../src/kernel/export/formula.ts';
import type { EngineInput } from '../src/kernel/export/input.ts';
import { passing } from '../src/kernel/export/input.ts';

type JsonCondition = RuleProperties['conditions'];

/**
 * The exported formulas for json-rules-engine, each property of what is known as a fact of its own. What rules share
 * is a rule that adds a fact before those run that test it; named conditions would be evaluated anew at every mention,
 * hundreds of times slower. It has no counting: every choice of so many is spelled out.
 */
export function jsonRules(exported: Exported): (input: EngineInput) => Promise<readonly string[]> {
  const engine = new Engine();
  const lists = (test: (have: readonly string[], wanted: readonly string[]) => boolean): never =>
    test as never;
  engine.addOperator(
    'meets',
    lists((have, wanted) => have.some((word) => wanted.includes(word))),
  );
  engine.addOperator(
    'within',
    lists((have, allowed) => have.every((word) => allowed.includes(word))),
  );
  const convert = (formula: Formula): JsonCondition => {
    switch (formula.kind) {
      case 'constant':
        return leaf('always', 'equal', formula.value);
      case 'and':
        return { all: formula.of.map(nested) };
      case 'or':
        return { any: formula.of.map(nested) };
      case 'at-least':
        return { any: choices(formula.of, formula.n).map((some) => ({ all: some.map(nested) })) };
      case 'test': {
        const test = testOf(formula, exported.facts.get(formula.key)?.scale ?? []);
        return formula.negated ? { not: test as never } : test;
      }
      default:
        return leaf(nameOf(formula.kind, formula.name, formula.rail), 'equal', !formula.negated);
    }
  };
  const nested = (formula: Formula): never => convert(formula) as never;
  const names = new Map<string, boolean>();
  const levels = new Map<string, number>();
  for (const { kind, name, rails } of exported.definitions) {
    for (const rail of RAILS) {
      const own = nameOf(kind, name, rail);
      const formula = rails[rail];
      if (formula.kind === 'constant') {
        names.set(own, formula.value);
        continue;
      }
      const level = Math.max(0, ...namedIn(formula).map((named) => (levels.get(named) ?? 0) + 1));
      levels.set(own, level);
      names.set(own, false);
      engine.addRule({
        conditions: convert(formula),
        event: { type: own },
        priority: MOST_LEVELS - level,
        onSuccess: (_event, almanac) => void almanac.addFact(own, true),
      });
    }
  }
  const always = [...names].flatMap(([name, value]) => (value ? [name] : []));
  const facts = [...exported.facts.values()];
  return async (input) => {
    const given: Record<string, unknown> = { always: true, ...Object.fromEntries(names) };
    for (const { key, fact, scale } of facts) {
      const words = fact.type === 'bool' ? ['false', 'true'] : [...fact.values.keys()];
      const known = { certain: [], possible: words, low: 0, high: 2 * scale.length, ...input.facts[key] };
      for (const [property, value] of Object.entries(known)) given[`${key} ${property}`] = value;
    }
    const { events } = await engine.run(given);
    return [...always, ...events.map(({ type }) => type)].flatMap((type) => {
      const [rail, kind, name] = type.split(' ');
      return kind === 'rule' ? [`${rail} ${name}`] : [];
    });
  };
}

/** Priorities begin here: more than anything rests on one another. */
const MOST_LEVELS = 1000;

function nameOf(kind: 'rule' | 'concluded', name: string, rail: string): string {
  return `${rail} ${kind} ${name}`;
}

function namedIn(formula: Formula): readonly string[] {
  switch (formula.kind) {
    case 'rule':
    case 'concluded':
      return [nameOf(formula.kind, formula.name, formula.rail)];
    case 'and':
    case 'or':
    case 'at-least':
      return formula.of.flatMap(namedIn);
    default:
      return [];
  }
}

function leaf(fact: string, operator: string, value: unknown): JsonCondition {
  return { all: [{ fact, operator, value }] };
}

/** Every choice of `n` of these. */
function choices<T>(of: readonly T[], n: number): readonly (readonly T[])[] {
  const [first, ...rest] = of;
  if (n === 0) return [[]];
  if (first === undefined) return [];
  return [...choices(rest, n - 1).map((some) => [first, ...some]), ...choices(rest, n)];
}

function testOf({ key, test, rail }: TestFormula, scale: readonly string[]): JsonCondition {
  const definitely = rail === 'definitely';
  switch (test.kind) {
    case 'known':
      throw new TypeError('no rule of the law tests whether something is known');
    case 'is':
    case 'in':
      return leaf(
        `${key} possible`,
        definitely ? 'within' : 'meets',
        test.kind === 'is' ? [String(test.value)] : test.values,
      );
    case 'has':
      return leaf(`${key} ${definitely ? 'certain' : 'possible'}`, 'meets', test.values);
    case 'only':
      return leaf(`${key} ${definitely ? 'possible' : 'certain'}`, 'within', test.values);
    case 'range': {
      const { from, to } = passing(scale, test.range);
      const [above, below] = definitely ? ['low', 'high'] : ['high', 'low'];
      return {
        all: [
          ...(from === undefined
            ? []
            : [{ fact: `${key} ${above}`, operator: 'greaterThanInclusive', value: from }]),
          ...(to === undefined
            ? []
            : [{ fact: `${key} ${below}`, operator: 'lessThanInclusive', value: to }]),
        ],
      };
    }
  }
}
