import { hash } from 'node:crypto';
import { HASH_BYTES } from '../../tlog/hash.ts';
import type { AuditRecord } from '../record/record.ts';
import type { RandomBytes, SealInput } from './seal.ts';
import type { SubjectKey } from './vault.ts';

const COUNTER_BYTES = 4;

/**
 * Randomness for sealing that is the same for the same record, fields and keys, and unlike any other for anything else:
 * what is sealed twice becomes the same bytes, so a sender who lost the answer can send again. It is derived from the
 * keys of all people that the fields are about (NIST SP 800-56C §4, one step, SHA-256). Once one of these is destroyed
 * nobody can derive it again, so that digests say as little as with random salts; and no nonce is used for two texts,
 * as in RFC 8452.
 */
export function repeatableRandom(
  record: AuditRecord,
  inputs: readonly SealInput[],
  keys: ReadonlyMap<string, SubjectKey>,
): RandomBytes {
  const people = new Set(inputs.flatMap(({ subjects }) => subjects));
  const secrets = [...people].flatMap((person) => keys.get(person)?.key ?? []);
  const about = sha256(JSON.stringify([record, inputs]));
  const input = Buffer.concat([Buffer.alloc(COUNTER_BYTES), ...secrets, about]);
  let counter = 0;
  let left: Buffer = Buffer.alloc(0);
  return (bytes) => {
    const blocks: Buffer[] = [left];
    for (let length = left.length; length < bytes; length += HASH_BYTES) {
      counter += 1;
      input.writeUInt32BE(counter);
      blocks.push(sha256(input));
    }
    const all = blocks.length === 1 ? left : Buffer.concat(blocks);
    left = all.subarray(bytes);
    return all.subarray(0, bytes);
  };
}

/** As text with a character for each byte: a buffer would cost Node more than the hash. */
function sha256(data: Uint8Array | string): Buffer {
  return Buffer.from(hash('sha256', data, 'binary'), 'latin1');
}
