import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { LedgerError } from '../errors.ts';
import { createKeyFile, readKeyFile } from './key-file.ts';
import type { KeyWrapper } from './vault.ts';

export const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM: nonce ‖ ciphertext ‖ tag. A nonce that is passed in must be 12 fresh random bytes. */
export function encrypt(
  key: Uint8Array,
  plain: Uint8Array,
  context: Uint8Array,
  nonce: Uint8Array = randomBytes(NONCE_BYTES),
): Uint8Array {
  // A KeyObject, because Node takes three times as long to set up a cipher with bare bytes.
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(key), nonce);
  cipher.setAAD(context);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** The inverse of {@link encrypt}. @throws {LedgerError} `blob-invalid` */
export function decrypt(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array {
  try {
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv('aes-256-gcm', createSecretKey(key), sealed.subarray(0, NONCE_BYTES));
    decipher.setAAD(context);
    decipher.setAuthTag(sealed.subarray(end));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
  } catch (cause) {
    throw new LedgerError(
      'blob-invalid',
      'sealed bytes do not open with this key in this place',
      'they were altered or moved to another record; restore them from a backup of the vault',
      { cause },
    );
  }
}

/** Wraps with a 256-bit key that this process holds. */
export function localWrapper(wrappingKey: Uint8Array): KeyWrapper {
  return {
    wrap: async (key, context) => encrypt(wrappingKey, key, Buffer.from(context)),
    unwrap: async (wrapped, context) => decrypt(wrappingKey, wrapped, Buffer.from(context)),
  };
}

/** Wraps with a key in a file, readable by its owner only; created if it does not exist. @throws {LedgerError} `key-invalid` */
export function fileWrapper(path: string): KeyWrapper {
  if (!existsSync(path)) createKeyFile(path, randomBytes(32).toString('base64'));
  const key = Buffer.from(readKeyFile(path), 'base64');
  if (key.length === 32) return localWrapper(key);
  throw new LedgerError(
    'key-invalid',
    `key file \`${path}\` does not hold 32 bytes in base64`,
    'restore it from your key backup: without it nothing that was sealed can be opened',
  );
}
