import type { JsonSchema } from '../facts/schema.ts';
import { closed, factSchema, listOf, parameterProperties, text, words } from '../facts/schema.ts';
import type { Law } from '../rules/law.ts';
import { CONFIDENCES } from '../rules/rule.ts';
import { OUTCOMES } from './assessment.ts';

const DAY: JsonSchema = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' };

/** The schema of files of worked cases. */
export function casesSchema(law: Law): JsonSchema {
  const facts = Object.fromEntries(
    [...law.vocabulary.facts.values()].map((fact) => [fact.id, factSchema(fact)]),
  );
  const controls = Object.fromEntries(
    [...law.controls.values()].map((control) => [
      control.id,
      { ...closed(parameterProperties(control)), type: ['object', 'null'] },
    ]),
  );
  const rules = { ...listOf(text()), description: 'Rules by id; a name may end in * for a group.' };
  const expect = closed({
    outcome: words(OUTCOMES),
    fires: rules,
    not_fires: rules,
    undecided: rules,
    coming: rules,
    open: listOf(words(law.vocabulary.facts.keys())),
    controls: closed(controls),
    theirs: listOf(words(law.controls.keys())),
  });
  const one = closed(
    {
      id: text(),
      title: text(),
      market: { $ref: '#/$defs/place' },
      as_of: DAY,
      known_at: DAY,
      source: text(),
      confidence: words(CONFIDENCES),
      note: text(),
      facts: closed(facts),
      expect,
    },
    ['id', 'title', 'market', 'as_of', 'facts', 'expect'],
  );
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:comity:schema:cases:1',
    title: 'Comity cases',
    ...closed({ cases: listOf(one) }, ['cases']),
    $defs: { place: words(law.jurisdictions.byId.keys()) },
  };
}
