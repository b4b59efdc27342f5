import { TlogError } from './errors.ts';
import { sha256 } from './sha256.ts';

/**
 * SHA-256, synchronous: `data` of any length in, 32 bytes out. It must neither keep nor alter `data`
 * (callers reuse their buffers) and must return bytes that nobody changes afterwards.
 *
 * The seam through which Node callers bring the fast one:
 * `treeHasher((data) => crypto.hash('sha256', data, 'buffer'))`.
 */
export type Sha256 = (data: Uint8Array) => Uint8Array;

/** Bytes in one hash. */
export const HASH_BYTES = 32;

/** The two hashes of RFC 9162 §2.1.1, with their domain separation, over one {@link Sha256}. */
export interface TreeHasher {
  readonly sha256: Sha256;
  /** Root of the tree without entries: SHA-256 of nothing. */
  readonly emptyRoot: Uint8Array;
  /** `SHA-256(0x00 ‖ entry)` */
  leaf(entry: Uint8Array): Uint8Array;
  /** `SHA-256(0x01 ‖ left ‖ right)`; both 32 bytes. */
  node(left: Uint8Array, right: Uint8Array): Uint8Array;
}

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/**
 * Builds a tree hasher. Without an argument it uses the pure TypeScript SHA-256, which runs anywhere.
 *
 * A hasher owns the scratch memory its inputs are laid out in, so it is cheap to call and not to be
 * shared between threads.
 */
export function treeHasher(hash: Sha256 = sha256): TreeHasher {
  const pair = new Uint8Array(1 + 2 * HASH_BYTES);
  pair[0] = NODE_PREFIX;
  let scratch = new Uint8Array(4096);
  scratch[0] = LEAF_PREFIX;
  let view = scratch.subarray(0, 1);
  return {
    sha256: hash,
    emptyRoot: hash(new Uint8Array(0)),
    leaf(entry) {
      const length = entry.length + 1;
      if (length > scratch.length) {
        scratch = new Uint8Array(length * 2);
        scratch[0] = LEAF_PREFIX;
      }
      // Entries of one log tend to have one length; making a view costs more than comparing.
      if (view.length !== length) view = scratch.subarray(0, length);
      scratch.set(entry, 1);
      return hash(view);
    },
    node(left, right) {
      pair.set(left, 1);
      pair.set(right, 1 + HASH_BYTES);
      return hash(pair);
    },
  };
}

/** Whether two hashes are the same. Hashes in a log are public, so time may depend on them. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** @throws {TlogError} `malformed-hash` unless `hash` is 32 bytes; `what` names it in the message. */
export function checkHash(hash: Uint8Array, what: string): void {
  if (hash.length === HASH_BYTES) return;
  throw new TlogError(
    'malformed-hash',
    `${what} has ${hash.length} bytes, but a SHA-256 hash has ${HASH_BYTES}`,
    'pass the raw hash, not its hexadecimal or base64 text',
  );
}
