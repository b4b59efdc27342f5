import { ENTRY_FRAME_BYTES } from '../../tlog/bundle.ts';
import { completenessCheck, type Omission, type Tie, type Trace, traceOf } from '../record/completeness.ts';
import type { AuditRecord } from '../record/record.ts';
import { indicesOf, startsWith } from './contents.ts';
import type { Range } from './multiproof.ts';

/** Part of the entries of an archive, to be read as records by a thread of its own. */
export interface PartTask {
  /** Framed entries, all of them. The memory is shared: nobody may write to it. */
  readonly entries: Uint8Array;
  /** The part, counted in entries. */
  readonly from: number;
  readonly to: number;
}

/** What a part says, short enough to travel between threads. */
export type PartReading =
  | {
      readonly kind: 'read';
      readonly producers: readonly Omit<Trace['producer'], 'seq'>[];
      /** For each record, which producer made it, and the record's number. */
      readonly madeBy: Uint32Array;
      readonly numbers: Float64Array;
      /** Ties of those records that have one, by their place in the part. */
      readonly ties: ReadonlyMap<number, Tie>;
    }
  /** The entry at a place of the part is no record. */
  | { readonly kind: 'unreadable'; readonly place: number; readonly why: string };

/** Reads one part. */
export function readPart(
  { entries, from, to }: PartTask,
  readRecord: (bytes: Uint8Array) => AuditRecord,
): PartReading {
  const madeBy = new Uint32Array(to - from);
  const numbers = new Float64Array(to - from);
  const ties = new Map<number, Tie>();
  const producers: Omit<Trace['producer'], 'seq'>[] = [];
  const known = new Map<string, number>();
  let at = 0;
  const next = (): Uint8Array => {
    const start = at + ENTRY_FRAME_BYTES;
    at = start + (entries[at] ?? 0) * 256 + (entries[at + 1] ?? 0);
    return entries.subarray(start, at);
  };
  for (let i = 0; i < from; i++) at += ENTRY_FRAME_BYTES + (entries[at] ?? 0) * 256 + (entries[at + 1] ?? 0);
  for (let place = 0; place < to - from; place++) {
    let trace: Trace;
    try {
      trace = traceOf(readRecord(next()));
    } catch (error) {
      return { kind: 'unreadable', place, why: error instanceof Error ? error.message : String(error) };
    }
    const { id, boot, seq } = trace.producer;
    const name = `${id} ${boot}`;
    let producer = known.get(name);
    if (producer === undefined) {
      producer = producers.push({ id, boot }) - 1;
      known.set(name, producer);
    }
    madeBy[place] = producer;
    numbers[place] = seq;
    if (trace.tie !== undefined) ties.set(place, trace.tie);
  }
  return { kind: 'read', producers, madeBy, numbers, ties };
}

/** What is missing, told from all parts in order; the first entry that is no record, if there is one. */
export function joinParts(
  parts: readonly PartReading[],
  { ranges, size }: { readonly ranges: readonly Range[]; readonly size: number },
):
  | { readonly kind: 'read'; readonly omissions: readonly Omission[] | undefined }
  | { readonly kind: 'unreadable'; readonly index: number; readonly why: string } {
  const check = completenessCheck();
  const indices = indicesOf(ranges);
  const nextIndex = (): number => indices.next().value ?? size;
  for (const part of parts) {
    if (part.kind === 'unreadable') {
      for (let i = 0; i < part.place; i++) nextIndex();
      return { kind: 'unreadable', index: nextIndex(), why: part.why };
    }
    for (const [place, seq] of part.numbers.entries()) {
      const producer = part.producers[part.madeBy[place] ?? 0];
      if (producer === undefined) throw new Error('part names a producer that it does not list');
      check.follow(nextIndex(), { producer: { ...producer, seq }, tie: part.ties.get(place) });
    }
  }
  const whole = startsWith(ranges, size);
  return { kind: 'read', omissions: whole ? check.omissions({ inOrder: false }) : undefined };
}
