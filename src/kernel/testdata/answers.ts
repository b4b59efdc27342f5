import { test as testFact } from '../../facts/domain.ts';
import type { Knowledge } from '../../facts/knowledge.ts';
import type { Truth } from '../../facts/truth.ts';
import { Interpreter } from '../../rules/interpreter.ts';
import type { Law } from '../../rules/law.ts';
import { openFacts, prove, unsettled } from '../../rules/proof.ts';
import type { Rule } from '../../rules/rule.ts';
import type { Moment } from '../../rules/time.ts';
import { openFactsOf } from '../open.ts';
import type { LeafValue, Machine, Program } from '../program.ts';
import { DOUBT, decode, encode, REQUEST, STATIC } from '../program.ts';

/** The value of one rule, with why it is unknown. */
export interface Answer {
  readonly value: Truth;
  readonly open: readonly string[];
  readonly reasons: number;
}

/** What the reference interpreter says of these rules, reasons and open facts by its proofs. */
export function interpreted(
  law: Law,
  knowledge: Knowledge,
  moment: Moment,
  rules: readonly Rule[] = [...law.rules.values()],
): readonly Answer[] {
  const interpreter = new Interpreter({ law, moment, knowledge });
  return rules.map((rule) => {
    const value = interpreter.holds(rule);
    if (value !== 'unknown') return { value, open: [], reasons: 0 };
    const proof = prove(interpreter, rule);
    const open = [...openFacts(proof)].sort();
    const scopes = open.map((id) => (law.vocabulary.facts.get(id)?.scope === 'request' ? REQUEST : STATIC));
    return {
      value,
      open,
      reasons: scopes.reduce((bits, bit) => bits | bit, unsettled(proof).length > 0 ? DOUBT : 0),
    };
  });
}

/** What a compiled program says of its roots. */
export function compiled(
  law: Law,
  knowledge: Knowledge,
  program: Program,
  machine: Machine,
): readonly Answer[] {
  for (const { register, leaf } of program.slots) {
    const fact = law.vocabulary.facts.get(leaf.fact);
    if (fact === undefined) throw new RangeError(leaf.fact);
    machine.values[register] = encode(testFact(fact, knowledge.domain(leaf.fact, leaf.place), leaf.test));
  }
  machine.run();
  machine.giveReasons();
  return [...program.roots].map((root) => {
    const value = decode(machine.values[root] ?? 0);
    return value === 'unknown'
      ? {
          value,
          open: openFactsOf(program, machine, [root]),
          reasons: machine.reasons[root] ?? 0,
        }
      : { value, open: [], reasons: 0 };
  });
}

/** Leaf values of the facts for which `fixed` holds. */
export function valueIn(
  law: Law,
  knowledge: Knowledge,
  fixed: (fact: string) => boolean,
): LeafValue {
  return (leaf) => {
    const fact = law.vocabulary.facts.get(leaf.fact);
    if (fact === undefined) throw new RangeError(leaf.fact);
    return fixed(leaf.fact) ? testFact(fact, knowledge.domain(leaf.fact, leaf.place), leaf.test) : undefined;
  };
}
