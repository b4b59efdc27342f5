import { hash } from 'node:crypto';
import { type TreeHasher, treeHasher } from '../tlog/hash.ts';

/** A tree hasher on OpenSSL's SHA-256: three times as fast as the portable one. */
export function nodeHasher(): TreeHasher {
  return treeHasher((data) => hash('sha256', data, 'buffer'));
}
