import { encodeUtf8 } from '../../tlog/text.ts';
import { LedgerError, quoted } from '../errors.ts';

/**
 * One sealed field in the clear, as an auditor gets it: base64url of the JSON array `[salt, name, value]`
 * (RFC 9901 §4.2.1). Whoever has it can check it against the digest in the leaf; whoever has only the digest
 * learns nothing, because the salt has 128 random bits.
 */
export type Disclosure = string;

/** A disclosure, read. */
export interface DisclosedField {
  readonly name: string;
  readonly value: unknown;
}

/** Bytes of a salt. */
export const SALT_BYTES = 16;

/** Makes the disclosure of a field. `salt` must be random and never used for another field. */
export function disclosureOf(name: string, value: unknown, salt: Uint8Array): Disclosure {
  return base64url(encodeUtf8(JSON.stringify([base64url(salt), name, value])));
}

/** Digest of a disclosure as it stands in `sd` (RFC 9901 §4.2.3). */
function disclosureDigest(disclosure: Disclosure, sha256: (data: Uint8Array) => Uint8Array): string {
  return base64url(sha256(encodeUtf8(disclosure)));
}

/**
 * Reads a disclosure and checks that a record vouches for it.
 * @throws {LedgerError} `bundle-invalid` if it is malformed, or if its digest is not in `sd`
 */
export function openDisclosure(
  disclosure: Disclosure,
  sd: readonly string[],
  sha256: (data: Uint8Array) => Uint8Array,
): DisclosedField {
  if (!sd.includes(disclosureDigest(disclosure, sha256))) {
    throw invalid(`disclosure ${quoted(disclosure)} is not of this record`);
  }
  return readDisclosure(disclosure);
}

/** Reads a disclosure without asking whether a record vouches for it. @throws {LedgerError} `bundle-invalid` */
export function readDisclosure(disclosure: Disclosure): DisclosedField {
  let parts: unknown;
  try {
    parts = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(fromBase64url(disclosure)));
  } catch {
    throw invalid(`disclosure ${quoted(disclosure)} is not base64url of JSON`);
  }
  if (!Array.isArray(parts) || parts.length !== 3) throw invalid('disclosure is not an array of three');
  const [, name, value]: readonly unknown[] = parts;
  if (typeof name !== 'string') throw invalid('disclosure has no name');
  return { name, value };
}

/** Base64url without padding (RFC 4648 §5). */
export function base64url(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** @throws if the text is not base64url */
export function fromBase64url(text: string): Uint8Array {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function invalid(message: string): LedgerError {
  return new LedgerError('bundle-invalid', message, 'ask for the evidence again, with this field disclosed');
}
