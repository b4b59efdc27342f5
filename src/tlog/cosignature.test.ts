import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Checkpoint, openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import {
  cosignatureTime,
  cosigner,
  ed25519Message,
  ed25519NoteSigner,
  mlDsa44Message,
  noteVerifier,
} from './cosignature.ts';
import { TlogError } from './errors.ts';
import { treeHasher } from './hash.ts';
import { verifyConsistency } from './merkle.ts';
import {
  nobleEd25519PublicKey,
  nobleEd25519Sign,
  nobleMlDsa44PublicKey,
  nobleMlDsa44Sign,
  nobleSignatures,
} from './noble.ts';
import { parseSignatureLines, verifyNote } from './note.ts';
import { parseVerifierKey, SIGNATURE_TYPES, verifierKey } from './note-key.ts';

function file(path: string): string {
  return readFileSync(new URL(`./testdata/${path}`, import.meta.url), 'utf8');
}

function verifiersIn(path: string) {
  const { verifier_keys } = JSON.parse(file(path)) as { readonly verifier_keys: readonly string[] };
  return verifier_keys.map((vkey) => noteVerifier(parseVerifierKey(vkey), nobleSignatures));
}

const seed = new Uint8Array(32).fill(5);
const ed25519Key = verifierKey(
  'witness.example/w1',
  SIGNATURE_TYPES.ed25519Cosignature,
  nobleEd25519PublicKey(seed),
);
const mlDsaKey = verifierKey(
  'witness.example/w1',
  SIGNATURE_TYPES.mlDsa44Cosignature,
  nobleMlDsa44PublicKey(seed),
);
const checkpoint: Checkpoint = {
  origin: 'example.com/log',
  size: 123,
  root: new Uint8Array(32).fill(1),
  extensions: [],
};

describe("Sunlight's witnesses", () => {
  test.each([
    ['mirror/checkpoint', 'mirror/mirror.v0.json'],
    ['witness/checkpoint', 'witness/witness.v0.json'],
    ['witness2/checkpoint', 'witness2/witness.v0.json'],
  ])('have cosigned %s', (note, keys) => {
    const { note: signed, checkpoint } = parseCheckpoint(file(`sunlight/${note}`));
    const verified = verifyNote(signed, verifiersIn(`sunlight/${keys}`));
    expect(verified.map(({ signature }) => cosignatureTime(signature))).toEqual([1767139200]);
    expect(checkpoint.size).toBe(300);
  });

  test('have not cosigned one another', () => {
    const { note } = parseCheckpoint(file('sunlight/mirror/checkpoint'));
    expect(() => verifyNote(note, verifiersIn('sunlight/witness/witness.v0.json'))).toThrow(/no signature/);
  });

  test('are beside a signature of Certificate Transparency, which is read and ignored', () => {
    const { checkpoint, note } = parseCheckpoint(file('sunlight/tree/checkpoint'));
    const { description, final_tree_head } = JSON.parse(file('sunlight/tree/log.v3.json')) as {
      readonly description: string;
      readonly final_tree_head: { readonly sha256_root_hash: string; readonly tree_size: number };
    };
    expect(checkpoint.origin).toBe(description);
    expect(checkpoint.size).toBe(final_tree_head.tree_size);
    expect(Buffer.from(checkpoint.root).toString('base64')).toBe(final_tree_head.sha256_root_hash);
    expect(note.signatures.map(({ name }) => name)).toEqual(['rome2026h1.example.org']);
  });
});

describe('the example of the specification', () => {
  test('was cosigned at the time that the text gives', () => {
    const { note } = parseCheckpoint(file('c2sp/cosigned-checkpoint.note'));
    expect(cosignatureTime(note.signatures[1]?.signature ?? new Uint8Array(0))).toBe(1679315147);
  });
});

