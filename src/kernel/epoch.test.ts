import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { Day } from '../facts/date.ts';
import { today } from '../facts/date.ts';
import type { FactValue } from '../facts/domain.ts';
import type { DeclaredControl } from '../facts/manifest.ts';
import { readManifest } from '../facts/manifest.ts';
import type { Fact } from '../facts/vocabulary.ts';
import { loadLaw } from '../rules/load.ts';
import { completeFacts, randomRules, rulesBody } from '../rules/testdata/random-law.ts';
import { day, smallLaw } from '../rules/testdata/small-law.ts';
import type { CallFacts } from './decision.ts';
import type { Policy } from './policy.ts';
import { specialise } from './policy.ts';
import type { PolicyOptions } from './policy-options.ts';

const LONG = process.env.COMITY_LONG === '1';
vi.setConfig({ testTimeout: LONG ? 2_000_000 : 60_000 });

const at = { file: 'f', line: 1, column: 1 };
const probe = (): { readonly kind: 'file'; readonly sha256: string } => ({ kind: 'file', sha256: '' });

/** The day so many days later. */
function later(from: Day, days: number): Day {
  return day(new Date(Date.parse(from) + days * 86_400_000).toISOString().slice(0, 10));
}

/** All that is decided on some calls, but the day it was decided for. */
function decided(policy: Policy, calls: readonly CallFacts[]): unknown {
  return calls.map((call) => {
    const { id, markets, problems } = policy.decide(call);
    return JSON.stringify({ id, markets, problems });
  });
}

function declared(
  evidence: Partial<DeclaredControl['evidence'][number]>,
): PolicyOptions['manifest']['controls'] {
  const schedule = { kind: 'document' as const, ref: 'schedule', at, ...evidence };
  return new Map([['LOG-02', { id: 'LOG-02', at, parameters: { retention: 'P6M' }, evidence: [schedule] }]]);
}

const DAYS = ['2023-06-01', '2024-01-01', '2025-01-01', '2026-01-01', '2026-06-01', '2027-01-01'].map(day);
/** The days around those on which random rules and evidence turn. */
const MOMENTS = [
  ...DAYS.flatMap((one) => [later(one, -1), one, later(one, 1)]),
  day('2019-12-31'),
  day('2031-01-01'),
];

const moments = fc
  .tuple(fc.constantFrom(...MOMENTS), fc.option(fc.constantFrom(...MOMENTS), { nil: undefined }))
  .map(([asOf, knownAt]) => ({ asOf, knownAt: knownAt ?? asOf }));

const features = fc.record({
  rules: randomRules,
  facts: completeFacts,
  stated: fc.subarray(['t.a', 't.b', 't.c', 't.kind', 'market.since', 'market.role']),
  calls: fc.array(completeFacts, { minLength: 1, maxLength: 2 }),
  dated: fc.option(fc.constantFrom(...DAYS), { nil: undefined }),
  expires: fc.option(fc.constantFrom(...DAYS), { nil: undefined }),
});

describe('an epoch', () => {
  test('has the same decisions on all of its days, by the same names', () => {
    fc.assert(
      fc.property(features, moments, ({ rules, facts, stated, calls, dated, expires }, moment) => {
        const pick = (from: Readonly<Record<string, FactValue>>, ids: readonly string[]): CallFacts =>
          Object.fromEntries(Object.entries(from).filter(([id]) => ids.includes(id)));
        const statements = Object.entries(pick(facts, stated)).map(([fact, value]) => ({
          fact,
          value: value as FactValue,
        }));
        const law = smallLaw({ 'aa/act': rulesBody(rules) });
        const lives = moment.knownAt === moment.asOf;
        const on = (asOf: Day): Policy =>
          specialise({
            law,
            digest: 'd',
            manifest: {
              name: 'f',
              markets: ['AA', 'AA-X'],
              statements: () => statements,
              controls: declared({
                ...(dated === undefined ? {} : { on: dated }),
                ...(expires === undefined ? {} : { expires }),
              }),
            },
            moment: { asOf, knownAt: lives ? asOf : moment.knownAt },
            probe,
            callFacts: ['t.uses', 't.count', 'market.here'],
          });
        const asked = calls.map((call) => pick(call, ['t.uses', 't.count', 'market.here']));
        const policy = on(moment.asOf);
        expect(policy.isValidOn(moment.asOf)).toBe(true);
        const expected = decided(policy, asked);
        // With the knowledge of its own day, a day stands in an epoch of those.
        for (const one of MOMENTS.filter((each) => lives || each !== moment.knownAt)) {
          const other = on(one);
          if (policy.isValidOn(one)) expect(decided(other, asked)).toEqual(expected);
          else expect(other.decide({}).id).not.toBe(policy.decide({}).id);
          // Epochs do not overlap: one day belongs to the same one as another, or the other does not to its.
          expect(other.isValidOn(moment.asOf)).toBe(policy.isValidOn(one));
        }
      }),
      {
        numRuns: LONG ? 20_000 : 150,
        interruptAfterTimeLimit: LONG ? 120_000 : 6_000,
        markInterruptAsFailure: false,
      },
    );
  });
});

