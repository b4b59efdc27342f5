import canonicalize from 'canonicalize';
import { MAX_ENTRY_BYTES } from '../../tlog/bundle.ts';
import { LedgerError } from '../errors.ts';

/**
 * RFC 8785 text of a value whose member names are not array indices (`"7"`), which holds for every record.
 *
 * `JSON.stringify` already writes numbers and strings the way RFC 8785 asks (§3.2.2 defers to ECMAScript);
 * what is left is the order of members, and a value built in order needs no copy. Whatever this shortcut
 * does not cover goes to the `canonicalize` package, which also refuses what is not I-JSON.
 *
 * @throws {LedgerError} `record-invalid` for values outside I-JSON (NaN, infinities, lone surrogates)
 */
export function canonicalText(value: unknown): string {
  const ordered = inOrder(value);
  const text = ordered === REFUSED ? undefined : JSON.stringify(ordered);
  // A lone surrogate comes out of JSON.stringify as an escape, which RFC 8785 §3.2.2.2 forbids.
  return text === undefined || text.includes('\\ud') ? slowly(value) : text;
}

/**
 * RFC 8785 bytes of a value; see {@link canonicalText}.
 * @throws {LedgerError} `record-invalid` · `entry-too-large` beyond {@link MAX_ENTRY_BYTES}
 */
export function canonicalBytes(value: unknown): Uint8Array {
  const bytes = Buffer.from(canonicalText(value), 'utf8');
  checkEntrySize(bytes.length);
  return bytes;
}

/** @throws {LedgerError} `entry-too-large` */
function checkEntrySize(bytes: number): void {
  if (bytes <= MAX_ENTRY_BYTES) return;
  throw new LedgerError(
    'entry-too-large',
    `entry has ${bytes} bytes, but at most ${MAX_ENTRY_BYTES} fit`,
    'seal large texts: the entry then holds only their digests',
  );
}

const REFUSED = Symbol('left to the package');

/** The value itself if its members are in order at every depth, else a copy that is. */
function inOrder(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : REFUSED;
    case 'object':
      if (value === null) return null;
      if (Array.isArray(value)) return arrayInOrder(value);
      return isPlain(value) ? objectInOrder(value) : REFUSED;
    default:
      return REFUSED;
  }
}

function arrayInOrder(items: readonly unknown[]): unknown {
  let copy: unknown[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const ordered = inOrder(items[i]);
    if (ordered === REFUSED) return REFUSED;
    if (ordered !== items[i]) {
      copy ??= [...items];
      copy[i] = ordered;
    }
  }
  return copy ?? items;
}

function objectInOrder(object: Readonly<Record<string, unknown>>): unknown {
  const names = Object.keys(object);
  let sorted = true;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] ?? '';
    // JavaScript moves names that look like indices to the front, whatever order they are added in.
    const first = name.charCodeAt(0);
    if (first >= 0x30 && first <= 0x39) return REFUSED;
    if (i > 0 && (names[i - 1] ?? '') > name) sorted = false;
  }
  if (!sorted) names.sort();
  let copy: Record<string, unknown> | undefined = sorted ? undefined : {};
  for (const name of names) {
    const member = object[name];
    if (member === undefined) continue;
    const ordered = inOrder(member);
    if (ordered === REFUSED) return REFUSED;
    if (copy === undefined && ordered !== member) copy = { ...object };
    if (copy !== undefined) copy[name] = ordered;
  }
  return copy ?? object;
}

/** Objects with a `toJSON` or a class are not data; `__proto__` as a name would be lost in a copy. */
function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return !('toJSON' in value) && !Object.hasOwn(value, '__proto__');
}

function slowly(value: unknown): string {
  let text: string | undefined;
  try {
    text = canonicalize(value);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LedgerError(
      'record-invalid',
      `value is not I-JSON: ${why}`,
      'use finite numbers and whole characters',
      {
        cause,
      },
    );
  }
  return text ?? 'null';
}
