import { ENTRY_FRAME_BYTES } from '../../tlog/bundle.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import type { Range } from './multiproof.ts';
import type { FaultCode } from './verdict.ts';

/** Why evidence is invalid; becomes the verdict. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly indices: readonly number[];

  constructor(code: FaultCode, message: string, indices: readonly number[] = []) {
    super(message);
    this.code = code;
    this.indices = indices;
  }
}

/** Entries of the archive, as views. @throws {Fault} unless their number is that of the ranges */
export function splitEntries(bytes: Uint8Array, ranges: readonly Range[]): readonly Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at + ENTRY_FRAME_BYTES;
    at = start + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    if (start > bytes.length || at > bytes.length)
      throw new Fault('entries-altered', 'last entry is cut short');
    entries.push(bytes.subarray(start, at));
  }
  const expected = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  if (entries.length === expected) return entries;
  throw new Fault('entries-altered', `archive holds ${entries.length} entries, but names ${expected}`);
}

export function* indicesOf(ranges: readonly Range[]): Generator<number> {
  for (const { from, to } of ranges) for (let index = from; index < to; index++) yield index;
}

export function positionOf(ranges: readonly Range[], index: number): number {
  let before = 0;
  for (const { from, to } of ranges) {
    if (index >= from && index < to) return before + index - from;
    before += to - from;
  }
  return -1;
}

/** Whether the ranges show everything from the first entry up to `size`. */
export function startsWith(ranges: readonly Range[], size: number): boolean {
  const [first] = ranges;
  return first !== undefined && first.from === 0 && first.to >= size;
}

/** The `sd` of an entry; empty for what is no record. */
export function digestsOf(entry: Uint8Array): readonly string[] {
  const record = jsonObject(entry);
  const sd = record?.sd;
  return Array.isArray(sd) ? sd.filter((digest) => typeof digest === 'string') : [];
}

export function rotationOf(entry: Uint8Array): { readonly vkey: string; readonly previous: string } {
  const record = jsonObject(entry);
  const attributes = record?.attributes;
  if (record?.event_name === 'comity.key.rotated' && typeof attributes === 'object' && attributes !== null) {
    const values = attributes as Readonly<Record<string, unknown>>;
    const { 'comity.key.kind': kind, 'comity.key.vkey': vkey, 'comity.key.previous': previous } = values;
    if (kind === 'log' && typeof vkey === 'string' && typeof previous === 'string') return { vkey, previous };
  }
  throw new Fault('log-not-trusted', 'an entry that should hand over to a new key does not');
}

function jsonObject(entry: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(decodeUtf8(entry) ?? '');
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}
