import { readFileSync } from 'node:fs';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_ENTRY_BYTES } from '../../tlog/bundle.ts';
import { LedgerError } from '../errors.ts';
import { canonicalBytes, canonicalText } from './canonical.ts';
import { completenessCheck } from './completeness.ts';
import { EVENTS, isEventName } from './events.ts';
import { startProducer } from './producer.ts';
import type { AuditRecord } from './record.ts';
import { recordSchema } from './schema.ts';
import { addDuration, fromRfc3339, rfc3339 } from './time.ts';
import { uuidv7Source, uuidv7Time } from './uuidv7.ts';
import { recordValidator } from './validate.ts';

const producer = () =>
  startProducer({
    id: 'gateway-1',
    resource: { 'comity.system.id': 'cv-ranker', 'comity.tenant': 'acme', 'service.name': 'hr' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: ['DE', 'BR'],
  });

const call = () =>
  producer().record('gen_ai.client.inference.operation.details', {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'example',
    'gen_ai.request.model': 'model@2026-10-01',
    'gen_ai.usage.input_tokens': 42,
  });

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
  return 'no error';
};

describe('a record', () => {
  const validator = recordValidator();

  test('is accepted as its producer made it, and read back from its bytes', () => {
    const record = call();
    expect(validator.check(record)).toBe(record);
    expect(validator.parse(canonicalBytes(record))).toEqual(record);
  });

  test('with a field that nobody defined is refused, at every depth', () => {
    const record = call();
    const extended = [
      { ...record, note: 'x' },
      { ...record, attributes: { ...record.attributes, note: 'x' } },
      { ...record, producer: { ...record.producer, note: 'x' } },
      { ...record, resource: { ...record.resource, note: 'x' } },
      { ...record, retain: { ...record.retain, note: 'x' } },
    ];
    for (const value of extended) expect(() => validator.check(value)).toThrow(/unknown field `note`/);
    expect(
      codeOf(() => validator.check(JSON.parse('{"event_name":"comity.log.heartbeat","__proto__":{}}'))),
    ).toBe('record-invalid');
  });

  test('without a required attribute is refused', () => {
    const { 'gen_ai.request.model': _, ...attributes } = call().attributes;
    expect(() => validator.check({ ...call(), attributes })).toThrow(/gen_ai\.request\.model/);
  });

  test('of an unknown event is refused and the known ones are named', () => {
    expect(codeOf(() => validator.check({ event_name: 'toString' }))).toBe('record-invalid');
    expect(isEventName('constructor')).toBe(false);
  });

  test('cannot carry what people write in a plain attribute', () => {
    for (const text of ['Maria Silva', 'maria@example.org', 'my name is\nMaria', 'x'.repeat(257), '']) {
      const record = call();
      const attributes = { ...record.attributes, 'gen_ai.conversation.id': text };
      expect(codeOf(() => validator.check({ ...record, attributes }))).toBe('record-invalid');
    }
  });

  test('that is not JSON, or not UTF-8, is refused', () => {
    for (const bytes of [
      Buffer.from('{'),
      Buffer.from([0x22, 0xff, 0x22]),
      Buffer.from('null'),
      Buffer.from('[]'),
    ]) {
      expect(codeOf(() => validator.parse(bytes))).toBe('record-invalid');
    }
  });

  test.each(Object.keys(EVENTS).filter(isEventName))('schema of %s is the published file', (event) => {
    const file = readFileSync(new URL(`./schema/${event}.json`, import.meta.url), 'utf8');
    expect(JSON.parse(file), 'run `node src/ledger/record/schema/write.ts`').toEqual(recordSchema(event));
  });

  test.each(Object.keys(EVENTS).filter(isEventName))('schema of %s compiles in strict mode', (event) => {
    expect(() => validator.check({ event_name: event })).toThrow(/record/);
  });
});

describe('canonical bytes', () => {
  test('are those of the canonicalize package for any I-JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        expect(canonicalText(value)).toBe(canonicalize(value));
      }),
      { numRuns: 2000 },
    );
  });

  test('order members by UTF-16 code units, also names that look like array indices', () => {
    for (const value of [
      { b: 1, a: { d: [{ z: 1, y: 2 }], c: null } },
      { 10: 'x', 9: 'y', a: 1, '-1': 2 },
      { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 },
      { a: undefined, b: 1e21, c: -0, d: 1e-7, e: 5e-324 },
    ]) {
      expect(canonicalText(value)).toBe(canonicalize(value));
    }
  });

  test('are refused for what JSON cannot say', () => {
    for (const value of [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      { a: [Number.NaN] },
      '\ud800',
      { '\udc00': 1 },
    ]) {
      expect(codeOf(() => canonicalText(value))).toBe('record-invalid');
    }
    expect(canonicalText('\\ud800')).toBe('"\\\\ud800"');
  });

  test('end at 65 535', () => {
    expect(canonicalBytes('x'.repeat(MAX_ENTRY_BYTES - 2))).toHaveLength(MAX_ENTRY_BYTES);
    expect(codeOf(() => canonicalBytes('x'.repeat(MAX_ENTRY_BYTES - 1)))).toBe('entry-too-large');
  });
});

