import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { InputError } from '../facts/problem.ts';
import type { Law } from '../rules/law.ts';
import { smallLaw } from '../rules/testdata/small-law.ts';
import type { CallFacts, MarketDecision } from './decision.ts';
import { specialise } from './policy.ts';
import type { PolicyOptions } from './policy-options.ts';
import { assessCall, referenceDecision } from './reference.ts';
import {
  declared,
  feature,
  MOMENT,
  mismatchOf,
  probe,
  requestScoped,
  situations,
} from './testdata/situations.ts';

const LONG = process.env.COMITY_LONG === '1';
if (LONG) vi.setConfig({ testTimeout: 2_000_000 });
const LIMIT = {
  numRuns: LONG ? 100_000 : 200,
  interruptAfterTimeLimit: LONG ? 120_000 : 2_500,
  markInterruptAsFailure: false,
};
/** What the reference interpreter and the assessment say of the same call. */
function assessed(options: PolicyOptions, call: CallFacts): readonly MarketDecision[] {
  return options.manifest.markets.map((market) => referenceDecision(assessCall(options, market, call)));
}

const plain = (markets: readonly MarketDecision[]): unknown => JSON.parse(JSON.stringify(markets));

describe('a policy', () => {
  test('decides every call as the assessment does, first and repeated, with reasons, controls and open facts', () => {
    fc.assert(
      fc.property(situations(4), ({ options, calls }) => {
        const policy = specialise(options);
        const decisions = calls.map((call) => policy.decide(call));
        // Read after all have been decided: a decision stays what it was.
        calls.forEach((call, i) => {
          const expected = plain(assessed(options, call));
          expect(plain(decisions[i]?.markets ?? [])).toEqual(expected);
          expect(plain(policy.decide(call).markets)).toEqual(expected);
          expect(policy.decide(call).id).toBe(decisions[i]?.id);
        });
      }),
      LIMIT,
    );
  });

  test('decides the same by every way there is: folded or not, bytecode or WebAssembly, kept or afresh', () => {
    fc.assert(
      fc.property(situations(8), (situation) => {
        expect(mismatchOf(situation)).toBeUndefined();
      }),
      { ...LIMIT, interruptAfterTimeLimit: LONG ? 120_000 : 2_500 },
    );
  });
});

const SMALL = requestScoped(
  smallLaw({
    'aa/act': `
rules:
  - {id: minors, cite: § 1, effective: [{from: 2025-01-01}], when: {all: [{t.c: true}, {user.young: true}]}, prohibit: serving the young}
  - {id: many, cite: § 2, effective: [{from: 2025-01-01}], when: {t.count: {gte: 3}}, prohibit: too many}
  - {id: logs, cite: § 3, effective: [{from: 2025-01-01}], when: {t.kind: red}, require: {control: LOG-02, retention: P6M}, owed_by: [maker]}
`,
  }),
  ['t.count', 't.kind'],
);
/** Without the constraint on counts, so that counts say nothing of other facts. */
const LAW: Law = {
  ...SMALL,
  vocabulary: {
    ...SMALL.vocabulary,
    constraints: SMALL.vocabulary.constraints.filter(({ id }) => id === 'a-implies-b'),
  },
};
const OPTIONS: PolicyOptions = {
  law: LAW,
  digest: 'd',
  manifest: feature({ 't.c': true, 'market.role': ['maker'] }),
  moment: MOMENT,
  probe,
};
const ALLOWED = { 'user.young': false, 't.count': 0, 't.kind': 'blue' };

