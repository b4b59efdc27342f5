import type { JsonSchema } from '../facts/schema.ts';
import { closed, factSchema, listOf, parameterProperties, text, words } from '../facts/schema.ts';
import type { Fact } from '../facts/vocabulary.ts';
import type { Law } from './law.ts';
import { CONFLICT_KINDS } from './opposition.ts';
import { CONFIDENCES, DEPTHS, KINDS, REVIEWS, STATES } from './rule.ts';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const DAY: JsonSchema = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' };
const CONDITION: JsonSchema = { $ref: '#/$defs/condition' };

/** A test on one fact. Equality and operators share one schema, without `oneOf`, so that editors complete both. */
function testSchema(fact: Fact): JsonSchema {
  const { description } = factSchema(fact);
  const word = fact.places ? { $ref: '#/$defs/place' } : words(fact.values.keys());
  const known = { known: { const: true } };
  const bound: JsonSchema = fact.type === 'date' ? DAY : { type: 'number' };
  switch (fact.type) {
    case 'bool':
      return { ...closed(known), type: ['boolean', 'object'], description };
    case 'enum':
      return { ...closed({ in: listOf(word), ...known }), type: ['string', 'object'], description };
    case 'set':
      return { ...closed({ has: word, has_any: listOf(word), only: listOf(word), ...known }), description };
    default:
      return {
        ...closed({ gte: bound, gt: bound, lte: bound, lt: bound, ...known }),
        type: ['number', 'string', 'object'],
        description,
      };
  }
}

function conditionSchema(law: Law): JsonSchema {
  const facts = [...law.vocabulary.facts.values()].map((fact) => [fact.id, testSchema(fact)]);
  const concluded = [...law.definitions].map(([name, rules]) => [
    name,
    {
      type: 'boolean',
      description: `Concluded by ${rules.map((rule) => `${rule.id} (${rule.cite})`).join('; ')}`,
    },
  ]);
  return {
    ...closed({
      all: listOf(CONDITION),
      any: listOf(CONDITION),
      not: CONDITION,
      at_least: closed({ n: { type: 'integer' }, of: listOf(CONDITION) }, ['n', 'of']),
      ...Object.fromEntries(facts),
      ...Object.fromEntries(concluded),
    }),
    minProperties: 1,
    maxProperties: 1,
  };
}

/** The schema of a rulebook, with the definition of every fact and control at hand. */
export function rulebookSchema(law: Law): JsonSchema {
  const source = closed({ url: text(), confidence: words(CONFIDENCES), seen: DAY });
  const controls = [...law.controls.values()];
  // Parameters of all controls side by side: which belong to the control named is checked by the loader.
  const parameters = Object.assign({}, ...controls.map(parameterProperties)) as Readonly<
    Record<string, JsonSchema>
  >;
  const loose = Object.fromEntries(
    Object.keys(parameters)
      .sort()
      .map((name) => [name, {}]),
  );
  const control = {
    ...words(law.controls.keys()),
    description: controls.map(({ id, title }) => `${id}: ${title}`).join('\n'),
  };
  const interval = closed({ from: DAY, to: DAY, recorded: DAY, basis: text(), state: words(STATES) }, [
    'from',
  ]);
  const rule = closed(
    {
      id: text(),
      cite: text(),
      title: text(),
      note: text(),
      effective: { ...listOf(interval), minItems: 1 },
      state: words(STATES),
      when: CONDITION,
      define: text(),
      classify: text(),
      prohibit: text(),
      permit: text(),
      require: closed({ control, ...loose }, ['control']),
      grant: closed({ right: text(), control, ...loose }, ['right']),
      defeats: closed({ rules: listOf(text()), word: text() }, ['rules', 'word']),
      owed_by: listOf(text()),
      ambiguous: text(),
      force: words(['binding', 'effort']),
      scope: words(['none']),
      source,
      review: words(REVIEWS),
    },
    ['id', 'cite', 'effective'],
  );
  const max = closed({
    amount: { type: 'integer' },
    currency: text(),
    turnover_percent: text(),
    whichever: words(['higher', 'lower']),
    per: text(),
  });
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:rulebook:1',
    title: 'Comity rulebook',
    ...closed({
      rulebook: text(),
      part: text(),
      title: text(),
      jurisdiction: { $ref: '#/$defs/place' },
      kind: words(KINDS),
      binding: { type: 'boolean' },
      citation: text(),
      url: text(),
      status: closed({ state: words(STATES), as_of: DAY, note: text() }, ['state', 'as_of']),
      recorded: DAY,
      depth: words(DEPTHS),
      covers: text(),
      leaves_out: text(),
      namespace: text(),
      scope: text(),
      roles: {
        type: 'object',
        additionalProperties: closed({ title: text(), when: CONDITION }, ['title', 'when']),
      },
      penalties: listOf(
        closed({ id: text(), cite: text(), rules: listOf(text()), max, note: text() }, ['id', 'cite']),
      ),
      source,
      review: words(REVIEWS),
      rules: listOf(rule),
    }),
    $defs: { place: words(law.jurisdictions.byId.keys()), condition: conditionSchema(law) },
  };
}

