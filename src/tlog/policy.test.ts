import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Checkpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import { cosigner, ed25519NoteSigner } from './cosignature.ts';
import { TlogError } from './errors.ts';
import {
  nobleEd25519PublicKey,
  nobleEd25519Sign,
  nobleMlDsa44PublicKey,
  nobleMlDsa44Sign,
  nobleSignatures,
} from './noble.ts';
import type { NoteSigner } from './note.ts';
import { formatVerifierKey, SIGNATURE_TYPES, verifierKey } from './note-key.ts';
import { decodeOctets, encodeOctets } from './octets.ts';
import {
  evaluatePolicy,
  formatPolicy,
  type Policy,
  type PolicyGroup,
  parsePolicy,
  verifyCheckpoint,
  witnessedNames,
} from './policy.ts';

const { ed25519, ed25519Cosignature, mlDsa44Cosignature } = SIGNATURE_TYPES;
const checkpoint: Checkpoint = {
  origin: 'example.com/log',
  size: 42,
  root: new Uint8Array(32),
  extensions: [],
};

function seedOf(number: number): Uint8Array {
  return new Uint8Array(32).fill(number);
}

function logKey(name: string, number: number) {
  const key = verifierKey(name, ed25519, nobleEd25519PublicKey(seedOf(number)));
  return { vkey: formatVerifierKey(key), signer: ed25519NoteSigner(key, nobleEd25519Sign(seedOf(number))) };
}

function witnessKey(number: number, time = 1_700_000_000 + number, name = `wit${number}.example`) {
  const key = verifierKey(name, ed25519Cosignature, nobleEd25519PublicKey(seedOf(number)));
  return { vkey: formatVerifierKey(key), signer: cosigner(key, nobleEd25519Sign(seedOf(number)), time) };
}

const log = logKey('example.com/log', 100);
const otherLog = logKey('other.example.com/log', 101);
const witnesses = [1, 2, 3, 4, 5, 6].map((number) => witnessKey(number));

const keys: Readonly<Record<string, string>> = {
  log: log.vkey,
  otherLog: otherLog.vkey,
  ...Object.fromEntries(witnesses.map(({ vkey }, i) => [`wit${i + 1}`, vkey])),
  wit1ed25519: logKey('wit1.example', 1).vkey,
  wit1Impostor: witnessKey(1, 0, 'impostor.example.com').vkey,
  ecdsa: 'ecdsa.example.com+00000000+AgECAw==',
  unknownAlg: formatVerifierKey(verifierKey('unknown.example.com', 0x63, new Uint8Array(32))),
};

function filled(policy: string): string {
  return policy.replace(/\{(\w+)\}/g, (_, name: string) => keys[name] ?? `missing ${name}`);
}

function signersOf(names: readonly string[]): NoteSigner[] {
  return names.map((name) => {
    if (name === 'log') return log.signer;
    if (name === 'otherLog') return otherLog.signer;
    const witness = witnesses[Number(name.slice(1)) - 1];
    if (witness === undefined) throw new Error(`no witness ${name}`);
    return witness.signer;
  });
}

interface Tables {
  readonly valid: readonly {
    readonly desc: string;
    readonly policy: string;
    readonly witnesses: readonly string[];
    readonly groups: readonly [string, number, readonly string[]][];
    readonly quorum: string;
  }[];
  readonly invalid: readonly { readonly desc: string; readonly policy: string }[];
  readonly satisfied: {
    readonly policy: string;
    readonly cases: readonly {
      readonly desc: string;
      readonly cosigners: readonly string[];
      readonly satisfied: boolean;
    }[];
  };
  readonly verify: readonly {
    readonly desc: string;
    readonly policy: string;
    readonly signers: readonly string[];
    readonly accepted: boolean;
  }[];
}

const tables = JSON.parse(
  readFileSync(new URL('./testdata/formats/policies.json', import.meta.url), 'utf8'),
) as Tables;

