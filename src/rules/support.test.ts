import fc from 'fast-check';
import { expect, test } from 'vitest';
import { test as ask } from '../facts/domain.ts';
import { supportOf } from './support.ts';
import { completeFacts, learning, randomRules, rulesBody } from './testdata/random-law.ts';
import { interpret, smallLaw } from './testdata/small-law.ts';

test('as long as every test in the support comes out the same, so does the rule', () => {
  let kept = 0;
  fc.assert(
    fc.property(
      randomRules,
      fc.oneof(
        completeFacts,
        learning.map(({ before }) => before),
      ),
      completeFacts,
      (rules, facts, others) => {
        const law = smallLaw({ 'aa/act': rulesBody(rules) });
        const [here, there] = [interpret(law, facts), interpret(law, others)];
        for (const rule of law.rules.values()) {
          if (here.holds(rule) === 'unknown') continue;
          const same = supportOf(here, rule).every(({ fact: id, test: asked, truth }) => {
            const fact = law.vocabulary.facts.get(id);
            return fact !== undefined && ask(fact, there.situation.knowledge.domain(id), asked) === truth;
          });
          if (!same) continue;
          kept += 1;
          expect(there.holds(rule)).toBe(here.holds(rule));
        }
      },
    ),
    { numRuns: 500 },
  );
  expect(kept).toBeGreaterThan(500);
});
