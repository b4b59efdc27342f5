import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Truth } from '../facts/truth.ts';
import { canonicalLaw } from './digest.ts';
import type { Interpreter } from './interpreter.ts';
import type { Law } from './law.ts';
import { readLaw } from './law.ts';
import { openFacts, prove, unsettled } from './proof.ts';
import { completeFacts, learning, randomRules, rulesBody } from './testdata/random-law.ts';
import { interpret, smallLaw, smallLawFiles } from './testdata/small-law.ts';
import { intervalAt, takesEffect } from './time.ts';

const ACT = `
rules:
  - {id: base, cite: § 1, effective: [{from: 2025-01-01}], when: {t.uses: {has: one}}, prohibit: one}
  - {id: exception, cite: § 2, effective: [{from: 2025-01-01}], when: {t.b: true}, defeats: {rules: [base], word: except}}
  - {id: override, cite: § 3, effective: [{from: 2025-01-01}], when: {t.c: true}, defeats: {rules: [exception], word: despite}}
  - {id: later, cite: § 4, effective: [{from: 2027-12-02, recorded: 2026-07-24, basis: Act 2}, {from: 2026-08-02}], when: {t.uses: {has: one}}, classify: grave}
  - {id: duty, cite: § 5, effective: [{from: 2025-01-01}], when: {aa.act.grave: true}, require: {control: LOG-02, retention: P6M}, owed_by: [maker]}
  - {id: doubtful, cite: § 6, effective: [{from: 2025-01-01}], when: {t.uses: {has: one}}, prohibit: one, ambiguous: two readings}
  - {id: ended, cite: § 7, effective: [{from: 2025-01-01, to: 2026-01-01}], prohibit: all}
  - {id: proposed, cite: § 8, effective: [{from: 2025-01-01, state: bill}], prohibit: all}
  - {id: suspended, cite: § 9, effective: [{from: 2025-01-01, state: stayed}], prohibit: all}
`;
const law = smallLaw({ 'aa/act': ACT });

function value(of: Law, interpreter: Interpreter, id: string): Truth {
  const rule = of.rules.get(`aa/act:${id}`);
  if (rule === undefined) throw new RangeError(id);
  return interpreter.holds(rule);
}

const values = (of: Law, interpreter: Interpreter): Readonly<Record<string, Truth>> =>
  Object.fromEntries([...of.rules.values()].map((rule) => [rule.id, interpreter.holds(rule)]));

describe('exceptions', () => {
  test('the rule holds without them', () => {
    expect(value(law, interpret(law, { 't.uses': ['one'], 't.b': false }), 'base')).toBe('true');
  });

  test('an exception defeats the rule', () => {
    expect(value(law, interpret(law, { 't.uses': ['one'], 't.b': true, 't.c': false }), 'base')).toBe(
      'false',
    );
  });

  test('an exception to the exception reinstates it', () => {
    expect(value(law, interpret(law, { 't.uses': ['one'], 't.b': true, 't.c': true }), 'base')).toBe('true');
  });

  test('an exception that nobody can rule out leaves the rule open', () => {
    const interpreter = interpret(law, { 't.uses': ['one'], 't.c': false });
    expect(value(law, interpreter, 'base')).toBe('unknown');
  });

  test('a fact that settles the override settles the rule, though the exception stays open', () => {
    expect(value(law, interpret(law, { 't.uses': ['one'], 't.c': true }), 'base')).toBe('true');
  });
});

