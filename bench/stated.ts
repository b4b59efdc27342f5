import type { FactValue } from '../src/facts/domain.ts';
import type { Fact } from '../src/facts/vocabulary.ts';

/** A value for most facts, none for the rest; which depends on `i` alone. */
export function statedOf(facts: readonly Fact[], i: number): Readonly<Record<string, FactValue>> {
  return Object.fromEntries(
    facts.flatMap((fact, k) => {
      const pick = Math.imul((i * 131 + k) ^ 0x9e3779b9, 0x85ebca6b) >>> 8;
      const value = pick % 7 === 0 ? undefined : valueFor(fact, pick);
      return value === undefined ? [] : [[fact.id, value]];
    }),
  );
}

function valueFor(fact: Fact, pick: number): FactValue | undefined {
  const words = [...fact.values.keys()];
  switch (fact.type) {
    case 'bool':
      return pick % 2 === 0;
    case 'enum':
      return words[pick % words.length];
    case 'set':
      return words.filter((_, n) => (n * 5 + pick) % 9 === 0).sort();
    case 'date':
      return ['2024-05-01', '2026-08-02', '2027-12-02'][pick % 3];
    default:
      return String(pick % 1000);
  }
}