describe('an epoch of one rule', () => {
  const policyOn = (
    effective: string,
    asOf: string,
    {
      knownAt = asOf,
      ...more
    }: { readonly knownAt?: string } & Partial<Pick<PolicyOptions['manifest'], 'markets' | 'controls'>> = {},
  ): Pick<Policy, 'validFrom' | 'validUntil'> => {
    const { validFrom, validUntil } = specialise({
      law: smallLaw({
        'aa/act': `rules: [{id: r, cite: § 1, effective: ${effective}, when: {t.c: true}, prohibit: it}]`,
      }),
      digest: 'd',
      manifest: { name: 'f', markets: ['AA'], statements: () => [], controls: new Map(), ...more },
      moment: { asOf: day(asOf), knownAt: day(knownAt) },
      probe,
    });
    return { validFrom, validUntil };
  };

  test.each([
    ['ends on the day it begins', '[{from: 2025-01-01}]', '2024-03-01', undefined, '2025-01-01'],
    ['begins on the day it begins', '[{from: 2025-01-01}]', '2025-01-01', '2025-01-01', undefined],
    [
      'lies between its first day and its end',
      '[{from: 2025-01-01, to: 2026-01-01}]',
      '2025-06-01',
      '2025-01-01',
      '2026-01-01',
    ],
    ['begins with its end', '[{from: 2025-01-01, to: 2026-01-01}]', '2026-01-01', '2026-01-01', undefined],
    ['never ends for a bill', '[{from: 2025-01-01, state: bill}]', '2024-03-01', undefined, undefined],
    [
      'never ends for a stayed rule',
      '[{from: 2025-01-01, state: stayed}]',
      '2024-03-01',
      undefined,
      undefined,
    ],
    [
      'begins when the world knows of it',
      '[{from: 2025-01-01, recorded: 2025-03-01}]',
      '2025-02-01',
      undefined,
      '2025-03-01',
    ],
    [
      'ends when the world learns of a delay',
      '[{from: 2025-01-01}, {from: 2027-01-01, recorded: 2026-06-01}]',
      '2026-01-01',
      '2025-01-01',
      '2026-06-01',
    ],
    [
      'lasts to the day it was put off to',
      '[{from: 2025-01-01}, {from: 2027-01-01, recorded: 2026-06-01}]',
      '2026-06-01',
      '2026-06-01',
      '2027-01-01',
    ],
    [
      'goes on where one interval follows another',
      '[{from: 2025-01-01, to: 2026-01-01}, {from: 2026-01-01}]',
      '2025-06-01',
      '2025-01-01',
      undefined,
    ],
  ])('%s', (_what, effective, asOf, validFrom, validUntil) => {
    expect(policyOn(effective, asOf)).toEqual({ validFrom, validUntil });
  });

  test('does not end with what is learned later, where the day of knowledge is fixed', () => {
    const delayed = '[{from: 2025-01-01}, {from: 2027-01-01, recorded: 2026-06-01}]';
    expect(policyOn(delayed, '2026-01-01', { knownAt: '2025-12-01' }).validUntil).toBeUndefined();
    expect(policyOn(delayed, '2026-01-01', { knownAt: '2026-07-01' })).toEqual({
      validFrom: undefined,
      validUntil: '2027-01-01',
    });
  });

  test('knows nothing of rules of other places', () => {
    expect(policyOn('[{from: 2025-01-01}]', '2024-03-01', { markets: ['BB'] }).validUntil).toBeUndefined();
  });

  test('ends with a rule of elsewhere that concludes what a rule here tests', () => {
    const { validUntil } = specialise({
      law: smallLaw({
        'aa/act':
          'rules: [{id: r, cite: § 1, effective: [{from: 2020-01-01}], when: {bb.act.d: true}, prohibit: it}]',
        'bb/act':
          'rules: [{id: d, cite: § 1, effective: [{from: 2025-01-01}], when: {t.c: true}, define: bb.act.d}]',
      }),
      digest: 'd',
      manifest: { name: 'f', markets: ['AA'], statements: () => [], controls: new Map() },
      moment: { asOf: day('2024-03-01'), knownAt: day('2024-03-01') },
      probe,
    });
    expect(validUntil).toBe('2025-01-01');
  });

  test('ends where evidence expires, and where it begins to count', () => {
    const rule = '[{from: 2020-01-01}]';
    const until = (evidence: Parameters<typeof declared>[0]): Day | undefined =>
      policyOn(rule, '2025-01-01', { controls: declared(evidence) }).validUntil;
    expect(until({ expires: day('2026-01-01') })).toBe('2026-01-01');
    expect(until({ on: day('2025-05-01') })).toBe('2025-05-01');
    expect(until({})).toBeUndefined();
  });
});

