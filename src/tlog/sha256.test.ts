import { hash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { treeHasher } from './hash.ts';
import { sha256 } from './sha256.ts';

function nodeSha256(data: Uint8Array): Uint8Array {
  return Uint8Array.from(hash('sha256', data, 'buffer'));
}

test.each([
  ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
])('digest of "%s" is the one FIPS 180 gives', (text, hex) => {
  expect(Buffer.from(sha256(new TextEncoder().encode(text))).toString('hex')).toBe(hex);
});

test('digest of every length around the block boundaries agrees with OpenSSL', () => {
  for (let length = 0; length < 300; length++) {
    const data = Uint8Array.from({ length }, (_, i) => (i * 31 + length) % 256);
    expect(sha256(data)).toEqual(nodeSha256(data));
  }
});

test('digest of a view into a larger buffer covers the view only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat(70), (data, offset) => {
      const view = data.subarray(Math.min(offset, data.length));
      expect(sha256(view)).toEqual(nodeSha256(view));
    }),
  );
});

test('leaf hashes do not depend on what was hashed before', () => {
  const shared = treeHasher();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 10_000 }), (entry) => {
      expect(shared.leaf(entry)).toEqual(treeHasher().leaf(entry));
      expect(shared.leaf(entry)).toEqual(nodeSha256(Uint8Array.of(0, ...entry)));
    }),
  );
});
