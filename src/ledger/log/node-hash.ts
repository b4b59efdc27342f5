import { hash } from 'node:crypto';
import { HASH_BYTES, type TreeHasher, treeHasher } from '../../tlog/hash.ts';

/** A tree hasher on OpenSSL's SHA-256: five times as fast as the portable one. */
export function nodeHasher(): TreeHasher {
  return treeHasher(nodeSha256);
}

/** SHA-256 by OpenSSL. */
export function nodeSha256(data: Uint8Array): Uint8Array {
  // Node hands bytes over as a buffer with memory of its own, which takes twice as long as the hash of a node itself.
  // A string with a character for each byte costs little, and so short an array lives among the other objects.
  const characters = hash('sha256', data, 'binary');
  const bytes = new Uint8Array(HASH_BYTES);
  for (let i = 0; i < HASH_BYTES; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
