import { describe, expect, test } from 'vitest';
import { nobleEd25519PublicKey } from '../tlog/noble.ts';
import { formatVerifierKey, SIGNATURE_TYPES, verifierKey } from '../tlog/note-key.ts';
import { type Policy, witnessedNames } from '../tlog/policy.ts';
import {
  parseQuorum,
  type Quorum,
  type QuorumWitness,
  quorumPolicy,
  quorumProblems,
  uncheckedPolicy,
} from './quorum.ts';

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

/** Whether a log that signs two heads can have both accepted, however it splits its honest witnesses. */
function forkable(policy: Policy, names: readonly string[], rogue: ReadonlySet<string>): boolean {
  const honest = names.filter((name) => !rogue.has(name));
  for (let split = 0; split < 2 ** honest.length; split++) {
    const [a, b] = [new Set(rogue), new Set(rogue)];
    for (const [i, name] of honest.entries()) ((split >> i) & 1 ? a : b).add(name);
    if (witnessedNames(policy, a).has(policy.quorum) && witnessedNames(policy, b).has(policy.quorum))
      return true;
  }
  return false;
}

function* subsets<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let mask = 0; mask < 2 ** items.length; mask++) yield items.filter((_, i) => (mask >> i) & 1);
}

describe('a quorum across countries', () => {
  test('is refused exactly when some split of a dishonest log goes unseen: every policy up to 7 countries', () => {
    let policies = 0;
    let splits = 0;
    for (let countries = 1; countries <= 7; countries++) {
      const witnesses = witnessesIn(Array.from({ length: countries }, () => 1));
      const names = witnesses.map(({ name }) => name);
      for (let required = 1; required <= countries; required++) {
        const policy = uncheckedPolicy(quorumOf(witnesses, required), []);
        for (let rogue = 0; rogue <= countries; rogue++) {
          const sets = [...subsets(names)].filter((set) => set.length === rogue);
          splits += sets.length * 2 ** (countries - rogue);
          const fork = sets.some((set) => forkable(policy, names, new Set(set)));
          const problems = quorumProblems(quorumOf(witnesses, required, rogue)).filter(
            ({ kind }) => kind === 'overlap',
          );
          expect({ countries, required, rogue, refused: problems.length > 0 }).toEqual({
            countries,
            required,
            rogue,
            refused: fork,
          });
          policies += 1;
        }
      }
    }
    expect({ policies, splits }).toEqual({ policies: 168, splits: 21_324 });
  });

  test('holds where countries have two or three witnesses, for every set of dishonest ones', () => {
    let checked = 0;
    for (const sizes of [
      [1, 3],
      [2, 2],
      [3, 3],
      [1, 1, 3],
      [1, 2, 3],
      [3, 3, 1],
      [1, 1, 1, 3],
      [2, 1, 2, 1],
    ]) {
      const witnesses = witnessesIn(sizes);
      const names = witnesses.map(({ name }) => name);
      for (let required = 1; required <= sizes.length; required++) {
        const policy = uncheckedPolicy(quorumOf(witnesses, required), []);
        for (const set of subsets(names)) {
          const dishonest = new Set(set);
          // In an honest country two majorities meet in an honest witness.
          const rogue = sizes.filter((size, country) => {
            const bad = witnesses.filter(
              ({ name, country: at }) => at === `C${country}` && dishonest.has(name),
            ).length;
            return bad >= 2 * (Math.floor(size / 2) + 1) - size;
          }).length;
          const sound = quorumProblems(quorumOf(witnesses, required, rogue)).every(
            ({ kind }) => kind !== 'overlap',
          );
          if (sound) expect(forkable(policy, names, dishonest)).toBe(false);
          checked += 1;
        }
      }
    }
    expect(checked).toBeGreaterThan(1000);
  });

  test.each(['operator', 'cloud'] as const)(
    'is refused exactly when one %s alone could let a fork go unseen: every way to share countries out',
    (kind) => {
      for (let countries = 1; countries <= 5; countries++) {
        const plain = witnessesIn(Array.from({ length: countries }, () => 1));
        const names = plain.map(({ name }) => name);
        for (let sharing = 0; sharing < countries ** countries; sharing++) {
          const owner = (i: number) => `owner-${Math.floor(sharing / countries ** i) % countries}`;
          const witnesses = plain.map((witness, i) => ({ ...witness, [kind]: owner(i) }));
          for (let required = 1; required <= countries; required++) {
            const policy = uncheckedPolicy(quorumOf(plain, required), []);
            const refused = quorumProblems(quorumOf(witnesses, required, 0)).some(
              (problem) => problem.kind === kind || problem.kind === 'overlap',
            );
            const owners = [...new Set(witnesses.map((witness) => witness[kind]))];
            const fork =
              forkable(policy, names, new Set()) ||
              owners.some((one) =>
                forkable(
                  policy,
                  names,
                  new Set(witnesses.filter((witness) => witness[kind] === one).map(({ name }) => name)),
                ),
              );
            if (refused !== fork) expect({ countries, sharing, required, refused }).toBe(fork);
          }
        }
      }
    },
  );

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
    witnesses: witnessesIn([1, 1, 1, 1]).map(({ url, ...witness }) => ({
      ...witness,
      key: formatVerifierKey(witness.key),
      url: 'https://w.example/',
    })),
  };

  test('is read', () => {
    expect(parseQuorum(JSON.stringify(file))).toMatchObject({
      required: 3,
      rogue: 1,
      logOperator: 'acme',
      witnesses: [{ name: 'w0', country: 'C0' }, {}, {}, {}],
    });
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
