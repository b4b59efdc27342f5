import { randomUUID } from 'node:crypto';
import { SCHEMA_URL } from './attributes.ts';
import type { EventName } from './events.ts';
import {
  type AttributesOf,
  RECORD_VERSION,
  type RecordOf,
  type Relation,
  type Resource,
  type Retention,
} from './record.ts';
import { type Clock, timestamps } from './time.ts';
import { uuidv7Source } from './uuidv7.ts';

/** What a producer puts into every record. */
export interface ProducerOptions {
  /** Name of the process or host that writes, stable over restarts. */
  readonly id: string;
  /** Public key the producer authenticates with, as a verifier key. */
  readonly key?: string;
  readonly resource: Resource;
  readonly retain: Retention;
  /** Markets, unless a record says otherwise. */
  readonly jur: readonly string[];
  readonly now?: Clock;
}

/** What differs from record to record. */
export interface RecordContext {
  readonly about?: readonly Relation[];
  readonly jur?: readonly string[];
  readonly parent?: string;
  readonly retain?: Retention;
  readonly span_id?: string;
  /** Where a record is about another tenant than the one the producer works for. */
  readonly tenant?: string;
  readonly time?: string;
  readonly trace_id?: string;
}

/** An intent, and the way to report what came of it. */
export interface Intent {
  readonly record: RecordOf<'comity.tool.intent'>;
  /** Makes the record of the outcome, tied to the intent. Append it after the side effect. */
  effect(
    attributes: AttributesOf<'comity.tool.effect'>,
    context?: RecordContext,
  ): RecordOf<'comity.tool.effect'>;
}

/**
 * Makes records and numbers them. A number is used up when a record is made: a record that is made and
 * never appended leaves a gap that everybody can see, which is the point.
 */
export interface Producer {
  readonly boot: string;
  record<E extends EventName>(event: E, attributes: AttributesOf<E>, context?: RecordContext): RecordOf<E>;
  /** A record that says how far this producer has come. Append one at least every `periodMs`, and one on shutdown. */
  heartbeat(periodMs?: number): RecordOf<'comity.log.heartbeat'>;
  /** A record to append, durably, before a side effect happens. */
  intent(attributes: AttributesOf<'comity.tool.intent'>, context?: RecordContext): Intent;
}

/**
 * Starts a producer. Each start is a new `boot` whose sequence begins at 0, so nothing has to be remembered
 * over a crash.
 */
export function startProducer(options: ProducerOptions): Producer {
  const now = options.now ?? Date.now;
  const nextId = uuidv7Source(now);
  const timestamp = timestamps(now);
  const boot = randomUUID();
  let seq = 0;

  const record = <E extends EventName>(
    event: E,
    attributes: AttributesOf<E>,
    context: RecordContext = {},
  ): RecordOf<E> => ({
    // Members in RFC 8785 order: the canonical text is then written without sorting.
    ...(context.about === undefined ? {} : { about: context.about }),
    attributes,
    event_name: event,
    id: nextId(),
    jur: context.jur ?? options.jur,
    ...(context.parent === undefined ? {} : { parent: context.parent }),
    producer: {
      boot,
      id: options.id,
      ...(options.key === undefined ? {} : { key: options.key }),
      seq: seq++,
    },
    resource:
      context.tenant === undefined
        ? options.resource
        : { ...options.resource, 'comity.tenant': context.tenant },
    retain: context.retain ?? options.retain,
    schema_url: SCHEMA_URL,
    ...(context.span_id === undefined ? {} : { span_id: context.span_id }),
    time: context.time ?? timestamp(),
    ...(context.trace_id === undefined ? {} : { trace_id: context.trace_id }),
    v: RECORD_VERSION,
  });

  return {
    boot,
    record,
    heartbeat(periodMs) {
      const last = seq - 1;
      return record('comity.log.heartbeat', {
        'comity.heartbeat.last_seq': Math.max(last, 0),
        ...(periodMs === undefined ? {} : { 'comity.heartbeat.period_ms': periodMs }),
      });
    },
    intent(attributes, context) {
      const intent = record('comity.tool.intent', attributes, context);
      return {
        record: intent,
        effect: (outcome, more = {}) =>
          record('comity.tool.effect', outcome, {
            ...more,
            about: [...(more.about ?? []), { id: intent.id, rel: 'effect_of' }],
          }),
      };
    },
  };
}
