import { smallLaw } from '../../../rules/testdata/small-law.ts';
import type { Law } from '../../../rules/law.ts';

/** Every construct of the rule language at least once, with names and texts that targets have to quote. */
const BODY = `
scope: aa.act.in_scope
rules:
  - {id: scope, cite: § 1, effective: [{from: 2024-01-01}], when: {any: [{t.a: true}, {t.kind: {in: [red, green]}}]}, define: aa.act.in_scope}
  - {id: big, cite: § 2, effective: [{from: 2024-01-01}], when: {all: [{t.flop: {gt: 1e25}}, {not: {t.flop: {gte: 1e27}}}]}, classify: big}
  - {id: ban, cite: "§ 3 \\"quoted\\" \\\\ */ | ; # //", effective: [{from: 2024-01-01, to: 2027-01-01}], when: {all: [{aa.act.big: true}, {t.uses: {has_any: [one, two]}}]}, prohibit: it}
  - {id: except, cite: § 4, effective: [{from: 2024-01-01}], when: {at_least: {n: 2, of: [{t.b: true}, {t.c: false}, {t.uses: {only: [three]}}]}}, defeats: {rules: [ban], word: except}}
  - {id: despite, cite: § 5, effective: [{from: 2024-01-01}], when: {not: {any: [{t.kind: blue}, {market.here: true}]}}, defeats: {rules: [except], word: despite}}
  - {id: duty, cite: § 6, effective: [{from: 2024-01-01}], when: {not: {at_least: {n: 2, of: [{t.a: true}, {t.b: true}, {aa.act.big: false}]}}}, require: {control: LOG-02, retention: P6M}, owed_by: [maker]}
  - {id: unsettled, cite: § 7, effective: [{from: 2024-01-01}], when: {t.count: {gte: 2, lt: 4}}, ambiguous: "two readings", prohibit: this}
  - {id: known, cite: § 8, effective: [{from: 2024-01-01}], when: {all: [{t.kind: {known: true}}, {t.uses: {known: true}}, {market.since: {known: true}}, {t.b: {known: true}}]}, permit: that}
  - {id: none, cite: § 9, effective: [{from: 2024-01-01}], when: {t.uses: {only: []}}, prohibit: nothing}
  - {id: since, cite: § 10, effective: [{from: 2024-01-01}], when: {market.since: {gt: 2025-01-01, lte: 2026-01-01}}, prohibit: age}
  - {id: late, cite: § 11, effective: [{from: 2030-01-01}], when: {t.a: true}, prohibit: later}
  - {id: bill, cite: § 12, effective: [{from: 2024-01-01, state: bill}], when: {t.a: true}, prohibit: perhaps}
  - {id: always, cite: § 13, scope: none, effective: [{from: 2024-01-01}], require: {control: LOG-02, retention: P1Y}, owed_by: [maker]}
  - {id: has, cite: § 14, scope: none, effective: [{from: 2024-01-01}], when: {t.uses: {has_any: [one, two]}}, permit: words}
  - {id: not-all, cite: § 15, scope: none, effective: [{from: 2024-01-01}], when: {not: {all: [{t.a: true}, {t.c: true}]}}, permit: both}
`;

const UNION = `
rules:
  - {id: seat, cite: § 1, effective: [{from: 2024-01-01}], when: {market.here: true}, prohibit: seat}
`;

/** A law with every construct, one of a union around the market among them. */
export function constructs(): Law {
  return smallLaw({ 'aa/act': BODY, 'uu/act': UNION });
}