describe("Torchwood's conversations with a witness", () => {
  interface Request {
    readonly old: number;
    readonly proof: readonly Uint8Array[];
    readonly checkpoint: string;
    readonly status: number;
  }

  function requests(path: string): Request[] {
    return file(path)
      .split('POST ')
      .slice(1)
      .map((part) => {
        const body = part.split('```\n')[1] ?? '';
        const [head = '', ...checkpoint] = body.split('\n\n');
        const [old = '', ...proof] = head.split('\n');
        return {
          old: Number(old.slice(4)),
          proof: proof.map((line) => Uint8Array.from(Buffer.from(line, 'base64'))),
          checkpoint: checkpoint.join('\n\n'),
          status: Number(/HTTP ([0-9]+)/.exec(part)?.[1]),
        };
      });
  }

  /** The checks of C2SP tlog-witness, in its order, over the functions under test. */
  function answers(
    conversation: readonly Request[],
    origin: string,
    vkey: ReturnType<typeof noteVerifier>,
  ): number[] {
    let head = { size: 0, root: treeHasher().emptyRoot };
    return conversation.map((request) => {
      try {
        const { checkpoint } = openCheckpoint(request.checkpoint, origin, [vkey]);
        if (request.old !== head.size) return 409;
        const claim = {
          oldSize: head.size,
          oldRoot: head.root,
          newSize: checkpoint.size,
          newRoot: checkpoint.root,
        };
        if (head.size > 0) verifyConsistency(claim, request.proof);
        head = checkpoint;
        return 200;
      } catch (error) {
        if (!(error instanceof TlogError)) throw error;
        return error.code === 'proof-rejected' ? 422 : 403;
      }
    });
  }

  test('with a Sigsum log get the answers that litewitness gives', () => {
    const publicKey = Buffer.from('ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f', 'hex');
    const origin = 'sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562';
    expect(Buffer.from(treeHasher().sha256(publicKey)).toString('hex')).toBe(origin.slice(-64));
    const verifier = noteVerifier(verifierKey(origin, SIGNATURE_TYPES.ed25519, publicKey), nobleSignatures);
    const conversation = requests('torchwood/litewitness.hurl');
    expect(conversation.length).toBe(9);
    expect(answers(conversation, origin, verifier)).toEqual(conversation.map(({ status }) => status));
  });

  test('with the Go checksum database get the answer that litewitness gives', () => {
    const vkey = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8';
    const verifier = noteVerifier(parseVerifierKey(vkey), nobleSignatures);
    expect(answers(requests('torchwood/sumdb.hurl'), 'go.sum database tree', verifier)).toEqual([200]);
  });

  test('with a log that signs with ML-DSA-44 get the answer that litewitness gives', () => {
    const verifier = noteVerifier(parseVerifierKey(file('torchwood/mldsa.vkey').trim()), nobleSignatures);
    expect(answers(requests('torchwood/mldsa.hurl'), 'example.com/mldsa-log', verifier)).toEqual([200]);
  });
});

describe.each([
  ['Ed25519', ed25519Key, nobleEd25519Sign(seed)],
  ['ML-DSA-44', mlDsaKey, nobleMlDsa44Sign(seed)],
])('%s cosignatures', (_name, key, sign) => {
  const verifier = noteVerifier(key, nobleSignatures);
  const text = signCheckpoint(checkpoint, [cosigner(key, sign, 1_700_000_000)]);

  test('verify and give their time', () => {
    const { signatures } = openCheckpoint(text, checkpoint.origin, [verifier]);
    expect(signatures.map(({ signature }) => cosignatureTime(signature))).toEqual([1_700_000_000]);
  });

  test('do not verify for another size, root or origin', () => {
    for (const [from, to] of [
      ['123', '124'],
      ['AQEB', 'AQEC'],
      ['example.com/log\n', 'example.com/lo\n'],
    ] as const) {
      const { note } = parseCheckpoint(text.replace(from, to));
      expect(() => verifyNote(note, [verifier])).toThrow(
        expect.objectContaining({ code: 'signature-rejected' }),
      );
    }
  });

  test('do not verify for another time', () => {
    const { note } = parseCheckpoint(text);
    const [signature] = note.signatures;
    if (signature === undefined) throw new Error('note has no signature');
    const later = Uint8Array.from(signature.signature, (byte, i) => (i === 7 ? byte ^ 1 : byte));
    const altered = { ...note, signatures: [{ ...signature, signature: later }] };
    expect(() => verifyNote(altered, [verifier])).toThrow(
      expect.objectContaining({ code: 'signature-rejected' }),
    );
  });

  test('are refused on a note that is no checkpoint', () => {
    expect(verifier.verify('not a checkpoint\n', new Uint8Array(72))).toBe(false);
    expect(() => cosigner(key, sign, 1).sign('not a checkpoint\n')).toThrow(TlogError);
  });

  test('are refused at a time that is not whole seconds', () => {
    for (const time of [-1, 1.5, Number.NaN, 2 ** 53])
      expect(() => cosigner(key, sign, time)).toThrow(TlogError);
  });
});

