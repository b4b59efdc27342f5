import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noteVerifier } from './cosignature.ts';
import { TlogError } from './errors.ts';
import { nobleEd25519PublicKey, nobleSignatures } from './noble.ts';
import {
  formatSignerKey,
  formatVerifierKey,
  parseSignerKey,
  parseVerifierKey,
  SIGNATURE_TYPES,
  verifierKey,
} from './note-key.ts';

function table<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(`./testdata/formats/${path}`, import.meta.url), 'utf8')) as T;
}

interface KeyRow {
  readonly name: string;
  readonly vkey: string;
  readonly valid: boolean;
}

describe('verifier keys', () => {
  test.each(table<KeyRow[]>('verifier-keys.json'))(
    'of the transparency-dev table: $name',
    ({ vkey, valid }) => {
      const usable = () => noteVerifier(parseVerifierKey(vkey), nobleSignatures);
      if (!valid) {
        expect(usable).toThrow(TlogError);
        return;
      }
      // That parser does not look at key IDs of ML-DSA keys; this row's is not the one C2SP tlog-cosignature computes.
      if (vkey.startsWith('test+5893dc2c+')) {
        expect(usable).toThrow(/does not belong/);
        expect(parseVerifierKey(vkey.replace('5893dc2c', '31236897')).type).toBe(6);
        return;
      }
      const key = parseVerifierKey(vkey);
      expect(formatVerifierKey(key)).toBe(vkey);
      // ECDSA (2) and Certificate Transparency (5) keys are read, but nothing here verifies with them.
      if (key.type === 2 || key.type === 5) expect(usable).toThrow(/cannot be verified here/);
      else expect(usable().keyId).toBe(key.keyId);
    },
  );

  test('with one bit of the public key changed no longer fit their key ID', () => {
    const key = parseVerifierKey('example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k');
    const publicKey = Uint8Array.from(key.publicKey, (byte, i) => (i === 7 ? byte ^ 1 : byte));
    expect(() => parseVerifierKey(formatVerifierKey({ ...key, publicKey }))).toThrow(/does not belong/);
  });

  test.each(['', 'a b', 'a+b', 'a\u00a0b', 'a\u2028b', 'a\nb', 'a\0b', '\ud800'])(
    'cannot be called %j',
    (name) => {
      expect(() => verifierKey(name, SIGNATURE_TYPES.ed25519, new Uint8Array(32))).toThrow(TlogError);
    },
  );

  test('of the wrong length or of a type that is no byte are refused', () => {
    expect(() => verifierKey('a', SIGNATURE_TYPES.ed25519, new Uint8Array(31))).toThrow(/31 bytes/);
    expect(() => verifierKey('a', SIGNATURE_TYPES.mlDsa44Cosignature, new Uint8Array(32))).toThrow(
      /not 1312/,
    );
    expect(() => verifierKey('a', 256, new Uint8Array(32))).toThrow(/not a byte/);
  });

  test('read back as what was written', () => {
    const anyName = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((name) => !/[+\p{White_Space}\p{Cc}]/u.test(name));
    const anyKey = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(anyName, fc.constantFrom(1, 4), anyKey, (name, type, publicKey) => {
        const key = verifierKey(name, type, publicKey);
        expect(parseVerifierKey(formatVerifierKey(key))).toEqual(key);
      }),
    );
  });

  test('made of any text are refused with the typed error, or written the same way again', () => {
    const pieces = fc.constantFrom(
      '+',
      'example.com',
      '530d903a',
      'AekyeRrm56hApGFkyQR4',
      '=',
      ' ',
      '\0',
      'PRIVATE',
      'KEY',
    );
    const anyText = fc.oneof(
      fc.string(),
      fc.array(pieces).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        for (const parse of [parseVerifierKey, parseSignerKey]) {
          try {
            parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(TlogError);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('signer keys', () => {
  interface PairRow {
    readonly vkey: string;
    readonly skey: string;
  }

  test.each(table<PairRow[]>('key-pairs.json'))('fit the verifier key $vkey', ({ vkey, skey }) => {
    const signer = parseSignerKey(skey);
    const made = verifierKey(signer.name, signer.type, nobleEd25519PublicKey(signer.seed));
    expect(formatVerifierKey(made)).toBe(vkey);
    expect(made.keyId).toBe(signer.keyId);
    expect(formatSignerKey(signer)).toBe(skey);
  });

  test('that are malformed are refused without being shown', () => {
    const secret = 'AdEIq9FLRQni54Wg68T96VJO+iayOaulswav2DUMKgvQ';
    for (const text of [
      `PRIVATE+KEY+Log+2271c62+${secret}`,
      `PUBLIC+KEY+Log+2271c621+${secret}`,
      `PRIVATE+KEY+${secret}`,
    ]) {
      expect(() => parseSignerKey(text)).toThrow(TlogError);
      expect(() => parseSignerKey(text)).not.toThrow(/AdEIq9/);
    }
  });
});