describe('decisions', () => {
  const policy = specialise(OPTIONS);

  test('follow what the call states', () => {
    expect(policy.decide(ALLOWED).in('AA').outcome).toBe('allowed');
    expect(policy.decide({ ...ALLOWED, 'user.young': true }).in('AA')).toMatchObject({
      outcome: 'not-allowed',
      reasons: [{ kind: 'prohibited', id: 'aa/act:minors' }],
    });
    expect(policy.decide({ ...ALLOWED, 't.kind': 'red' }).in('AA')).toMatchObject({
      outcome: 'allowed-if',
      controls: ['LOG-02'],
    });
    expect(policy.decide({}).in('AA').open).toEqual(['t.count', 't.kind', 'user.young']);
  });

  test('are the same object for calls that no rule can tell apart', () => {
    const one = policy.decide({ ...ALLOWED, 't.count': 0 });
    expect(policy.decide({ ...ALLOWED, 't.count': '2' })).toBe(one);
    expect(policy.decide({ ...ALLOWED, 't.kind': 'green' })).toBe(one);
    expect(policy.decide({ ...ALLOWED, 't.count': 3 })).not.toBe(one);
  });

  test('have the same name wherever they are made, in whatever order', () => {
    const other = specialise(OPTIONS);
    other.decide({ 't.count': '4' });
    other.decide({ 't.kind': 'green' });
    expect(other.decide(ALLOWED).id).toBe(policy.decide(ALLOWED).id);
    expect(specialise({ ...OPTIONS, digest: 'e' }).decide(ALLOWED).id).not.toBe(policy.decide(ALLOWED).id);
  });

  test('are explained by the interpreter', () => {
    const { id } = policy.decide({ ...ALLOWED, 'user.young': true });
    const [inAA] = policy.explain(id).markets;
    expect(inAA?.outcome).toBe('not-allowed');
    expect(inAA?.findings[0]?.proof).toMatchObject({ rule: 'aa/act:minors', truth: 'true' });
    expect(specialise(OPTIONS).explain(id, { ...ALLOWED, 'user.young': true }).markets[0]?.outcome).toBe(
      'not-allowed',
    );
    expect(() => policy.explain('0')).toThrow(InputError);
    expect(() => policy.explain(id, ALLOWED)).toThrow(/no decision/);
  });
});

describe('bad input never allows', () => {
  const policy = specialise(OPTIONS);
  const circle: { self?: unknown } = {};
  circle.self = circle;

  test.each([
    ['a word for a flag', { 'user.young': 'no' }, /must be `true` or `false`/],
    ['a flag for a word', { 't.kind': true }, /must be a word/],
    ['an unknown word', { 't.kind': 'blu' }, /`blu` is no value of `t.kind`/],
    ['a fraction for a count', { 't.count': '1.5' }, /whole number/],
    ['a number that is none', { 't.count': Number.NaN }, /whole number|a number/],
    ['nothing', { 'user.young': null }, /must be/],
    ['a thing without a text', { 't.count': circle }, /not `object`/],
    ['a fact that the manifest states', { 't.c': false }, /no fact of a call/],
    ['an unknown fact', { 'user.yung': true }, /unknown fact `user.yung`/],
  ])('%s', (_what, facts, message) => {
    const decision = policy.decide({ ...ALLOWED, ...(facts as unknown as CallFacts) });
    expect(decision.markets.map(({ outcome }) => outcome)).toEqual([
      'cannot-tell',
      'cannot-tell',
      'cannot-tell',
    ]);
    expect(decision.problems[0]?.message).toMatch(message);
    expect(() => policy.explain(decision.id)).toThrow(InputError);
  });

  test('a market that the policy was not compiled for', () => {
    expect(policy.decide(ALLOWED).in('BB').outcome).toBe('cannot-tell');
  });

  test('a market without law', () => {
    expect(policy.decide(ALLOWED).in('NO')).toMatchObject({
      outcome: 'cannot-tell',
      reasons: [{ kind: 'no-rulebook' }],
    });
  });

  test('a call that contradicts what the manifest states', () => {
    const joint = specialise({ ...OPTIONS, manifest: feature({ 't.a': true }), callFacts: ['t.b'] });
    expect(joint.decide({ 't.b': true }).problems).toEqual([]);
    const decision = joint.decide({ 't.b': false });
    expect(decision.in('AA').outcome).toBe('cannot-tell');
    expect(decision.problems[0]?.code).toBe('contradiction');
  });

  test('a policy of an unknown market, of unknown facts, or of facts that exclude each other is not compiled', () => {
    expect(() => specialise({ ...OPTIONS, markets: ['ZZ'] })).toThrow(/unknown market `ZZ`/);
    expect(() => specialise({ ...OPTIONS, callFacts: ['t.x'] })).toThrow(/unknown fact `t.x`/);
    expect(() => specialise({ ...OPTIONS, manifest: feature({ 't.a': true, 't.b': false }) })).toThrow(
      /contradicts/,
    );
  });
});

