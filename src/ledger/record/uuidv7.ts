import { randomFillSync } from 'node:crypto';

/** Makes UUIDs of version 7 (RFC 9562 §5.7). */
export type UuidSource = () => string;

/**
 * A source of UUIDs that are strictly increasing in the order they are made, also within one millisecond
 * and while the clock is set back: the last timestamp is then kept and its counter goes on (RFC 9562 §6.2, method 1).
 */
export function uuidv7Source(now: () => number = Date.now): UuidSource {
  const pool = new Uint8Array(10 * 256);
  let used = pool.length;
  let last = 0;
  let counter = 0;
  return () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    const at = used;
    used += 10;
    const clock = now();
    if (clock > last) {
      last = clock;
      // Half of the room stays free, so that counting up does not run into the next millisecond.
      counter = (((pool[at] ?? 0) << 8) | (pool[at + 1] ?? 0)) & 0x7ff;
    } else if (++counter > 0xfff) {
      last += 1;
      counter = 0;
    }
    return format(last, counter, pool, at + 2);
  };
}

/** The time in a UUID of version 7, in milliseconds since 1970. */
export function uuidv7Time(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The 16 bytes of a UUID: the idempotency key of a record. */
export function uuidBytes(id: string): Uint8Array {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

function format(ms: number, counter: number, random: Uint8Array, at: number): string {
  const high = ms.toString(16).padStart(12, '0');
  let tail = '';
  for (let i = 0; i < 8; i++) {
    const byte = random[at + i] ?? 0;
    tail += (i === 0 ? (byte & 0x3f) | 0x80 : byte).toString(16).padStart(2, '0');
  }
  const count = counter.toString(16).padStart(3, '0');
  return `${high.slice(0, 8)}-${high.slice(8)}-7${count}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}
