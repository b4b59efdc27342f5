import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nobleSignatures } from '../../tlog/noble.ts';
import type { VerifierKey } from '../../tlog/note-key.ts';
import type { Policy } from '../../tlog/policy.ts';
import { type Quorum, quorumProblems, uncheckedPolicy } from './quorum.ts';
import { byzantineLog, type CastWitness, castWitnesses, type Face, Judge } from './quorum-byzantine.case.ts';
import {
  breaking,
  countsOf,
  type Found,
  forkable,
  literalSearch,
  sizesIn,
  symmetricCasts,
  weightOf,
} from './quorum-casts.case.ts';
import { verifySplitView } from './split-view.ts';

/*
 * A log with one key shows two histories to two halves of the world. Who cosigns which face is enumerated: every
 * witness is rogue (cosigns both), or honest and was shown one face or the other first. Honest witnesses that were
 * shown neither are left out: more cosignatures never undo a quorum (policy.test.ts). A log with three faces gains
 * nothing over one with two: for any pair of them, whoever was shown the third could have been shown one of the pair;
 * the third face is tried all the same, for forks between different sizes.
 */
const LONG = process.env.COMITY_LONG !== undefined;

let folder = '';
let key: VerifierKey;
let faces: readonly Face[] = [];
const judge = new Judge();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'comity-byzantine-'));
  ({ key, faces } = await byzantineLog(folder));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true }));

/** Witnesses are cast once for the largest need: one each in seven countries, three in each of them. */
const casts = new Map<string, readonly CastWitness[]>();
function castFor(sizes: readonly number[]): readonly CastWitness[] {
  const known = casts.get(sizes.join());
  if (known !== undefined) return known;
  const all =
    casts.get('all') ??
    castWitnesses(
      folder,
      Array.from({ length: 21 }, () => 1),
      key,
      faces,
    );
  casts.set('all', all);
  const countries = sizes.flatMap((size, country) => Array.from({ length: size }, () => `C${country}`));
  const cast = countries.flatMap((country, i) => {
    const one = all[i];
    return one === undefined ? [] : [{ ...one, witness: { ...one.witness, country } }];
  });
  casts.set(sizes.join(), cast);
  return cast;
}

const quorumOf = (cast: readonly CastWitness[], required: number, rogue: number): Quorum => ({
  required,
  rogue,
  logOperator: undefined,
  witnesses: cast.map(({ witness }) => witness),
});
const policyOf = (cast: readonly CastWitness[], required: number): Policy =>
  uncheckedPolicy(quorumOf(cast, required, 0), [key]);
const face = (i: number): Face => {
  const one = faces[i];
  if (one === undefined) throw new Error('no such face');
  return one;
};

/** Which sets of cosigners, as bits, make the verifier say VERIFIED. Every note is judged. */
async function literalVerdicts(cast: readonly CastWitness[], policy: Policy, of: Face): Promise<Uint8Array> {
  const accepted = new Uint8Array(2 ** cast.length);
  for (let mask = 0; mask < accepted.length; mask++) {
    accepted[mask] = (await judge.accepts(policy, of, cast, mask)) ? 1 : 0;
  }
  return accepted;
}

/** Verdicts on notes by how many witnesses of each country cosigned; one note of each kind is judged. */
class SymmetricVerdicts {
  readonly #sizes: readonly number[];
  readonly #policy: Policy;
  readonly #face: Face;
  readonly #known = new Map<string, boolean>();

  constructor(sizes: readonly number[], policy: Policy, of: Face) {
    this.#sizes = sizes;
    this.#policy = policy;
    this.#face = of;
  }

