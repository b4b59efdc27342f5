import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import type { Log } from '../log/log.ts';
import { recordValidator } from '../record/validate.ts';
import type { Running } from './http.ts';
import { decodeLogs, decodeTraces } from './otlp-protobuf.ts';
import { serveLog } from './serve.ts';

let directory = '';
let log: Log;
let server: Running;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-otlp-'));
  await createLogDirectory(directory, 'log.example/otlp');
  log = await openLogDirectory(directory, { publishEveryMs: 0 });
  server = await serveLog({ log, writers: 'anybody', reads: 'public' });
});
afterEach(async () => {
  await server.close();
  await log.close();
  rmSync(directory, { recursive: true });
});

const post = (
  path: string,
  body: string | Uint8Array,
  type = 'application/json',
  headers: Readonly<Record<string, string>> = {},
) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: { 'content-type': type, ...headers },
  });
const records = async () => {
  const { size } = await log.store.grow();
  return Promise.all(
    Array.from({ length: size }, async (_, i) => recordValidator().parse(await log.read(i))),
  );
};

const TRACE = '5b8efff798038103d269b633813fc60c';
const SPAN = 'eee19b7ec3c1b174';
const attributes = (values: Readonly<Record<string, object>>) =>
  Object.entries(values).map(([key, value]) => ({ key, value }));
const RESOURCE = {
  attributes: attributes({
    'service.name': { stringValue: 'chat' },
    'comity.tenant': { stringValue: 'acme' },
    'host.name': { stringValue: 'h' },
    'comity.jur': { arrayValue: { values: [{ stringValue: 'KR' }, { stringValue: 'BR' }] } },
  }),
};
const spans = (...list: readonly object[]) =>
  JSON.stringify({
    resourceSpans: [{ resource: RESOURCE, scopeSpans: [{ scope: { name: 's' }, spans: list }] }],
  });
const chat = {
  traceId: TRACE,
  spanId: SPAN,
  parentSpanId: 'eee19b7ec3c1b173',
  name: 'chat m-3',
  startTimeUnixNano: '1764057600000000000',
  endTimeUnixNano: '1764057601234567891',
  attributes: attributes({
    'gen_ai.operation.name': { stringValue: 'chat' },
    'gen_ai.system': { stringValue: 'example' },
    'gen_ai.request.model': { stringValue: 'm-3' },
    'gen_ai.usage.input_tokens': { intValue: '812' },
    'gen_ai.request.temperature': { doubleValue: 0.25 },
    'gen_ai.request.stream': { boolValue: true },
    'gen_ai.response.finish_reasons': { arrayValue: { values: [{ stringValue: 'stop' }] } },
    'gen_ai.input.messages': { stringValue: 'I am Ada Lovelace' },
  }),
};

