import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import { cosigner, ed25519NoteSigner } from './cosignature.ts';
import { TlogError } from './errors.ts';
import { treeHasher } from './hash.ts';
import { MemoryTree } from './memory-tree.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign, nobleSignatures } from './noble.ts';
import { formatVerifierKey, SIGNATURE_TYPES, verifierKey } from './note-key.ts';
import { parsePolicy } from './policy.ts';
import { formatProof, parseProof, type TlogProof, verifyProof } from './proof.ts';

const hasher = treeHasher();
const origin = 'example.com/log';
const [logSeed, witnessSeed] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
const logKey = verifierKey(origin, SIGNATURE_TYPES.ed25519, nobleEd25519PublicKey(logSeed));
const witnessKey = verifierKey(
  'w.example',
  SIGNATURE_TYPES.ed25519Cosignature,
  nobleEd25519PublicKey(witnessSeed),
);
const policy = parsePolicy(
  `log ${formatVerifierKey(logKey)}\nwitness w ${formatVerifierKey(witnessKey)}\nquorum w\n`,
);
const logSigner = ed25519NoteSigner(logKey, nobleEd25519Sign(logSeed));
const witness = cosigner(witnessKey, nobleEd25519Sign(witnessSeed), 1_700_000_000);

const tree = new MemoryTree(hasher);
for (let i = 0; i < 300; i++) tree.append(new TextEncoder().encode(`record ${i}`));
const head = { origin, size: tree.size, root: tree.root(), extensions: [] };
const cosigned = parseCheckpoint(signCheckpoint(head, [logSigner, witness]));

function proofOf(index: number): TlogProof {
  return { index, hashes: tree.inclusionProof(index), checkpoint: cosigned, extra: undefined };
}

function leafOf(index: number): Uint8Array {
  return hasher.leaf(new TextEncoder().encode(`record ${index}`));
}

function code(code: string) {
  return expect.objectContaining({ code });
}

describe('proofs', () => {
  test('verify for their entry, after being written and read', () => {
    for (const index of [0, 1, 255, 256, 299]) {
      const read = parseProof(formatProof(proofOf(index)));
      const { cosignatures } = verifyProof(read, leafOf(index), policy, nobleSignatures, hasher);
      expect(cosignatures.map(({ time }) => time)).toEqual([1_700_000_000]);
    }
  });

  test('carry extra data that changes nothing', () => {
    const extra = Uint8Array.of(1, 2, 3);
    const read = parseProof(formatProof({ ...proofOf(5), extra }));
    expect(read.extra).toEqual(extra);
    verifyProof(read, leafOf(5), policy, nobleSignatures, hasher);
  });

  test('do not verify for another entry, index or proof', () => {
    const verify = (proof: TlogProof, leaf: Uint8Array) => () =>
      verifyProof(proof, leaf, policy, nobleSignatures, hasher);
    expect(verify(proofOf(5), leafOf(6))).toThrow(code('proof-rejected'));
    expect(verify({ ...proofOf(5), index: 6 }, leafOf(5))).toThrow(code('proof-rejected'));
    expect(verify({ ...proofOf(5), index: 300 }, leafOf(5))).toThrow(code('out-of-range'));
    expect(verify({ ...proofOf(5), hashes: [] }, leafOf(5))).toThrow(code('proof-rejected'));
    expect(verify(proofOf(5), new Uint8Array(31))).toThrow(code('malformed-hash'));
  });

  test('do not verify without the log or without the quorum', () => {
    const with_ = (...signers: Parameters<typeof signCheckpoint>[1]) => ({
      ...proofOf(5),
      checkpoint: parseCheckpoint(signCheckpoint(head, signers)),
    });
    const verify = (proof: TlogProof) => () => verifyProof(proof, leafOf(5), policy, nobleSignatures, hasher);
    expect(verify(with_(logSigner))).toThrow(code('quorum-not-met'));
    expect(verify(with_(witness))).toThrow(code('signature-missing'));
  });
});

describe('the transparency-dev table', () => {
  const { valid, invalid } = JSON.parse(
    readFileSync(new URL('./testdata/formats/proofs.json', import.meta.url), 'utf8'),
  ) as {
    readonly valid: readonly string[];
    readonly invalid: readonly { readonly name: string; readonly proof: string }[];
  };

  test.each(valid)('of proofs that are read: %j', (text) => {
    // Its checkpoints are placeholders such as `checkpoint`; ours has to be one.
    expect(() => parseProof(text)).toThrow(code('malformed-note'));
    const proof = text.slice(0, text.indexOf('\n\n') + 2) + signCheckpoint(head, [logSigner]);
    expect(formatProof(parseProof(proof))).toBe(proof);
  });

  test.each(invalid)('of proofs that are refused: $name', ({ proof }) => {
    expect(() => parseProof(proof)).toThrow(code('malformed-proof'));
  });
});

describe('malformed proofs', () => {
  const text = formatProof({ ...proofOf(5), extra: Uint8Array.of(1) });

  test.each([
    ['no extra data after the word', text.replace('extra AQ==', 'extra ')],
    ['two extra lines', text.replace('extra AQ==', 'extra AQ==\nextra AQ==')],
    ['extra after the index', text.replace('extra AQ==\nindex 5', 'index 5\nextra AQ==')],
    ['a leading zero', text.replace('index 5', 'index 05')],
    ['two spaces', text.replace('index 5', 'index  5')],
    ['an index beyond 2^53 - 1', text.replace('index 5', 'index 9007199254740992')],
    ['another version', text.replace('@v1', '@v2')],
    ['a carriage return', text.replace('index 5', 'index 5\r')],
    ['64 hashes', text.replace('index 5', `index 5${`\n${'A'.repeat(43)}=`.repeat(64)}`)],
    ['nothing', ''],
    ['no blank line', text.replace('\n\n', '\n')],
  ])('with %s are refused', (_what, malformed) => {
    expect(() => parseProof(malformed)).toThrow(TlogError);
  });

  test('are not written', () => {
    expect(() => formatProof({ ...proofOf(5), index: 300 })).toThrow(code('out-of-range'));
    expect(() => formatProof({ ...proofOf(5), extra: new Uint8Array(0) })).toThrow(code('malformed-proof'));
    expect(() => formatProof({ ...proofOf(5), hashes: [new Uint8Array(5)] })).toThrow(code('malformed-hash'));
  });

  test('made by changing a good one anywhere are refused, or are the one spelling of what they say', () => {
    const insertions = fc.constantFrom('', '\n', ' ', 'A', '=', '0', '—', '\0', 'extra ', 'index ');
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(40), insertions, (at, cut, insertion) => {
        const changed = text.slice(0, at) + insertion + text.slice(at + cut);
        try {
          expect(formatProof(parseProof(changed))).toBe(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(TlogError);
        }
      }),
      { numRuns: 5000 },
    );
  });

  test('of any bytes are refused with the typed error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string()), (input) => {
        expect(() => parseProof(input)).toThrow(TlogError);
      }),
    );
  });
});
