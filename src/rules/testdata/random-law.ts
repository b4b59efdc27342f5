import fc from 'fast-check';
import type { FactValue } from '../../facts/domain.ts';

/** Random rules over the facts of the small law, as JSON (which is YAML), without cycles by construction. */
const RULES = 7;
const DAYS = ['2024-01-01', '2025-01-01', '2026-01-01', '2027-01-01'];

const leaf = fc.oneof(
  fc.tuple(fc.constantFrom('t.a', 't.b', 't.c', 'market.here'), fc.boolean()).map(([fact, value]) => ({ [fact]: value })),
  fc.constantFrom('red', 'green', 'blue').map((value) => ({ 't.kind': value })),
  fc.subarray(['red', 'green', 'blue'], { minLength: 1 }).map((values) => ({ 't.kind': { in: values } })),
  fc.tuple(fc.constantFrom('has_any', 'only'), fc.subarray(['one', 'two', 'three'], { minLength: 1 })).map(([key, values]) => ({ 't.uses': { [key]: values } })),
  fc.tuple(fc.constantFrom('gte', 'gt', 'lte', 'lt'), fc.integer({ min: 0, max: 4 })).map(([key, n]) => ({ 't.count': { [key]: n } })),
  fc.tuple(fc.constantFrom('gte', 'lt'), fc.constantFrom(...DAYS)).map(([key, day]) => ({ 'market.since': { [key]: day } })),
  fc.constant({ 't.kind': { known: true } }),
);

/** The facts that random rules test. */
export const TESTED_FACTS = ['t.a', 't.b', 't.c', 't.kind', 't.uses', 't.count', 'market.since', 'market.here'];

interface RandomRule {
  readonly id: string;
  readonly [key: string]: unknown;
}

function condition(derived: readonly string[]): fc.Arbitrary<unknown> {
  const atoms = derived.length === 0 ? leaf : fc.oneof({ weight: 4, arbitrary: leaf }, { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...derived), fc.boolean()).map(([name, is]) => ({ [name]: is })) });
  return fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      atoms,
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((all) => ({ all })),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }).map((any) => ({ any })),
      tie('node').map((not) => ({ not })),
      fc.array(tie('node'), { minLength: 2, maxLength: 3 }).chain((of) => fc.integer({ min: 1, max: of.length }).map((n) => ({ at_least: { n, of } }))),
    ),
  })).node;
}

const interval = fc.oneof(
  fc.constantFrom(...DAYS).map((from) => [{ from }]),
  fc.constant([{ from: '2024-01-01', to: '2026-01-01' }]),
  fc.constant([{ from: '2024-01-01', recorded: '2020-01-01' }, { from: '2027-01-01', recorded: '2026-06-01' }]),
  fc.constant([{ from: '2025-01-01', state: 'stayed' }]),
  fc.constant([{ from: '2025-01-01', state: 'bill' }]),
);

/** Rule `i` tests conclusions of rules after it and is defeated by rules after it: no circle can arise. */
function ruleAt(i: number): fc.Arbitrary<RandomRule> {
  const later = Array.from({ length: RULES - i - 1 }, (_, k) => i + 1 + k);
  const derived = later.filter((k) => k % 3 === 0).map((k) => `aa.act.d${k}`);
  const earlier = Array.from({ length: i }, (_, k) => k);
  const effect: fc.Arbitrary<Record<string, unknown>> =
    i % 3 === 0
      ? fc.constant({ define: `aa.act.d${i}` })
      : earlier.length === 0
        ? fc.constant({ prohibit: 'it' })
        : fc.oneof(
            fc.constant({ prohibit: 'it' }),
            fc.constant({ require: { control: 'LOG-02', retention: 'P6M' }, owed_by: ['maker'] }),
            fc.subarray(earlier, { minLength: 1 }).map((targets) => ({ defeats: { rules: targets.map((k) => `r${k}`), word: 'except' } })),
          );
  return fc.tuple(condition(derived), effect, interval, fc.boolean(), fc.integer({ min: 0, max: 9 })).map(([when, what, effective, always, doubt]) => ({
    id: `r${i}`,
    cite: `§ ${i}`,
    effective,
    ...(always ? {} : { when }),
    ...what,
    ...(doubt === 0 ? { ambiguous: 'unsettled' } : {}),
  }));
}

/** The rules of a random instrument `aa/act`. */
export const randomRules: fc.Arbitrary<readonly RandomRule[]> = fc.tuple(...Array.from({ length: RULES }, (_, i) => ruleAt(i)));

/** The body of a rulebook with these rules. */
export function rulesBody(rules: readonly RandomRule[]): string {
  return `rules:\n${rules.map((rule) => `  - ${JSON.stringify(rule)}\n`).join('')}`;
}

/** Facts about everything that random rules test, consistent with the constraints of the small law. */
export const completeFacts: fc.Arbitrary<Readonly<Record<string, FactValue>>> = fc
  .record({
    a: fc.boolean(),
    b: fc.boolean(),
    c: fc.boolean(),
    here: fc.boolean(),
    kind: fc.constantFrom('red', 'green', 'blue'),
    uses: fc.subarray(['one', 'two', 'three']),
    count: fc.integer({ min: 0, max: 4 }),
    since: fc.constantFrom(...DAYS),
    role: fc.subarray(['maker', 'user']),
  })
  .map(({ a, b, c, here, kind, uses, count, since, role }) => ({
    't.a': a,
    't.b': a || b,
    't.c': c,
    'market.here': here,
    't.kind': kind,
    't.uses': uses,
    't.count': uses.length === 0 ? '0' : String(count),
    'market.since': since,
    'market.role': role,
  }));

/** Some of the facts, in two steps: what is known first, and what is learned after. */
export const learning = completeFacts.chain((facts) =>
  fc.tuple(fc.subarray(Object.keys(facts)), fc.subarray(Object.keys(facts))).map(([first, more]) => {
    const pick = (keys: readonly string[]): Readonly<Record<string, FactValue>> => Object.fromEntries(Object.entries(facts).filter(([key]) => keys.includes(key)));
    return { facts, before: pick(first), after: pick([...first, ...more]) };
  }),
);
