import type { OtlpItem, OtlpValue } from './otlp.ts';

/** One field of a protobuf message: its bytes (wire type 2), or its number. */
type Field = { readonly number: number } & (
  | { readonly bytes: Uint8Array }
  | { readonly value: bigint; readonly fixed64: boolean }
);

/**
 * Fields of a message in order (protobuf encoding, proto3). Groups, which proto3 does not have, are refused.
 * @throws {TypeError} for bytes that are no message
 */
function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new TypeError('number does not end');
  };
  const take = (length: number): number => {
    const start = at;
    at += length;
    if (at > bytes.length) throw new TypeError('field is cut short');
    return start;
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, value: varint(), fixed64: false };
        break;
      case 1:
        yield { number, value: view.getBigUint64(take(8), true), fixed64: true };
        break;
      case 2: {
        const length = varint();
        if (length > BigInt(bytes.length)) throw new TypeError('field is cut short');
        const start = take(Number(length));
        yield { number, bytes: bytes.subarray(start, at) };
        break;
      }
      case 5:
        yield { number, value: BigInt(view.getUint32(take(4), true)), fixed64: false };
        break;
      default:
        throw new TypeError('unknown wire type');
    }
  }
}

/** All sub-messages or texts under one field number. */
function each(bytes: Uint8Array, number: number): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const field of fieldsOf(bytes))
    if (field.number === number && 'bytes' in field) found.push(field.bytes);
  return found;
}

const EMPTY = new Uint8Array(0);
const last = (bytes: Uint8Array, number: number): Uint8Array => each(bytes, number).at(-1) ?? EMPTY;

function numberOf(bytes: Uint8Array, number: number): bigint {
  let found = 0n;
  for (const field of fieldsOf(bytes)) if (field.number === number && 'value' in field) found = field.value;
  return found;
}

const text = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Spans of an `ExportTraceServiceRequest` (opentelemetry-proto v1). @throws {TypeError} */
export function decodeTraces(bytes: Uint8Array): readonly OtlpItem[] {
  return each(bytes, 1).flatMap((group) => {
    const resource = attributesOf(last(group, 1), 1);
    return each(group, 2).flatMap((scope) =>
      each(scope, 2).map(
        (span): OtlpItem => ({
          resource,
          attributes: attributesOf(span, 9),
          event: undefined,
          time: numberOf(span, 8) || numberOf(span, 7),
          traceId: hex(last(span, 1)),
          spanId: hex(last(span, 2)),
          parentId: hex(last(span, 4)),
          failed: numberOf(last(span, 15), 3) === 2n,
        }),
      ),
    );
  });
}

/** Log records of an `ExportLogsServiceRequest` (opentelemetry-proto v1). @throws {TypeError} */
export function decodeLogs(bytes: Uint8Array): readonly OtlpItem[] {
  return each(bytes, 1).flatMap((group) => {
    const resource = attributesOf(last(group, 1), 1);
    return each(group, 2).flatMap((scope) =>
      each(scope, 2).map(
        (record): OtlpItem => ({
          resource,
          attributes: attributesOf(record, 6),
          event: text(last(record, 12)),
          time: numberOf(record, 1) || numberOf(record, 11),
          traceId: hex(last(record, 9)),
          spanId: hex(last(record, 10)),
          parentId: '',
          failed: false,
        }),
      ),
    );
  });
}

function attributesOf(bytes: Uint8Array, number: number): ReadonlyMap<string, OtlpValue> {
  return new Map(
    each(bytes, number).map((pair) => [text(last(pair, 1)), attributeValue(last(pair, 2))] as const),
  );
}

/** Arrays in arrays in arrays are no attribute of a record, and could be made to go on for ever. */
const DEEPEST = 2;

function attributeValue(bytes: Uint8Array, depth = 0): OtlpValue {
  let value: OtlpValue;
  for (const field of fieldsOf(bytes)) {
    if ('bytes' in field) {
      if (field.number === 1) value = text(field.bytes);
      if (field.number === 5 && depth < DEEPEST)
        value = each(field.bytes, 1).map((item) => attributeValue(item, depth + 1));
    } else if (field.number === 2) value = field.value !== 0n;
    else if (field.number === 3) value = Number(BigInt.asIntN(64, field.value));
    else if (field.number === 4 && field.fixed64) value = doubleOf(field.value);
  }
  return value;
}

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

/** An answer to an export: what was rejected (field 1: number, 2: why), or nothing. */
export function encodePartialSuccess(rejected: number, why: string): Uint8Array {
  if (rejected === 0) return EMPTY;
  const message = Buffer.from(why, 'utf8');
  const partial = Buffer.concat([
    Buffer.from([0x08, ...varint(rejected), 0x12, ...varint(message.length)]),
    message,
  ]);
  return Buffer.concat([Buffer.from([0x0a, ...varint(partial.length)]), partial]);
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 0x80))];
}
