import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFilesVault } from './files/vault.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { createLogDirectory, openLogDirectory } from './log/directory.ts';
import { nodeHasher } from './log/node-hash.ts';
import { startProducer } from './record/producer.ts';
import { recordValidator } from './record/validate.ts';
import { openDisclosure } from './sealing/disclosure.ts';
import { createKeyFile, readKeyFile } from './sealing/key-file.ts';
import { repeatableRandom } from './sealing/repeatable.ts';
import { fileWrapper } from './sealing/wrapping.ts';
import { readyEntries, type Submitted, submitted } from './submitted.ts';

const producer = startProducer({
  id: 'p',
  resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  retain: { class: 'none', hold: false, min: 'P0D' },
  jur: [],
});
const { check, parse } = recordValidator();
const read = (value: unknown, of?: string) => submitted(Buffer.from(JSON.stringify(value)), check, of);
const seal = [{ subjects: ['maria'], fields: { age: 41 } }];

let directory = '';
let clock = Date.UTC(2026, 10, 23);
let ledger: Ledger;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-submitted-'));
  await createLogDirectory(join(directory, 'log'), 'log.example/submitted');
  const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 });
  const wrapper = fileWrapper(join(directory, 'vault.key'));
  const vault = await openFilesVault(join(directory, 'vault'), { wrapper, now: () => clock });
  ledger = await openLedger({ log, vault, producer });
});
afterAll(async () => {
  await ledger.close();
  rmSync(directory, { recursive: true });
});
const ready = (submissions: readonly Submitted[]) => readyEntries(submissions, async () => ledger);

describe('what somebody sends', () => {
  test('is an entry as it stands, a record, or a record with fields to seal', () => {
    const record = producer.heartbeat();
    expect(read({ seal: 'harbour' })).toEqual({
      kind: 'entry',
      entry: { bytes: Buffer.from('{"seal":"harbour"}') },
    });
    expect(read(record)).toMatchObject({ kind: 'entry', entry: { key: expect.any(Uint8Array) } });
    expect(read({ record, seal })).toEqual({ kind: 'sealed', submission: { record, seal } });
  });

  test.each([
    ['another producer', (record: object) => ({ record, seal }), 'of producer `p`, but was sent by `q`', 'q'],
    [
      'a record that is sealed already',
      (record: object) => ({ record: { ...record, sd: ['A'.repeat(43)] }, seal }),
      'sealed already',
    ],
    [
      'a record that is none',
      () => ({ record: { text: 'hello' }, seal }),
      'is not an object with an `event_name`',
    ],
    [
      'people in a word',
      (record: object) => ({ record, seal: [{ subjects: 'maria', fields: { a: 1 } }] }),
      '`seal[0].subjects`',
    ],
    [
      'fields in a list',
      (record: object) => ({ record, seal: [seal[0], { subjects: ['x'], fields: [1] }] }),
      '`seal[1].fields`',
    ],
    [
      'a field too many',
      (record: object) => ({ record, seal: [{ ...seal[0], name: 'x' }] }),
      'unknown field `name` in `seal[0]`',
    ],
    [
      'more people than fit',
      (record: object) => ({
        record,
        seal: [{ subjects: Array.from({ length: 65 }, (_, i) => `${i}`), fields: { a: 1 } }],
      }),
      '65 people',
    ],
  ])('is refused for %s', (_what, change, message, of?: string) => {
    expect(() => read(change(producer.heartbeat()), of)).toThrow(message);
  });

  test('is never kept in the clear for lack of a vault', async () => {
    const none = () => Promise.reject(new Error('no vault'));
    await expect(readyEntries([read({ record: producer.heartbeat(), seal })], none)).rejects.toThrow(
      'no vault',
    );
    expect(await readyEntries([read('a'), read('b')], none)).toHaveLength(2);
  });

  test('keeps its order among what is sealed', async () => {
    const records = [producer.heartbeat(), producer.heartbeat()];
    const entries = await ready([
      read('a'),
      read({ record: records[0], seal }),
      read('b'),
      read({ record: records[1], seal }),
    ]);
    expect(
      entries.map(({ bytes }) => (bytes[0] === 0x7b ? parse(bytes).id : Buffer.from(bytes).toString())),
    ).toEqual(['"a"', records[0]?.id, '"b"', records[1]?.id]);
  });

  test('becomes the same bytes when it is sent again, until the key of a person is another', async () => {
    const again = async (value: unknown) => {
      const [entry] = await ready([read(value)]);
      return Buffer.from(entry?.bytes ?? '').toString();
    };
    const value = { record: producer.heartbeat(), seal };
    const first = await again(value);
    expect(await again(value)).toBe(first);
    expect(await again({ ...value, seal: [{ subjects: ['maria'], fields: { age: 42 } }] })).not.toBe(first);
    clock += 32 * 86_400_000;
    expect(await again(value)).not.toBe(first);
  });
});

describe('randomness that can be repeated', () => {
  const key = (id: string) => ({ id, key: randomBytes(32) });
  const keys = new Map([
    ['maria', key('m')],
    ['joao', key('j')],
  ]);
  const record = producer.heartbeat();
  const draw = (of: ReturnType<typeof repeatableRandom>, sizes: readonly number[]) =>
    Buffer.concat(sizes.map((size) => Buffer.from(of(size)))).toString('hex');

  test('is the same stream however it is drawn, and another for another record, field, person or key', () => {
    const inputs = [{ subjects: ['maria', 'joao'] as const, fields: { a: 1 } }];
    const stream = draw(repeatableRandom(record, inputs, keys), [16, 12, 32]);
    expect(draw(repeatableRandom(record, inputs, keys), [16, 12, 32])).toBe(stream);
    const others = [
      repeatableRandom(producer.heartbeat(), inputs, keys),
      repeatableRandom(record, [{ subjects: ['maria', 'joao'], fields: { a: 2 } }], keys),
      repeatableRandom(record, [{ subjects: ['maria'], fields: { a: 1 } }], keys),
      repeatableRandom(record, inputs, new Map([...keys, ['maria', key('m')]])),
      repeatableRandom(record, inputs, new Map([...keys, ['joao', key('j')]])),
    ].map((of) => draw(of, [16, 12, 32]));
    expect(new Set([stream, ...others]).size).toBe(6);
  });

  test('never gives a byte twice', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 16, max: 600 }), { minLength: 2, maxLength: 20 }), (sizes) => {
        const of = repeatableRandom(record, [{ subjects: ['maria'], fields: {} }], keys);
        const drawn = sizes.map((size) => Buffer.from(of(size)));
        for (const [i, bytes] of drawn.entries()) expect(bytes).toHaveLength(sizes[i] ?? 0);
        expect(new Set(drawn.map((bytes) => bytes.toString('hex', 0, 16))).size).toBe(sizes.length);
      }),
    );
  });

  test('seals what opens again', async () => {
    const [entry] = await ready([read({ record: producer.heartbeat(), seal })]);
    const [appended] = await ledger.log.appendAll(entry === undefined ? [] : [entry]);
    const { record: kept, disclosures } = await ledger.open(appended?.index ?? -1);
    const { sha256 } = nodeHasher();
    expect(disclosures.map((text) => openDisclosure(text, kept.sd ?? [], sha256))).toEqual([
      { name: 'age', value: 41 },
    ]);
  });
});

test('a key file is made once, whole, and for its owner only', () => {
  const path = join(directory, 'a.key');
  createKeyFile(path, 'first');
  createKeyFile(path, 'second');
  expect(readKeyFile(path)).toBe('first');
  expect(statSync(path).mode & 0o077).toBe(0);
});
