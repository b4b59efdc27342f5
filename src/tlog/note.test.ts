import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ed25519NoteSigner, noteVerifier } from './cosignature.ts';
import { TlogError } from './errors.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign, nobleSignatures } from './noble.ts';
import {
  formatNote,
  MAX_NOTE_BYTES,
  MAX_SIGNATURES,
  parseNote,
  parseSignatureLines,
  signNote,
  verifyKnownSignatures,
  verifyNote,
} from './note.ts';
import { parseVerifierKey, SIGNATURE_TYPES, verifierKey } from './note-key.ts';

function file(path: string): string {
  return readFileSync(new URL(`./testdata/${path}`, import.meta.url), 'utf8');
}

function verifierOf(vkey: string) {
  return noteVerifier(parseVerifierKey(vkey.trim()), nobleSignatures);
}

const seed = new Uint8Array(32).fill(7);
const key = verifierKey('example.com/log', SIGNATURE_TYPES.ed25519, nobleEd25519PublicKey(seed));
const signer = ed25519NoteSigner(key, nobleEd25519Sign(seed));
const verifier = noteVerifier(key, nobleSignatures);

describe('the examples of the specification', () => {
  test('verify, where their key is given', () => {
    const note = parseNote(file('c2sp/example.note'));
    expect(note.text).toBe('This is an example message.\n');
    expect(verifyNote(note, [verifierOf(file('c2sp/example.vkey'))])).toHaveLength(1);
  });

  test.each(['poem.note', 'example.note', 'checkpoint.note', 'cosigned-checkpoint.note'])(
    '%s is written again as it was read',
    (name) => {
      const text = file(`c2sp/${name}`);
      expect(formatNote(parseNote(text))).toBe(text);
      expect(parseNote(new TextEncoder().encode(text))).toEqual(parseNote(text));
    },
  );

  test('keep blank lines of the text', () => {
    const { text, signatures } = parseNote(file('c2sp/poem.note'));
    expect(text).toMatch(/sole:\n\ned è subito sera\.\n$/);
    expect(signatures.map(({ name }) => name)).toEqual(['quasimodo.example/salvatore']);
  });

  test('of what a witness returns are signature lines', () => {
    const lines = parseSignatureLines(file('c2sp/add-checkpoint.response'));
    expect(lines.map(({ name }) => name)).toEqual([
      'witness.example/w1',
      'witness.example/w1',
      'witness.example/w2',
    ]);
  });
});

describe('notes signed elsewhere', () => {
  interface Notes {
    readonly sumdb: { readonly vkey: string; readonly note: string };
    readonly manySignatures: { readonly vkeys: readonly string[]; readonly signatures: readonly string[] };
    readonly ecdsa: readonly string[];
  }
  const notes = JSON.parse(file('formats/notes.json')) as Notes;

  test('by the Go checksum database verify', () => {
    expect(verifyNote(parseNote(notes.sumdb.note), [verifierOf(notes.sumdb.vkey)])).toHaveLength(1);
  });

  test('by several keys verify, and signatures of unknown keys are ignored', () => {
    const note = parseNote(`${notes.sumdb.note}${notes.manySignatures.signatures.join('\n')}\n`);
    const verifiers = [notes.sumdb.vkey, ...notes.manySignatures.vkeys].map(verifierOf);
    expect(verifyNote(note, verifiers).map((signature) => signature.verifier.name)).toEqual([
      'sum.golang.org',
      'monkeys',
      'bananas',
      'witness',
    ]);
    expect(note.signatures).toHaveLength(6);
  });

  test('with ECDSA are read', () => {
    for (const text of notes.ecdsa) expect(formatNote(parseNote(text))).toBe(text);
  });
});

describe('verifying', () => {
  const note = signNote('hello\n', [signer]);

  test('accepts what was signed', () => {
    expect(verifyNote(note, [verifier]).map((verified) => verified.verifier)).toEqual([verifier]);
  });

  test('rejects the note when a known key fails, even beside a good signature', () => {
    const altered = { ...note, text: 'hullo\n' };
    expect(() => verifyNote(altered, [verifier])).toThrow(
      expect.objectContaining({ code: 'signature-rejected' }),
    );
    const bad = { ...signer, ...note.signatures[0], signature: new Uint8Array(64) };
    const both = { ...note, signatures: [...note.signatures, bad] };
    expect(() => verifyNote(both, [verifier])).toThrow(
      expect.objectContaining({ code: 'signature-rejected' }),
    );
  });

  test('ignores a key that shares only the name or only the key ID', () => {
    for (const other of [
      { ...verifier, name: 'other' },
      { ...verifier, keyId: 1 },
    ]) {
      expect(() => verifyNote(note, [other])).toThrow(expect.objectContaining({ code: 'signature-missing' }));
      expect(verifyKnownSignatures(note, [other])).toEqual([]);
    }
  });

  test('refuses verifiers that cannot be told apart', () => {
    expect(() => verifyNote(note, [verifier, verifier])).toThrow(
      expect.objectContaining({ code: 'malformed-key' }),
    );
  });
});