describe('corners in which a decision is as the assessment has it', () => {
  const lawOf = (body: string): Law => {
    const law = smallLaw({ 'aa/act': body });
    const { constraints } = law.vocabulary;
    return {
      ...law,
      vocabulary: { ...law.vocabulary, constraints: constraints.filter(({ id }) => id === 'a-implies-b') },
    };
  };
  const from = 'effective: [{from: 2025-01-01}]';

  test.each([
    [
      'a scope open on the call and on an unsettled point',
      `scope: aa.act.in
rules:
  - {id: in-1, scope: none, cite: § 1, ${from}, when: {user.young: true}, define: aa.act.in}
  - {id: in-2, scope: none, cite: § 2, ${from}, when: {t.c: true}, define: aa.act.in, ambiguous: two readings}
  - {id: ban, cite: § 3, ${from}, when: {t.kind: red}, prohibit: it}
`,
      { 't.c': true, 't.kind': 'red' },
    ],
    [
      'an open scope for which nothing waits',
      `scope: aa.act.in
rules:
  - {id: in-1, scope: none, cite: § 1, ${from}, when: {t.a: true}, define: aa.act.in}
  - {id: ban, scope: none, cite: § 2, ${from}, when: {user.young: true}, prohibit: it}
`,
      {},
    ],
    [
      'a duty in place that some calls trigger',
      `rules: [{id: logs, cite: § 1, ${from}, when: {user.young: true}, require: {control: LOG-02, retention: P6M}, owed_by: [maker]}]`,
      { 'market.role': ['maker'] },
    ],
    [
      'a scope that is open while duties of its law hold whatever it is',
      `scope: aa.act.in
rules:
  - {id: in-1, scope: none, cite: § 1, ${from}, when: {t.a: true}, define: aa.act.in}
  - {id: logs, scope: none, cite: § 2, ${from}, require: {control: LOG-02, retention: P6M}, owed_by: [maker]}
  - {id: ban, cite: § 3, ${from}, when: {user.young: true}, prohibit: it}
`,
      { 'market.role': ['maker'] },
    ],
    [
      'a prohibition and a duty of the same condition',
      `rules:
  - {id: ban, cite: § 1, ${from}, when: {user.young: true}, prohibit: it}
  - {id: logs, cite: § 2, ${from}, when: {user.young: true}, require: {control: LOG-02, retention: P6M}, owed_by: [maker]}
`,
      { 'market.role': ['maker'] },
    ],
  ] as const)('%s', (_what, body, facts) => {
    for (const retention of ['P6M', undefined]) {
      const options = { ...OPTIONS, law: lawOf(body), manifest: feature(facts, declared(retention)) };
      const policy = specialise(options);
      for (const call of [{}, { 'user.young': true }, { 'user.young': false }])
        expect(plain(policy.decide(call).markets)).toEqual(plain(assessed(options, call)));
    }
  });

  test('a duty that always holds, of a role that the call states', () => {
    const options = {
      ...OPTIONS,
      law: lawOf(
        `rules: [{id: logs, cite: § 1, ${from}, require: {control: LOG-02, retention: P6M}, owed_by: [maker]}]`,
      ),
      manifest: feature({}),
      callFacts: ['market.role'],
    };
    const policy = specialise(options);
    for (const call of [{}, { 'market.role': ['maker'] }, { 'market.role': ['user'] }])
      expect(plain(policy.decide(call).markets)).toEqual(plain(assessed(options, call)));
  });

  test('places that no rule names are told apart where facts are computed from them', () => {
    const options = {
      ...OPTIONS,
      law: lawOf(`rules: [{id: here, cite: § 1, ${from}, when: {market.here: true}, prohibit: it}]`),
      manifest: feature({}),
      callFacts: ['t.places'],
    };
    const policy = specialise(options);
    for (const place of ['AA', 'BB', 'AA-X', 'AA']) {
      const call = { 't.places': [place] };
      expect(plain(policy.decide(call).markets)).toEqual(plain(assessed(options, call)));
    }
  });

  test('more classes of values than are kept', () => {
    const rules = Array.from(
      { length: 600 },
      (_, k) => `  - {id: r${k}, cite: § ${k}, ${from}, when: {t.count: {gte: ${k + 1}}}, prohibit: it}\n`,
    );
    const law = lawOf(`rules:\n${rules.join('')}`);
    const policy = specialise({ ...OPTIONS, law, manifest: feature({}), callFacts: ['t.count'] });
    const decisions = rules.map((_, k) => policy.decide({ 't.count': k }));
    expect(decisions.map((decision) => decision.in('AA').reasons.length)).toEqual(rules.map((_, k) => k));
    expect(new Set(decisions.map(({ id }) => id)).size).toBe(rules.length);
  });
});
