import { TlogError } from './errors.ts';
import { decodeUtf8, encodeUtf8 } from './text.ts';

/** The part of CBOR (RFC 8949) that COSE receipts need: no floating point, no indefinite lengths. */
export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | CborMap
  | CborTag;

/** Keys are integers or texts, as COSE labels are. */
export type CborMap = ReadonlyMap<number | string, CborValue>;

/** A value with a tag number. */
interface CborTag {
  readonly kind: 'tag';
  readonly tag: number;
  readonly value: CborValue;
}

/** Deepest nesting that is read or written. */
const MAX_DEPTH = 16;

/**
 * Encodes deterministically (RFC 8949 §4.2.1): shortest integers and lengths, map keys in bytewise order.
 * @throws {TlogError} `malformed-cbor` for numbers that are not safe integers, lone surrogates, too deep nesting
 */
export function encodeCbor(value: CborValue): Uint8Array {
  const parts: Uint8Array[] = [];
  write(value, parts, 0);
  return joined(parts);
}

/**
 * Decodes exactly one value. Strict: shortest integers and lengths, definite lengths, no key twice, valid UTF-8, no
 * bytes left over. Map keys may be in any order, because receipts made elsewhere have them so; a decoded map keeps it.
 * @throws {TlogError} `malformed-cbor`
 */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (!reader.done) throw malformed('bytes are left over after the value');
  return value;
}

/** Major types (RFC 8949 §3.1). */
const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;
const SIMPLE = 7;

const SIMPLE_VALUES: ReadonlyMap<number, boolean | null> = new Map([
  [20, false],
  [21, true],
  [22, null],
]);

function write(value: CborValue, parts: Uint8Array[], depth: number): void {
  if (depth > MAX_DEPTH) throw malformed(`value is nested more than ${MAX_DEPTH} deep`);
  if (value === null) parts.push(Uint8Array.of(0xf6));
  else if (typeof value === 'boolean') parts.push(Uint8Array.of(value ? 0xf5 : 0xf4));
  else if (typeof value === 'number') parts.push(integer(value));
  else if (typeof value === 'string') parts.push(...text(value));
  else if (value instanceof Uint8Array) parts.push(head(BYTES, value.length), value);
  else if (isMap(value)) writeMap(value, parts, depth);
  else if (isTag(value)) {
    parts.push(head(TAG, value.tag));
    write(value.value, parts, depth + 1);
  } else {
    parts.push(head(ARRAY, value.length));
    for (const item of value) write(item, parts, depth + 1);
  }
}

function writeMap(map: CborMap, parts: Uint8Array[], depth: number): void {
  const entries = [...map].map(([key, value]) => ({ key: encodeCbor(key), value }));
  entries.sort((a, b) => compareBytes(a.key, b.key));
  parts.push(head(MAP, entries.length));
  for (const { key, value } of entries) {
    parts.push(key);
    write(value, parts, depth + 1);
  }
}

function integer(value: number): Uint8Array {
  if (!Number.isSafeInteger(value)) throw malformed(`number \`${value}\` is not a whole number below 2^53`);
  return value < 0 ? head(NEGATIVE, -1 - value) : head(UNSIGNED, value);
}

function text(value: string): Uint8Array[] {
  if (!value.isWellFormed()) throw malformed('text contains a lone surrogate');
  const bytes = encodeUtf8(value);
  return [head(TEXT, bytes.length), bytes];
}

/** Initial byte and argument, in the shortest form. */
function head(major: number, argument: number): Uint8Array {
  if (!Number.isSafeInteger(argument) || argument < 0)
    throw malformed(`argument \`${argument}\` is out of range`);
  const top = major << 5;
  if (argument < 24) return Uint8Array.of(top | argument);
  if (argument < 0x100) return Uint8Array.of(top | 24, argument);
  const bytes = new Uint8Array(argument < 0x1_0000 ? 3 : argument < 0x1_0000_0000 ? 5 : 9);
  const view = new DataView(bytes.buffer);
  if (bytes.length === 3) view.setUint16(1, argument);
  else if (bytes.length === 5) view.setUint32(1, argument);
  else view.setBigUint64(1, BigInt(argument));
  bytes[0] = top | (bytes.length === 3 ? 25 : bytes.length === 5 ? 26 : 27);
  return bytes;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): CborValue {
    if (depth > MAX_DEPTH) throw malformed(`value is nested more than ${MAX_DEPTH} deep`);
    const initial = this.#take(1)[0] ?? 0;
    const [major, info] = [initial >> 5, initial & 0x1f];
    if (major === SIMPLE) return simple(info);
    const argument = this.#argument(info);
    switch (major) {
      case UNSIGNED:
        return argument;
      case NEGATIVE:
        if (argument === Number.MAX_SAFE_INTEGER) throw malformed('integer is below -(2^53 - 1)');
        return -1 - argument;
      case BYTES:
        return new Uint8Array(this.#take(argument));
      case TEXT:
        return this.#text(argument);
      case ARRAY:
        return this.#array(argument, depth);
      case MAP:
        return this.#map(argument, depth);
      case TAG:
        return { kind: 'tag', tag: argument, value: this.value(depth + 1) };
      default:
        throw malformed('initial byte has no major type');
    }
  }

  #argument(info: number): number {
    if (info < 24) return info;
    const size = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0;
    if (size === 0) throw malformed('length is indefinite or reserved');
    const at = this.#at;
    this.#take(size);
    if (size === 8) {
      const large = this.#view.getBigUint64(at);
      if (large > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed('integer or length is above 2^53 - 1');
      if (large < 0x1_0000_0000n) throw malformed('integer or length is not in its shortest form');
      return Number(large);
    }
    const value =
      size === 1 ? this.#view.getUint8(at) : size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
    const least = size === 1 ? 24 : size === 2 ? 0x100 : 0x1_0000;
    if (value < least) throw malformed('integer or length is not in its shortest form');
    return value;
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw malformed('value is cut short');
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  #text(length: number): string {
    const decoded = decodeUtf8(this.#take(length));
    if (decoded === undefined) throw malformed('text is not valid UTF-8');
    return decoded;
  }

  #array(length: number, depth: number): CborValue[] {
    const items: CborValue[] = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  #map(length: number, depth: number): CborMap {
    const map = new Map<number | string, CborValue>();
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'number' && typeof key !== 'string')
        throw malformed('map key is neither integer nor text');
      if (map.has(key)) throw malformed(`map has the key \`${key}\` twice`);
      map.set(key, this.value(depth + 1));
    }
    return map;
  }
}

function simple(info: number): boolean | null {
  const value = SIMPLE_VALUES.get(info);
  if (value === undefined) throw malformed('value is floating point, undefined or another simple value');
  return value;
}

function isMap(value: object): value is CborMap {
  return value instanceof Map;
}

function isTag(value: object): value is CborTag {
  return 'kind' in value && value.kind === 'tag';
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function malformed(message: string): TlogError {
  return new TlogError('malformed-cbor', message, 'pass the bytes exactly as they were issued');
}
