import type { JsonSchema } from '../facts/schema.ts';
import { closed, listOf, text, words } from '../facts/schema.ts';
import { PILLARS } from './agreement.ts';
import { RECOGNITIONS } from './crosswalk.ts';
import { DRAFT, ROUGH_DAY, SOURCE, STATE } from './framework-schema.ts';
import type { Law } from './law.ts';

/** The schema of a file of `law/agreements/`. */
export function agreementsSchema({
  jurisdictions,
  controls,
}: Pick<Law, 'jurisdictions' | 'controls'>): JsonSchema {
  const places = listOf({ $ref: '#/$defs/place' });
  const acceptance = closed(
    {
      kind: words(RECOGNITIONS),
      by: places,
      of: places,
      what: text('What is accepted.'),
      cite: text(),
      serves: listOf(words(controls.keys())),
      excludes: text('What the recognition leaves out.'),
      until: ROUGH_DAY,
    },
    ['kind', 'by', 'of', 'what', 'cite', 'serves'],
  );
  const agreement = closed(
    {
      id: text(),
      title: text(),
      parties: places,
      signatories: { ...places, description: 'Who signed a treaty and is not bound yet.' },
      concerns: { ...places, description: 'Associates, or whom a one-sided act is about.' },
      absent: { ...places, description: 'Who is known to have stayed away.' },
      groups: listOf(text()),
      organisations: listOf(text()),
      unlisted: text('Who else takes part, where parties are not listed one by one.'),
      dates: listOf(closed({ on: ROUGH_DAY, what: text() }, ['on', 'what'])),
      force: words(['binding', 'soft']),
      force_note: text(),
      state: STATE,
      pillars: listOf(words(PILLARS)),
      commitments: text(),
      for_teams: text('What changes for an engineering team. Often nothing yet.'),
      recognition: listOf(acceptance),
      uncertain: text('What is not known.'),
      source: SOURCE,
    },
    ['id', 'title', 'dates', 'force', 'state', 'pillars', 'commitments', 'for_teams', 'source'],
  );
  const group = closed({ id: text(), title: text(), members: places, as_of: ROUGH_DAY, source: SOURCE }, [
    'id',
    'title',
    'members',
    'as_of',
    'source',
  ]);
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:agreements:1',
    title: 'Comity agreements',
    ...closed({ agreements: listOf(agreement), groups: listOf(group) }),
    $defs: { place: words(jurisdictions.byId.keys()) },
  };
}
