import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { LedgerError } from '../errors.ts';
import { type AttributeName, SCHEMA_URL } from '../record/attributes.ts';
import { canonicalText } from '../record/canonical.ts';
import { EVENTS, type EventName, isEventName } from '../record/events.ts';
import { RECORD_VERSION } from '../record/record.ts';
import { recordEntry, type SubmittedEntry } from '../submitted.ts';
import { batchBody, type Sender } from './append.ts';
import { BodyError, type Reply } from './http.ts';
import { decodeLogs, decodeTraces, encodePartialSuccess } from './otlp-protobuf.ts';

/** A value of OTLP, as far as attributes of records can hold it. */
export type OtlpValue = string | number | boolean | readonly OtlpValue[] | undefined;

/** A span or a log record, in the form that both encodings of OTLP are brought to. */
export interface OtlpItem {
  readonly resource: ReadonlyMap<string, OtlpValue>;
  readonly attributes: ReadonlyMap<string, OtlpValue>;
  /** Of a log record. */
  readonly event: string | undefined;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  /** Of a span: it ended in an error. */
  readonly failed: boolean;
}

type Signal = 'logs' | 'traces';

/** Most spans or log records in one request. */
const MOST_ITEMS = 20_000;

/**
 * `POST /v1/logs` and `/v1/traces` (OTLP/HTTP, JSON or protobuf, plain or gzip). Spans and events of GenAI become
 * records; what is no such event is counted as rejected, as OTLP has it. Content attributes (prompts, outputs) are not
 * kept: they would be about people, and what is about people has to be sealed by who knows whom it is about.
 */
export async function otlpReply(request: IncomingMessage, sender: Sender, signal: Signal): Promise<Reply> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1);
  const protobuf = type === 'application/x-protobuf';
  if (!protobuf && type !== 'application/json')
    throw new BodyError(400, 'content-type is not JSON or protobuf');
  const items = itemsOf(await batchBody(request), signal, protobuf);
  if (items.length > MOST_ITEMS) throw new BodyError(413, `more than ${MOST_ITEMS} items`);
  const { entries, rejected, why } = entriesOf(items, signal, sender);
  await sender.log.appendAll(entries);
  if (protobuf) {
    const body = encodePartialSuccess(rejected, why);
    return { status: 200, body, headers: { 'content-type': 'application/x-protobuf' } };
  }
  const name = signal === 'logs' ? 'rejectedLogRecords' : 'rejectedSpans';
  const partial = { partialSuccess: { [name]: String(rejected), errorMessage: why } };
  return {
    status: 200,
    body: JSON.stringify(rejected === 0 ? {} : partial),
    headers: { 'content-type': 'application/json' },
  };
}

function itemsOf(body: Uint8Array, signal: Signal, protobuf: boolean): readonly OtlpItem[] {
  try {
    if (protobuf) return signal === 'logs' ? decodeLogs(body) : decodeTraces(body);
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return signal === 'logs' ? jsonLogs(json) : jsonTraces(json);
  } catch {
    throw new BodyError(400, `body is not an OTLP request for ${signal}`);
  }
}

function entriesOf(items: readonly OtlpItem[], signal: Signal, { check, producer = 'otlp' }: Sender) {
  const entries: SubmittedEntry[] = [];
  let rejected = 0;
  let why = '';
  for (const item of items) {
    try {
      entries.push(recordEntry(check(recordOf(item, signal, producer)), producer));
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      rejected += 1;
      why ||= error.message;
    }
  }
  return { entries, rejected, why };
}

/**
 * The record of an item, not checked yet. It is made of the item alone, its id too: an exporter that sends again, as
 * OTLP asks of it, gets the same record, which is appended once. There is no sequence in OTLP, so none is claimed: each
 * record is the first of its own.
 */
