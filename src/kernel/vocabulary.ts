import type { Fact } from '../facts/vocabulary.ts';
import type { Law } from '../rules/law.ts';

export function factOf(law: Law, id: string): Fact {
  const fact = law.vocabulary.facts.get(id);
  // INVARIANT: the loader refuses conditions on facts outside the vocabulary.
  if (fact === undefined) throw new RangeError(`no fact \`${id}\` in the vocabulary`);
  return fact;
}
