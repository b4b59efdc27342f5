import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Decimal } from './decimal.ts';
import { compareDecimals, formatDecimal, parseDecimal } from './decimal.ts';

const decimal = (text: string): Decimal => {
  const value = parseDecimal(text);
  if (value === undefined) throw new RangeError(text);
  return value;
};

describe('decimals', () => {
  test.each([
    ['1e25', '10000000000000000000000000'],
    ['3.5e2', '350'],
    ['0.050', '0.05'],
    ['1e-3', '0.001'],
    ['-0', '0'],
    ['+7', '7'],
    ['007', '7'],
  ])('%s is read exactly', (text, canonical) => {
    expect(parseDecimal(text)).toBe(canonical);
  });

  test.each(['', 'abc', '1e', '0x10', '1_000', '.5', '1e999', 'NaN', 'Infinity', '1,5'])(
    '%s is no decimal',
    (text) => {
      expect(parseDecimal(text)).toBeUndefined();
    },
  );

  test('tells 10^25 from the number just above it, which a float cannot', () => {
    expect(compareDecimals(decimal('10000000000000000000000001'), decimal('1e25'))).toBeGreaterThan(0);
  });

  test('orders as big integers do, and is read back from what it prints', () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 30n), 10n ** 30n), fc.bigInt(-(10n ** 30n), 10n ** 30n), (a, b) => {
        const order = compareDecimals(decimal(String(a)), decimal(String(b)));
        expect(Math.sign(order)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  test('orders fractions', () => {
    expect(compareDecimals(decimal('0.333'), decimal('0.34'))).toBeLessThan(0);
    expect(compareDecimals(decimal('-0.5'), decimal('-0.25'))).toBeLessThan(0);
  });

  test('prints powers of ten as powers of ten and groups other digits', () => {
    expect(formatDecimal(decimal('3e25'))).toBe('3e25');
    expect(formatDecimal(decimal('1234567'))).toBe('1 234 567');
  });
});
