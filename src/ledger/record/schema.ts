import { ATTRIBUTES, type AttributeName, type AttributeType } from './attributes.ts';
import { EVENTS, type EventName } from './events.ts';
import { RECORD_VERSION } from './record.ts';

/** A JSON Schema (2020-12), as plain data. */
export type JsonSchema = { readonly [keyword: string]: unknown };

const text = (pattern: string, maxLength: number): JsonSchema => ({ type: 'string', pattern, maxLength });

const TOKEN = text('^[A-Za-z0-9][A-Za-z0-9._:/+*-]*$', 256);
const DIGEST = text('^sha256:[0-9a-f]{64}$', 71);
const UUID = text('^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$', 36);
const UUID7 = text('^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$', 36);
const TIME = text(
  '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])T([01]\\d|2[0-3]):[0-5]\\d:([0-5]\\d|60)(\\.\\d{1,9})?Z$',
  30,
);
const MARKET = text('^[A-Z]{2}(-[A-Z0-9]{1,8})?$', 11);
const VKEY = text('^[^\\s+@]+\\+[0-9a-f]{8}\\+[A-Za-z0-9+/]+={0,2}$', 4096);
/** 16 random bytes, base64url without padding. */
const KEY_ID = text('^[A-Za-z0-9_-]{21}[AQgw]$', 22);
/** 32 bytes, base64url without padding. */
const HASH = text('^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$', 43);
const COUNT: JsonSchema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

const list = (items: JsonSchema, maxItems: number): JsonSchema => ({
  type: 'array',
  items,
  maxItems,
  minItems: 1,
});

/** An object that rejects fields it does not know. */
const closed = (
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[],
): JsonSchema => ({ type: 'object', properties, required, additionalProperties: false });

const ENVELOPE = {
  about: list(
    closed(
      {
        id: UUID7,
        index: COUNT,
        leaf: text('^[A-Za-z0-9+/]{43}=$', 44),
        rel: {
          enum: ['evaluates', 'overrides', 'corrects', 'intent_of', 'effect_of', 'erases', 'incident_of'],
        },
      },
      ['id', 'rel'],
    ),
    64,
  ),
  id: UUID7,
  jur: { ...list(MARKET, 300), minItems: 0, uniqueItems: true },
  observed: TIME,
  parent: text('^[0-9a-f]{16}$', 16),
  producer: closed({ boot: UUID, id: TOKEN, key: VKEY, seq: COUNT }, ['boot', 'id', 'seq']),
  resource: closed(
    {
      'comity.region': TOKEN,
      'comity.risk_class': TOKEN,
      'comity.system.id': TOKEN,
      'comity.system.version': TOKEN,
      'comity.tenant': TOKEN,
      'deployment.environment.name': TOKEN,
      'service.name': TOKEN,
      'service.version': TOKEN,
    },
    ['comity.system.id', 'comity.tenant', 'service.name'],
  ),
  retain: closed(
    {
      class: TOKEN,
      hold: { type: 'boolean' },
      min: text('^P(?=\\d)(\\d{1,3}Y)?(\\d{1,4}M)?(\\d{1,5}D)?$', 16),
    },
    ['class', 'hold', 'min'],
  ),
  schema_url: text('^https://[A-Za-z0-9._/-]+$', 256),
  sd: list(HASH, 256),
  sealed: list(
    closed({ alg: { const: 'A256GCM' }, h: HASH, k: KEY_ID, len: COUNT }, ['alg', 'h', 'k', 'len']),
    64,
  ),
  span_id: text('^[0-9a-f]{16}$', 16),
  time: TIME,
  trace_id: text('^[0-9a-f]{32}$', 32),
  v: { const: RECORD_VERSION },
} as const satisfies Readonly<Record<string, JsonSchema>>;

const ENVELOPE_REQUIRED = ['id', 'jur', 'producer', 'resource', 'retain', 'schema_url', 'time', 'v'] as const;

const LIST_ITEMS = { token: TOKEN, digest: DIGEST, key: KEY_ID } as const;

function attributeSchema(type: AttributeType): JsonSchema {
  switch (type.kind) {
    case 'token':
      return TOKEN;
    case 'name':
      return text('^[A-Za-z0-9][A-Za-z0-9._:/+*@-]*$', 256);
    case 'digest':
      return DIGEST;
    case 'uuid':
      return UUID;
    case 'time':
      return TIME;
    case 'locale':
      return text('^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$', 35);
    case 'market':
      return MARKET;
    case 'vkey':
      return VKEY;
    case 'count':
      return COUNT;
    case 'number':
      return { type: 'number' };
    case 'boolean':
      return { type: 'boolean' };
    case 'choice':
      return { enum: type.of };
    case 'list':
      // A person of whom nothing was kept is erased, or held, with no key to name.
      return { ...list(LIST_ITEMS[type.of], 1024), minItems: type.of === 'key' ? 0 : 1 };
  }
}

/** The JSON Schema of one event's records. The files under `schema/` are these, written out. */
export function recordSchema(event: EventName): JsonSchema {
  const shape = EVENTS[event];
  const names: readonly AttributeName[] = [...shape.required, ...shape.optional].sort();
  const attributes = Object.fromEntries(names.map((name) => [name, attributeSchema(ATTRIBUTES[name])]));
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: shape.title,
    ...closed({ ...ENVELOPE, attributes: closed(attributes, shape.required), event_name: { const: event } }, [
      'attributes',
      'event_name',
      ...ENVELOPE_REQUIRED,
    ]),
  };
}
