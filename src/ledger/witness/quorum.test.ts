import { describe, expect, test } from 'vitest';
import { nobleEd25519PublicKey } from '../../tlog/noble.ts';
import { formatVerifierKey, SIGNATURE_TYPES, verifierKey } from '../../tlog/note-key.ts';
import { parseQuorum, type Quorum, type QuorumWitness, quorumPolicy, quorumProblems } from './quorum.ts';

const keys = Array.from({ length: 16 }, (_, i) =>
  verifierKey(
    `w${i}.example`,
    SIGNATURE_TYPES.ed25519Cosignature,
    nobleEd25519PublicKey(Buffer.alloc(32, i + 1)),
  ),
);
const keyOf = (i: number) => {
  const key = keys[i];
  if (key === undefined) throw new Error('no such key');
  return key;
};

/** Witnesses in countries of the given sizes, each with an operator and a cloud of its own. */
function witnessesIn(sizes: readonly number[]): readonly QuorumWitness[] {
  return sizes
    .flatMap((size, country) => Array.from({ length: size }, () => country))
    .map((country, i) => ({
      name: `w${i}`,
      key: keyOf(i),
      url: undefined,
      country: `C${country}`,
      operator: `operator-${i}`,
      cloud: `cloud-${i}`,
    }));
}

const quorumOf = (witnesses: readonly QuorumWitness[], required: number, rogue = 1): Quorum => ({
  required,
  rogue,
  logOperator: undefined,
  witnesses,
});

describe('a quorum across countries', () => {
  test('of 3 of 4 and of 5 of 7 becomes a policy that other tools read', () => {
    const policy = quorumPolicy(quorumOf(witnessesIn([1, 3, 1, 1]), 3), []);
    expect(policy.groups).toEqual([
      { name: 'country-C0', threshold: 1, members: ['w0'] },
      { name: 'country-C1', threshold: 2, members: ['w1', 'w2', 'w3'] },
      { name: 'country-C2', threshold: 1, members: ['w4'] },
      { name: 'country-C3', threshold: 1, members: ['w5'] },
      { name: 'countries', threshold: 3, members: ['country-C0', 'country-C1', 'country-C2', 'country-C3'] },
    ]);
    expect(quorumProblems(quorumOf(witnessesIn([1, 1, 1, 1, 1, 1, 1]), 5, 2))).toEqual([]);
  });

  test('that is unsound is refused with every reason', () => {
    const shared = witnessesIn([1, 1, 1, 1]).map((witness) => ({
      ...witness,
      operator: 'acme',
      cloud: 'sky',
    }));
    expect(() => quorumPolicy({ ...quorumOf(shared, 2), logOperator: 'acme' }, [])).toThrow(
      /two quorums of 2 of 4 countries share 0, but must share 2 to survive 1 dishonest: require 3; operator `acme` alone decides in 4 countries.*cloud `sky`.*witness `w0` is run by `acme`, which runs the log/,
    );
  });
});

describe('a quorum file', () => {
  const file = {
    v: 'comity.quorum/1',
    required: 3,
    log_operator: 'acme',
    witnesses: witnessesIn([1, 1, 1, 1]).map(({ url, ...witness }, i) => ({
      ...witness,
      country: ['DE', 'br', 'JP', 'ch'][i],
      key: formatVerifierKey(witness.key),
      url: 'https://w.example/',
    })),
  };

  test('is read', () => {
    expect(parseQuorum(JSON.stringify(file))).toMatchObject({
      required: 3,
      rogue: 1,
      logOperator: 'acme',
      witnesses: [{ name: 'w0', country: 'de' }, {}, {}, {}],
    });
  });

  test('counts a country once, and an operator, however they are written', () => {
    const written = (countries: readonly string[], operator = (i: number) => `operator-${i}`) =>
      parseQuorum(
        JSON.stringify({
          ...file,
          witnesses: file.witnesses.map((witness, i) => ({
            ...witness,
            country: countries[i],
            operator: operator(i),
          })),
        }),
      );
    expect(quorumProblems(written(['de', 'br', 'jp', 'ch']))).toEqual([]);
    // The United Kingdom twice: three of three countries are required, not three of four.
    const twice = written(['gb', 'UK', 'jp', 'ch']);
    expect(twice.witnesses.map(({ country }) => country)).toEqual(['gb', 'gb', 'jp', 'ch']);
    expect(quorumProblems({ ...twice, required: 2 }).map(({ kind }) => kind)).toContain('overlap');
    expect(quorumProblems(written(['DE', 'dd', 'de', 'ch'])).map(({ kind }) => kind)).toContain(
      'unreachable',
    );
    const one = written(['de', 'br', 'jp', 'ch'], (i) => ['Acme', 'acme', 'ACME', 'other'][i] ?? '');
    expect(quorumProblems(one).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['operator', 'self-vouching']),
    );
  });

  test('gives a witness one vote, however many keys it has', () => {
    const { name } = keyOf(0);
    const second = verifierKey(name, SIGNATURE_TYPES.mlDsa44Cosignature, Buffer.alloc(1312, 7));
    const [first, , ...others] = witnessesIn([1, 1, 1, 1]);
    if (first === undefined) throw new Error('a witness expected');
    const doubled = quorumOf([first, { ...first, name: 'again', key: second, country: 'C1' }, ...others], 3);
    expect(quorumProblems(doubled)).toEqual(
      expect.arrayContaining([
        {
          kind: 'doubled',
          message: 'witnesses `w0` and `again` are one, `w0.example`: list one of its keys',
        },
      ]),
    );
  });

  test.each([
    ['text', 'x', 'not JSON'],
    ['another version', JSON.stringify({ ...file, v: 2 }), '`v` is not'],
    ['an unknown field', JSON.stringify({ ...file, treshold: 3 }), 'unknown field `treshold`'],
    ['no witness', JSON.stringify({ ...file, witnesses: [] }), 'list of 1 to 100'],
    [
      'a witness without a country',
      JSON.stringify({ ...file, witnesses: [{ ...file.witnesses[0], country: undefined }] }),
      '`country` is not',
    ],
    ...['Germany', 'D', '276', 'el', 'eu', 'un', 'zz', 'd1', 'де'].map((country) => [
      `country ${country}`,
      JSON.stringify({ ...file, witnesses: [{ ...file.witnesses[0], country }] }),
      'is not the code of a country',
    ]),
    [
      'a key that is none',
      JSON.stringify({ ...file, witnesses: [{ ...file.witnesses[0], key: 'k' }] }),
      'not a verifier key',
    ],
    ['a fraction', JSON.stringify({ ...file, required: 2.5 }), 'whole number'],
  ])('with %s is refused', (_what, text, message) => {
    expect(() => parseQuorum(text)).toThrow(message);
  });
});
