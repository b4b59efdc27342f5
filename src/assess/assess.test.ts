import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FactValue } from '../facts/domain.ts';
import { gather } from '../facts/knowledge.ts';
import type { DeclaredControl, Evidence } from '../facts/manifest.ts';
import type { Law } from '../rules/law.ts';
import { learning, randomRules, rulesBody } from '../rules/testdata/random-law.ts';
import { day, smallLaw, stated } from '../rules/testdata/small-law.ts';
import { assess } from './assess.ts';
import type { MarketAssessment } from './assessment.ts';
import type { Probe } from './evidence.ts';

const AT = { file: 'comity.yaml', line: 1, column: 1 };
const FILE: Probe = () => ({ kind: 'file', sha256: 'a'.repeat(64) });

interface Setup {
  readonly facts?: Readonly<Record<string, FactValue>>;
  readonly market?: string;
  readonly asOf?: string;
  readonly controls?: readonly DeclaredControl[];
  readonly probe?: Probe;
}

function verdict(
  law: Law,
  { facts = {}, market = 'AA', asOf = '2026-11-25', controls = [], probe = FILE }: Setup = {},
): MarketAssessment {
  const { knowledge } = gather(law.vocabulary, law.jurisdictions, market, stated(facts));
  const moment = { asOf: day(asOf), knownAt: day(asOf) };
  return assess({
    law,
    market,
    moment,
    knowledge,
    declared: new Map(controls.map((control) => [control.id, control])),
    probe,
    horizonMonths: 18,
  });
}

const rule = (id: string, rest: string, from = '2025-01-01'): string =>
  `  - {id: ${id}, cite: § 1, effective: [{from: ${from}}], ${rest}}\n`;
const act = (...rules: readonly string[]): Law => smallLaw({ 'aa/act': `rules:\n${rules.join('')}` });
const DUTY = 'require: {control: LOG-02, retention: P6M}, owed_by: [maker]';
const kept = (
  retention: string,
  evidence: readonly Omit<Evidence, 'at'>[] = [{ kind: 'document', ref: 'x.md' }],
): DeclaredControl => ({
  id: 'LOG-02',
  parameters: { retention },
  evidence: evidence.map((one) => ({ ...one, at: AT })),
  at: AT,
});

