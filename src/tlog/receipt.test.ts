import { createPublicKey, generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { TlogError } from './errors.ts';
import { treeHasher } from './hash.ts';
import { MemoryTree } from './memory-tree.ts';
import { rootFromConsistency, rootFromInclusion } from './merkle.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign, nobleSignatures } from './noble.ts';
import {
  issueConsistencyReceipt,
  issueInclusionReceipt,
  parseReceipt,
  type ReceiptKey,
  type ReceiptSigner,
  verifyConsistencyReceipt,
  verifyInclusionReceipt,
} from './receipt.ts';

const hasher = treeHasher();
const tree = new MemoryTree(hasher);
for (let i = 0; i < 20; i++) tree.append(new TextEncoder().encode(`record ${i}`));

function example(name: string): Uint8Array {
  return Uint8Array.from(readFileSync(new URL(`./testdata/cose/${name}`, import.meta.url)));
}

function leafOf(index: number): Uint8Array {
  return tree.read(0, index);
}

const seed = new Uint8Array(32).fill(8);
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const point = p256.publicKey.export({ format: 'der', type: 'spki' }).subarray(-65);

const signers: readonly [string, ReceiptSigner, ReceiptKey][] = [
  [
    'Ed25519',
    {
      algorithm: 'ed25519',
      sign: nobleEd25519Sign(seed),
      keyId: Uint8Array.of(1),
      issuer: 'https://log.example',
    },
    { algorithm: 'ed25519', publicKey: nobleEd25519PublicKey(seed) },
  ],
  [
    'ES256',
    {
      algorithm: 'es256',
      sign: (message) => nodeSign('sha256', message, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' }),
      subject: 'record',
    },
    { algorithm: 'es256', publicKey: Uint8Array.from(point) },
  ],
];

function inclusionReceipt(signer: ReceiptSigner, index: number, size = tree.size): Uint8Array {
  const claim = { index, size, leaf: leafOf(index), root: tree.root(size) };
  return issueInclusionReceipt(claim, tree.inclusionProof(index, size), signer, hasher);
}

function consistencyReceipt(signer: ReceiptSigner, oldSize: number, newSize = tree.size): Uint8Array {
  const claim = { oldSize, newSize, oldRoot: tree.root(oldSize), newRoot: tree.root(newSize) };
  return issueConsistencyReceipt(claim, tree.consistencyProof(oldSize, newSize), signer, hasher);
}

function code(code: string) {
  return expect.objectContaining({ code });
}

describe.each(signers)('receipts signed with %s', (_name, signer, key) => {
  test('of inclusion verify for their entry, in every tree', () => {
    for (const [index, size] of [
      [0, 1],
      [3, 5],
      [17, 20],
      [19, 20],
    ] as const) {
      const verified = verifyInclusionReceipt(
        inclusionReceipt(signer, index, size),
        leafOf(index),
        key,
        nobleSignatures,
      );
      expect(verified).toEqual({ index, size, root: tree.root(size) });
    }
  });

  test('of inclusion do not verify for another entry', () => {
    const receipt = inclusionReceipt(signer, 17);
    expect(() => verifyInclusionReceipt(receipt, leafOf(16), key, nobleSignatures)).toThrow(
      code('signature-rejected'),
    );
  });

  test('of consistency lead from a tree that is known to the newer one', () => {
    const old = { size: 7, root: tree.root(7) };
    const receipt = consistencyReceipt(signer, 7);
    expect(verifyConsistencyReceipt(receipt, old, key, nobleSignatures)).toEqual({
      size: 20,
      root: tree.root(),
    });
  });

  test('of consistency do not verify from another tree', () => {
    const receipt = consistencyReceipt(signer, 7);
    const verify = (size: number, root: Uint8Array) => () =>
      verifyConsistencyReceipt(receipt, { size, root }, key, nobleSignatures);
    expect(verify(7, tree.root(8))).toThrow(code('proof-rejected'));
    expect(verify(8, tree.root(8))).toThrow(code('proof-rejected'));
    expect(verify(8, tree.root(7))).toThrow(code('proof-rejected'));
  });

  test('are not taken for one another', () => {
    const [of, old] = [consistencyReceipt(signer, 7), { size: 7, root: tree.root(7) }];
    expect(() => verifyInclusionReceipt(of, leafOf(7), key, nobleSignatures)).toThrow(
      code('malformed-receipt'),
    );
    const other = inclusionReceipt(signer, 7);
    expect(() => verifyConsistencyReceipt(other, old, key, nobleSignatures)).toThrow(
      code('malformed-receipt'),
    );
  });

  test('do not verify with any bit changed', () => {
    const receipt = inclusionReceipt(signer, 17);
    fc.assert(
      fc.property(fc.nat(receipt.length - 1), fc.nat(7), (at, bit) => {
        const changed = Uint8Array.from(receipt, (byte, i) => (i === at ? byte ^ (1 << bit) : byte));
        expect(() => verifyInclusionReceipt(changed, leafOf(17), key, nobleSignatures)).toThrow(TlogError);
      }),
      { numRuns: 150 },
    );
  });

  test('say what they say', () => {
    const receipt = parseReceipt(inclusionReceipt(signer, 17));
    expect(receipt).toMatchObject({ kind: 'inclusion', size: 20, index: 17, algorithm: signer.algorithm });
    expect([receipt.keyId, receipt.issuer, receipt.subject]).toEqual([
      signer.keyId,
      signer.issuer,
      signer.subject,
    ]);
    expect(receipt.payload).toBeUndefined();
  });
});

describe('a key', () => {
  const [[, ed25519Signer, ed25519Key], [, , es256Key]] = signers as [
    (typeof signers)[0],
    (typeof signers)[0],
  ];

  test('decides the algorithm, whatever the receipt says', () => {
    const receipt = inclusionReceipt(ed25519Signer, 3);
    expect(() => verifyInclusionReceipt(receipt, leafOf(3), es256Key, nobleSignatures)).toThrow(
      code('signature-rejected'),
    );
  });

  test('accepts both numbers of its algorithm, and no other', () => {
    const renamed = (alg: number) => {
      const header = encodeCbor(
        new Map([
          [1, alg],
          [395, 1],
        ]),
      );
      const message = encodeCbor(['Signature1', header, new Uint8Array(0), tree.root()]);
      return changed(inclusionReceipt(ed25519Signer, 3), (parts) => [
        header,
        parts[1] ?? null,
        null,
        nobleEd25519Sign(seed)(message),
      ]);
    };
    verifyInclusionReceipt(renamed(-19), leafOf(3), ed25519Key, nobleSignatures);
    // Signed by this very key, but under the name of another algorithm.
    expect(() => verifyInclusionReceipt(renamed(-7), leafOf(3), ed25519Key, nobleSignatures)).toThrow(
      code('signature-rejected'),
    );
    expect(() => verifyInclusionReceipt(renamed(-35), leafOf(3), ed25519Key, nobleSignatures)).toThrow(
      code('unsupported'),
    );
  });
});

describe('the examples of the draft', () => {
  test('are read, though their map keys are not in order', () => {
    expect(parseReceipt(example('inclusion-receipt.cbor'))).toMatchObject({
      kind: 'inclusion',
      size: 5,
      index: 3,
      algorithm: 'es256',
      keyId: new TextEncoder().encode('test-key-1'),
      issuer: 'https://transparency-service.example.com',
    });
    expect(parseReceipt(example('consistency-receipt.cbor'))).toMatchObject({
      kind: 'consistency',
      oldSize: 3,
      newSize: 5,
    });
  });

  test('prove one tree: its leaf 3 is in the consistency proof, and both lead to one root', () => {
    const inclusion = parseReceipt(example('inclusion-receipt.cbor'));
    const consistency = parseReceipt(example('consistency-receipt.cbor'));
    if (inclusion.kind !== 'inclusion' || consistency.kind !== 'consistency')
      throw new Error('examples changed');
    const [leaf2, leaf3, leaves01] = consistency.hashes;
    if (leaf2 === undefined || leaf3 === undefined || leaves01 === undefined)
      throw new Error('examples changed');
    const claim = { oldSize: 3, newSize: 5, oldRoot: hasher.node(leaves01, leaf2) };
    const root = rootFromConsistency(claim, consistency.hashes);
    expect(rootFromInclusion({ index: 3, size: 5, leaf: leaf3 }, inclusion.hashes)).toEqual(root);
  });

  test('are written again byte for byte', () => {
    for (const name of ['inclusion-receipt.cbor', 'consistency-receipt.cbor']) {
      expect(encodeCbor(decodeCbor(example(name)))).toEqual(example(name));
    }
  });
});

describe('receipts of scitt-cose', () => {
  const directory = new URL('./testdata/scitt-cose/', import.meta.url);
  const names = readdirSync(directory).filter((name) => !name.endsWith('.md'));

  interface Expected {
    readonly leaf_entry: string;
    readonly leaf_index: number;
    readonly tree_size: number;
    readonly reconstructed_root: string;
    readonly receipt_valid: boolean;
    readonly protected_header: { readonly receipt: { readonly alg: string; readonly vds: number } };
  }

  test.each(names)('%s', (name) => {
    const file = (path: string) => readFileSync(new URL(`${name}/${path}`, directory));
    const expected = JSON.parse(file('expected.json').toString()) as Expected;
    const { alg, vds } = expected.protected_header.receipt;
    const spki = createPublicKey(file('log-key.pub')).export({ format: 'der', type: 'spki' });
    const key: ReceiptKey =
      alg === 'EdDSA'
        ? { algorithm: 'ed25519', publicKey: Uint8Array.from(spki.subarray(-32)) }
        : { algorithm: 'es256', publicKey: Uint8Array.from(spki.subarray(-65)) };
    const leaf = hasher.leaf(Uint8Array.from(Buffer.from(expected.leaf_entry, 'hex')));
    const verify = () =>
      verifyInclusionReceipt(Uint8Array.from(file('receipt.cose')), leaf, key, nobleSignatures);
    // Trees of the Confidential Consortium Framework (2) are not RFC 9162 trees.
    if (vds !== 1) expect(verify).toThrow(code('unsupported'));
    else if (!expected.receipt_valid) expect(verify).toThrow(code('signature-rejected'));
    else {
      const { index, size, root } = verify();
      expect([index, size]).toEqual([expected.leaf_index, expected.tree_size]);
      expect(Buffer.from(root).toString('hex')).toBe(expected.reconstructed_root);
    }
  });

  test('are all there', () => {
    expect(names).toHaveLength(6);
  });
});

/** A receipt with its four parts replaced. */
function changed(receipt: Uint8Array, change: (parts: readonly CborValue[]) => CborValue): Uint8Array {
  const sign1 = decodeCbor(receipt);
  if (sign1 === null || typeof sign1 !== 'object' || !('kind' in sign1) || !Array.isArray(sign1.value)) {
    throw new Error('not a receipt');
  }
  return encodeCbor({ ...sign1, value: change(sign1.value) });
}

describe('malformed receipts', () => {
  const [[, signer, key]] = signers as [(typeof signers)[0]];
  const good = inclusionReceipt(signer, 17);
  const proofs = (value: CborValue) => new Map([[396, value]]);
  const inclusion = (...proof: CborValue[]) => proofs(new Map([[-1, [encodeCbor(proof)]]]));
  const sound = encodeCbor([20, 17, []]);
  const header = (...entries: [number, CborValue][]) => encodeCbor(new Map(entries));

  test.each<[string, (parts: readonly CborValue[]) => CborValue]>([
    ['no list', () => 1],
    ['three parts', ([a = 0, b = 0, c = 0]) => [a, b, c]],
    ['five parts', (parts) => [...parts, 0]],
    ['a signature that is text', ([a = 0, b = 0, c = 0]) => [a, b, c, 'x']],
    ['a payload that is text', ([a = 0, b = 0, , d = 0]) => [a, b, 'x', d]],
    ['a header that is a map', ([, ...rest]) => [new Map(), ...rest]],
    ['a header that is not CBOR', ([, ...rest]) => [Uint8Array.of(0xff), ...rest]],
    ['no algorithm', ([, ...rest]) => [header([395, 1]), ...rest]],
    ['another data structure', ([, ...rest]) => [header([1, -8], [395, 2]), ...rest]],
    ['a critical header', ([, ...rest]) => [header([1, -8], [2, [395]], [395, 1]), ...rest]],
    ['a key ID that is text', ([, ...rest]) => [header([1, -8], [4, 'x'], [395, 1]), ...rest]],
    [
      'a label in both headers',
      ([a = 0, , ...rest]) => [
        a,
        new Map<number, CborValue>([
          [395, 1],
          [396, new Map([[-1, [encodeCbor([20, 17, []])]]])],
        ]),
        ...rest,
      ],
    ],
    ['no proofs', ([a = 0, , ...rest]) => [a, new Map(), ...rest]],
    ['an empty map of proofs', ([a = 0, , ...rest]) => [a, proofs(new Map()), ...rest]],
    ['an empty list of proofs', ([a = 0, , ...rest]) => [a, proofs(new Map([[-1, []]])), ...rest]],
    [
      'two types of proof',
      ([a = 0, , ...rest]) => [
        a,
        proofs(
          new Map([
            [-1, [sound]],
            [-2, [sound]],
          ]),
        ),
        ...rest,
      ],
    ],
    ['two proofs', ([a = 0, , ...rest]) => [a, proofs(new Map([[-1, [sound, sound]]])), ...rest]],
    ['a proof of two parts', ([a = 0, , ...rest]) => [a, inclusion(1, 2), ...rest]],
    ['a negative size', ([a = 0, , ...rest]) => [a, inclusion(-1, 2, []), ...rest]],
  ])('with %s are not read', (_what, change) => {
    expect(() => parseReceipt(changed(good, change))).toThrow(TlogError);
  });

  test.each<[string, (parts: readonly CborValue[]) => CborValue]>([
    ['an index beyond the size', ([a = 0, , ...rest]) => [a, inclusion(2, 2, []), ...rest]],
    ['a path of texts', ([a = 0, , ...rest]) => [a, inclusion(2, 1, ['x']), ...rest]],
    ['a path of short hashes', ([a = 0, , ...rest]) => [a, inclusion(2, 1, [Uint8Array.of(1)]), ...rest]],
    ['another root as payload', ([a = 0, b = 0, , d = 0]) => [a, b, new Uint8Array(32), d]],
  ])('with %s are refused', (_what, change) => {
    const receipt = changed(good, change);
    expect(() => verifyInclusionReceipt(receipt, leafOf(17), key, nobleSignatures)).toThrow(TlogError);
  });

  test('that carry the right root are accepted', () => {
    const attached = changed(good, ([a = 0, b = 0, , d = 0]) => [a, b, tree.root(), d]);
    verifyInclusionReceipt(attached, leafOf(17), key, nobleSignatures);
  });

  test('that are too long or another kind of CBOR are refused', () => {
    expect(() => parseReceipt(new Uint8Array(65_537))).toThrow(code('malformed-receipt'));
    expect(() => parseReceipt(encodeCbor([]))).toThrow(code('malformed-receipt'));
    expect(() => parseReceipt(encodeCbor({ kind: 'tag', tag: 17, value: [] }))).toThrow(
      code('malformed-receipt'),
    );
  });

  test('are not issued for a proof that does not hold', () => {
    const claim = { index: 3, size: 20, leaf: leafOf(4), root: tree.root() };
    expect(() => issueInclusionReceipt(claim, tree.inclusionProof(3), signer)).toThrow(
      code('proof-rejected'),
    );
    const growth = { oldSize: 7, newSize: 20, oldRoot: tree.root(8), newRoot: tree.root() };
    expect(() => issueConsistencyReceipt(growth, tree.consistencyProof(7), signer)).toThrow(
      code('proof-rejected'),
    );
    expect(() => consistencyReceipt(signer, 20)).toThrow(/same size/);
  });

  test('of any bytes are refused with the typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => parseReceipt(bytes)).toThrow(TlogError);
      }),
    );
  });
});
