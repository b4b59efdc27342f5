import type { Control, Parameter } from './control.ts';
import { EVIDENCE_KINDS } from './control.ts';
import type { ManifestNames } from './manifest.ts';
import { MANIFEST_VERSION } from './manifest.ts';
import type { Fact } from './vocabulary.ts';

/** A JSON Schema (draft 2020-12), as data. */
export type JsonSchema = { readonly [key: string]: unknown };

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const DAY: JsonSchema = {
  type: 'string',
  pattern: '^\\d{4}-\\d{2}-\\d{2}$',
  description: 'A day, YYYY-MM-DD.',
};
const SHA256: JsonSchema = {
  type: 'string',
  pattern: '^[0-9a-f]{64}$',
  description: 'SHA-256, hexadecimal.',
};
const DURATION: JsonSchema = {
  type: 'string',
  pattern: '^P(?=\\d|T\\d)(\\d+Y)?(\\d+M)?(\\d+W)?(\\d+D)?(T(?=\\d)(\\d+H)?(\\d+M)?)?$',
  description: 'An ISO 8601 duration, for example P6M or PT72H.',
};

/** A map that admits nothing but the properties given. */
export function closed(
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = [],
  description?: string,
): JsonSchema {
  return {
    type: 'object',
    ...(description === undefined ? {} : { description }),
    properties,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

export function text(description?: string): JsonSchema {
  return { type: 'string', minLength: 1, ...(description === undefined ? {} : { description }) };
}

export function listOf(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

export function words(values: Iterable<string>): JsonSchema {
  return { type: 'string', enum: [...values] };
}

/** What a person sees when hovering over a fact: the question, the definition, where it comes from. */
function hover(fact: Fact): string {
  const unit = fact.unit === undefined ? '' : ` Unit: ${fact.unit}.`;
  const meanings = fact.places
    ? ''
    : [...fact.values].map(([word, meaning]) => `\n- ${word}: ${meaning}`).join('');
  return `${fact.question}\n\n${fact.definition}${unit}\n\nSources: ${fact.cites.join('; ')}${meanings === '' ? '' : `\n${meanings}`}`;
}

/** The values that a fact may be stated to have. */
export function factSchema(fact: Fact): JsonSchema {
  const description = hover(fact);
  switch (fact.type) {
    case 'bool':
      return { type: 'boolean', description };
    case 'enum':
      return { ...words(fact.values.keys()), description };
    case 'set':
      return {
        type: 'array',
        items: fact.places ? { $ref: '#/$defs/place' } : words(fact.values.keys()),
        description,
      };
    case 'int':
      return { type: 'integer', description };
    case 'decimal':
      return { type: 'number', description };
    case 'date':
      return { ...DAY, description };
  }
}

function parameterSchema(parameter: Parameter): JsonSchema {
  const description = parameter.means;
  switch (parameter.type) {
    case 'duration':
      return { ...DURATION, description };
    case 'count':
      return { type: 'integer', description };
    case 'bool':
      return { type: 'boolean', description };
    case 'enum':
      return { ...words(parameter.values.keys()), description };
    case 'set':
      return { type: 'array', items: words(parameter.values.keys()), description };
  }
}

/** The parameters of a control, as properties. */
export function parameterProperties(control: Control): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    [...control.parameters].map(([name, parameter]) => [name, parameterSchema(parameter)]),
  );
}

/** The schema of `comity.yaml`, generated from the vocabulary: for editors and for anybody who writes manifests by program. */
export function manifestSchema({ vocabulary, jurisdictions, controls }: ManifestNames): JsonSchema {
  const facts = (per: Fact['per'], prefix: string): Readonly<Record<string, JsonSchema>> =>
    Object.fromEntries(
      [...vocabulary.facts.values()]
        .filter((fact) => fact.per === per && fact.scope === 'static')
        .map((fact) => [fact.id.slice(prefix.length), factSchema(fact)]),
    );
  const component = closed(
    {
      name: text(),
      version: text(),
      provider: text(),
      licence: text('SPDX expression'),
      sha256: text(),
      url: text(),
    },
    ['name'],
  );
  const evidence = closed(
    {
      kind: words(EVIDENCE_KINDS),
      ref: text('A file relative to this manifest, or a query such as ledger:disclosure.shown.'),
      on: DAY,
      expires: DAY,
      window: text('ISO 8601 duration that a measurement covers.'),
      sha256: SHA256,
    },
    ['kind', 'ref'],
  );
  const declared = [...controls.values()].map((control) => [
    control.id,
    {
      ...closed(
        { ...parameterProperties(control), evidence: listOf({ $ref: '#/$defs/evidence' }) },
        [],
        `${control.title}. ${control.build}`,
      ),
      type: ['object', 'null'],
    },
  ]);
  const markets = [...jurisdictions.byId.values()].map((place) => [
    place.id,
    { $ref: '#/$defs/market', description: place.name },
  ]);
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:manifest:1',
    title: 'Comity manifest',
    ...closed(
      {
        comity: { const: MANIFEST_VERSION, description: 'Version of this format.' },
        name: text('Name of the feature.'),
        owner: text('Who answers for it.'),
        summary: text('What it does, in a sentence.'),
        markets: {
          ...closed(Object.fromEntries(markets), [], 'The markets that it is offered in or affects.'),
          minProperties: 1,
        },
        market_defaults: { $ref: '#/$defs/market', description: 'What is the same in every market.' },
        facts: closed(facts('system', ''), [], 'What is so. A fact that is not known is left out.'),
        models: listOf(component),
        datasets: listOf(component),
        controls: closed(Object.fromEntries(declared), [], 'Controls in place, with their evidence.'),
      },
      ['comity', 'name', 'markets'],
    ),
    $defs: {
      place: words(jurisdictions.byId.keys()),
      evidence,
      market: { ...closed(facts('market', 'market.')), type: ['object', 'null'] },
    },
  };
}