describe('the outcome', () => {
  test('a prohibition that holds is not allowed, whatever else is open', () => {
    const law = act(
      rule('p', 'prohibit: it, when: {t.a: true}'),
      rule('q', 'prohibit: it, when: {t.c: true}'),
    );
    expect(verdict(law, { facts: { 't.a': true } }).outcome).toBe('not-allowed');
  });

  test('a prohibition that nobody can rule out cannot be told', () => {
    const { outcome, reasons } = verdict(act(rule('p', 'prohibit: it, when: {t.c: true}')));
    expect(outcome).toBe('cannot-tell');
    expect(reasons).toMatchObject([{ kind: 'prohibition-open', finding: { open: ['t.c'] } }]);
  });

  test('a market without a rulebook cannot be told, never allowed', () => {
    expect(
      verdict(act(rule('p', 'prohibit: it, when: {t.a: true}')), { market: 'BB', facts: { 't.a': false } }),
    ).toMatchObject({ outcome: 'cannot-tell', reasons: [{ kind: 'no-rulebook' }] });
  });

  test('a law that only proposes or recommends covers no market', () => {
    const law = smallLaw({ 'aa/act': `binding: false\nrules:\n${rule('d', DUTY)}` });
    expect(verdict(law, { facts: { 'market.role': ['maker'] } }).reasons).toEqual([{ kind: 'no-rulebook' }]);
  });

  test('a duty of ours that is not covered makes it conditional', () => {
    expect(verdict(act(rule('d', DUTY)), { facts: { 'market.role': ['maker'] } })).toMatchObject({
      outcome: 'allowed-if',
      reasons: [{ kind: 'outstanding' }],
    });
  });

  test('a duty of somebody else is shown as theirs and counts for nothing', () => {
    const { outcome, findings } = verdict(act(rule('d', DUTY)), { facts: { 'market.role': ['user'] } });
    expect(outcome).toBe('allowed');
    expect(findings).toMatchObject([{ weight: 'theirs', owedBy: ['maker'] }]);
  });

  test('a duty whose debtor is not stated counts as ours', () => {
    expect(verdict(act(rule('d', DUTY))).outcome).toBe('allowed-if');
  });

  test('a duty to try is shown and never outstanding', () => {
    const { outcome, findings } = verdict(act(rule('d', `${DUTY}, force: effort`)), {
      facts: { 'market.role': ['maker'] },
    });
    expect(outcome).toBe('allowed');
    expect(findings).toMatchObject([{ weight: 'effort' }]);
  });

  test('a duty that hangs on a fact is undecided, not untold', () => {
    expect(
      verdict(act(rule('d', `${DUTY}, when: {t.c: true}`)), { facts: { 'market.role': ['maker'] } }),
    ).toMatchObject({ outcome: 'allowed-if', reasons: [{ kind: 'undecided' }] });
  });

  test('a law of which nobody knows whether it applies cannot be told', () => {
    const law = smallLaw({
      'aa/act': `scope: aa.act.applies\nrules:\n${rule('s', 'define: aa.act.applies, when: {t.c: true}')}${rule('d', DUTY)}`,
    });
    expect(verdict(law, { facts: { 'market.role': ['maker'] } })).toMatchObject({
      outcome: 'cannot-tell',
      reasons: [{ kind: 'scope-open', open: ['t.c'] }],
    });
    expect(verdict(law, { facts: { 'market.role': ['maker'], 't.c': false } }).outcome).toBe('allowed');
  });

  test('what only a call knows is decided call by call, and needs something that decides', () => {
    const { outcome, reasons } = verdict(act(rule('p', 'prohibit: it, when: {user.young: true}')));
    expect(outcome).toBe('allowed-if');
    expect(reasons).toMatchObject([{ kind: 'per-request' }]);
  });

  test('a point on which the law is unsettled makes a prohibition untold, with the reason', () => {
    const { outcome, findings } = verdict(act(rule('p', 'prohibit: it, ambiguous: two readings')));
    expect(outcome).toBe('cannot-tell');
    expect(findings).toMatchObject([{ unsettled: [{ why: 'two readings' }] }]);
  });

  test('law of the country is law of its parts, law of the union is law of its members', () => {
    const law = smallLaw({
      'aa/act': `rules:\n${rule('p', 'prohibit: it')}`,
      'uu/act': `rules:\n${rule('p', 'prohibit: it')}`,
    });
    expect(verdict(law, { market: 'AA-X' })).toMatchObject({ outcome: 'not-allowed', uncovered: ['AA-X'] });
    expect(verdict(law, { market: 'BB' }).outcome).toBe('not-allowed');
  });
});

describe('evidence', () => {
  const law = act(rule('d', DUTY));
  const ours = { 'market.role': ['maker'] };
  const outcomeWith = (controls: readonly DeclaredControl[], probe: Probe = FILE): MarketAssessment =>
    verdict(law, { facts: ours, controls, probe });

  test('that exists covers the duty', () => {
    expect(outcomeWith([kept('P6M')]).outcome).toBe('allowed');
  });

  test.each([
    ['is only declared', kept('P6M', []), FILE, /^$/],
    ['is not found', kept('P6M'), (() => ({ kind: 'absent' })) satisfies Probe, /not found/],
    [
      'has another content than named',
      kept('P6M', [{ kind: 'document', ref: 'x.md', sha256: 'b'.repeat(64) }]),
      FILE,
      /SHA-256/,
    ],
    [
      'expired today',
      kept('P6M', [{ kind: 'document', ref: 'x.md', expires: day('2026-11-25') }]),
      FILE,
      /expired/,
    ],
    [
      'is dated tomorrow',
      kept('P6M', [{ kind: 'document', ref: 'x.md', on: day('2026-11-26') }]),
      FILE,
      /after the day/,
    ],
    [
      'cannot be checked',
      kept('P6M', [{ kind: 'measured', ref: 'ledger:x' }]),
      (() => ({ kind: 'unchecked', why: 'no ledger' })) satisfies Probe,
      /no ledger/,
    ],
  ])('that %s does not', (_what, control, probe, remark) => {
    const { outcome, findings } = outcomeWith([control], probe);
    expect(outcome).toBe('allowed-if');
    expect(findings[0]?.coverage?.strength.rung).toBe('declared');
    expect(findings[0]?.coverage?.strength.remarks.join()).toMatch(remark);
  });

  test('expires at reading time: the same manifest is covered the day before', () => {
    const control = kept('P6M', [{ kind: 'document', ref: 'x.md', expires: day('2026-11-25') }]);
    expect(verdict(law, { facts: ours, controls: [control], asOf: '2026-11-24' }).outcome).toBe('allowed');
  });

  test('with a weaker parameter shows the gap', () => {
    expect(outcomeWith([kept('P3M')]).findings[0]?.coverage).toMatchObject({
      covered: false,
      gaps: [{ parameter: 'retention', asked: 'P6M', inPlace: 'P3M' }],
    });
  });

  test('with a stronger parameter covers', () => {
    expect(outcomeWith([kept('P1Y')]).outcome).toBe('allowed');
  });

  test('that covers the duty settles a duty that was undecided', () => {
    const open = act(rule('d', `${DUTY}, when: {t.c: true}`));
    expect(verdict(open, { facts: ours, controls: [kept('P6M')] }).outcome).toBe('allowed');
  });
});

