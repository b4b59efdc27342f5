import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Control, Parameter, ParameterValue } from '../facts/control.ts';
import { gather } from '../facts/knowledge.ts';
import { parseSource } from '../facts/source.ts';
import type { Law } from '../rules/law.ts';
import type { Opposition } from '../rules/opposition.ts';
import { readOppositions } from '../rules/opposition.ts';
import { day, smallLaw, stated } from '../rules/testdata/small-law.ts';
import { assess } from './assess.ts';
import type { MarketAssessment } from './assessment.ts';
import { conflictsOf } from './conflict.ts';
import { meets } from './demand.ts';
import { demandsOf, joinDemands, joinValues } from './join.ts';
import { planRegions } from './plan.ts';

const duty = (id: string, parameters: string): string =>
  `  - {id: ${id}, cite: § 1, effective: [{from: 2025-01-01}], require: {control: LOG-02${parameters}}, owed_by: [maker]}\n`;
const PROHIBITION = '  - {id: p, cite: § 1, effective: [{from: 2025-01-01}], prohibit: it}\n';
const laws = (bodies: Readonly<Record<string, string>>): Law =>
  smallLaw(Object.fromEntries(Object.entries(bodies).map(([path, rules]) => [path, `rules:\n${rules}`])));

function assessments(law: Law, markets: readonly string[]): readonly MarketAssessment[] {
  return markets.map((market) => {
    const { knowledge } = gather(
      law.vocabulary,
      law.jurisdictions,
      market,
      stated({ 'market.role': ['maker'] }),
    );
    return assess({
      law,
      market,
      moment: { asOf: day('2026-11-25'), knownAt: day('2026-11-25') },
      knowledge,
      declared: new Map(),
      probe: () => ({ kind: 'absent' }),
      horizonMonths: 0,
    });
  });
}

const oppositions = (text: string, controls: ReadonlyMap<string, Control>): readonly Opposition[] =>
  readOppositions([parseSource(text, 'o.yaml')], controls);
const KEEP_AGAINST_ERASE = `oppositions:
  - id: keep-against-tell
    title: Keep, and tell
    kind: KIND
    why: because
    left: {control: LOG-02, sets: [retention]}
    right: {control: LOG-02, with: {contents: [who]}}
    resolutions: [{id: r, title: Do both, how: Somehow.}]
`;

describe('the strictest build', () => {
  const law = laws({
    'aa/act': duty('a', ', retention: P6M, contents: [who]'),
    'bb/act': duty('b', ', retention: P4Y, contents: [when]'),
  });
  const [joined] = joinDemands(law, demandsOf(assessments(law, ['AA', 'BB'])));

  test('keeps as long as the longest asks, and says which rule that is', () => {
    expect(joined?.values.find(({ parameter }) => parameter === 'retention')).toMatchObject({
      value: 'P4Y',
      from: [{ market: 'BB', rule: { id: 'bb/act:b' } }],
    });
  });

  test('has all contents that anybody asks', () => {
    expect(joined?.values.find(({ parameter }) => parameter === 'contents')?.value).toEqual(['when', 'who']);
  });

  test('meets every demand that it joins, for every kind of parameter', () => {
    const parameters: readonly {
      readonly parameter: Parameter;
      readonly values: fc.Arbitrary<ParameterValue>;
    }[] = [
      {
        parameter: { type: 'duration', means: '', join: 'max', values: new Map() },
        values: fc.constantFrom('P1D', 'P1M', 'P6M', 'P180D', 'P1Y', 'PT72H'),
      },
      {
        parameter: { type: 'duration', means: '', join: 'min', values: new Map() },
        values: fc.constantFrom('P1D', 'P1M', 'P30D', 'PT72H'),
      },
      { parameter: { type: 'count', means: '', join: 'max', values: new Map() }, values: fc.nat(9) },
      { parameter: { type: 'bool', means: '', join: 'max', values: new Map() }, values: fc.boolean() },
      {
        parameter: {
          type: 'enum',
          means: '',
          join: 'max',
          values: new Map([
            ['weak', ''],
            ['firm', ''],
            ['strict', ''],
          ]),
        },
        values: fc.constantFrom('weak', 'firm', 'strict'),
      },
      {
        parameter: { type: 'set', means: '', join: 'union', values: new Map() },
        values: fc.subarray(['a', 'b', 'c']),
      },
      {
        parameter: { type: 'set', means: '', join: 'intersection', values: new Map() },
        values: fc.subarray(['a', 'b', 'c']),
      },
    ];
    for (const { parameter, values } of parameters) {
      fc.assert(
        fc.property(values, values, values, (a, b, c) => {
          const ab = joinValues(parameter, a, b);
          expect(meets(parameter, ab, a) && meets(parameter, ab, b)).toBe(true);
          const [left, right] = [
            joinValues(parameter, ab, c),
            joinValues(parameter, a, joinValues(parameter, b, c)),
          ];
          expect(meets(parameter, left, right) && meets(parameter, right, left)).toBe(true);
          const ba = joinValues(parameter, b, a);
          expect(meets(parameter, ab, ba) && meets(parameter, ba, ab)).toBe(true);
        }),
      );
    }
  });
});