  async accepts(counts: readonly number[]): Promise<boolean> {
    const sizes = this.#sizes;
    const ordered = counts
      .map((count, i) => ({ count, size: sizes[i] ?? 0 }))
      .sort((a, b) => a.size - b.size || a.count - b.count);
    const id = ordered.map(({ count }) => count).join('');
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    let [mask, at] = [0, 0];
    for (const { count, size } of ordered) {
      mask |= (2 ** count - 1) << at;
      at += size;
    }
    const accepted = await judge.accepts(this.#policy, this.#face, castFor(sizes), mask);
    this.#known.set(id, accepted);
    return accepted;
  }
}

async function symmetricSearch(
  sizes: readonly number[],
  one: SymmetricVerdicts,
  other: SymmetricVerdicts,
): Promise<Found> {
  let [least, attacks] = [Number.POSITIVE_INFINITY, 0];
  for (const cast of symmetricCasts(sizes)) {
    if (!(await one.accepts(cast.map((country) => country.rogue + country.one)))) continue;
    if (!(await other.accepts(cast.map((country) => country.rogue + country.other)))) continue;
    attacks += weightOf(cast);
    least = Math.min(least, cast.filter(({ size, rogue }) => rogue >= breaking(size)).length);
  }
  return { least, attacks };
}

/** A quorum is refused for its countries exactly when so many rogue countries really got both faces VERIFIED. */
function expectRefusedExactly(cast: readonly CastWitness[], required: number, { least }: Found): void {
  const countries = new Set(cast.map(({ witness }) => witness.country)).size;
  for (let rogue = 0; rogue <= countries; rogue++) {
    const problems = quorumProblems(quorumOf(cast, required, rogue));
    // Operators and clouds are counted whatever countries are; they have a test of their own.
    const refused = problems.some(({ kind }) => kind === 'overlap' || kind === 'unreachable');
    expect({ countries, required, rogue, refused }).toEqual({
      countries,
      required,
      rogue,
      refused: least <= rogue,
    });
  }
}

test('one witness in each of up to 7 countries: two faces are VERIFIED exactly under the policies that are refused', async () => {
  let attacks = 0;
  let policies = 0;
  for (let countries = 1; countries <= 7; countries++) {
    const sizes = Array.from({ length: countries }, () => 1);
    const cast = castFor(sizes);
    for (let required = 1; required <= countries; required++) {
      const policy = policyOf(cast, required);
      const verdicts = [];
      for (const one of faces) verdicts.push(await literalVerdicts(cast, policy, one));
      for (const [i, j] of [
        [0, 1],
        [0, 2],
        [2, 1],
      ] as const) {
        const found = literalSearch(sizes, verdicts[i] ?? new Uint8Array(), verdicts[j] ?? new Uint8Array());
        expectRefusedExactly(cast, required, found);
        attacks += found.attacks;
      }
      policies += 1;
    }
  }
  expect({ policies, judged: judge.judged }).toEqual({ policies: 28, judged: 3 * 1538 });
  expect(attacks).toBeGreaterThan(10_000);
});

test('the symmetry leaves nothing out: one by one and up to symmetry, the same verdicts and as many attacks', async () => {
  const most = LONG ? 5 : 4;
  for (let countries = 1; countries <= most; countries++) {
    for (const sizes of sizesIn(countries, countries < 4 || LONG ? [1, 2, 3] : [1, 3])) {
      const cast = castFor(sizes);
      for (let required = 1; required <= countries; required++) {
        const policy = policyOf(cast, required);
        const literal = [face(0), face(2)].map((of) => literalVerdicts(cast, policy, of));
        const [one = new Uint8Array(), other = new Uint8Array()] = await Promise.all(literal);
        const symmetric = [face(0), face(2)].map((of) => new SymmetricVerdicts(sizes, policy, of));
        const [left, right] = symmetric;
        if (left === undefined || right === undefined) throw new Error('two faces expected');
        for (const [mask, accepted] of one.entries()) {
          expect(await left.accepts(countsOf(sizes, mask))).toBe(accepted === 1);
          expect(other[mask]).toBe(accepted);
        }
        const found = literalSearch(sizes, one, other);
        expect(await symmetricSearch(sizes, left, right)).toEqual(found);
        expectRefusedExactly(cast, required, found);
      }
    }
  }
}, 600_000);

test('majorities inside up to 7 countries: two faces are VERIFIED exactly under the policies that are refused', async () => {
  for (let countries = 4; countries <= 7; countries++) {
    for (const sizes of sizesIn(countries, LONG ? [1, 2, 3] : [1, 3])) {
      const cast = castFor(sizes);
      for (let required = 1; required <= countries; required++) {
        const policy = policyOf(cast, required);
        const [one, other] = [face(0), face(2)].map((of) => new SymmetricVerdicts(sizes, policy, of));
        if (one === undefined || other === undefined) throw new Error('two faces expected');
        expectRefusedExactly(cast, required, await symmetricSearch(sizes, one, other));
      }
    }
  }
}, 600_000);

test.each(['operator', 'cloud'] as const)(
  'one %s in several countries: two faces are VERIFIED exactly under the quorums that are refused',
  async (kind) => {
    const shapes = [1, 2, 3].flatMap((count) => sizesIn(count, [1, 2, 3]));
    for (const sizes of [...shapes, [1, 1, 1, 1], [1, 1, 1, 1, 1]]) {
      const cast = castFor(sizes);
      for (let required = 1; required <= sizes.length; required++) {
        const policy = policyOf(cast, required);
        const verdicts = new Map<Face, Uint8Array>();
        for (const of of [face(0), face(2)]) verdicts.set(of, await literalVerdicts(cast, policy, of));
        const [one = new Uint8Array(), other = new Uint8Array()] = verdicts.values();
        const forked = forkable(one, other);
        for (let owned = 1; owned < one.length; owned++) {
          const shared = cast.map((member, i) => {
            const owner = (owned >> i) & 1 ? 'one-for-all' : `alone-${i}`;
            return { ...member, witness: { ...member.witness, [kind]: owner } };
          });
          const refused = quorumProblems(quorumOf(shared, required, 0)).some(
            (problem) => problem.kind === kind || problem.kind === 'overlap',
          );
          const attacked = forked(0) || forked(owned) || cast.some((_, i) => forked(1 << i));
          if (refused !== attacked) expect({ kind, sizes, required, owned, refused }).toBe(attacked);
        }
      }
    }
  },
);

test('a witness that the log runs is one more that cosigns both: refused, and an attack wherever nothing was to spare', async () => {
  for (let countries = 1; countries <= 7; countries++) {
    const cast = castFor(Array.from({ length: countries }, () => 1));
    for (let required = 1; required <= countries; required++) {
      const policy = policyOf(cast, required);
      const verdicts = [
        await literalVerdicts(cast, policy, face(0)),
        await literalVerdicts(cast, policy, face(1)),
      ];
      const forked = forkable(verdicts[0] ?? new Uint8Array(), verdicts[1] ?? new Uint8Array());
      for (let rogue = 0; rogue < 2 * required - countries; rogue++) {
        const own = { ...quorumOf(cast, required, rogue), logOperator: 'operator-0' };
        expect(quorumProblems(own).map(({ kind }) => kind)).toContain('self-vouching');
        // Its own witness, and as many others as the quorum is meant to bear.
        const attacked = forked(2 ** (rogue + 1) - 1);
        // Where more overlap than promised, the attack fails; it is refused all the same: that vote says nothing.
        expect(attacked).toBe(2 * required - countries === rogue + 1);
      }
    }
  }
});

test('a quorum of none, or of more countries than there are, is no policy at all', () => {
  const cast = castFor([1, 1, 1]);
  for (const required of [0, 4]) {
    expect(quorumProblems(quorumOf(cast, required, 0)).map(({ kind }) => kind)).toContain('unreachable');
    expect(() => policyOf(cast, required)).toThrow(/threshold/);
  }
});

test('where an attack succeeds, whoever sees both faces has the proof: EQUIVOCATION, of two notes that convince anybody', async () => {
  const cast = castFor([1, 1, 1, 1]);
  const policy = policyOf(cast, 2);
  for (const [one, other] of [
    [face(0), face(1)],
    [face(2), face(0)],
  ] as const) {
    expect(await judge.accepts(policy, one, cast, 0b0011)).toBe(true);
    expect(await judge.accepts(policy, other, cast, 0b1100)).toBe(true);
    const kept = judge.noteOf(other, cast, 0b1100);
    const verdict = await judge.verdict(policy, one, cast, 0b0011, [kept]);
    if (verdict.kind !== 'EQUIVOCATION') throw new Error(`two faces were ${verdict.kind}`);
    expect([...verdict.notes].sort()).toEqual([kept, judge.noteOf(one, cast, 0b0011)].sort());
  }
  const notes = [judge.noteOf(face(0), cast, 0b0011), judge.noteOf(face(1), cast, 0b1100)] as const;
  expect(verifySplitView({ v: 'comity.split-view/1', notes }, [key], nobleSignatures).sizes).toEqual([5, 5]);
});