describe('what is coming', () => {
  const facts = { 'market.role': ['maker'] };

  test('counts from its day and changes nothing before', () => {
    const { outcome, coming } = verdict(act(rule('p', 'prohibit: it', '2027-03-01')), { facts });
    expect(outcome).toBe('allowed');
    expect(coming).toMatchObject([{ kind: 'enacted', from: '2027-03-01', truth: 'true' }]);
  });

  test('is not shown beyond the horizon', () => {
    expect(verdict(act(rule('p', 'prohibit: it', '2028-06-01')), { facts }).coming).toEqual([]);
  });

  test('includes what a class that starts later brings with it', () => {
    const law = act(
      rule('c', 'classify: grave', '2027-12-02'),
      rule('d', `${DUTY}, when: {aa.act.grave: true}`),
    );
    expect(verdict(law, { facts }).coming.map(({ rule: { id }, from }) => [id, from])).toEqual([
      ['aa/act:c', '2027-12-02'],
      ['aa/act:d', '2027-12-02'],
    ]);
  });

  test('includes a prohibition whose exception ends', () => {
    const law = act(
      rule('p', 'prohibit: it'),
      '  - {id: grace, cite: § 2, effective: [{from: 2025-01-01, to: 2026-12-02}], defeats: {rules: [p], word: until}}\n',
    );
    expect(verdict(law, { facts })).toMatchObject({
      outcome: 'allowed',
      coming: [{ rule: { id: 'aa/act:p' }, from: '2026-12-02' }],
    });
  });

  test('shows bills and stayed rules for what they are', () => {
    const law = act(
      '  - {id: b, cite: § 1, effective: [{from: 2025-01-01, state: bill}], prohibit: it}\n',
      '  - {id: s, cite: § 1, effective: [{from: 2025-01-01, state: stayed}], prohibit: it}\n',
    );
    expect(verdict(law, { facts })).toMatchObject({ outcome: 'allowed' });
    expect(verdict(law, { facts }).coming.map(({ rule: { id }, kind }) => [id, kind])).toEqual([
      ['aa/act:s', 'stayed'],
      ['aa/act:b', 'bill'],
    ]);
  });
});

test('learning a fact never turns an outcome that was told into another, unless by more duties of ours', () => {
  fc.assert(
    fc.property(randomRules, learning, (rules, { before, after }) => {
      const law = smallLaw({ 'aa/act': rulesBody(rules) });
      const [earlier, later] = [
        verdict(law, { facts: before }).outcome,
        verdict(law, { facts: after }).outcome,
      ];
      if (earlier === 'not-allowed' || earlier === 'allowed') expect(later).toBe(earlier);
      if (earlier === 'allowed-if') expect(['allowed-if', 'allowed']).toContain(later);
    }),
    { numRuns: 300 },
  );
});