describe('ids', () => {
  test('grow strictly, within a millisecond and while the clock is set back', () => {
    const clock = [1000, 1000, 1000, 5, 999, 1001, 1001, 2];
    const next = uuidv7Source(() => clock.shift() ?? 1);
    const ids = Array.from({ length: 20_000 }, next);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidv7Time(ids[0] ?? '')).toBe(1000);
  });
});

describe('durations', () => {
  test.each([
    ['2026-01-31T00:00:00.000Z', 'P1M', '2026-02-28T00:00:00.000Z'],
    ['2024-02-29T12:00:00.000Z', 'P1Y', '2025-02-28T12:00:00.000Z'],
    ['2026-11-23T08:00:00.000Z', 'P6M', '2027-05-23T08:00:00.000Z'],
    ['2026-12-31T00:00:00.000Z', 'P1Y2M1D', '2028-03-01T00:00:00.000Z'],
    ['2026-12-31T00:00:00.000Z', 'P0D', '2026-12-31T00:00:00.000Z'],
  ])('%s plus %s is %s', (from, duration, to) => {
    expect(rfc3339(addDuration(fromRfc3339(from), duration))).toBe(to);
  });

  test('nanoseconds and leap seconds are read', () => {
    expect(fromRfc3339('2026-11-23T08:00:00.123456789Z')).toBe(Date.UTC(2026, 10, 23, 8, 0, 0, 123));
    expect(fromRfc3339('2016-12-31T23:59:60Z')).toBe(Date.UTC(2016, 11, 31, 23, 59, 59, 999));
  });
});

describe('completeness', () => {
  const heartbeats = (count: number) => {
    const source = producer();
    return Array.from({ length: count }, () => source.heartbeat());
  };
  const check = (records: readonly AuditRecord[], inOrder = true) => {
    const following = completenessCheck();
    for (const [index, record] of records.entries()) following.see(index, record);
    return following.omissions({ inOrder });
  };

  test('of a whole sequence, or of two producers interleaved, has nothing to report', () => {
    const [a, b] = [heartbeats(5), heartbeats(5)];
    expect(check(a.flatMap((record, i) => [record, b[i] ?? record]))).toEqual([]);
  });

  test('names the numbers that are missing, and no others', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 28 })), (dropped) => {
        const kept = heartbeats(30).filter((_, seq) => !dropped.includes(seq));
        const missing = check(kept).flatMap((omission) => {
          if (omission.kind !== 'sequence-gap') throw new Error(omission.kind);
          return Array.from({ length: omission.to - omission.from + 1 }, (_, i) => omission.from + i);
        });
        expect(missing).toEqual([...dropped].sort((x, y) => x - y));
      }),
    );
  });

  test('of a tail that a later heartbeat vouches for is a gap', () => {
    const source = producer();
    const first = source.heartbeat();
    const last = source.record('comity.log.heartbeat', { 'comity.heartbeat.last_seq': 7 });
    expect(check([first, last])).toMatchObject([{ kind: 'sequence-gap', from: 2, to: 7 }]);
  });

  test('tells order from numbers', () => {
    const [a, b, c] = heartbeats(3);
    if (a === undefined || b === undefined || c === undefined) throw new Error('three heartbeats expected');
    expect(check([a, c, b])).toMatchObject([{ kind: 'sequence-disorder', index: 2 }]);
    expect(check([a, c, b], false)).toEqual([]);
    expect(check([a, b, b, c])).toMatchObject([{ kind: 'sequence-repeat', index: 2 }]);
  });

  test('of an intent asks for its effect', () => {
    const source = producer();
    const paid = source.intent({ 'gen_ai.tool.name': 'pay' });
    const sent = source.intent({ 'gen_ai.tool.name': 'send' });
    const effect = paid.effect({ 'gen_ai.tool.name': 'pay', 'comity.tool.outcome': 'succeeded' });
    expect(effect.about).toEqual([{ id: paid.record.id, rel: 'effect_of' }]);
    expect(check([paid.record, sent.record, effect])).toEqual([
      { kind: 'effect-missing', intent: sent.record.id, index: 1 },
    ]);
  });
});
