import type { JsonSchema } from '../facts/schema.ts';
import { closed, listOf, text, words } from '../facts/schema.ts';
import { MARKS, STANDINGS } from './attested.ts';
import { FRAMEWORK_KINDS } from './framework.ts';
import type { Law } from './law.ts';
import { CONFIDENCES } from './rule.ts';

export const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const DAY: JsonSchema = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' };

/** A day, month or year. A year alone is a number in YAML. */
export const ROUGH_DAY: JsonSchema = {
  type: ['string', 'integer'],
  pattern: '^\\d{4}(-\\d{2}(-\\d{2})?)?$',
  minimum: 1000,
  maximum: 9999,
  description: 'YYYY-MM-DD, YYYY-MM or YYYY, as exactly as it is known.',
};

/** Where a statement comes from. */
export const SOURCE: JsonSchema = closed(
  {
    mark: {
      ...words(MARKS),
      description: 'verified: read in a source named here. recalled: known, still to be checked there.',
    },
    confidence: { ...words(CONFIDENCES), description: 'low needs a note' },
    urls: listOf(text()),
    seen: { ...DAY, description: 'The day the source was read; only for what is verified.' },
    note: text(),
  },
  ['mark', 'confidence', 'urls'],
);

/** Where an agreement or framework stands. */
export const STATE: JsonSchema = closed(
  {
    is: {
      ...words(STANDINGS),
      description: 'in-force is said of what binds, active of what does not and is being carried out.',
    },
    as_of: { ...ROUGH_DAY, description: 'The latest day for which the state is attested.' },
    note: text(),
  },
  ['is', 'as_of'],
);

/** The schema of a file of `law/frameworks/`. */
export function frameworkSchema({ rulebooks }: Pick<Law, 'rulebooks'>): JsonSchema {
  const reference = closed(
    {
      ref: text('Its number, as people cite it.'),
      gist: text('What it asks, in our own words; its text is not copied.'),
      heading: { type: 'boolean', description: 'A heading over other references.' },
      state: STATE,
    },
    ['ref', 'gist'],
  );
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:framework:1',
    title: 'Comity framework',
    ...closed(
      {
        framework: text('The name of the file without its ending.'),
        title: text(),
        publisher: text(),
        kind: words(FRAMEWORK_KINDS),
        version: text(),
        date: ROUGH_DAY,
        url: text(),
        state: STATE,
        licence: text('Under which terms its own text may be used.'),
        note: text(),
        rulebook: { ...words(rulebooks.keys()), description: 'The rulebook that encodes it as rules.' },
        source: SOURCE,
        references: listOf(reference),
      },
      ['framework', 'title', 'publisher', 'kind', 'version', 'state', 'licence', 'source', 'references'],
    ),
  };
}
