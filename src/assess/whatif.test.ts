import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FactValue } from '../facts/domain.ts';
import { gather } from '../facts/knowledge.ts';
import type { Law } from '../rules/law.ts';
import { completeFacts, randomRules, rulesBody } from '../rules/testdata/random-law.ts';
import { day, smallLaw, stated } from '../rules/testdata/small-law.ts';
import { assess } from './assess.ts';
import type { Outcome } from './assessment.ts';
import type { WhatIf } from './whatif.ts';
import { whatIf } from './whatif.ts';

const moment = { asOf: day('2026-11-25'), knownAt: day('2026-11-25') };
const probe = (): { readonly kind: 'absent' } => ({ kind: 'absent' });
const rule = (id: string, rest: string): string =>
  `  - {id: ${id}, cite: § 1, effective: [{from: 2025-01-01}], ${rest}}\n`;
const act = (...rules: readonly string[]): Law => smallLaw({ 'aa/act': `rules:\n${rules.join('')}` });
const ask = (
  law: Law,
  facts: Readonly<Record<string, FactValue>>,
  goal: Outcome = 'allowed-if',
  limitMs = 10_000,
): WhatIf =>
  whatIf({
    law,
    market: 'AA',
    moment,
    statements: stated(facts),
    declared: new Map(),
    probe,
    goal,
    answers: 3,
    limitMs,
  });

describe('the least change', () => {
  test('is nothing where the goal is reached', () => {
    expect(ask(act(rule('p', 'prohibit: it, when: {t.c: true}')), { 't.c': false })).toMatchObject({
      kind: 'reached',
      answers: [{ changes: [], cost: 0 }],
    });
  });

  test('removes what a prohibition rests on', () => {
    expect(
      ask(act(rule('p', 'prohibit: it, when: {t.uses: {has: two}}')), { 't.uses': ['one', 'two'] }),
    ).toMatchObject({
      kind: 'reached',
      answers: [{ changes: [{ fact: 't.uses', to: ['one'], kind: 'change' }] }],
    });
  });

  test('uses an exception where that is the way', () => {
    const law = act(
      rule('p', 'prohibit: it'),
      rule('e', 'defeats: {rules: [p], word: except}, when: {t.c: true}'),
    );
    expect(ask(law, { 't.c': false })).toMatchObject({
      kind: 'reached',
      answers: [{ changes: [{ fact: 't.c', to: true }] }],
    });
  });

  test('states what nobody has stated, and says that it is that', () => {
    expect(ask(act(rule('p', 'prohibit: it, when: {t.c: true}')), {})).toMatchObject({
      kind: 'reached',
      answers: [{ changes: [{ fact: 't.c', to: false, kind: 'state', cost: 1 }] }],
    });
  });

  test('respects what cannot be otherwise', () => {
    const law = act(rule('p', 'prohibit: it, when: {t.b: true}'));
    const result = ask(law, { 't.a': true, 't.b': true });
    // A kind of b cannot stay an a without being a b: both have to go.
    expect(
      result.kind === 'reached' &&
        result.answers.map(({ changes }) => changes.map(({ fact }) => fact).sort()),
    ).toEqual([['t.a', 't.b']]);
  });

  test('names the controls to build when the goal is to be allowed', () => {
    const law = act(rule('d', 'require: {control: LOG-02}, owed_by: [maker]'));
    expect(ask(law, { 'market.role': ['maker'] }, 'allowed')).toMatchObject({
      kind: 'reached',
      answers: [{ changes: [], outcome: 'allowed', controls: ['LOG-02'] }],
    });
  });

  test('is impossible where no fact can change it, with the least rules that make it so', () => {
    const law = act(rule('p', 'prohibit: it'), rule('q', 'prohibit: it, when: {t.c: true}'));
    const result = ask(law, { 't.c': true });
    expect(result.kind === 'impossible' && result.core.map(({ id }) => id)).toEqual(['aa/act:p']);
  });

  test('says nothing when the limit runs out', () => {
    expect(
      ask(act(rule('p', 'prohibit: it, when: {t.c: true}')), { 't.c': true }, 'allowed-if', 0),
    ).toMatchObject({ kind: 'gave-up' });
  });
});

/** Facts of the small law that random rules test and that may be changed, with all their values. */
const CHOICES: Readonly<Record<string, readonly FactValue[]>> = {
  't.a': [true, false],
  't.b': [true, false],
  't.c': [true, false],
  't.kind': ['red', 'green', 'blue'],
  't.uses': [
    [],
    ['one'],
    ['two'],
    ['three'],
    ['one', 'two'],
    ['one', 'three'],
    ['two', 'three'],
    ['one', 'two', 'three'],
  ],
};

/** The fewest changes by trying everything; undefined when nothing helps. */
function bruteForce(law: Law, facts: Readonly<Record<string, FactValue>>): number | undefined {
  let best: number | undefined;
  const visit = (
    names: readonly string[],
    current: Readonly<Record<string, FactValue>>,
    changed: number,
  ): void => {
    const [name, ...rest] = names;
    if (best !== undefined && changed >= best) return;
    if (name === undefined) {
      const { knowledge, problems } = gather(law.vocabulary, law.jurisdictions, 'AA', stated(current));
      if (problems.length > 0) return;
      const { outcome } = assess({
        law,
        market: 'AA',
        moment,
        knowledge,
        declared: new Map(),
        probe,
        horizonMonths: 0,
      });
      if (outcome === 'allowed' || outcome === 'allowed-if') best = changed;
      return;
    }
    for (const value of CHOICES[name] ?? [])
      visit(
        rest,
        { ...current, [name]: value },
        changed + (JSON.stringify(value) === JSON.stringify(facts[name]) ? 0 : 1),
      );
  };
  visit(Object.keys(CHOICES), facts, 0);
  return best;
}

test('is the cheapest of all, compared with trying everything', () => {
  let solved = 0;
  fc.assert(
    fc.property(randomRules, completeFacts, (rules, all) => {
      // Numbers and days are left out: their values cannot be enumerated.
      const { 't.count': _count, 'market.since': _since, ...facts } = all;
      const plain = rules.filter(
        (one) => !/t\.count|market\.since|ambiguous|"t.kind":\{"known/.test(JSON.stringify(one)),
      );
      const names = new Set(plain.map(({ id }) => id));
      const kept = plain.filter(
        (one) =>
          JSON.stringify(one)
            .match(/"r\d"/g)
            ?.every((name) => names.has(name.slice(1, -1))) &&
          (JSON.stringify(one).match(/aa\.act\.d\d/g) ?? []).every((name) => names.has(`r${name.at(-1)}`)),
      );
      if (kept.length === 0) return;
      let law: Law;
      try {
        law = smallLaw({ 'aa/act': rulesBody(kept) });
      } catch {
        return;
      }
      const best = bruteForce(law, facts);
      const result = ask(law, facts);
      if (best === undefined) expect(result.kind).toBe('impossible');
      else {
        solved += 1;
        expect(result.kind === 'reached' && result.answers[0]?.changes.length).toBe(best);
      }
    }),
    { numRuns: 150 },
  );
  expect(solved).toBeGreaterThan(20);
});