describe('the epochs of the law', () => {
  const { law, digest } = loadLaw();
  const examples = fileURLToPath(new URL('../../examples', import.meta.url));
  const manifests = readdirSync(examples).flatMap((name) => {
    try {
      return [readManifest(readFileSync(join(examples, name, 'comity.yaml'), 'utf8'), name, law)];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  });
  const policyOn = (manifest: PolicyOptions['manifest'], asOf: Day): Policy =>
    specialise({ law, digest, manifest, moment: { asOf, knownAt: asOf }, probe });
  const callsOf = ({ callFacts }: Policy): readonly CallFacts[] =>
    [0, 1, 2].map((n) =>
      Object.fromEntries(
        callFacts.flatMap((id, k) => {
          const fact = law.vocabulary.facts.get(id);
          const value = fact === undefined || (n + k) % 4 === 0 ? undefined : valueFor(fact, n + k);
          return value === undefined ? [] : [[id, value]];
        }),
      ),
    );

  function valueFor(fact: Fact, pick: number): FactValue | undefined {
    const words = [...fact.values.keys()];
    switch (fact.type) {
      case 'bool':
        return pick % 2 === 0;
      case 'enum':
        return words[pick % words.length];
      case 'set':
        return words.slice(0, pick % 3);
      case 'date':
        return today();
      default:
        return String(pick);
    }
  }

  test('there are examples', () => {
    expect(manifests.length).toBeGreaterThan(4);
  });

  test.each(manifests.map((manifest) => [manifest.file, manifest] as const))(
    '%s is decided the same from the first to the last day of every epoch of 2025 to 2030',
    (_name, manifest) => {
      let epochs = 0;
      for (
        let first: Day | undefined = day('2025-01-01');
        first !== undefined && first < '2031-01-01';
        epochs++
      ) {
        const policy = policyOn(manifest, first);
        const calls = callsOf(policy);
        const last: Day = policy.validUntil === undefined ? day('2031-01-01') : later(policy.validUntil, -1);
        const days = Math.round((Date.parse(last) - Date.parse(first)) / 86_400_000);
        const expected = decided(policy, calls);
        for (const one of new Set([last, later(first, Math.floor(days / 2))])) {
          expect(policy.isValidOn(one)).toBe(true);
          expect(decided(policyOn(manifest, one), calls)).toEqual(expected);
        }
        first = policy.validUntil;
      }
      expect(epochs).toBeGreaterThan(10);
    },
  );
});