describe('policies of the transparency-dev table', () => {
  test.each(tables.valid)('are read: $desc', ({ policy, witnesses, groups, quorum }) => {
    const parsed = parsePolicy(filled(policy));
    expect(parsed.witnesses.map(({ name }) => name)).toEqual(witnesses);
    expect(parsed.groups.map(({ name, threshold, members }) => [name, threshold, members])).toEqual(groups);
    expect(parsed.quorum).toBe(quorum);
    expect(parsePolicy(formatPolicy(parsed))).toEqual(parsed);
  });

  test.each(tables.invalid)('are refused: $desc', ({ policy }) => {
    expect(() => parsePolicy(filled(policy))).toThrow(expect.objectContaining({ code: 'malformed-policy' }));
  });

  test.each(tables.satisfied.cases)('are met or not: $desc', ({ cosigners, satisfied }) => {
    const policy = parsePolicy(filled(tables.satisfied.policy));
    expect(witnessedNames(policy, new Set(cosigners)).has('outer')).toBe(satisfied);
    const note = parseCheckpoint(signCheckpoint(checkpoint, [log.signer, ...signersOf(cosigners)]));
    const evaluation = evaluatePolicy(policy, note, nobleSignatures);
    expect(evaluation.quorum).toBe(satisfied);
    expect(evaluation.cosignatures.map(({ witness }) => witness.name)).toEqual(cosigners);
  });

  test.each(tables.verify)('decide on a checkpoint: $desc', ({ policy, signers, accepted }) => {
    const text = signCheckpoint(checkpoint, signersOf(signers));
    const verify = () => verifyCheckpoint(text, parsePolicy(filled(policy)), nobleSignatures);
    if (accepted) expect(verify().checkpoint).toEqual(checkpoint);
    else expect(verify).toThrow(TlogError);
  });
});

describe('reading a policy', () => {
  test('keeps names as octets, whatever they spell', () => {
    const kelvin = Uint8Array.of(...new TextEncoder().encode('witness K-'), 0x80);
    const rest = new TextEncoder().encode(filled(' {wit1}\nquorum K-'));
    const octets = Uint8Array.of(...kelvin, ...rest, 0x80);
    const policy = parsePolicy(octets);
    expect(policy.quorum).toBe(policy.witnesses[0]?.name);
    expect(parsePolicy(formatPolicy(policy))).toEqual(policy);
    expect(Buffer.from(formatPolicy(policy)).includes(Buffer.from([0x4b, 0x2d, 0x80, 0x0a]))).toBe(true);
    const other = Uint8Array.of(...kelvin, ...rest, 0x81);
    expect(() => parsePolicy(other)).toThrow(/not defined/);
  });

  test('names the line of a fault', () => {
    expect(() => parsePolicy('# one\n\nquibble\n')).toThrow(/policy line 3: `quibble` is not a keyword/);
  });

  test('accepts what is written without a final newline and with addresses', () => {
    const { logs } = parsePolicy(filled('log {log} https://log.example/ü\nquorum none'));
    expect(logs.map(({ url }) => url)).toEqual(['https://log.example/ü']);
  });

  test('accepts 200 logs, witnesses and groups', () => {
    const lines = Array.from({ length: 200 }, (_, i) => {
      const publicKey = new Uint8Array(32).fill(i);
      const vkeyOf = (type: number) => formatVerifierKey(verifierKey(`k${i}`, type, publicKey));
      return `log ${vkeyOf(ed25519)}\nwitness w${i} ${vkeyOf(ed25519Cosignature)}\ngroup g${i} any w${i}\n`;
    });
    const members = Array.from({ length: 200 }, (_, i) => `g${i}`).join(' ');
    const policy = parsePolicy(`${lines.join('')}group all all ${members}\nquorum all\n`);
    expect(policy.groups.at(-1)?.threshold).toBe(200);
    expect(witnessedNames(policy, new Set(policy.witnesses.map(({ name }) => name))).has('all')).toBe(true);
  });

  test('refuses a file that is too long', () => {
    expect(() => parsePolicy(new Uint8Array(1_000_001))).toThrow(/longer/);
  });

  test('of any octets ends in the typed error, or in a policy that is written and read as the same', () => {
    const words = [
      'log',
      'witness',
      'group',
      'quorum',
      'none',
      'any',
      'all',
      '1',
      '2',
      'w1',
      'w2',
      'g',
      '\n',
      '\n',
      '#',
    ];
    const pieces = fc.constantFrom(
      ...words,
      filled('{log}'),
      filled('{wit1}'),
      filled('{wit2}'),
      '\t',
      'é',
      '\0',
    );
    const anyText = fc.array(pieces, { maxLength: 40 }).map((parts) => encodeOctets(parts.join(' ')));
    const lines = fc.constantFrom(
      filled('witness w1 {wit1}'),
      filled('witness w2 {wit2} url'),
      filled('log {log}'),
      'group g any w1',
      'group h 2 w2 g',
      'quorum w1',
      'quorum none',
      'quorum h',
    );
    const nearly = fc.array(lines, { maxLength: 8 }).map((parts) => encodeOctets(parts.join('\n')));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), anyText, nearly), (octets) => {
        let policy: Policy;
        try {
          policy = parsePolicy(octets);
        } catch (error) {
          expect(error).toBeInstanceOf(TlogError);
          return;
        }
        expect(parsePolicy(formatPolicy(policy))).toEqual(policy);
      }),
      { numRuns: 4000 },
    );
  });
});

