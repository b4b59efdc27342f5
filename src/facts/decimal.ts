/**
 * Exact decimal numbers as canonical strings: no exponent, no leading or trailing zeros, no `-0`.
 * Law compares numbers like 10^25 FLOP exactly; binary floating point cannot.
 */
export type Decimal = string & { readonly decimal: unique symbol };

const PATTERN = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;
const MAX_EXPONENT = 400;

/**
 * Reads a number as written in YAML (`10000`, `0.25`, `1e25`) without going through a float.
 *
 * @returns the canonical decimal, or undefined when the text is not a decimal number.
 */
export function parseDecimal(text: string): Decimal | undefined {
  const match = PATTERN.exec(text.trim());
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match;
  const exponent = Number(exponentText);
  if (Math.abs(exponent) > MAX_EXPONENT || whole.length + fraction.length > MAX_EXPONENT) return undefined;
  const digits = whole + fraction;
  const point = whole.length + exponent;
  const padded = point > digits.length ? digits.padEnd(point, '0') : digits;
  const integer = (point <= 0 ? '' : padded.slice(0, point)).replace(/^0+/, '');
  const rest = (point <= 0 ? '0'.repeat(-point) + padded : padded.slice(point)).replace(/0+$/, '');
  if (integer === '' && rest === '') return '0' as Decimal;
  return `${sign === '-' ? '-' : ''}${integer === '' ? '0' : integer}${rest === '' ? '' : `.${rest}`}` as Decimal;
}

/** True for whole numbers. */
export function isInteger(value: Decimal): boolean {
  return !value.includes('.');
}

/** Orders two exact decimals: negative when `a < b`, zero when equal, positive when `a > b`. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a === b) return 0;
  const negativeA = a.startsWith('-');
  if (negativeA !== b.startsWith('-')) return negativeA ? -1 : 1;
  return negativeA ? compareMagnitudes(b.slice(1), a.slice(1)) : compareMagnitudes(a, b);
}

function compareMagnitudes(a: string, b: string): number {
  const [integerA = '', fractionA = ''] = a.split('.');
  const [integerB = '', fractionB = ''] = b.split('.');
  if (integerA.length !== integerB.length) return integerA.length - integerB.length;
  if (integerA !== integerB) return integerA < integerB ? -1 : 1;
  if (fractionA === fractionB) return 0;
  return fractionA < fractionB ? -1 : 1;
}

/** A number as people read it: powers of ten beyond a million million are written `1e25`, others with groups. */
export function formatDecimal(value: Decimal): string {
  const match = /^(-?)([1-9]\d{0,2}?)(0{12,})$/.exec(value);
  if (match !== null) return `${match[1] ?? ''}${match[2] ?? ''}e${(match[3] ?? '').length}`;
  const [integer = '', fraction] = value.split('.');
  const grouped = integer.replace(/\B(?=(\d{3})+$)/g, ' ');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}
