import type { Bound, Domain } from '../../../facts/domain.ts';
import { compareValues, fullDomain } from '../../../facts/domain.ts';
import type { Knowledge } from '../../../facts/knowledge.ts';
import type { Fact } from '../../../facts/vocabulary.ts';
import type { Exported, ExportedFact } from '../exported.ts';
import { factNamed } from '../exported.ts';

/** Numbers from a seed, the same everywhere (mulberry32). */
export function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0;
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

/**
 * Anything that can be known of the facts that rules test: nothing, all, or some values ruled out. Numbers lie on,
 * between and beyond the bounds of the rules, with ends that belong to them or not.
 */
export function randomKnowledge(exported: Exported, seed: number): Knowledge {
  const roll = dice(seed);
  const domains = new Map([...exported.facts.values()].map((one) => [one.key, randomDomain(one, roll)]));
  return {
    domain: (id, place) => domains.get(place === undefined ? id : `${id}@${place}`) ?? fullDomain(factNamed(exported.law, id)),
    origin: () => ({ kind: 'nothing' }),
  };
}

function randomDomain({ fact, scale }: ExportedFact, roll: (sides: number) => number): Domain {
  const certainty = roll(3);
  if (certainty === 0) return fullDomain(fact);
  const words = fact.type === 'bool' ? ['true', 'false'] : [...fact.values.keys()];
  switch (fact.type) {
    case 'bool':
    case 'enum': {
      const one = words[roll(words.length)] ?? '';
      const others = certainty === 1 ? [] : words.filter(() => roll(3) === 0);
      return { kind: 'choice', possible: new Set([one, ...others]) };
    }
    case 'set': {
      const few = 1 + roll(5);
      const possible = words.filter(() => roll(few) === 0);
      return { kind: 'members', possible: new Set(possible), certain: new Set(certainty === 1 ? possible : possible.filter(() => roll(2) === 0)) };
    }
    default:
      return randomInterval(fact, scale, certainty === 1, roll);
  }
}

function randomInterval(fact: Fact, scale: readonly string[], known: boolean, roll: (sides: number) => number): Domain {
  const around = fact.type === 'date' ? ['1999-12-31', '2025-06-15', '2038-01-19'] : ['0', '1', '17', '1000001', '50000000000000000000000000', '1000000000000000000000000001'];
  const values = [...scale, ...scale, ...around];
  const pick = (): Bound => ({ value: values[roll(values.length)] ?? '', inclusive: roll(2) === 0 });
  const low = pick();
  const high = pick();
  const whole: Bound = { value: low.value, inclusive: true };
  // INVARIANT: no domain is empty, and where one value is left it belongs to both ends.
  if (known || compareValues(fact, low.value, high.value) >= 0) return { kind: 'interval', low: whole, high: whole };
  const ends = roll(3);
  return { kind: 'interval', ...(ends === 1 ? {} : { low }), ...(ends === 2 ? {} : { high }) };
}