describe('writing a policy', () => {
  const policy = parsePolicy(filled('witness w1 {wit1}\ngroup g any w1\nquorum g\n'));

  test('refuses one that could not be read back', () => {
    const [witness] = policy.witnesses;
    const [group] = policy.groups;
    if (witness === undefined || group === undefined) throw new Error('policy is incomplete');
    for (const wrong of [
      { witnesses: [{ ...witness, name: 'w 1' }] },
      { witnesses: [{ ...witness, name: '' }] },
      { witnesses: [{ ...witness, url: 'a b' }] },
      { witnesses: [{ ...witness, url: '' }] },
      { groups: [{ ...group, threshold: 2 }] },
      { groups: [{ ...group, members: [] }] },
      { quorum: 'w1 #' },
      { quorum: 'g\nquorum none' },
    ]) {
      expect(() => formatPolicy({ ...policy, ...wrong })).toThrow(
        expect.objectContaining({ code: 'malformed-policy' }),
      );
    }
  });
});

describe('evaluating a checkpoint', () => {
  const policy = parsePolicy(
    filled('log {log}\nwitness w1 {wit1}\nwitness w2 {wit2}\ngroup g all w1 w2\nquorum g\n'),
  );

  test('gives the earliest time that each witness stated', () => {
    const late = witnessKey(1, 1_800_000_000).signer;
    const note = parseCheckpoint(signCheckpoint(checkpoint, [log.signer, late, ...signersOf(['w1', 'w2'])]));
    const { cosignatures } = evaluatePolicy(policy, note, nobleSignatures);
    expect(cosignatures.map(({ witness, time }) => [witness.name, time])).toEqual([
      ['w1', 1_700_000_001],
      ['w2', 1_700_000_002],
    ]);
  });

  test('passes over a cosignature that makes no statement about time', () => {
    const timeless = witnessKey(1, 0).signer;
    const times = (...signers: NoteSigner[]) => {
      const note = parseCheckpoint(signCheckpoint(checkpoint, [log.signer, ...signers]));
      return evaluatePolicy(policy, note, nobleSignatures).cosignatures.map(({ time }) => time);
    };
    expect(times(timeless)).toEqual([0]);
    expect(times(timeless, ...signersOf(['w1']))).toEqual([1_700_000_001]);
  });

  test('says who cosigned when the quorum is not met', () => {
    const text = signCheckpoint(checkpoint, [log.signer, ...signersOf(['w2'])]);
    expect(() => verifyCheckpoint(text, policy, nobleSignatures)).toThrow(/cosigned by: w2/);
  });

  test('rejects the note when one known signature fails', () => {
    const text = signCheckpoint(checkpoint, [log.signer, ...signersOf(['w1', 'w2'])]);
    const altered = parseCheckpoint(text.replace('\n42\n', '\n43\n'));
    expect(() => evaluatePolicy(policy, altered, nobleSignatures)).toThrow(
      expect.objectContaining({ code: 'signature-rejected' }),
    );
  });

  test('accepts a log and a witness that sign with ML-DSA-44', () => {
    const [logSeed, witnessSeed] = [seedOf(50), seedOf(51)];
    const pqLog = verifierKey('example.com/log', mlDsa44Cosignature, nobleMlDsa44PublicKey(logSeed));
    const pqWitness = verifierKey(
      'witness.example/w1',
      mlDsa44Cosignature,
      nobleMlDsa44PublicKey(witnessSeed),
    );
    const text = signCheckpoint(checkpoint, [
      cosigner(pqLog, nobleMlDsa44Sign(logSeed), 1),
      cosigner(pqWitness, nobleMlDsa44Sign(witnessSeed), 2),
    ]);
    const lines = `log ${formatVerifierKey(pqLog)}\nwitness W1 ${formatVerifierKey(pqWitness)}\nquorum W1\n`;
    expect(verifyCheckpoint(text, parsePolicy(lines), nobleSignatures).quorum).toBe(true);
    const logOnly = signCheckpoint(checkpoint, [cosigner(pqLog, nobleMlDsa44Sign(logSeed), 1)]);
    expect(() => verifyCheckpoint(logOnly, parsePolicy(lines), nobleSignatures)).toThrow(
      expect.objectContaining({ code: 'quorum-not-met' }),
    );
  });

  test('does not let an ML-DSA-44 log signature vouch for extension lines, which it skips', () => {
    const pqLog = verifierKey('example.com/log', mlDsa44Cosignature, nobleMlDsa44PublicKey(seedOf(50)));
    const text = signCheckpoint(checkpoint, [cosigner(pqLog, nobleMlDsa44Sign(seedOf(50)), 1)]);
    const policy = parsePolicy(`log ${formatVerifierKey(pqLog)}\nquorum none\n`);
    expect(verifyCheckpoint(text, policy, nobleSignatures).logs).toHaveLength(1);
    const smuggled = text.replace('\n\n', '\nsmuggled\n\n');
    expect(() => verifyCheckpoint(smuggled, policy, nobleSignatures)).toThrow(
      expect.objectContaining({ code: 'signature-missing' }),
    );
  });

  test('refuses a log key that is an Ed25519 cosigner key', () => {
    expect(() => parsePolicy(filled('log {wit1}\nquorum none\n'))).toThrow(/not for a log/);
  });

  test('more cosignatures never undo a quorum', () => {
    const names = ['w1', 'w2', 'w3', 'w4', 'w5', 'w6'];
    const header = names.map((name, i) => filled(`witness ${name} {wit${i + 1}}\n`)).join('');
    const anyPolicy = fc
      .tuple(
        fc.shuffledSubarray(names, { minLength: 6 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(),
        fc.nat(),
        fc.nat(),
      )
      .map(([order, cut, a, b, c]): Policy => {
        const [left, right] = [order.slice(0, cut), order.slice(cut)];
        const groups: PolicyGroup[] = [
          { name: 'left', threshold: 1 + (a % left.length), members: left },
          { name: 'right', threshold: 1 + (b % right.length), members: right },
          { name: 'top', threshold: 1 + (c % 2), members: ['left', 'right'] },
        ];
        return { ...parsePolicy(`${header}quorum w1\n`), groups, quorum: 'top' };
      });
    fc.assert(
      fc.property(anyPolicy, fc.subarray(names), fc.subarray(names), (policy, some, more) => {
        const before = witnessedNames(policy, new Set(some));
        const after = witnessedNames(policy, new Set([...some, ...more]));
        expect([...before].every((name) => after.has(name))).toBe(true);
      }),
    );
  });
});

test('octets survive being decoded and encoded, and different octets stay different', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      expect(encodeOctets(decodeOctets(a))).toEqual(a);
      expect(decodeOctets(a) === decodeOctets(b)).toBe(Buffer.from(a).equals(Buffer.from(b)));
    }),
  );
});
