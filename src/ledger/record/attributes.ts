/**
 * How the value of one attribute looks. No kind admits free text: what a person wrote, said or is called
 * belongs in a sealed part, never in a leaf that is copied to other countries and cannot be taken back.
 */
export type AttributeType =
  /** An identifier without spaces and without `@`, 1 to 256 characters. */
  | { readonly kind: 'token' }
  /** As `token`, with `@`, which names of models and images contain. */
  | { readonly kind: 'name' }
  | { readonly kind: 'digest' }
  | { readonly kind: 'uuid' }
  /** RFC 3339, UTC, up to nanoseconds. */
  | { readonly kind: 'time' }
  | { readonly kind: 'locale' }
  /** A market: ISO 3166-1 alpha-2, or a subdivision of it after a hyphen. */
  | { readonly kind: 'market' }
  | { readonly kind: 'vkey' }
  | { readonly kind: 'count' }
  | { readonly kind: 'number' }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'choice'; readonly of: readonly (string | number)[] }
  | { readonly kind: 'list'; readonly of: 'token' | 'digest' | 'key' };

const token = { kind: 'token' } as const;
const name = { kind: 'name' } as const;
const digest = { kind: 'digest' } as const;
const uuid = { kind: 'uuid' } as const;
const time = { kind: 'time' } as const;
const count = { kind: 'count' } as const;
const number = { kind: 'number' } as const;
const boolean = { kind: 'boolean' } as const;
const tokens = { kind: 'list', of: 'token' } as const;
const choice = <const T extends readonly (string | number)[]>(...of: T) => ({ kind: 'choice', of }) as const;

/**
 * Every attribute that a leaf may carry. Names beginning `gen_ai.` are those of the OpenTelemetry GenAI
 * conventions at {@link SCHEMA_URL}; its content attributes (`gen_ai.input.messages` and the like) are
 * left out on purpose: they are sealed.
 */
