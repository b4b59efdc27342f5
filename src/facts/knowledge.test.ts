import { describe, expect, test } from 'vitest';
import { smallLaw, stated } from '../rules/testdata/small-law.ts';
import type { FactValue } from './domain.ts';
import { test as ask } from './domain.ts';
import { gather } from './knowledge.ts';
import type { Truth } from './truth.ts';

const { vocabulary, jurisdictions } = smallLaw({});

function isTrue(facts: Readonly<Record<string, FactValue>>, id: string, market = 'AA'): Truth {
  const fact = vocabulary.facts.get(id);
  const { knowledge } = gather(vocabulary, jurisdictions, market, stated(facts));
  if (fact === undefined) throw new RangeError(id);
  return ask(fact, knowledge.domain(id), { kind: 'is', value: true });
}

describe('what follows from what is stated', () => {
  test('a constraint concludes', () => {
    expect(isTrue({ 't.a': true }, 't.b')).toBe('true');
  });

  test('and backwards: what it would contradict is not so', () => {
    expect(isTrue({ 't.b': false }, 't.a')).toBe('false');
  });

  test('and says where its conclusion comes from', () => {
    const { knowledge } = gather(vocabulary, jurisdictions, 'AA', stated({ 't.a': true }));
    expect(knowledge.origin('t.b')).toEqual({
      kind: 'implied',
      constraint: 'a-implies-b',
      because: 'a is a kind of b',
    });
    expect(knowledge.origin('t.a')).toEqual({ kind: 'stated' });
  });

  test('a contradiction is reported with the place of the statement', () => {
    const at = { file: 'comity.yaml', line: 7, column: 3 };
    const { problems } = gather(vocabulary, jurisdictions, 'AA', [
      { fact: 't.a', value: true, at: { ...at, line: 6 } },
      { fact: 't.b', value: false, at },
    ]);
    expect(problems).toMatchObject([{ code: 'contradiction', at }]);
  });

  test.each([
    ['the market itself', ['AA'], 'AA', 'true'],
    ['a part of the market', ['AA-X'], 'AA', 'true'],
    ['a member of the union', ['BB'], 'UU', 'true'],
    ['somewhere else', ['BB'], 'AA', 'false'],
    ['a country of which the market is a part', ['AA'], 'AA-X', 'unknown'],
    ['nowhere', [], 'AA', 'false'],
  ] as const)('whether a company is here, established in %s', (_what, places, market, expected) => {
    expect(isTrue({ 't.places': places }, 'market.here', market)).toBe(expected);
  });

  test('a stated fact that the places contradict is refused', () => {
    const { problems } = gather(
      vocabulary,
      jurisdictions,
      'AA',
      stated({ 't.places': ['BB'], 'market.here': true }),
    );
    expect(problems).toMatchObject([{ code: 'contradiction' }]);
  });
});
