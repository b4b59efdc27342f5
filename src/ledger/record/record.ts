import type { ValueOf } from './attributes.ts';
import type { EVENTS, EventName } from './events.ts';

/** Version tag of the record format. */
export const RECORD_VERSION = 'comity.audit/1';

/** The system that an event happened in. Names follow OpenTelemetry resources. */
export interface Resource {
  readonly 'comity.region'?: string;
  readonly 'comity.risk_class'?: string;
  readonly 'comity.system.id': string;
  readonly 'comity.system.version'?: string;
  readonly 'comity.tenant': string;
  readonly 'deployment.environment.name'?: string;
  readonly 'service.name': string;
  readonly 'service.version'?: string;
}

/** Who wrote the record, and its place in what they wrote: `seq` counts from 0 without gaps in one `boot`. */
export interface ProducerStamp {
  readonly boot: string;
  readonly id: string;
  readonly key?: string;
  readonly seq: number;
}

/** A tie to an earlier record, by id, and where known by index and leaf hash (base64). */
export interface Relation {
  readonly id: string;
  readonly index?: number;
  readonly leaf?: string;
  readonly rel: 'evaluates' | 'overrides' | 'corrects' | 'intent_of' | 'effect_of' | 'erases' | 'incident_of';
}

/** What stands in the leaf for a sealed part: never the part itself. */
export interface SealedReference {
  readonly alg: 'A256GCM';
  /** SHA-256 of the sealed bytes, base64url. */
  readonly h: string;
  /** Random id of the key, 16 bytes, base64url. */
  readonly k: string;
  /** Length of the sealed bytes: a bucket size, so that it tells little. */
  readonly len: number;
}

/** How long the record's sealed parts must be kept. `min` is an ISO 8601 duration of whole years, months or days. */
export interface Retention {
  readonly class: string;
  readonly hold: boolean;
  readonly min: string;
}

type Shape<E extends EventName> = (typeof EVENTS)[E];
type Required<E extends EventName> = Shape<E>['required'][number];
type Optional<E extends EventName> = Exclude<Shape<E>['optional'][number], Required<E>>;

/** Attributes of one event. */
export type AttributesOf<E extends EventName> = {
  readonly [N in Required<E>]: ValueOf<N>;
} & { readonly [N in Optional<E>]?: ValueOf<N> };

/** One record about one event. */
export interface RecordOf<E extends EventName> {
  readonly about?: readonly Relation[];
  readonly attributes: AttributesOf<E>;
  readonly event_name: E;
  /** UUID version 7; also the idempotency key of the append. */
  readonly id: string;
  /** Markets whose law the record speaks to. */
  readonly jur: readonly string[];
  /** When the ledger's own process saw the event, if that is later than `time`. */
  readonly observed?: string;
  /** Span id of the caller. */
  readonly parent?: string;
  readonly producer: ProducerStamp;
  readonly resource: Resource;
  readonly retain: Retention;
  readonly schema_url: string;
  /** Salted digests of what is sealed (RFC 9901 §4.2.3), sorted, decoys among them. */
  readonly sd?: readonly string[];
  readonly sealed?: readonly SealedReference[];
  readonly span_id?: string;
  readonly time: string;
  readonly trace_id?: string;
  readonly v: typeof RECORD_VERSION;
}

/** Any record: a union over `event_name`. */
export type AuditRecord = { [E in EventName]: RecordOf<E> }[EventName];