describe('malformed notes', () => {
  const line = formatNote(signNote('hello\n', [signer])).split('\n')[2] ?? '';

  test.each([
    ['no blank line', `hello\n${line}\n`],
    ['no signature', 'hello\n\n'],
    ['no final newline', `hello\n\n${line}`],
    ['a blank line at the end', `hello\n\n${line}\n\n`],
    ['a carriage return', `hello\r\n\n${line}\n`],
    ['a tab', `hel\tlo\n\n${line}\n`],
    ['a null', `hel\0lo\n\n${line}\n`],
    ['a hyphen for the dash', `hello\n\n${line.replace('—', '-')}\n`],
    ['two spaces', `hello\n\n${line.replace(' ', '  ')}\n`],
    ['a space after the signature', `hello\n\n${line} \n`],
    ['a space in the name', `hello\n\n${line.replace('/', ' ')}\n`],
    ['a plus in the name', `hello\n\n${line.replace('/', '+')}\n`],
    ['a no-break space in the name', `hello\n\n${line.replace('/', '\u00a0')}\n`],
    ['no name', `hello\n\n— ${line.split(' ')[2]}\n`],
    ['base64 without padding', `hello\n\n${line.replace(/=+$/, '')}\n`],
    ['base64url', `hello\n\n${line.replace(/.$/, '_')}\n`],
    ['base64 with bits left over', `hello\n\n— a AAAAAAH=\n`],
    ['a signature of no bytes', `hello\n\n— a AAAAAA==\n`],
    ['a lone surrogate', `hel\ud800lo\n\n${line}\n`],
  ])('with %s are refused', (_what, text) => {
    expect(() => parseNote(text)).toThrow(expect.objectContaining({ code: 'malformed-note' }));
  });

  test('that are not UTF-8 are refused', () => {
    expect(() => parseNote(Uint8Array.of(0xff, 10, 10))).toThrow(TlogError);
  });

  test('that are too long or have too many signatures are refused', () => {
    expect(() => parseNote('a'.repeat(MAX_NOTE_BYTES + 1))).toThrow(/longer/);
    expect(parseNote(`a\n\n${`${line}\n`.repeat(MAX_SIGNATURES)}`).signatures).toHaveLength(MAX_SIGNATURES);
    expect(() => parseNote(`a\n\n${`${line}\n`.repeat(MAX_SIGNATURES + 1)}`)).toThrow(/more than 100/);
  });

  test.each(['', 'no newline', 'a\rb\n', 'tab\t\n'])('are not made from the text %j', (text) => {
    expect(() => signNote(text, [signer])).toThrow(TlogError);
  });

  test('are not made without a signer', () => {
    expect(() => signNote('hello\n', [])).toThrow(/no signature/);
  });
});

describe('any text', () => {
  test('that can be signed is read back unchanged', () => {
    const anyText = fc.string({ unit: 'grapheme' }).map((text) => `${text.replace(/\p{Cc}/gu, '\n')}\n`);
    fc.assert(
      fc.property(anyText, (text) => {
        const note = signNote(text, [{ ...signer, sign: () => new Uint8Array(64) }]);
        expect(parseNote(formatNote(note))).toEqual(note);
      }),
    );
  });

  test('is refused with the typed error, or is the one spelling of its note', () => {
    const pieces = fc.constantFrom(
      '\n',
      '\n\n',
      '— ',
      'a',
      'name ',
      'AAAAAAAA',
      'Uw2QOkn8',
      '=',
      '+',
      ' ',
      '\t',
      'é',
      '\u2028',
    );
    const anyText = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        try {
          expect(formatNote(parseNote(text))).toBe(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TlogError);
        }
      }),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => parseNote(bytes)).toThrow(TlogError);
      }),
    );
  });
});