describe('cosignatures and extension lines', () => {
  const extended = { ...checkpoint, extensions: ['more'] };

  test('with Ed25519, the lines are covered', () => {
    const text = signCheckpoint(extended, [cosigner(ed25519Key, nobleEd25519Sign(seed), 1)]);
    const verifier = noteVerifier(ed25519Key, nobleSignatures);
    expect(openCheckpoint(text, checkpoint.origin, [verifier]).checkpoint.extensions).toEqual(['more']);
    expect(() => openCheckpoint(text.replace('more', 'less'), checkpoint.origin, [verifier])).toThrow(
      TlogError,
    );
  });

  test('with ML-DSA-44, they would not be, so none is made', () => {
    const signer = cosigner(mlDsaKey, nobleMlDsa44Sign(seed), 1);
    expect(() => signCheckpoint(extended, [signer])).toThrow(/do not cover/);
  });
});

describe('signed messages', () => {
  test('of Ed25519 are the lines of the specification', () => {
    const text = 'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
    expect(new TextDecoder().decode(ed25519Message(text, 1679315147))).toBe(
      `cosignature/v1\ntime 1679315147\n${text}`,
    );
  });

  test('of ML-DSA-44 are the bytes of the structure', () => {
    const message = mlDsa44Message({
      cosigner: 'w',
      time: 1,
      origin: 'o',
      start: 0,
      end: 258,
      root: new Uint8Array(32),
    });
    expect(Buffer.from(message).toString('hex')).toBe(
      `${Buffer.from('subtree/v1\n\0').toString('hex')}0177${'0000000000000001'}016f${'0'.repeat(16)}${'0000000000000102'}${'00'.repeat(32)}`,
    );
  });

  test('of ML-DSA-44 have limits', () => {
    const statement = { cosigner: 'w', time: 0, origin: 'o', start: 8, end: 13, root: new Uint8Array(32) };
    expect(() => mlDsa44Message(statement)).not.toThrow();
    for (const wrong of [
      { cosigner: '' },
      { cosigner: 'w'.repeat(256) },
      { origin: 'o'.repeat(256) },
      { time: 1 },
      { end: 7 },
      { root: new Uint8Array(31) },
    ]) {
      expect(() => mlDsa44Message({ ...statement, ...wrong })).toThrow(TlogError);
    }
  });
});

describe('times of cosignatures', () => {
  interface Row {
    readonly name: string;
    readonly base64: string;
    readonly time: number | null;
  }

  test.each(JSON.parse(file('formats/cosignature-times.json')) as Row[])(
    'of the transparency-dev table: $name',
    ({ base64, time }) => {
      const read = () =>
        parseSignatureLines(`— a ${base64}\n`).map(({ signature }) => cosignatureTime(signature));
      if (time === null) expect(read).toThrow(TlogError);
      else expect(read()).toEqual([time]);
    },
  );

  test('beyond 2^53 are refused', () => {
    const signature = new Uint8Array(72);
    signature[1] = 0x20;
    expect(() => cosignatureTime(signature)).toThrow(
      expect.objectContaining({ code: 'malformed-cosignature' }),
    );
  });
});

test('keys of one type do not make signatures of another', () => {
  expect(() => ed25519NoteSigner(ed25519Key, nobleEd25519Sign(seed))).toThrow(/type 4/);
  const logKey = verifierKey('example.com/log', SIGNATURE_TYPES.ed25519, nobleEd25519PublicKey(seed));
  expect(() => cosigner(logKey, nobleEd25519Sign(seed), 1)).toThrow(/type 1/);
});