describe('conflicts', () => {
  const law = laws({ 'aa/act': duty('a', ', retention: P6M'), 'bb/act': duty('b', ', contents: [who]') });
  const demands = demandsOf(assessments(law, ['AA', 'BB']));

  test('are found where both sides are demanded, with both rules and the resolutions', () => {
    expect(
      conflictsOf(law, oppositions(KEEP_AGAINST_ERASE.replace('KIND', 'technical'), law.controls), demands),
    ).toMatchObject([
      {
        id: 'keep-against-tell',
        kind: 'technical',
        left: { rule: { id: 'aa/act:a' } },
        right: { rule: { id: 'bb/act:b' } },
        resolutions: [{ id: 'r' }],
      },
    ]);
  });

  test('are not found where the markets agree', () => {
    expect(
      conflictsOf(
        law,
        oppositions(KEEP_AGAINST_ERASE.replace('KIND', 'technical'), law.controls),
        demands.filter(({ market }) => market === 'AA'),
      ),
    ).toEqual([]);
  });

  test('about controls that do not exist are located errors', () => {
    expect(() =>
      oppositions(
        'oppositions:\n  - {id: x, title: t, kind: split, why: w, left: {control: LOG-99}, right: {control: LOG-02, sets: [retenton]}, resolutions: []}\n',
        law.controls,
      ),
    ).toThrow(/o\.yaml:2:.*`LOG-99`[\s\S]*`retenton`[\s\S]*did you mean `retention`/);
  });
});

describe('the region plan', () => {
  test('is one variant where nothing stands against it', () => {
    const law = laws({ 'aa/act': duty('a', ', retention: P6M'), 'bb/act': duty('b', ', retention: P4Y') });
    const plan = planRegions(law, [], assessments(law, ['BB', 'AA']));
    expect(plan.variants.map(({ markets, outstanding }) => [markets, outstanding])).toEqual([
      [['AA', 'BB'], ['LOG-02']],
    ]);
  });

  test('splits markets that one build cannot serve, and only those', () => {
    const law = laws({
      'aa/act': duty('a', ', retention: P6M'),
      'bb/act': duty('b', ', contents: [who]'),
      'no/act': duty('n', ', retention: P1Y'),
    });
    const split = oppositions(KEEP_AGAINST_ERASE.replace('KIND', 'split'), law.controls);
    expect(
      planRegions(law, split, assessments(law, ['AA', 'BB', 'NO'])).variants.map(({ markets }) => markets),
    ).toEqual([['AA', 'NO'], ['BB']]);
  });

  test('does not split for what is solved by building it right', () => {
    const law = laws({ 'aa/act': duty('a', ', retention: P6M'), 'bb/act': duty('b', ', contents: [who]') });
    const technical = oppositions(KEEP_AGAINST_ERASE.replace('KIND', 'technical'), law.controls);
    const plan = planRegions(law, technical, assessments(law, ['AA', 'BB']));
    expect(plan.variants).toHaveLength(1);
    expect(plan.conflicts).toHaveLength(1);
  });

  test('names markets in which no build helps', () => {
    const law = laws({ 'aa/act': PROHIBITION, 'bb/act': duty('b', '') });
    const plan = planRegions(law, [], assessments(law, ['AA', 'BB', 'NO']));
    expect(plan.blocked.map(({ market, outcome }) => [market, outcome])).toEqual([
      ['AA', 'not-allowed'],
      ['NO', 'cannot-tell'],
    ]);
    expect(plan.variants.map(({ markets }) => markets)).toEqual([['BB']]);
  });
});
