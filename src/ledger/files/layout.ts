import { HASH_BYTES } from '../../tlog/hash.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { KEY_BYTES, PRUNE_STEP } from '../log/store.ts';

/**
 * A segment is one file of 65,536 entries: as many as one node of tile level 2 covers, so that a full segment adds
 * exactly one hash to the tree above it.
 *
 * ```
 * header    4 KiB   who this is; once the segment is full, its seal
 * tile      8 KiB   tile level 1 of the segment, written when full
 * filter  128 KiB   Bloom filter over its keys, written when full
 * slots   512 KiB   hash table over its keys, written when full
 * rows      4 MiB   64 bytes for each entry
 * bundles           entry bundles of C2SP tlog-tiles, byte for byte, one after the other; cut off when pruned
 * ```
 *
 * Rows and bundles lie in one file so that one fdatasync makes a batch durable. A row commits its entry: an entry
 * counts when its row's checksum holds and its bytes have the leaf hash that the row says.
 */
export const SEGMENT_ENTRIES = PRUNE_STEP;

/** After the header. */
export const TILE_AT = 4096;
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
export const FILTER_AT = TILE_AT + TILE_BYTES;
export const FILTER_BYTES = 128 * 1024;
export const SLOTS_AT = FILTER_AT + FILTER_BYTES;
export const SLOT_COUNT = 2 * SEGMENT_ENTRIES;
const SLOTS_BYTES = 4 * SLOT_COUNT;
export const ROWS_AT = SLOTS_AT + SLOTS_BYTES;
export const ROW_BYTES = 64;
export const ROWS_BYTES = SEGMENT_ENTRIES * ROW_BYTES;
export const BUNDLES_AT = ROWS_AT + ROWS_BYTES;

/**
 * One row: leaf hash (32) · idempotency key (16) · where the framed entry ends, from the first bundle (u64) ·
 * entries of this segment that were durable when the row was written (u32) · CRC-32 of all that (u32). Big-endian.
 */
export const ROW_KEY = HASH_BYTES;
export const ROW_END = ROW_KEY + KEY_BYTES;
export const ROW_DURABLE = ROW_END + 8;
export const ROW_CHECK = ROW_DURABLE + 4;

/** First line of a segment, for people and for `file`. */
export function segmentTitle(segment: number): string {
  return `comity.segment/1 ${segment}\n`;
}

/**
 * Where the seal stands in the header: root (32) · lowest and highest key (16 each) · CRC-32 of the filter (u32) · CRC-32
 * of the seal (u32).
 */
export const SEAL_AT = 2048;
export const SEAL_BYTES = HASH_BYTES + 2 * KEY_BYTES + 4 + 4;

export function segmentFile(segment: number): string {
  return `${String(segment).padStart(10, '0')}.seg`;
}
