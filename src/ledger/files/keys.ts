import { FILTER_BYTES, ROW_BYTES, ROW_KEY, SLOT_COUNT } from './layout.ts';

/**
 * Which place of a segment has a key: an open-addressing hash table of positions plus one. It holds no keys; they
 * are compared where they are, in the segment's rows.
 */
export class KeySlots {
  readonly slots: Uint32Array;
  readonly #mask: number;

  constructor(slots: Uint32Array = new Uint32Array(SLOT_COUNT)) {
    this.slots = slots;
    this.#mask = slots.length - 1;
  }

  /** Position of `key` among `rows`, or -1. */
  find(key: Uint8Array, rows: Uint8Array): number {
    for (let at = slotHash(key, 0) & this.#mask; ; at = (at + 1) & this.#mask) {
      const slot = this.slots[at] ?? 0;
      if (slot === 0) return -1;
      if (sameKey(rows, (slot - 1) * ROW_BYTES + ROW_KEY, key)) return slot - 1;
    }
  }

  /** Adds the key that stands at `position` of `rows`. */
  add(rows: Uint8Array, position: number): void {
    let at = slotHash(rows, position * ROW_BYTES + ROW_KEY) & this.#mask;
    while ((this.slots[at] ?? 0) !== 0) at = (at + 1) & this.#mask;
    this.slots[at] = position + 1;
  }
}

const FILTER_BITS = FILTER_BYTES * 8;
/** Sixteen bits for each key and six probes: one false alarm in a thousand. */
const PROBES = 6;

/** Bloom filter of one segment's keys; says "perhaps" or "surely not". */
export function filterOf(rows: Uint8Array, count: number): Uint8Array {
  const filter = new Uint8Array(FILTER_BYTES);
  for (let position = 0; position < count; position++) {
    const at = position * ROW_BYTES + ROW_KEY;
    let hash = slotHash(rows, at);
    const step = stepHash(rows, at);
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = hash % FILTER_BITS;
      filter[bit >>> 3] = (filter[bit >>> 3] ?? 0) | (1 << (bit & 7));
      hash = (hash + step) >>> 0;
    }
  }
  return filter;
}

export function filterMayHold(filter: Uint8Array, key: Uint8Array): boolean {
  let hash = slotHash(key, 0);
  const step = stepHash(key, 0);
  for (let probe = 0; probe < PROBES; probe++) {
    const bit = hash % FILTER_BITS;
    if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
    hash = (hash + step) >>> 0;
  }
  return true;
}

/** Where in a table of `SLOT_COUNT` slots the search for a key starts. */
export function firstSlot(key: Uint8Array): number {
  return slotHash(key, 0) & (SLOT_COUNT - 1);
}

export function sameKey(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false;
  return true;
}

// Both ends of a key go in: ids of one moment share their beginning, and whoever chooses ids chooses any part.
function slotHash(bytes: Uint8Array, at: number): number {
  let hash = word(bytes, at + 12);
  hash = Math.imul(hash ^ (hash >>> 16) ^ word(bytes, at + 8), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ word(bytes, at + 4), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16) ^ word(bytes, at), 0x27d4eb2f);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function stepHash(bytes: Uint8Array, at: number): number {
  let hash = word(bytes, at);
  hash = Math.imul(hash ^ (hash >>> 15) ^ word(bytes, at + 4), 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 14) ^ word(bytes, at + 8), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15) ^ word(bytes, at + 12), 0x846ca68b);
  return ((hash ^ (hash >>> 16)) | 1) >>> 0;
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) << 24) |
    ((bytes[at + 1] ?? 0) << 16) |
    ((bytes[at + 2] ?? 0) << 8) |
    (bytes[at + 3] ?? 0)
  );
}