describe('time', () => {
  test('a rule before its first day has no effect, on the day it has', () => {
    expect(value(law, interpret(law, { 't.uses': ['one'] }, '2027-12-01'), 'later')).toBe('false');
    expect(value(law, interpret(law, { 't.uses': ['one'] }, '2027-12-02'), 'later')).toBe('true');
  });

  test('what was known earlier is answered with the dates known then', () => {
    expect(value(law, interpret(law, { 't.uses': ['one'] }, '2026-09-01', 'AA', '2026-07-23'), 'later')).toBe(
      'true',
    );
    expect(value(law, interpret(law, { 't.uses': ['one'] }, '2026-09-01', 'AA', '2026-07-24'), 'later')).toBe(
      'false',
    );
  });

  test('`to` is the first day no longer in force', () => {
    expect(value(law, interpret(law, {}, '2025-12-31'), 'ended')).toBe('true');
    expect(value(law, interpret(law, {}, '2026-01-01'), 'ended')).toBe('false');
  });

  test('a class is tested like a fact, with its date', () => {
    expect(value(law, interpret(law, { 't.uses': ['one'] }, '2026-11-25'), 'duty')).toBe('false');
    expect(value(law, interpret(law, { 't.uses': ['one'] }, '2028-01-01'), 'duty')).toBe('true');
  });

  test('bills and stayed rules change nothing', () => {
    const interpreter = interpret(law, {});
    expect(value(law, interpreter, 'proposed')).toBe('false');
    expect(value(law, interpreter, 'suspended')).toBe('false');
  });
});

describe('places', () => {
  const abroad = (folder: string): string =>
    `rules: [{id: abroad, cite: § 1, effective: [{from: 2025-01-01}], when: {market.here: false}, prohibit: ${folder}}]`;
  const of = smallLaw({ 'aa/act': abroad('aa'), 'aa-x/act': abroad('aa-x'), 'uu/act': abroad('uu') });

  test.each([
    ['the law of a union asks whether it is in the union', 'BB', ['BB'], 'uu/act:abroad', 'false'],
    ['from outside the union', 'BB', ['AA'], 'uu/act:abroad', 'true'],
    ['the law of a part asks whether it is in that part', 'AA-X', ['AA'], 'aa-x/act:abroad', 'unknown'],
    ['the law of the whole, in the same market', 'AA-X', ['AA'], 'aa/act:abroad', 'false'],
    ['established in another part only', 'AA-X', ['BB'], 'aa/act:abroad', 'true'],
    ['where nothing is stated', 'BB', undefined, 'uu/act:abroad', 'unknown'],
  ] as const)('%s', (_what, market, places, id, expected) => {
    const told = interpret(of, places === undefined ? {} : { 't.places': places }, '2026-11-25', market);
    const rule = of.rules.get(id);
    expect(rule && told.holds(rule)).toBe(expected);
    if (rule !== undefined) expect(prove(told, rule).truth).toBe(expected);
  });
});

describe('doubt', () => {
  test('a point on which the law is unsettled never counts as more than unknown', () => {
    const interpreter = interpret(law, { 't.uses': ['one'] });
    expect(value(law, interpreter, 'doubtful')).toBe('unknown');
  });

  test('and never when its condition fails', () => {
    expect(value(law, interpret(law, { 't.uses': [] }), 'doubtful')).toBe('false');
  });
});

describe('proofs', () => {
  const proofOf = (facts: Parameters<typeof interpret>[1], id: string): ReturnType<typeof prove> => {
    const rule = law.rules.get(`aa/act:${id}`);
    if (rule === undefined) throw new RangeError(id);
    return prove(interpret(law, facts), rule);
  };

  test('name the exception that defeats', () => {
    expect(proofOf({ 't.uses': ['one'], 't.b': true, 't.c': false }, 'base').defeatedBy).toMatchObject([
      { rule: 'aa/act:exception', truth: 'true' },
    ]);
  });

  test('name the exception that was overcome, and what overcame it', () => {
    expect(proofOf({ 't.uses': ['one'], 't.b': true, 't.c': true }, 'base').overcame).toMatchObject([
      { rule: 'aa/act:exception', defeatedBy: [{ rule: 'aa/act:override' }] },
    ]);
  });

  test('leave out what does not decide', () => {
    expect(proofOf({ 't.uses': [], 't.b': true }, 'base')).toMatchObject({
      truth: 'false',
      when: { fact: 't.uses' },
      defeatedBy: [],
    });
  });

  test('name the open facts, and only those', () => {
    expect([...openFacts(proofOf({ 't.uses': ['one'], 't.c': false }, 'base'))]).toEqual(['t.b']);
  });

  test('name the points on which the law is unsettled', () => {
    expect(unsettled(proofOf({ 't.uses': ['one'] }, 'doubtful')).map(({ ambiguous }) => ambiguous)).toEqual([
      'two readings',
    ]);
  });
});