/** The schema of the vocabulary files. */
export function factsSchema(law: Law): JsonSchema {
  const condition = conditionSchema({ ...law, definitions: new Map() });
  const fact = closed(
    {
      id: text(),
      type: words(['bool', 'enum', 'set', 'int', 'decimal', 'date']),
      values: { type: 'object', additionalProperties: text() },
      values_from: words(['jurisdictions']),
      nonempty: { type: 'boolean' },
      unit: text(),
      per: words(['system', 'market']),
      scope: words(['static', 'request']),
      derive: closed({ inside_market: text(), outside_market: text() }),
      question: text(),
      definition: text(),
      cites: listOf(text()),
      who: words(['engineer', 'lawyer', 'measurement']),
      cost: { type: 'integer', minimum: 1, maximum: 5 },
      change: { type: ['integer', 'string'], description: 'Effort to change it, 1 to 5, or fixed.' },
    },
    ['id', 'type', 'question', 'definition', 'cites', 'who', 'cost', 'change'],
  );
  const then = closed(
    Object.fromEntries([...law.vocabulary.facts.values()].map((one) => [one.id, testSchema(one)])),
  );
  const constraint = closed({ id: text(), when: CONDITION, then, because: text() }, [
    'id',
    'when',
    'then',
    'because',
  ]);
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:facts:1',
    title: 'Comity vocabulary',
    ...closed({ topic: text(), title: text(), facts: listOf(fact), constraints: listOf(constraint) }, [
      'topic',
      'title',
      'facts',
    ]),
    $defs: { place: words(law.jurisdictions.byId.keys()), condition },
  };
}

/** The schema of the control files. */
export function controlsSchema(): JsonSchema {
  const parameter = closed(
    {
      type: words(['duration', 'count', 'set', 'enum', 'bool']),
      means: text(),
      join: words(['max', 'min', 'union', 'intersection', 'all-equal']),
      upper: text(),
      values: { type: 'object', additionalProperties: text() },
    },
    ['type', 'means', 'join'],
  );
  const how = closed({ kind: words(['document', 'test', 'measured', 'signature']), what: text() }, [
    'kind',
    'what',
  ]);
  const evidence = closed(
    { sufficient: words(['declared', 'documented', 'tested', 'measured', 'verified']), how: listOf(how) },
    ['sufficient', 'how'],
  );
  const control = closed(
    {
      id: text(),
      title: text(),
      build: text(),
      evidence,
      parameters: { type: 'object', additionalProperties: parameter },
    },
    ['id', 'title', 'build', 'evidence'],
  );
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:controls:1',
    title: 'Comity controls',
    ...closed({ family: text(), title: text(), controls: listOf(control) }, ['family', 'title', 'controls']),
  };
}

/** The schema of the files of `law/conflicts/`. */
export function conflictsSchema(law: Law): JsonSchema {
  const control = words(law.controls.keys());
  const side = closed({ control, sets: listOf(text()), with: { type: 'object' } }, ['control']);
  const resolution = closed({ id: text(), title: text(), how: text(), controls: listOf(control) }, [
    'id',
    'title',
    'how',
  ]);
  const opposition = closed(
    {
      id: text(),
      title: text(),
      kind: words(CONFLICT_KINDS),
      why: text(),
      left: side,
      right: side,
      resolutions: listOf(resolution),
    },
    ['id', 'title', 'kind', 'why', 'left', 'right'],
  );
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:conflicts:1',
    title: 'Comity conflicts',
    ...closed({ oppositions: listOf(opposition) }, ['oppositions']),
  };
}

/** The schema of `law/jurisdictions.yaml`. */
export function jurisdictionsSchema(): JsonSchema {
  const place = closed(
    {
      id: text(),
      name: text(),
      kind: words(['union', 'country', 'subdivision', 'city', 'zone']),
      parent: text(),
      members: listOf(text()),
    },
    ['id', 'name', 'kind'],
  );
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:jurisdictions:1',
    title: 'Comity jurisdictions',
    ...closed({ jurisdictions: listOf(place) }, ['jurisdictions']),
  };
}
