import type { AttributeName } from './attributes.ts';

interface EventShape {
  /** What happened, for people who read the schema. */
  readonly title: string;
  readonly required: readonly AttributeName[];
  readonly optional: readonly AttributeName[];
}

const MODEL = [
  'gen_ai.request.temperature',
  'gen_ai.request.top_p',
  'gen_ai.request.top_k',
  'gen_ai.request.seed',
  'gen_ai.request.max_tokens',
  'gen_ai.request.stream',
  'gen_ai.response.id',
  'gen_ai.response.model',
  'gen_ai.response.finish_reasons',
  'gen_ai.response.time_to_first_chunk',
  'gen_ai.usage.input_tokens',
  'gen_ai.usage.output_tokens',
  'gen_ai.usage.cache_read.input_tokens',
  'gen_ai.usage.reasoning.output_tokens',
  'gen_ai.agent.id',
  'gen_ai.agent.version',
  'gen_ai.conversation.id',
  'gen_ai.data_source.id',
  'gen_ai.prompt.name',
  'error.type',
  'comity.market',
  'comity.ruleset.digest',
  'comity.manifest.digest',
] as const satisfies readonly AttributeName[];

const DECISION = [
  'comity.policy.rule.id',
  'comity.policy.rules',
  'comity.policy.action',
  'comity.policy.reason_code',
  'comity.policy.engine',
  'comity.policy.duration_us',
  'comity.manifest.digest',
  'gen_ai.conversation.id',
] as const satisfies readonly AttributeName[];

/** Every event that a record may report, and the attributes that it must or may carry. */
export const EVENTS = {
  'gen_ai.client.inference.operation.details': {
    title: 'One call to a model',
    required: ['gen_ai.operation.name', 'gen_ai.provider.name', 'gen_ai.request.model'],
    optional: MODEL,
  },
  'gen_ai.evaluation.result': {
    title: 'One evaluation of an output',
    required: ['gen_ai.evaluation.name'],
    optional: [
      'gen_ai.evaluation.score.value',
      'gen_ai.evaluation.score.label',
      'gen_ai.response.id',
      'error.type',
    ],
  },
  'comity.tool.intent': {
    title: 'A side effect is about to happen; appended before it does',
    required: ['gen_ai.tool.name'],
    optional: [
      'gen_ai.tool.call.id',
      'gen_ai.tool.type',
      'gen_ai.agent.id',
      'gen_ai.conversation.id',
      'comity.market',
    ],
  },
  'comity.tool.effect': {
    title: 'What came of an intent',
    required: ['gen_ai.tool.name', 'comity.tool.outcome'],
    optional: ['gen_ai.tool.call.id', 'gen_ai.tool.type', 'error.type', 'comity.market'],
  },
  'comity.policy.decision': {
    title: 'The rules were asked and answered',
    required: [
      'comity.policy.id',
      'comity.policy.version_hash',
      'comity.policy.verdict',
      'comity.market',
      'comity.ruleset.digest',
    ],
    optional: DECISION,
  },
  'comity.disclosure.shown': {
    title: 'A person was told',
    required: ['comity.disclosure.id', 'comity.disclosure.locale', 'comity.disclosure.text_hash'],
    optional: [
      'comity.disclosure.channel',
      'comity.disclosure.art50',
      'comity.disclosure.ack',
      'comity.market',
      'gen_ai.conversation.id',
    ],
  },
  'comity.human.override': {
    title: 'A person overruled or confirmed the system',
    required: ['comity.oversight.action', 'comity.oversight.actor_role'],
    optional: ['comity.oversight.reason_code', 'comity.oversight.four_eyes', 'comity.market'],
  },
  'comity.incident.reported': {
    title: 'An incident was reported to an authority',
    required: ['comity.incident.id', 'comity.incident.severity'],
    optional: ['comity.incident.authority', 'comity.incident.deadline', 'comity.market'],
  },
  'comity.training.run': {
    title: 'A model was trained or tuned',
    required: ['comity.training.dataset_digest', 'comity.training.model_digest'],
    optional: [
      'comity.training.code_digest',
      'comity.training.started',
      'comity.training.ended',
      'comity.training.license_set',
    ],
  },
  'comity.system.use': {
    title: 'One period of use of a system',
    required: ['comity.use.started'],
    optional: ['comity.use.ended', 'comity.use.reference_db', 'comity.use.match', 'comity.market'],
  },
  'comity.modification.substantial': {
    title: 'The system was changed in a way that may ask for a new assessment',
    required: ['comity.modification.kind'],
    optional: ['comity.modification.from_digest', 'comity.modification.to_digest'],
  },
  'comity.erasure.requested': {
    title: 'A person asked to be erased',
    required: ['comity.erasure.request', 'comity.erasure.parts'],
    optional: [
      'comity.erasure.authenticator',
      'comity.erasure.keys',
      'comity.erasure.reason_code',
      'comity.erasure.actor_role',
    ],
  },
  'comity.erasure.deferred': {
    title: 'An erasure waits for a retention period or a legal hold to end',
    required: ['comity.erasure.request', 'comity.erasure.parts', 'comity.erasure.reason_code'],
    optional: ['comity.erasure.until'],
  },
  'comity.erasure.executed': {
    title: 'Keys were destroyed and sealed parts deleted',
    required: [
      'comity.erasure.authenticator',
      'comity.erasure.request',
      'comity.erasure.keys',
      'comity.erasure.parts',
    ],
    optional: ['comity.erasure.reason_code', 'comity.erasure.actor_role'],
  },
  'comity.hold.placed': {
    title: 'A legal hold was placed: what it covers is neither erased nor pruned',
    required: ['comity.hold.authenticator', 'comity.hold.covers', 'comity.hold.id', 'comity.hold.keys'],
    optional: [],
  },
  'comity.hold.released': {
    title: 'A legal hold was released',
    required: ['comity.hold.authenticator', 'comity.hold.covers', 'comity.hold.id'],
    optional: [],
  },
  'comity.key.created': {
    title: 'A key was taken into use',
    required: ['comity.key.kind', 'comity.key.vkey'],
    optional: ['comity.key.reason_code'],
  },
  'comity.key.rotated': {
    title: 'A key takes over from another',
    required: ['comity.key.kind', 'comity.key.vkey', 'comity.key.previous'],
    optional: ['comity.key.reason_code'],
  },
  'comity.key.revoked': {
    title: 'A key must not be trusted any more',
    required: ['comity.key.kind', 'comity.key.vkey'],
    optional: ['comity.key.reason_code'],
  },
  'comity.log.heartbeat': {
    title: 'A producer says how far its sequence has come',
    required: ['comity.heartbeat.last_seq'],
    optional: ['comity.heartbeat.period_ms'],
  },
  'comity.log.pruned': {
    title: 'The bytes of the oldest entries are removed from here on; their hashes and proofs stay',
    required: ['comity.prune.minimum', 'comity.prune.previous', 'comity.prune.policy_hash'],
    optional: ['comity.prune.before', 'comity.prune.opaque_after'],
  },
  'comity.witness.policy.changed': {
    title: 'Another set of witnesses is asked',
    required: ['comity.witness.policy_hash'],
    optional: ['comity.witness.previous_hash'],
  },
} as const satisfies Readonly<Record<string, EventShape>>;

export type EventName = keyof typeof EVENTS;

export function isEventName(value: string): value is EventName {
  return Object.hasOwn(EVENTS, value);
}
