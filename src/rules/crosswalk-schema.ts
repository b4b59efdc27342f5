import type { JsonSchema } from '../facts/schema.ts';
import { closed, listOf, text, words } from '../facts/schema.ts';
import { COVERAGES, PUBLISHERS, RECOGNITIONS, RELATIONS, STYLES } from './crosswalk.ts';
import { DRAFT, ROUGH_DAY, SOURCE } from './framework-schema.ts';
import type { Law } from './law.ts';
import { CONFIDENCES } from './rule.ts';

/** The schema of a file of `law/crosswalks/`: one crosswalk, or a list of them. */
export function crosswalksSchema({
  jurisdictions,
  rulebooks,
}: Pick<Law, 'jurisdictions' | 'rulebooks'>): JsonSchema {
  const provision = {
    ...closed(
      {
        of: { ...words(rulebooks.keys()), description: 'A rulebook that leaves the provision out.' },
        law: text('A law without rulebook.'),
        place: words(jurisdictions.byId.keys()),
        cite: text(),
      },
      ['cite'],
    ),
    description: 'A provision of law that no rule encodes. Nothing checks it.',
  };
  const end: JsonSchema = {
    anyOf: [
      text(
        'A control, rulebook:rule (a name may end in *), or a reference; framework:reference with several.',
      ),
      provision,
    ],
  };
  const side: JsonSchema = {
    anyOf: [text('controls, law, or the id of a framework'), closed({ other: text() }, ['other'])],
  };
  const analyst = closed(
    {
      relation: words(RELATIONS),
      to: listOf(end),
      rationale: text(),
      by: text(),
      on: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' },
    },
    ['relation', 'rationale', 'by', 'on'],
  );
  const row = closed(
    {
      from: end,
      to: listOf(end),
      coverage: {
        ...words(COVERAGES),
        description: 'Style coverage: the control serves all or a part of it.',
      },
      relation: {
        enum: [...RELATIONS, null],
        description: 'What the publisher states; null where it states none.',
      },
      analyst_relation: analyst,
      recognition: words(RECOGNITIONS),
      confidence: words(CONFIDENCES),
      note: text(),
    },
    ['from', 'to'],
  );
  const properties: Readonly<Record<string, JsonSchema>> = {
    crosswalk: text(),
    title: text(),
    publisher: text(),
    published: words(PUBLISHERS),
    date: ROUGH_DAY,
    style: words(STYLES),
    extent: { ...words(['all', 'some', 'none']), description: "How many of the publisher's rows are here." },
    from: side,
    to: { anyOf: [side, listOf(side)] },
    recognition: words(RECOGNITIONS),
    note: text(),
    source: SOURCE,
    rows: listOf({ $ref: '#/$defs/row' }),
  };
  const needed = [
    'crosswalk',
    'title',
    'publisher',
    'published',
    'style',
    'extent',
    'from',
    'to',
    'recognition',
  ];
  const crosswalk = closed(properties, [...needed, 'source', 'rows']);
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:crosswalks:1',
    title: 'Comity crosswalks',
    ...closed({ ...properties, crosswalks: listOf(crosswalk) }),
    anyOf: [{ required: ['crosswalks'] }, { required: [...needed, 'source', 'rows'] }],
    $defs: { row },
  };
}
