import { Ajv2020 } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';
import { EVENTS, isEventName } from '../../src/ledger/record/events.ts';
import { type JsonSchema, recordSchema } from '../../src/ledger/record/schema.ts';
import { RECORD_AJV } from '../../src/ledger/record/validate.ts';

/** The schemas of records as code, made when the page is built: the page may not evaluate text. */
export interface RecordChecks {
  /** A module that exports a function for each event. */
  readonly code: string;
  /** The name of that function, for each event. */
  readonly exports: ReadonlyMap<string, string>;
}

/**
 * Ajv’s own code for every event. What schemas have in common is written once and referred to, which changes neither
 * the order in which a value is checked nor what is said about it, and keeps the code to a fifth.
 */
export function recordChecks(): RecordChecks {
  const shared = new Map<string, string>();
  const share = (schema: unknown): JsonSchema => {
    const text = JSON.stringify(schema);
    const name = shared.get(text) ?? `shared${shared.size}`;
    shared.set(text, name);
    return { $ref: `#/$defs/${name}` };
  };
  const names = new Map(
    Object.keys(EVENTS)
      .filter(isEventName)
      .map((event, i) => [event, `event${i}`] as const),
  );
  const events = [...names].map(([event, name]) => {
    const { $schema: _version, title: _title, ...schema } = recordSchema(event);
    const { attributes, ...properties } = propertiesOf(schema);
    const own = { ...object(attributes), properties: mapped(propertiesOf(object(attributes)), share) };
    // In the order of the schema: the first fault is the one that is told.
    const all = Object.keys(propertiesOf(schema)).map((key) => [
      key,
      key === 'attributes' ? own : share(properties[key]),
    ]);
    return [name, { ...schema, properties: Object.fromEntries(all) }] as const;
  });
  const definitions = [...shared].map(([text, name]) => [name, JSON.parse(text)] as const);
  const ajv = new Ajv2020({
    ...RECORD_AJV,
    inlineRefs: false,
    code: { source: true, esm: true },
    schemas: [{ $id: 'records', $defs: Object.fromEntries([...events, ...definitions]) }],
  });
  const references = [...names.values()].map((name) => [name, `records#/$defs/${name}`]);
  return { code: standalone.default(ajv, Object.fromEntries(references)), exports: names };
}

function propertiesOf(schema: JsonSchema): JsonSchema {
  return object(schema.properties);
}

function mapped(properties: JsonSchema, change: (schema: unknown) => JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, change(schema)]));
}

function object(value: unknown): JsonSchema {
  if (typeof value === 'object' && value !== null) return value as JsonSchema;
  throw new Error('schema of records has another form');
}