describe('OTLP over HTTP', () => {
  test('makes a record of a GenAI span, without what people wrote', async () => {
    expect(await (await post('/v1/traces', spans(chat))).json()).toEqual({});
    expect(await records()).toEqual([
      expect.objectContaining({
        event_name: 'gen_ai.client.inference.operation.details',
        attributes: {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'example',
          'gen_ai.request.model': 'm-3',
          'gen_ai.usage.input_tokens': 812,
          'gen_ai.request.temperature': 0.25,
          'gen_ai.request.stream': true,
          'gen_ai.response.finish_reasons': ['stop'],
        },
        jur: ['KR', 'BR'],
        time: '2025-11-25T08:00:01.234567891Z',
        trace_id: TRACE,
        span_id: SPAN,
        parent: 'eee19b7ec3c1b173',
        resource: { 'comity.system.id': 'chat', 'comity.tenant': 'acme', 'service.name': 'chat' },
      }),
    ]);
    expect(Buffer.from(await log.read(0)).toString()).not.toContain('Lovelace');
  });

  test('appends once what an exporter sends twice', async () => {
    await post('/v1/traces', spans(chat));
    await post('/v1/traces', gzipSync(spans(chat)), 'application/json', { 'content-encoding': 'gzip' });
    expect(await records()).toHaveLength(1);
  });

  test('counts what it cannot keep, and keeps the rest', async () => {
    const tool = {
      ...chat,
      spanId: 'aaa19b7ec3c1b174',
      status: { code: 2 },
      attributes: attributes({
        'gen_ai.operation.name': { stringValue: 'execute_tool' },
        'gen_ai.tool.name': { stringValue: 'pay' },
      }),
    };
    const foreign = { ...chat, attributes: attributes({ 'http.route': { stringValue: '/' } }) };
    const broken = { ...chat, traceId: 'zz' };
    const answer = await (await post('/v1/traces', spans(tool, foreign, broken))).json();
    expect(answer).toEqual({
      partialSuccess: {
        rejectedSpans: '2',
        errorMessage: expect.stringContaining('span has no `gen_ai.operation.name`'),
      },
    });
    expect(await records()).toEqual([
      expect.objectContaining({
        event_name: 'comity.tool.effect',
        attributes: { 'gen_ai.tool.name': 'pay', 'comity.tool.outcome': 'failed' },
      }),
    ]);
  });

  test('makes records of log records by their event name, and of erasures none', async () => {
    const record = {
      timeUnixNano: '1764057600000000000',
      traceId: TRACE,
      spanId: SPAN,
      eventName: 'gen_ai.evaluation.result',
      body: { stringValue: 'text' },
      attributes: attributes({
        'gen_ai.evaluation.name': { stringValue: 'toxicity' },
        'gen_ai.evaluation.score.value': { doubleValue: 0.5 },
      }),
    };
    const named = {
      ...record,
      eventName: undefined,
      attributes: [
        ...record.attributes,
        ...attributes({ 'event.name': { stringValue: 'gen_ai.evaluation.result' } }),
      ],
      spanId: 'aaa19b7ec3c1b174',
    };
    const erasure = {
      ...record,
      eventName: 'comity.erasure.requested',
      attributes: attributes({
        'comity.erasure.request': { stringValue: '01a0b0c0-0000-7000-8000-000000000000' },
        'comity.erasure.parts': { intValue: 1 },
      }),
    };
    const body = JSON.stringify({
      resourceLogs: [{ resource: RESOURCE, scopeLogs: [{ logRecords: [record, named, erasure] }] }],
    });
    expect(await (await post('/v1/logs', body)).json()).toEqual({
      partialSuccess: {
        rejectedLogRecords: '1',
        errorMessage: expect.stringContaining('made by the ledger itself'),
      },
    });
    expect((await records()).map(({ event_name }) => event_name)).toEqual([
      'gen_ai.evaluation.result',
      'gen_ai.evaluation.result',
    ]);
  });

  test('reads protobuf as it reads JSON: the same record, appended once', async () => {
    await post('/v1/traces', spans(chat));
    const response = await post('/v1/traces', protobufSpans(chat), 'application/x-protobuf');
    expect([
      response.status,
      response.headers.get('content-type'),
      (await response.arrayBuffer()).byteLength,
    ]).toEqual([200, 'application/x-protobuf', 0]);
    expect(await records()).toHaveLength(1);
  });

  test('says in protobuf what it rejected', async () => {
    const response = await post(
      '/v1/traces',
      protobufSpans({ ...chat, attributes: [] }),
      'application/x-protobuf',
    );
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.subarray(0, 4)).toEqual(Buffer.from([0x0a, bytes.length - 2, 0x08, 0x01]));
    expect(bytes.toString()).toContain('span has no `gen_ai.operation.name`');
  });

  test.each([
    ['not JSON', 'x', 'application/json'],
    ['another shape', '{"resourceSpans":{}}', 'application/json'],
    ['a prototype', '{"__proto__":{"resourceSpans":[1]},"resourceSpans":[1]}', 'application/json'],
    ['deep nesting', `{"resourceSpans":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'application/json'],
    ['cut protobuf', Buffer.from([0x0a, 0xff]), 'application/x-protobuf'],
    ['another type', '{}', 'text/plain'],
  ])('refuses %s', async (_what, body, type) => {
    expect((await post('/v1/traces', body, type)).status).toBe(400);
  });

  test('reads any bytes as protobuf, or refuses them with one kind of error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        for (const decode of [decodeTraces, decodeLogs]) {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(TypeError);
          }
        }
      }),
    );
  });
});

type Span = typeof chat;

/** The same spans by the encoding rules of protobuf, written here a second time. */
function protobufSpans(
  span: Omit<Span, 'attributes'> & { readonly attributes: Span['attributes'] },
): Uint8Array {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
  const bytes = (field: number, content: Uint8Array | string): Buffer => {
    const data = Buffer.from(content);
    return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(data.length)]), data]);
  };
  const fixed = (field: number, value: bigint): Buffer => {
    const data = Buffer.alloc(8);
    data.writeBigUInt64LE(value);
    return Buffer.concat([Buffer.from(varint(field * 8 + 1)), data]);
  };
  const value = (json: object): Buffer => {
    if ('stringValue' in json) return bytes(1, String(json.stringValue));
    if ('boolValue' in json) return Buffer.from([0x10, json.boolValue === true ? 1 : 0]);
    if ('intValue' in json) return Buffer.from([0x18, ...varint(Number(json.intValue))]);
    if ('doubleValue' in json) {
      const data = Buffer.alloc(9);
      data[0] = 0x21;
      data.writeDoubleLE(Number(json.doubleValue), 1);
      return data;
    }
    const { values } = (json as { readonly arrayValue: { readonly values: readonly object[] } }).arrayValue;
    return bytes(5, Buffer.concat(values.map((item) => bytes(1, value(item)))));
  };
  const pairs = (field: number, list: readonly { readonly key: string; readonly value: object }[]): Buffer =>
    Buffer.concat(
      list.map((pair) => bytes(field, Buffer.concat([bytes(1, pair.key), bytes(2, value(pair.value))]))),
    );
  const encoded = Buffer.concat([
    bytes(1, Buffer.from(span.traceId, 'hex')),
    bytes(2, Buffer.from(span.spanId, 'hex')),
    bytes(4, Buffer.from(span.parentSpanId, 'hex')),
    bytes(5, span.name),
    fixed(7, BigInt(span.startTimeUnixNano)),
    fixed(8, BigInt(span.endTimeUnixNano)),
    pairs(9, span.attributes),
  ]);
  const scope = Buffer.concat([bytes(1, bytes(1, 's')), bytes(2, encoded)]);
  return bytes(1, Buffer.concat([bytes(1, pairs(1, RESOURCE.attributes)), bytes(2, scope)]));
}