describe('on random rules and facts', () => {
  const build = (rules: Parameters<typeof rulesBody>[0]): Law => smallLaw({ 'aa/act': rulesBody(rules) });

  test('learning a fact never turns true into false or false into true', () => {
    fc.assert(
      fc.property(randomRules, learning, (rules, { before, after }) => {
        const random = build(rules);
        const earlier = values(random, interpret(random, before));
        const later = values(random, interpret(random, after));
        for (const [id, known] of Object.entries(earlier))
          if (known !== 'unknown') expect(later[id]).toBe(known);
      }),
      { numRuns: 400 },
    );
  });

  test('with every fact known only the law itself leaves anything open', () => {
    fc.assert(
      fc.property(randomRules, completeFacts, (rules, facts) => {
        const random = build(rules.map(({ ambiguous: _doubt, ...rule }) => rule));
        expect(Object.values(values(random, interpret(random, facts)))).not.toContain('unknown');
      }),
      { numRuns: 300 },
    );
  });

  test('the order of rules and files changes nothing, not even the digest', () => {
    fc.assert(
      fc.property(randomRules, learning, fc.nat(), (rules, { before }, seed) => {
        const turn = seed % rules.length;
        const rotated = [...rules.slice(turn), ...rules.slice(0, turn)];
        const files = smallLawFiles({ 'aa/act': rulesBody(rotated), 'bb/act': 'rules: []\n' });
        const [first, second] = [
          smallLaw({ 'aa/act': rulesBody(rules), 'bb/act': 'rules: []\n' }),
          readLaw([...files].reverse(), ''),
        ];
        expect(canonicalLaw(second)).toBe(canonicalLaw(first));
        expect(values(second, interpret(second, before))).toEqual(values(first, interpret(first, before)));
      }),
      { numRuns: 100 },
    );
  });

  test('a rule outside its dates never holds', () => {
    fc.assert(
      fc.property(
        randomRules,
        completeFacts,
        fc.constantFrom('2023-06-01', '2024-06-01', '2025-06-01', '2026-06-01', '2027-06-01'),
        (rules, facts, asOf) => {
          const random = build(rules);
          const interpreter = interpret(random, facts, asOf);
          for (const rule of random.rules.values()) {
            const interval = intervalAt(rule, interpreter.situation.moment);
            if (interval === undefined || !takesEffect(interval.state))
              expect(interpreter.holds(rule)).toBe('false');
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('defeating the only exception of a rule gives back what the rule is without it', () => {
    fc.assert(
      fc.property(randomRules, learning, (rules, { before }) => {
        const defeat = {
          id: 'x',
          cite: '§ x',
          effective: [{ from: '2020-01-01' }],
          defeats: { rules: ['r0', 'r1', 'r2'], word: 'except' },
        };
        const undo = {
          id: 'y',
          cite: '§ y',
          effective: [{ from: '2020-01-01' }],
          defeats: { rules: ['x'], word: 'despite' },
        };
        const plain = build(rules);
        const undone = build([...rules, defeat, undo]);
        const [was, is] = [
          values(plain, interpret(plain, before)),
          values(undone, interpret(undone, before)),
        ];
        for (const id of Object.keys(was)) expect(is[id]).toBe(was[id]);
      }),
      { numRuns: 200 },
    );
  });

  test('a proof has the value of its rule, and an open one names what it waits for', () => {
    fc.assert(
      fc.property(randomRules, learning, (rules, { before }) => {
        const random = build(rules);
        const interpreter = interpret(random, before);
        for (const rule of random.rules.values()) {
          const proof = prove(interpreter, rule);
          expect(proof.truth).toBe(interpreter.holds(rule));
          if (proof.truth === 'unknown')
            expect(openFacts(proof).size + unsettled(proof).length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('the same law and facts give the same answer, byte for byte, when replayed', () => {
    fc.assert(
      fc.property(randomRules, learning, (rules, { before }) => {
        const answer = (): string => {
          const random = build(rules);
          const interpreter = interpret(random, before);
          return (
            canonicalLaw(random) +
            JSON.stringify([...random.rules.values()].map((rule) => prove(interpreter, rule)))
          );
        };
        expect(answer()).toBe(answer());
      }),
      { numRuns: 50 },
    );
  });
});
