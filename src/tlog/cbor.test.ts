import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { TlogError } from './errors.ts';

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** RFC 8949, Appendix A, the rows within what receipts need. */
const EXAMPLES: readonly [string, CborValue][] = [
  ['00', 0],
  ['01', 1],
  ['0a', 10],
  ['17', 23],
  ['1818', 24],
  ['1819', 25],
  ['1864', 100],
  ['1903e8', 1000],
  ['1a000f4240', 1000000],
  ['1b000000e8d4a51000', 1000000000000],
  ['20', -1],
  ['29', -10],
  ['3863', -100],
  ['3903e7', -1000],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['40', new Uint8Array(0)],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['60', ''],
  ['6161', 'a'],
  ['6449455446', 'IETF'],
  ['62225c', '"\\'],
  ['62c3bc', 'ü'],
  ['63e6b0b4', '水'],
  ['64f0908591', '\ud800\udd51'],
  ['80', []],
  ['83010203', [1, 2, 3]],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  [
    `9819${'0102030405060708090a0b0c0d0e0f1011121314151617'}18181819`,
    Array.from({ length: 25 }, (_, i) => i + 1),
  ],
  ['a0', new Map()],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
  [
    'a26161016162820203',
    new Map<string, CborValue>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
  ],
  ['c11a514b67b0', { kind: 'tag', tag: 1, value: 1363896240 }],
  ['d74401020304', { kind: 'tag', tag: 23, value: Uint8Array.of(1, 2, 3, 4) }],
  ['d818456449455446', { kind: 'tag', tag: 24, value: bytes('6449455446') }],
];

describe('CBOR', () => {
  test.each(EXAMPLES)('of RFC 8949: %s', (encoded, value) => {
    expect(hex(encodeCbor(value))).toBe(encoded);
    expect(decodeCbor(bytes(encoded))).toEqual(value);
  });

  test('orders map keys by their encoding (RFC 8949 §4.2.1)', () => {
    const map = new Map<number | string, CborValue>([
      ['aa', 6],
      [100, 2],
      ['z', 5],
      [-1, 3],
      [10, 1],
    ]);
    expect(hex(encodeCbor(map))).toBe('a50a0118640220036' + '17a0562616106');
  });

  test('accepts keys in any order', () => {
    expect(decodeCbor(bytes('a203040102'))).toEqual(
      new Map([
        [3, 4],
        [1, 2],
      ]),
    );
  });

  test.each([
    ['nothing', ''],
    ['bytes left over', '0000'],
    ['an integer longer than needed', '1801'],
    ['a 16-bit integer longer than needed', '1900ff'],
    ['a 32-bit integer longer than needed', '1a0000ffff'],
    ['a 64-bit integer longer than needed', '1b00000000ffffffff'],
    ['an integer beyond 2^53 - 1', '1b0020000000000000'],
    ['a negative integer beyond -(2^53 - 1)', '3b001fffffffffffff'],
    ['a length longer than needed', '580101'],
    ['an indefinite byte string', '5f4101ff'],
    ['an indefinite list', '9fff'],
    ['an indefinite map', 'bfff'],
    ['a reserved length', '1c'],
    ['a float', 'f93c00'],
    ['undefined', 'f7'],
    ['a simple value of two bytes', 'f818'],
    ['a break alone', 'ff'],
    ['a byte string cut short', '4201'],
    ['a list cut short', '8201'],
    ['a list that claims 2^53 - 1 items', '9b001fffffffffffff'],
    ['a map that claims 2^32 entries', 'bb0000000100000000'],
    ['a key twice', 'a201020103'],
    ['a key that is a list', 'a18001'],
    ['text that is not UTF-8', '61ff'],
    ['a tag of nothing', 'd2'],
    ['lists within lists without end', '81'.repeat(1000)],
    ['tags within tags without end', 'c1'.repeat(100_000)],
  ])('with %s is refused', (_what, encoded) => {
    expect(() => decodeCbor(bytes(encoded))).toThrow(expect.objectContaining({ code: 'malformed-cbor' }));
  });

  test.each([1.5, Number.NaN, 2 ** 53, '\ud800', { kind: 'tag' as const, tag: -1, value: 0 }])(
    'cannot say %o',
    (value) => {
      expect(() => encodeCbor(value)).toThrow(TlogError);
    },
  );

  test('values nested too deep are not written', () => {
    const deep = Array.from({ length: 30 }).reduce<CborValue>((value) => [value], 0);
    expect(() => encodeCbor(deep)).toThrow(/nested/);
  });

  const { value: anyValue } = fc.letrec<{ value: CborValue; key: number | string }>((tie) => ({
    key: fc.oneof(fc.maxSafeInteger(), fc.string({ unit: 'grapheme' })),
    value: fc.oneof(
      { depthSize: 'small', maxDepth: 6 },
      fc.maxSafeInteger(),
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 300 }),
      fc.array(tie('value'), { maxLength: 5 }),
      fc
        .array(fc.tuple(tie('key'), tie('value')), { maxLength: 5 })
        .map((entries): CborValue => new Map(entries)),
      fc.record({ kind: fc.constant('tag' as const), tag: fc.maxSafeNat(), value: tie('value') }),
    ),
  }));

  test('of any value is read back as that value', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const encoded = encodeCbor(value);
        const decoded = decodeCbor(encoded);
        expect(decoded).toEqual(value);
        expect(encodeCbor(decoded)).toEqual(encoded);
      }),
      { numRuns: 1000 },
    );
  });

  test('of any bytes is refused with the typed error, or read', () => {
    const nearly = fc.tuple(anyValue, fc.nat(), fc.nat(255)).map(([value, at, byte]) => {
      const encoded = encodeCbor(value);
      encoded[at % encoded.length] = byte;
      return encoded;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), nearly), (input) => {
        try {
          // What is read is written with the same length: only the order of keys may differ.
          expect(encodeCbor(decodeCbor(input))).toHaveLength(input.length);
        } catch (error) {
          expect(error).toBeInstanceOf(TlogError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
