import { TlogError } from './errors.ts';
import { TILE_WIDTH } from './tile.ts';

/** Longest entry, in bytes: a bundle frames each entry with a 16-bit length (C2SP tlog-tiles). */
export const MAX_ENTRY_BYTES = 0xffff;

/** Bytes that frame an entry in a bundle. */
export const ENTRY_FRAME_BYTES = 2;

/**
 * Encodes 1 to 256 entries as a bundle: each one as its length (16 bits, big-endian) and its bytes.
 * @throws {TlogError} `malformed-bundle`
 */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  checkCount(entries.length);
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + ENTRY_FRAME_BYTES + entry.length, 0));
  entries.reduce((at, entry) => writeEntry(bytes, at, entry), 0);
  return bytes;
}

/**
 * Writes one framed entry into `target` at `at` and returns where the next one goes. For writers who lay out many
 * entries in one buffer; the buffer must have room for `ENTRY_FRAME_BYTES + entry.length` bytes.
 * @throws {TlogError} `malformed-bundle` if the entry is too long
 */
export function writeEntry(target: Uint8Array, at: number, entry: Uint8Array): number {
  if (entry.length > MAX_ENTRY_BYTES) {
    throw malformed(`entry of ${entry.length} bytes is longer than ${MAX_ENTRY_BYTES}`);
  }
  target[at] = entry.length >> 8;
  target[at + 1] = entry.length & 0xff;
  target.set(entry, at + ENTRY_FRAME_BYTES);
  return at + ENTRY_FRAME_BYTES + entry.length;
}

/**
 * Decodes a bundle of exactly `width` entries. The entries are views into `bytes`, not copies.
 * @throws {TlogError} `malformed-bundle` if an entry is cut short, bytes are left over, or the count differs
 */
export function decodeBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  checkCount(width);
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length && entries.length < width) {
    const [high, low] = [bytes[at], bytes[at + 1]];
    if (high === undefined || low === undefined)
      throw malformed(`length of entry ${entries.length} is cut short`);
    const start = at + ENTRY_FRAME_BYTES;
    at = start + high * 256 + low;
    if (at > bytes.length) throw malformed(`entry ${entries.length} of the bundle is cut short`);
    entries.push(bytes.subarray(start, at));
  }
  if (entries.length !== width) throw malformed(`bundle holds ${entries.length} entries, not ${width}`);
  if (at !== bytes.length)
    throw malformed(`bundle has ${bytes.length - at} bytes after its ${width} entries`);
  return entries;
}

function checkCount(count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= TILE_WIDTH) return;
  throw malformed(`a bundle holds 1 to ${TILE_WIDTH} entries, not ${count}`);
}

function malformed(message: string): TlogError {
  return new TlogError(
    'malformed-bundle',
    message,
    'fetch the bundle again; if it stays so, the log serves damaged data',
  );
}
