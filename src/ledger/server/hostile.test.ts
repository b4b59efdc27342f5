import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import type { Log } from '../log/log.ts';
import { mutatedBytes, mutatedJson, PROTOTYPE_NAMES, unpolluted } from '../record/mutated.case.ts';
import { recordValidator } from '../record/validate.ts';
import type { Running } from './http.ts';
import { serveLog } from './serve.ts';

vi.setConfig({ testTimeout: 300_000 });
const RUNS = { numRuns: process.env.COMITY_LONG === undefined ? 300 : 5000 };
let directory = '';
let log: Log;
let server: Running;
const errors: unknown[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-hostile-'));
  await createLogDirectory(directory, 'log.example/hostile');
  log = await openLogDirectory(directory, { publishEveryMs: 0 });
  server = await serveLog({
    log,
    writers: 'anybody',
    reads: 'public',
    onError: (error) => void errors.push(error),
  });
});

afterAll(async () => {
  await server.close();
  await log.close();
  rmSync(directory, { recursive: true });
});

const post = (path: string, body: string | Uint8Array, type = 'application/json'): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : new Uint8Array(body),
    headers: { 'content-type': type },
  });

const attribute = (name: string, value: object) => ({ key: name, value });
const item = {
  traceId: '5b8efff798038103d269b633813fc60c',
  spanId: 'eee19b7ec3c1b174',
  parentSpanId: 'eee19b7ec3c1b173',
  name: 'chat',
  startTimeUnixNano: '1764057600000000000',
  endTimeUnixNano: '1764057601234567891',
  timeUnixNano: '1764057601234567891',
  eventName: 'gen_ai.evaluation.result',
  status: { code: 2 },
  attributes: [
    attribute('gen_ai.operation.name', { stringValue: 'chat' }),
    attribute('gen_ai.provider.name', { stringValue: 'example' }),
    attribute('gen_ai.request.model', { stringValue: 'm-3' }),
    attribute('gen_ai.usage.input_tokens', { intValue: '812' }),
    attribute('gen_ai.request.temperature', { doubleValue: 0.25 }),
    attribute('gen_ai.request.stream', { boolValue: true }),
    attribute('gen_ai.response.finish_reasons', { arrayValue: { values: [{ stringValue: 'stop' }] } }),
    attribute('gen_ai.evaluation.name', { stringValue: 'toxicity' }),
  ],
};
const resource = { attributes: [attribute('service.name', { stringValue: 'chat' })] };
const REQUESTS = {
  traces: { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 's' }, spans: [item] }] }] },
  logs: { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 's' }, logRecords: [item] }] }] },
};

/** Whatever was sent: nothing inside went wrong, and the log holds nothing but records. */
async function expectSound(): Promise<void> {
  expect(errors).toEqual([]);
  const { size } = await log.store.grow();
  const { parse } = recordValidator();
  for (let i = 0; i < size; i++) parse(await log.read(i));
}

test.each(['traces', 'logs'] as const)(
  'OTLP JSON of %s that is nearly good is taken, counted or refused',
  async (signal) => {
    expect((await post(`/v1/${signal}`, JSON.stringify(REQUESTS[signal]))).status).toBe(200);
    const before = (await log.store.grow()).size;
    expect(before).toBeGreaterThan(0);
    await fc.assert(
      fc.asyncProperty(mutatedJson(REQUESTS[signal]), async (text) => {
        const { status } = await unpolluted(() => post(`/v1/${signal}`, text));
        expect([200, 400]).toContain(status);
      }),
      RUNS,
    );
    await expectSound();
  },
);

/** The request as protobuf: fields and wire types by hand, so that the reader does not test itself. */
function protobuf(signal: 'traces' | 'logs'): Uint8Array {
  const bytes = (field: number, content: Uint8Array | string): Buffer => {
    const data = Buffer.from(content);
    const length =
      data.length < 128 ? [data.length] : [(data.length % 128) + 128, Math.floor(data.length / 128)];
    return Buffer.concat([Buffer.from([field * 8 + 2, ...length]), data]);
  };
  const fixed = (field: number, value: bigint): Buffer => {
    const data = Buffer.alloc(9, field * 8 + 1);
    data.writeBigUInt64LE(value, 1);
    return data;
  };
  const text = (name: string, value: string): Buffer =>
    Buffer.concat([bytes(1, name), bytes(2, bytes(1, value))]);
  const pairs = [
    'gen_ai.operation.name',
    'gen_ai.provider.name',
    'gen_ai.request.model',
    'gen_ai.evaluation.name',
  ];
  const [trace, span] = [Buffer.from(item.traceId, 'hex'), Buffer.from(item.spanId, 'hex')];
  const attributes = (field: number): Buffer =>
    Buffer.concat(pairs.map((name) => bytes(field, text(name, 'chat'))));
  const time = BigInt(item.timeUnixNano);
  const encoded =
    signal === 'traces'
      ? Buffer.concat([
          bytes(1, trace),
          bytes(2, span),
          bytes(5, 'chat'),
          fixed(7, time),
          fixed(8, time),
          attributes(9),
        ])
      : Buffer.concat([
          fixed(1, time),
          attributes(6),
          bytes(9, trace),
          bytes(10, span),
          bytes(12, item.eventName),
        ]);
  const scope = Buffer.concat([bytes(1, bytes(1, 's')), bytes(2, encoded)]);
  return bytes(1, Buffer.concat([bytes(1, bytes(1, text('service.name', 'chat'))), bytes(2, scope)]));
}

test.each(['traces', 'logs'] as const)(
  'OTLP protobuf of %s that is nearly good is taken, counted or refused',
  async (signal) => {
    const type = 'application/x-protobuf';
    const good = await post(`/v1/${signal}`, protobuf(signal), type);
    expect([good.status, (await good.arrayBuffer()).byteLength]).toEqual([200, 0]);
    await fc.assert(
      fc.asyncProperty(mutatedBytes(protobuf(signal)), async (bytes) => {
        const { status } = await unpolluted(() => post(`/v1/${signal}`, bytes, type));
        expect([200, 400]).toContain(status);
      }),
      RUNS,
    );
    await expectSound();
  },
);

test.each(PROTOTYPE_NAMES)('%s as the name of a member or of an attribute changes nothing', async (name) => {
  const at = JSON.stringify(name);
  const polluted = '{"polluted":true}';
  const named = { ...item, attributes: [...item.attributes, attribute(name, { stringValue: 'polluted' })] };
  const bodies: readonly (readonly [string, string])[] = [
    ['/v1/append', `{${at}:${polluted}}\n`],
    ['/v1/append', `{"v":"comity.audit/1",${at}:${polluted},"event_name":${at}}\n`],
    ['/add', `{${at}:${polluted}}`],
    ['/v1/traces', `{${at}:${polluted},"resourceSpans":[{${at}:${polluted}}]}`],
    [
      '/v1/traces',
      JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: [attribute(name, { stringValue: 'x' })] },
            scopeSpans: [{ spans: [named] }],
          },
        ],
      }),
    ],
  ];
  for (const [path, body] of bodies) {
    const { status } = await unpolluted(() => post(path, body));
    expect([200, 400]).toContain(status);
  }
  expect('polluted' in {}).toBe(false);
  expect(errors).toEqual([]);
});
