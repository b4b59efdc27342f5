import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Checkpoint,
  formatCheckpointText,
  openCheckpoint,
  parseCheckpoint,
  parseCheckpointText,
  signCheckpoint,
} from './checkpoint.ts';
import { ed25519NoteSigner, noteVerifier } from './cosignature.ts';
import { TlogError } from './errors.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign, nobleSignatures } from './noble.ts';
import { SIGNATURE_TYPES, verifierKey } from './note-key.ts';

function file(path: string): string {
  return readFileSync(new URL(`./testdata/${path}`, import.meta.url), 'utf8');
}

const origin = 'example.com/log';
const seed = new Uint8Array(32).fill(3);
const key = verifierKey(origin, SIGNATURE_TYPES.ed25519, nobleEd25519PublicKey(seed));
const signer = ed25519NoteSigner(key, nobleEd25519Sign(seed));
const verifier = noteVerifier(key, nobleSignatures);
const checkpoint: Checkpoint = { origin, size: 42, root: new Uint8Array(32).fill(9), extensions: [] };

describe('checkpoints', () => {
  test('of the specification are read', () => {
    const { checkpoint } = parseCheckpoint(file('c2sp/checkpoint.note'));
    expect({ ...checkpoint, root: Buffer.from(checkpoint.root).toString('base64') }).toEqual({
      origin: 'example.com/behind-the-sofa',
      size: 20852163,
      root: 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=',
      extensions: [],
    });
  });

  test('within a request to a witness are read', () => {
    const request = file('c2sp/add-checkpoint.request');
    const { note } = parseCheckpoint(request.slice(request.indexOf('\n\n') + 2));
    expect(note.signatures).toHaveLength(2);
  });

  test('that were signed open, and give back what was signed', () => {
    const text = signCheckpoint(checkpoint, [signer]);
    const opened = openCheckpoint(text, origin, [verifier]);
    expect(opened.checkpoint).toEqual(checkpoint);
    expect(opened.signatures).toHaveLength(1);
  });

  test('of another log, altered, or signed by nobody known do not open', () => {
    const text = signCheckpoint(checkpoint, [signer]);
    const code = (code: string) => expect.objectContaining({ code });
    expect(() => openCheckpoint(text, 'example.com/other', [verifier])).toThrow(code('wrong-origin'));
    expect(() => openCheckpoint(text.replace('42', '43'), origin, [verifier])).toThrow(
      code('signature-rejected'),
    );
    expect(() => openCheckpoint(text, origin, [])).toThrow(code('signature-missing'));
  });

  test('are read back as they were written', () => {
    const anyLine = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
      .filter((line) => !/\p{Cc}/u.test(line));
    const anyCheckpoint = fc.record({
      origin: anyLine.filter((line) => new TextEncoder().encode(line).length <= 255),
      size: fc.maxSafeNat(),
      root: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      extensions: fc.array(anyLine, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(anyCheckpoint, (any) => {
        expect(parseCheckpointText(formatCheckpointText(any))).toEqual(any);
      }),
    );
  });
});

describe('malformed checkpoints', () => {
  const root = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=';

  test.each([
    ['nothing', ''],
    ['two lines', `log\n1\n`],
    ['no final newline', `log\n1\n${root}`],
    ['an empty origin', `\n1\n${root}\n`],
    ['a leading zero', `log\n01\n${root}\n`],
    ['a plus', `log\n+1\n${root}\n`],
    ['a negative size', `log\n-1\n${root}\n`],
    ['a size in other digits', `log\n٣\n${root}\n`],
    ['a size in exponents', `log\n1e3\n${root}\n`],
    ['a size beyond 2^53 - 1', `log\n9007199254740992\n${root}\n`],
    ['a size beyond 2^64', `log\n3438945738945739845734895735\n${root}\n`],
    ['a short root', `log\n1\nAAAA\n`],
    ['a root with trailing bits', `log\n1\n${root.replace('I=', 'J=')}\n`],
    ['an empty extension line', `log\n1\n${root}\n\n`],
  ])('with %s are refused', (_what, text) => {
    expect(() => parseCheckpointText(text)).toThrow(
      expect.objectContaining({ code: 'malformed-checkpoint' }),
    );
  });

  interface Row {
    readonly desc: string;
    readonly text: string;
    readonly valid: boolean;
  }

  test.each(JSON.parse(file('formats/checkpoints.json')) as Row[])(
    'of the transparency-dev table: $desc',
    ({ text, valid }) => {
      // Even the valid rows have roots such as `bananas`, which that parser leaves to its callers.
      const [first = '', second = '', , ...rest] = text.split('\n');
      expect(() => parseCheckpointText(text)).toThrow(TlogError);
      if (!valid) return;
      const repaired = [first, second, root, ...rest].join('\n');
      if (/\n\n/.test(text)) expect(() => parseCheckpointText(repaired)).toThrow(/empty line/);
      else expect(parseCheckpointText(repaired).origin).toBe(first);
    },
  );

  interface OriginRow {
    readonly name: string;
    readonly origin: readonly [string, number, string?];
    readonly valid: boolean;
  }

  test.each(JSON.parse(file('torchwood/origins.json')) as OriginRow[])(
    'by the length of the origin, as Torchwood has it: $name',
    ({ origin: [text, times, rest = ''], valid }) => {
      const written = () => formatCheckpointText({ ...checkpoint, origin: text.repeat(times) + rest });
      if (valid) expect(parseCheckpointText(written()).origin).toBe(text.repeat(times) + rest);
      else expect(written).toThrow(TlogError);
    },
  );

  test('are not written', () => {
    expect(() => formatCheckpointText({ ...checkpoint, origin: 'two\nlines' })).toThrow(TlogError);
    expect(() => formatCheckpointText({ ...checkpoint, size: 1.5 })).toThrow(TlogError);
    expect(() => formatCheckpointText({ ...checkpoint, root: new Uint8Array(31) })).toThrow(TlogError);
    expect(() => formatCheckpointText({ ...checkpoint, extensions: [''] })).toThrow(TlogError);
  });

  test('of any text are refused with the typed error, or are the one spelling of their checkpoint', () => {
    const pieces = fc.constantFrom('\n', 'log', '0', '1', '12', root, root.slice(0, 20), '=', ' ', 'é');
    const anyText = fc.oneof(
      fc.string(),
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(anyText, (text) => {
        try {
          expect(formatCheckpointText(parseCheckpointText(text))).toBe(text);
        } catch (error) {
          expect(error).toBeInstanceOf(TlogError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
