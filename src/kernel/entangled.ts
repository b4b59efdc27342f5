import { mentions } from '../facts/condition.ts';
import type { Vocabulary } from '../facts/vocabulary.ts';

/**
 * The facts that others may follow from, or that may follow from others, by the constraints of the vocabulary or by
 * computation from places, starting from these: everything that stating one of them may change.
 */
export function entangledWith(vocabulary: Vocabulary, facts: Iterable<string>): ReadonlySet<string> {
  const groups = [
    ...vocabulary.constraints.map(({ when, then }) => [
      ...mentions(when).facts,
      ...then.map(({ fact }) => fact),
    ]),
    ...[...vocabulary.facts.values()].flatMap(({ id, derive }) =>
      derive === undefined ? [] : [[id, derive.from]],
    ),
  ];
  const asked = new Set(facts);
  const reached = new Set<string>();
  for (let grew = true; grew; ) {
    grew = false;
    for (const group of groups) {
      if (!group.some((id) => asked.has(id) || reached.has(id))) continue;
      for (const id of group) {
        if (reached.has(id)) continue;
        reached.add(id);
        grew = true;
      }
    }
  }
  return reached;
}
