import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  nobleEd25519PublicKey,
  nobleEd25519Sign,
  nobleMlDsa44PublicKey,
  nobleMlDsa44Sign,
  nobleSignatures,
} from './noble.ts';
import type { SignatureVerifiers } from './signatures.ts';

/** Bytes that wrap a raw key of each algorithm as SPKI and a raw seed as PKCS #8 (RFC 8410, RFC 9881). */
const SPKI = {
  ed25519: '302a300506032b6570032100',
  mlDsa44: '30820532300b0609608648016503040311038205210' + '0',
  p256: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
};
const PKCS8 = {
  ed25519: '302e020100300506032b657004220420',
  mlDsa44: '3034020100300b060960864801650304031104228020',
};

function spki(prefix: string, key: Uint8Array): KeyObject {
  const der = Buffer.concat([Buffer.from(prefix, 'hex'), key]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}

function pkcs8(prefix: string, seed: Uint8Array): KeyObject {
  const der = Buffer.concat([Buffer.from(prefix, 'hex'), seed]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

/** The same seam over OpenSSL: what a caller on Node hands in. */
const opensslSignatures: SignatureVerifiers = {
  verifyEd25519: (key, message, signature) => nodeVerify(null, message, spki(SPKI.ed25519, key), signature),
  verifyMlDsa44: (key, message, signature) => nodeVerify(null, message, spki(SPKI.mlDsa44, key), signature),
  verifyEs256: (key, message, signature) =>
    nodeVerify('sha256', message, { key: spki(SPKI.p256, key), dsaEncoding: 'ieee-p1363' }, signature),
};

const seed = new Uint8Array(32).fill(11);
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const point = Uint8Array.from(p256.publicKey.export({ format: 'der', type: 'spki' }).subarray(-65));

const algorithms = [
  {
    name: 'Ed25519',
    publicKey: nobleEd25519PublicKey(seed),
    signers: [nobleEd25519Sign(seed), (m: Uint8Array) => nodeSign(null, m, pkcs8(PKCS8.ed25519, seed))],
    verify: (s: SignatureVerifiers) => s.verifyEd25519,
  },
  {
    name: 'ML-DSA-44',
    publicKey: nobleMlDsa44PublicKey(seed),
    signers: [nobleMlDsa44Sign(seed), (m: Uint8Array) => nodeSign(null, m, pkcs8(PKCS8.mlDsa44, seed))],
    verify: (s: SignatureVerifiers) => s.verifyMlDsa44,
  },
  {
    name: 'ES256',
    publicKey: point,
    signers: [(m: Uint8Array) => nodeSign('sha256', m, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' })],
    verify: (s: SignatureVerifiers) => s.verifyEs256,
  },
];

describe.each(algorithms)('$name', ({ publicKey, signers, verify }) => {
  const message = new TextEncoder().encode('message');
  const noble = verify(nobleSignatures);
  const openssl = verify(opensslSignatures);

  test('signatures made by either library verify with both', () => {
    for (const sign of signers) {
      const signature = Uint8Array.from(sign(message));
      expect([noble(publicKey, message, signature), openssl(publicKey, message, signature)]).toEqual([
        true,
        true,
      ]);
    }
  });

  test('signatures with one bit changed verify with neither', () => {
    const [sign] = signers;
    const signature = Uint8Array.from(sign?.(message) ?? []);
    fc.assert(
      fc.property(fc.nat(signature.length - 1), fc.nat(7), (at, bit) => {
        const changed = Uint8Array.from(signature, (byte, i) => (i === at ? byte ^ (1 << bit) : byte));
        expect(noble(publicKey, message, changed)).toBe(false);
        expect(openssl(publicKey, message, changed)).toBe(false);
      }),
      { numRuns: 40 },
    );
  });

  test('keys and signatures that are no such thing are answered with no', () => {
    const anyBytes = fc.uint8Array({ maxLength: 100 });
    fc.assert(
      fc.property(anyBytes, anyBytes, (key, signature) => {
        expect(noble(key, message, signature)).toBe(false);
        expect(noble(publicKey, message, signature)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });
});

test('both high and low s are ECDSA signatures, as in COSE', () => {
  const message = new TextEncoder().encode('message');
  const signature = Uint8Array.from(
    nodeSign('sha256', message, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' }),
  );
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`);
  const other = Uint8Array.from(signature);
  other.set(Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex'), 32);
  expect(nobleSignatures.verifyEs256(point, message, signature)).toBe(true);
  expect(nobleSignatures.verifyEs256(point, message, other)).toBe(true);
});

test('a signature with s beyond the order is no Ed25519 signature (RFC 8032 §5.1.7)', () => {
  const message = new TextEncoder().encode('message');
  const signature = Uint8Array.from(nobleEd25519Sign(seed)(message));
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`);
  const malleated = Uint8Array.from(signature);
  malleated.set(Buffer.from((s + order).toString(16).padStart(64, '0'), 'hex').reverse(), 32);
  const publicKey = nobleEd25519PublicKey(seed);
  expect(nobleSignatures.verifyEd25519(publicKey, message, signature)).toBe(true);
  expect(nobleSignatures.verifyEd25519(publicKey, message, malleated)).toBe(false);
});

test('a public key in a spelling of its own is no Ed25519 key (RFC 8032 §5.1.3)', () => {
  // y = p + 1 stands for the neutral element, with which anybody can "sign" anything.
  const neutral = new Uint8Array(32).fill(0xff);
  neutral[0] = 0xee;
  neutral[31] = 0x7f;
  const signature = new Uint8Array(64);
  signature[0] = 1;
  expect(nobleSignatures.verifyEd25519(neutral, new Uint8Array(0), signature)).toBe(false);
  expect(opensslSignatures.verifyEd25519(neutral, new Uint8Array(0), signature)).toBe(false);
});
