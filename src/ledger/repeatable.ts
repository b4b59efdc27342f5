import { createCipheriv, createHash, createHmac } from 'node:crypto';
import type { AuditRecord } from './record.ts';
import type { RandomBytes, SealInput } from './seal.ts';
import type { SubjectKey } from './vault.ts';

const BLOCK_BYTES = 256;

/**
 * Randomness for sealing that is the same for the same record, fields and keys, and unlike any other for anything else:
 * what is sealed twice becomes the same bytes, so a sender who lost the answer can send again. It comes from the keys
 * of all people that the fields are about. Once one of these is destroyed nobody can make it again, so that digests say
 * as little as with random salts; and no nonce is used for two texts, as in RFC 8452.
 */
export function repeatableRandom(
  record: AuditRecord,
  inputs: readonly SealInput[],
  keys: ReadonlyMap<string, SubjectKey>,
): RandomBytes {
  let seed = createHash('sha256')
    .update(JSON.stringify([record, inputs]))
    .digest();
  const people = new Set(inputs.flatMap(({ subjects }) => subjects));
  for (const person of people) {
    const key = keys.get(person);
    if (key !== undefined) seed = createHmac('sha256', key.key).update(seed).digest();
  }
  const stream = createCipheriv('aes-256-ctr', seed, Buffer.alloc(16));
  let block = Buffer.alloc(0);
  return (bytes) => {
    if (bytes > block.length) block = stream.update(Buffer.alloc(Math.max(bytes, BLOCK_BYTES)));
    const drawn = block.subarray(0, bytes);
    block = block.subarray(bytes);
    return drawn;
  };
}
