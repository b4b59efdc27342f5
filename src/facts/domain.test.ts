import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { smallLaw } from '../rules/testdata/small-law.ts';
import type { Domain } from './domain.ts';
import { test as ask, domainOf, fullDomain, narrow, pointDomain } from './domain.ts';
import type { FactTest } from './test.ts';
import type { Fact } from './vocabulary.ts';

const { vocabulary } = smallLaw({});
const fact = (id: string): Fact => {
  const found = vocabulary.facts.get(id);
  if (found === undefined) throw new RangeError(id);
  return found;
};

/** A fact with one of its values, and a test on it. */
const situations = fc.oneof(
  fc.record({
    fact: fc.constant(fact('t.uses')),
    point: fc.subarray(['one', 'two', 'three']).map((value) => domainOf(value)),
    test: fc.record({
      kind: fc.constantFrom('has' as const, 'only' as const),
      values: fc.subarray(['one', 'two', 'three']),
    }),
  }),
  fc.record({
    fact: fc.constant(fact('t.kind')),
    point: fc.constantFrom('red', 'green', 'blue').map((value) => domainOf(value)),
    test: fc.record({ kind: fc.constant('in' as const), values: fc.subarray(['red', 'green', 'blue']) }),
  }),
  fc.record({
    fact: fc.constant(fact('t.count')),
    point: fc.integer({ min: 0, max: 9 }).map((n) => pointDomain(String(n))),
    test: fc
      .tuple(fc.constantFrom('gte', 'gt', 'lte', 'lt'), fc.integer({ min: 0, max: 9 }))
      .map(([key, n]): FactTest => ({ kind: 'range', range: { [key]: String(n) } })),
  }),
);

describe('what a fact may still be', () => {
  test('nothing known answers no test on several values', () => {
    expect(ask(fact('t.kind'), fullDomain(fact('t.kind')), { kind: 'is', value: 'red' })).toBe('unknown');
    expect(ask(fact('t.uses'), fullDomain(fact('t.uses')), { kind: 'has', values: ['one'] })).toBe('unknown');
  });

  test('"not red" is knowledge: it answers what only red could', () => {
    const notRed = narrow(fact('t.kind'), fullDomain(fact('t.kind')), { kind: 'is', value: 'red' }, false);
    expect(notRed && ask(fact('t.kind'), notRed, { kind: 'is', value: 'red' })).toBe('false');
    expect(notRed && ask(fact('t.kind'), notRed, { kind: 'in', values: ['green', 'blue'] })).toBe('true');
  });

  test('a stated set is complete: what it does not list is not so', () => {
    expect(ask(fact('t.uses'), domainOf(['one']), { kind: 'has', values: ['two'] })).toBe('false');
  });

  test('bounds are exact: greater than is not at least', () => {
    expect(
      ask(fact('t.flop'), pointDomain('10000000000000000000000000'), {
        kind: 'range',
        range: { gt: '10000000000000000000000000' },
      }),
    ).toBe('false');
    expect(
      ask(fact('t.flop'), pointDomain('10000000000000000000000000'), {
        kind: 'range',
        range: { gte: '10000000000000000000000000' },
      }),
    ).toBe('true');
  });

  test('`known` is true once stated and never false', () => {
    expect(ask(fact('t.count'), fullDomain(fact('t.count')), { kind: 'known' })).toBe('unknown');
    expect(ask(fact('t.count'), pointDomain('3'), { kind: 'known' })).toBe('true');
  });

  test('narrowing keeps a value exactly when the value passes', () => {
    fc.assert(
      fc.property(situations, fc.boolean(), ({ fact: one, point, test: asked }, passes) => {
        const answer = ask(one, point, asked);
        expect(answer).not.toBe('unknown');
        expect(narrow(one, point, asked, passes) !== undefined).toBe((answer === 'true') === passes);
      }),
    );
  });

  test('narrowing to a test makes it true, and what was certain stays certain', () => {
    fc.assert(
      fc.property(situations, situations, ({ fact: one, test: first }, { fact: other, test: second }) => {
        const domain: Domain | undefined = narrow(one, fullDomain(one), first, true);
        if (domain === undefined) return;
        const single = first.kind !== 'has' || first.values.length === 1;
        if (single) expect(ask(one, domain, first)).toBe('true');
        if (other !== one) return;
        const before = ask(one, domain, second);
        const after = narrow(one, domain, second, true);
        if (before === 'false') expect(after).toBeUndefined();
        if (before === 'true') expect(after).toBeDefined();
      }),
    );
  });
});
