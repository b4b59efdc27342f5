import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBundle, encodeBundle, MAX_ENTRY_BYTES, writeEntry } from './bundle.ts';
import { TlogError } from './errors.ts';

const anyEntries = fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 256 });

describe('entry bundles', () => {
  test('frame each entry with its length, high byte first', () => {
    const bytes = encodeBundle([Uint8Array.of(1, 2), new Uint8Array(0), new Uint8Array(258).fill(7)]);
    expect([...bytes.slice(0, 9)]).toEqual([0, 2, 1, 2, 0, 0, 1, 2, 7]);
  });

  test('decode to what was encoded', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        expect(decodeBundle(encodeBundle(entries), entries.length)).toEqual(entries);
      }),
    );
  });

  test('written entry by entry are the same bytes', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        const whole = encodeBundle(entries);
        const target = new Uint8Array(whole.length);
        const end = entries.reduce((at, entry) => writeEntry(target, at, entry), 0);
        expect([target, end]).toEqual([whole, whole.length]);
      }),
    );
  });

  test('of the longest entry are accepted, of a longer one refused', () => {
    const longest = new Uint8Array(MAX_ENTRY_BYTES);
    expect(decodeBundle(encodeBundle([longest]), 1)).toEqual([longest]);
    expect(() => encodeBundle([new Uint8Array(MAX_ENTRY_BYTES + 1)])).toThrow(TlogError);
  });

  test('of no entries or more than 256 are refused', () => {
    expect(() => encodeBundle([])).toThrow(TlogError);
    expect(() => encodeBundle(Array.from({ length: 257 }, () => new Uint8Array(0)))).toThrow(TlogError);
    expect(() => decodeBundle(new Uint8Array(0), 0)).toThrow(TlogError);
    expect(() => decodeBundle(new Uint8Array(514), 257)).toThrow(TlogError);
  });

  test('cut anywhere, with bytes after them, or with another count are refused', () => {
    const bytes = encodeBundle([Uint8Array.of(1, 2, 3), Uint8Array.of(4)]);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => decodeBundle(bytes.subarray(0, cut), 2)).toThrow(TlogError);
    }
    expect(() => decodeBundle(Uint8Array.of(...bytes, 0), 2)).toThrow(TlogError);
    expect(() => decodeBundle(bytes, 1)).toThrow(TlogError);
    expect(() => decodeBundle(bytes, 3)).toThrow(TlogError);
  });

  test('cut short within an entry say which', () => {
    expect(() => decodeBundle(Uint8Array.of(0, 1, 7, 0, 2, 7), 2)).toThrow(
      /entry 1 of the bundle is cut short/,
    );
  });

  test('of arbitrary bytes are refused or are the encoding of their entries', () => {
    const anyBytes = fc
      .uint8Array({ maxLength: 60 })
      .map((bytes) => bytes.map((b, i) => (i % 2 === 0 ? b & 3 : b & 7)));
    fc.assert(
      fc.property(anyBytes, fc.integer({ min: -1, max: 12 }), (bytes, width) => {
        let entries: Uint8Array[];
        try {
          entries = decodeBundle(bytes, width);
        } catch (error) {
          expect(error).toBeInstanceOf(TlogError);
          return;
        }
        expect(encodeBundle(entries)).toEqual(bytes);
      }),
      { numRuns: 3000 },
    );
  });
});