export const ATTRIBUTES = {
  'gen_ai.operation.name': choice(
    'chat',
    'create_agent',
    'embeddings',
    'execute_tool',
    'generate_content',
    'invoke_agent',
    'invoke_workflow',
    'plan',
    'retrieval',
    'text_completion',
  ),
  'gen_ai.provider.name': token,
  'gen_ai.request.model': name,
  'gen_ai.request.temperature': number,
  'gen_ai.request.top_p': number,
  'gen_ai.request.top_k': number,
  'gen_ai.request.seed': count,
  'gen_ai.request.max_tokens': count,
  'gen_ai.request.stream': boolean,
  'gen_ai.response.id': token,
  'gen_ai.response.model': name,
  'gen_ai.response.finish_reasons': tokens,
  'gen_ai.response.time_to_first_chunk': number,
  'gen_ai.usage.input_tokens': count,
  'gen_ai.usage.output_tokens': count,
  'gen_ai.usage.cache_read.input_tokens': count,
  'gen_ai.usage.reasoning.output_tokens': count,
  'gen_ai.agent.id': token,
  'gen_ai.agent.version': token,
  'gen_ai.conversation.id': token,
  'gen_ai.data_source.id': token,
  'gen_ai.prompt.name': token,
  'gen_ai.tool.call.id': token,
  'gen_ai.tool.name': token,
  'gen_ai.tool.type': token,
  'gen_ai.evaluation.name': token,
  'gen_ai.evaluation.score.value': number,
  'gen_ai.evaluation.score.label': token,
  'error.type': token,

  'comity.market': { kind: 'market' },
  'comity.ruleset.digest': digest,
  'comity.manifest.digest': digest,

  'comity.policy.id': token,
  'comity.policy.version_hash': digest,
  'comity.policy.rule.id': token,
  'comity.policy.rules': tokens,
  'comity.policy.verdict': choice('allowed', 'allowed-if', 'cannot-tell', 'not-allowed'),
  'comity.policy.action': choice('allow', 'deny', 'modify', 'warn', 'escalate'),
  'comity.policy.reason_code': token,
  'comity.policy.engine': token,
  'comity.policy.duration_us': number,

  'comity.tool.outcome': choice('succeeded', 'failed', 'cancelled', 'unknown'),

  'comity.disclosure.id': token,
  'comity.disclosure.locale': { kind: 'locale' },
  'comity.disclosure.text_hash': digest,
  'comity.disclosure.channel': token,
  'comity.disclosure.art50': choice(1, 2, 3, 4),
  'comity.disclosure.ack': boolean,

  'comity.oversight.action': choice('approve', 'reject', 'modify', 'stop'),
  'comity.oversight.actor_role': token,
  'comity.oversight.reason_code': token,
  'comity.oversight.four_eyes': boolean,

  'comity.incident.id': token,
  'comity.incident.severity': token,
  'comity.incident.authority': token,
  'comity.incident.deadline': time,

  'comity.training.dataset_digest': { kind: 'list', of: 'digest' },
  'comity.training.code_digest': digest,
  'comity.training.model_digest': digest,
  'comity.training.started': time,
  'comity.training.ended': time,
  'comity.training.license_set': tokens,

  'comity.use.started': time,
  'comity.use.ended': time,
  'comity.use.reference_db': token,
  'comity.use.match': boolean,

  'comity.modification.kind': token,
  'comity.modification.from_digest': digest,
  'comity.modification.to_digest': digest,

  /** Made by the vault over the request and its keys: who can append cannot thereby erase. */
  'comity.erasure.authenticator': digest,
  'comity.erasure.request': uuid,
  'comity.erasure.keys': { kind: 'list', of: 'key' },
  'comity.erasure.parts': count,
  'comity.erasure.until': time,
  'comity.erasure.reason_code': token,
  'comity.erasure.actor_role': token,

  /** Made by the vault over the hold: who can append can thereby neither hold nor release. */
  'comity.hold.authenticator': digest,
  'comity.hold.covers': choice('tenant', 'subject', 'record'),
  /** Of the hold; of a record, if it is the hold that the record asked for itself. */
  'comity.hold.id': uuid,
  /** Of the person whom it covers: the vault alone can tell who that is. */
  'comity.hold.keys': { kind: 'list', of: 'key' },

  'comity.key.kind': choice('log', 'witness', 'writer', 'tenant'),
  'comity.key.vkey': { kind: 'vkey' },
  'comity.key.previous': { kind: 'vkey' },
  'comity.key.reason_code': token,

  'comity.heartbeat.last_seq': count,
  'comity.heartbeat.period_ms': count,

  /** First entry whose bytes are kept. */
  'comity.prune.minimum': count,
  'comity.prune.previous': count,
  /** Of the written retention policy, without which nothing may be pruned (C2SP tlog-tiles, Retention Policies). */
  'comity.prune.policy_hash': digest,
  'comity.prune.before': time,
  /** An ISO 8601 duration: how long entries were kept that state no retention of their own. */
  'comity.prune.opaque_after': token,

  'comity.witness.policy_hash': digest,
  'comity.witness.previous_hash': digest,
} as const satisfies Readonly<Record<string, AttributeType>>;

export type AttributeName = keyof typeof ATTRIBUTES;

/** OpenTelemetry GenAI semantic conventions that the `gen_ai.` names are taken from. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/gen-ai/1.42.0';

/** The TypeScript type of one attribute's value. */
export type ValueOf<N extends AttributeName> = Value<(typeof ATTRIBUTES)[N]>;

type Value<T> = T extends { readonly kind: 'choice'; readonly of: readonly (infer V)[] }
  ? V
  : T extends { readonly kind: 'list' }
    ? readonly string[]
    : T extends { readonly kind: 'count' | 'number' }
      ? number
      : T extends { readonly kind: 'boolean' }
        ? boolean
        : string;