function recordOf(item: OtlpItem, signal: Signal, producer: string): unknown {
  const event = eventOf(item, signal);
  const shape = EVENTS[event];
  const names: readonly AttributeName[] = [...shape.required, ...shape.optional];
  const attributes = Object.fromEntries(
    names.flatMap((name) => {
      const value = item.attributes.get(name) ?? derivedAttribute(item, name, signal);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  const service = item.resource.get('service.name') ?? 'unknown_service';
  const content = {
    attributes,
    event_name: event,
    jur: marketsOf(item),
    ...(item.parentId === '' ? {} : { parent: item.parentId }),
    resource: {
      ...picked(item.resource, RESOURCE),
      'comity.system.id': item.resource.get('comity.system.id') ?? service,
      'comity.tenant': item.resource.get('comity.tenant') ?? 'default',
      'service.name': service,
    },
    retain: { class: 'logs', hold: false, min: 'P0D' },
    schema_url: SCHEMA_URL,
    ...(item.spanId === '' ? {} : { span_id: item.spanId }),
    time: timeOf(item.time),
    ...(item.traceId === '' ? {} : { trace_id: item.traceId }),
    v: RECORD_VERSION,
  };
  const digest = createHash('sha256')
    .update(`${producer}\n${canonicalText(content)}`)
    .digest();
  return {
    ...content,
    id: uuid(7, digest.subarray(0, 16), item.time / 1_000_000n),
    producer: { boot: uuid(8, digest.subarray(16, 32)), id: producer, seq: 0 },
  };
}

const RESOURCE = [
  'comity.region',
  'comity.risk_class',
  'comity.system.version',
  'deployment.environment.name',
  'service.version',
];

function picked(values: ReadonlyMap<string, OtlpValue>, names: readonly string[]) {
  return Object.fromEntries(
    names.flatMap((name) => (values.get(name) === undefined ? [] : [[name, values.get(name)] as const])),
  );
}

/** @throws {LedgerError} `record-invalid` for what is none of our events */
function eventOf({ event, attributes }: OtlpItem, signal: Signal): EventName {
  if (signal === 'traces') {
    const operation = attributes.get('gen_ai.operation.name');
    if (operation === 'execute_tool') return 'comity.tool.effect';
    if (operation !== undefined) return 'gen_ai.client.inference.operation.details';
    throw new LedgerError(
      'record-invalid',
      'span has no `gen_ai.operation.name`',
      'send spans of GenAI only',
    );
  }
  const name = event === undefined || event === '' ? attributes.get('event.name') : event;
  if (typeof name === 'string' && isEventName(name)) return name;
  throw new LedgerError('record-invalid', 'log record is not of a known event', 'set its event name');
}

/** What a span says in other words than an attribute. */
function derivedAttribute(item: OtlpItem, name: AttributeName, signal: Signal): OtlpValue {
  if (signal !== 'traces') return undefined;
  if (name === 'comity.tool.outcome') return item.failed ? 'failed' : 'succeeded';
  // Older versions of the conventions called it so.
  if (name === 'gen_ai.provider.name') return item.attributes.get('gen_ai.system');
  return undefined;
}

function marketsOf({ resource, attributes }: OtlpItem): readonly OtlpValue[] {
  const listed = attributes.get('comity.jur') ?? resource.get('comity.jur') ?? [];
  const market = attributes.get('comity.market');
  const markets = [...(Array.isArray(listed) ? listed : [listed]), ...(market === undefined ? [] : [market])];
  return [...new Set(markets)];
}

/** RFC 3339 with nanoseconds. */
function timeOf(nanoseconds: bigint): string {
  const milliseconds = Number(nanoseconds / 1_000_000n);
  // The latest time of a JavaScript date; what lies beyond is no time of an event.
  if (milliseconds <= 0 || milliseconds > 253_402_300_799_999) {
    throw new LedgerError('record-invalid', 'item has no time', 'set its time');
  }
  const rest = String(nanoseconds % 1_000_000n).padStart(6, '0');
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${rest}Z`;
}

/** A UUID of version 7 with a time, or of version 8, over random-looking bytes (RFC 9562 §5.7, §5.8). */
function uuid(version: 7 | 8, bytes: Uint8Array, milliseconds?: bigint): string {
  const all = Buffer.from(bytes);
  if (milliseconds !== undefined) all.writeUIntBE(Number(milliseconds), 0, 6);
  all[6] = ((all[6] ?? 0) & 0x0f) | (version << 4);
  all[8] = ((all[8] ?? 0) & 0x3f) | 0x80;
  return all.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

type Json = Readonly<Record<string, unknown>>;

function jsonTraces(json: unknown): readonly OtlpItem[] {
  return list(object(json).resourceSpans).flatMap((group) => {
    const resource = jsonAttributes(object(object(group).resource ?? {}).attributes);
    return list(object(group).scopeSpans).flatMap((scope) =>
      list(object(scope).spans).map((span): OtlpItem => {
        const { endTimeUnixNano, startTimeUnixNano, status } = object(span);
        return {
          ...jsonItem(object(span), resource),
          event: undefined,
          time: nanoseconds(endTimeUnixNano) || nanoseconds(startTimeUnixNano),
          failed: [2, 'STATUS_CODE_ERROR'].includes(object(status ?? {}).code as string | number),
        };
      }),
    );
  });
}

function jsonLogs(json: unknown): readonly OtlpItem[] {
  return list(object(json).resourceLogs).flatMap((group) => {
    const resource = jsonAttributes(object(object(group).resource ?? {}).attributes);
    return list(object(group).scopeLogs).flatMap((scope) =>
      list(object(scope).logRecords).map((record): OtlpItem => {
        const { eventName, timeUnixNano, observedTimeUnixNano } = object(record);
        return {
          ...jsonItem(object(record), resource),
          event: typeof eventName === 'string' ? eventName : undefined,
          time: nanoseconds(timeUnixNano) || nanoseconds(observedTimeUnixNano),
          failed: false,
        };
      }),
    );
  });
}

function jsonItem(json: Json, resource: ReadonlyMap<string, OtlpValue>) {
  const id = (value: unknown): string => (typeof value === 'string' ? value.toLowerCase() : '');
  return {
    resource,
    attributes: jsonAttributes(json.attributes),
    traceId: id(json.traceId),
    spanId: id(json.spanId),
    parentId: id(json.parentSpanId),
  };
}

function jsonAttributes(json: unknown): ReadonlyMap<string, OtlpValue> {
  return new Map(
    list(json ?? []).map((pair) => {
      const { key, value } = object(pair);
      return [String(key), jsonValue(object(value ?? {}))] as const;
    }),
  );
}

function jsonValue(json: Json): OtlpValue {
  const { stringValue, boolValue, intValue, doubleValue, arrayValue } = json;
  if (typeof stringValue === 'string') return stringValue;
  if (typeof boolValue === 'boolean') return boolValue;
  // 64-bit numbers are strings in the JSON of protobuf.
  if (typeof intValue === 'string' || typeof intValue === 'number') return Number(intValue);
  if (typeof doubleValue === 'number') return doubleValue;
  if (arrayValue !== undefined)
    return list(object(arrayValue).values ?? []).map((item) => jsonValue(object(item)));
  return undefined;
}

function nanoseconds(value: unknown): bigint {
  const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  return /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
}

function object(value: unknown): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new TypeError('not an object');
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new TypeError('not a list');
}
