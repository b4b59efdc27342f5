import { describe, expect, test } from 'vitest';
import type { Agreement } from '../rules/agreement.ts';
import { readAgreements } from '../rules/agreement-read.ts';
import { nameOf } from '../rules/crosswalk.ts';
import { readCrosswalks } from '../rules/crosswalk-read.ts';
import { readFrameworks } from '../rules/framework.ts';
import { readLaw } from '../rules/law.ts';
import { day, smallLawFiles } from '../rules/testdata/small-law.ts';
import type { ReuseAnswer, Subject } from './reuse.ts';
import { reuseOf } from './reuse.ts';

const rule = (id: string, rest: string, from = '2025-01-01'): string =>
  `  - {id: ${id}, cite: § 1, effective: [{from: ${from}}], ${rest}}\n`;
const keep = (parameters: string): string => `require: {control: LOG-02${parameters}}, owed_by: [maker]`;
const DISCLOSURE = `family: DIS
title: Disclosure
controls:
  - {id: DIS-01, title: Tell people, build: Tell them., evidence: {sufficient: tested, how: [{kind: test, what: it shows}]}}
`;
const law = readLaw(
  [
    ...smallLawFiles({
      'aa/act': `rules:\n${rule('year', keep(', retention: P1Y'))}${rule('ban', 'prohibit: harm')}`,
      'bb/act': `rules:\n${
        rule('half', keep(', retention: P6M')) +
        rule('decade', keep(', retention: P10Y, contents: [who]')) +
        rule('later', keep(''), '2027-01-01') +
        rule('over', keep(''), '2020-01-01').replace('2020-01-01', '2020-01-01, to: 2021-01-01') +
        rule('idea', `state: bill, ${keep('')}`) +
        rule('tell', 'require: {control: DIS-01}, owed_by: [maker]')
      }`,
    }),
    { path: 'controls/dis.yaml', text: DISCLOSURE },
  ],
  '',
);
const frame = (id: string): { path: string; text: string } => ({
  path: `frameworks/${id}.yaml`,
  text: `framework: ${id}
title: ${id}
publisher: Somebody
kind: voluntary
version: "1"
state: {is: active, as_of: 2026}
licence: own words
source: {mark: recalled, confidence: high, urls: []}
references: [{ref: "1", gist: a, heading: true}, {ref: "1.1", gist: b}, {ref: "1.2", gist: c}, {ref: "2", gist: d}]
`,
});
const table = (id: string, header: string, rows: string): { path: string; text: string } => ({
  path: `crosswalks/${id}.yaml`,
  text: `crosswalk: ${id}
title: ${id}
publisher: Somebody
extent: all
recognition: engineering-reuse
source: {mark: recalled, confidence: high, urls: []}
${header}
rows:
${rows}`,
});
const frameworks = readFrameworks([frame('one'), frame('two'), frame('three')], law);
const crosswalks = readCrosswalks(
  [
    table(
      'controls-one',
      'published: analyst\nstyle: coverage\nfrom: controls\nto: one',
      '  - {from: LOG-02, to: ["1.1", "1.2"], coverage: full}\n  - {from: DIS-01, to: ["1.2"], coverage: full}\n  - {from: DIS-01, to: ["1.1", "2"], coverage: partial}\n',
    ),
    table(
      'controls-law',
      'published: analyst\nstyle: coverage\nfrom: controls\nto: law',
      '  - {from: LOG-02, to: ["bb/act:tell", "bb/act:half"], coverage: partial}\n  - {from: DIS-01, to: ["aa/act:ban"], coverage: full}\n',
    ),
    table(
      'one-two',
      'published: official\nstyle: set-theory\nfrom: one\nto: two',
      '  - {from: "2", to: ["1.1"], relation: equal}\n  - {from: "2", to: ["1.2", "2"], relation: subset}\n',
    ),
    table(
      'two-three',
      'published: third-party\nstyle: set-theory\nfrom: two\nto: three',
      '  - {from: "1.1", to: ["1.1"], relation: equal}\n',
    ),
  ],
  { law, frameworks },
  '',
);
const source = '{mark: recalled, confidence: high, urls: []}';
const agreements: ReadonlyMap<string, Agreement> = readAgreements(
  [
    {
      path: 'agreements/a.yaml',
      text: `agreements:
  - id: pact
    title: A pact
    parties: [AA]
    concerns: [UU]
    dates: [{on: 2025, what: done}]
    force: binding
    state: {is: in-force, as_of: 2025}
    pillars: []
    commitments: Accept.
    for_teams: Use it.
    recognition: [{kind: legal-recognition, by: [AA], of: [UU], what: logs count, cite: § 3, serves: [LOG-02]}]
    source: ${source}
`,
    },
  ],
  law,
).byId;
const ask = (subject: Subject): ReuseAnswer =>
  reuseOf({ law, crosswalks, agreements }, subject, {
    asOf: day('2026-11-25'),
    knownAt: day('2026-11-25'),
  });
const byName = (answer: ReuseAnswer): Readonly<Record<string, ReuseAnswer['services'][number]>> =>
  Object.fromEntries(answer.services.map((service) => [nameOf(service.end), service]));

describe('the evidence for a rule', () => {
  const answer = ask({ kind: 'rule', id: 'aa/act:year' });
  const served = byName(answer);

  test('is that of the control the rule asks for', () => {
    expect(answer.supports).toEqual([{ control: 'LOG-02', basis: 'asked', extent: 'wholly' }]);
  });

  test('serves wholly what asks no more of the same control', () => {
    expect(served['bb/act:half']).toMatchObject({ extent: 'wholly', leftOver: [] });
  });

  test('serves in part what asks more, and says what is left over', () => {
    expect(served['bb/act:decade']).toMatchObject({
      extent: 'in-part',
      leftOver: [
        { parameter: 'retention', asked: 'P10Y', here: 'P1Y' },
        { parameter: 'contents', asked: ['who'] },
      ],
    });
  });

  test('is said to serve what begins later and what is only a bill, marked so, and nothing that is over', () => {
    expect(served['bb/act:later']?.timing).toEqual({ kind: 'later', from: '2027-01-01' });
    expect(served['bb/act:idea']?.timing).toEqual({ kind: 'bill' });
    expect(served).not.toHaveProperty('bb/act:over');
  });

  test('serves through a table what asks for another control, never wholly', () => {
    expect(served['bb/act:tell']).toMatchObject({ extent: 'in-part', basis: { kind: 'mapped' } });
  });

  test('is not listed twice where the law and a table name the same rule', () => {
    expect(answer.services.filter(({ end }) => nameOf(end) === 'bb/act:half')).toHaveLength(1);
  });

  test('comes with the acts of recognition of its place', () => {
    expect(answer.accepted.map(({ agreement }) => agreement.id)).toEqual(['pact']);
    expect(ask({ kind: 'rule', id: 'bb/act:half' }).accepted).toHaveLength(1);
    expect(ask({ kind: 'rule', id: 'bb/act:tell' }).accepted).toEqual([]);
  });

  test('is that of the controls a table names where the rule itself asks for none', () => {
    expect(ask({ kind: 'rule', id: 'aa/act:ban' }).supports).toEqual([
      { control: 'DIS-01', basis: 'mapped', extent: 'wholly' },
    ]);
  });
});

describe('the evidence of a control', () => {
  const served = byName(ask({ kind: 'control', id: 'LOG-02' }));

  test('sets no parameter, so that every parameter is left over', () => {
    expect(served['aa/act:year']).toMatchObject({
      extent: 'in-part',
      leftOver: [{ parameter: 'retention', asked: 'P1Y' }],
    });
  });

  test('serves a reference wholly where no other control claims the whole of it too', () => {
    expect(served['one:1.1']).toMatchObject({ extent: 'wholly', besides: [] });
    expect(served['one:1.2']).toMatchObject({ extent: 'in-part', besides: ['DIS-01'] });
  });
});

describe('a reference of a framework', () => {
  test('is served by the controls that lead to it, a heading by those of its parts, in part', () => {
    expect(ask({ kind: 'reference', framework: 'one', ref: '1.1' }).supports).toEqual([
      { control: 'LOG-02', basis: 'mapped', extent: 'wholly' },
      { control: 'DIS-01', basis: 'mapped', extent: 'in-part' },
    ]);
    expect(ask({ kind: 'reference', framework: 'one', ref: '1' }).supports).toEqual([
      { control: 'LOG-02', basis: 'mapped', extent: 'in-part' },
      { control: 'DIS-01', basis: 'mapped', extent: 'in-part' },
    ]);
  });

  test('stands to its neighbour as the publisher says, from either end', () => {
    const [forward, union] = ask({ kind: 'reference', framework: 'one', ref: '2' }).neighbours;
    expect(forward).toMatchObject({ relation: 'equal', ends: [{ ref: '1.1' }] });
    expect(union).toMatchObject({ relation: 'subset', ends: [{ ref: '1.2' }, { ref: '2' }] });
    // What holds for two ends together holds for neither alone.
    const [back] = ask({ kind: 'reference', framework: 'two', ref: '1.2' }).neighbours;
    expect(back).toMatchObject({ relation: null, ends: [{ framework: 'one', ref: '2' }] });
  });

  test('is never equal to what it meets only through a third', () => {
    const through = ask({ kind: 'reference', framework: 'one', ref: '2' }).neighbours.find(
      ({ ends }) => ends[0] !== undefined && nameOf(ends[0]) === 'three:1.1',
    );
    expect(through).toMatchObject({ relation: 'intersects', via: { framework: 'two', ref: '1.1' } });
  });

  test('without a control of its own is served in part by those of its neighbours', () => {
    const { supports } = ask({ kind: 'reference', framework: 'two', ref: '1.1' });
    expect(supports).toMatchObject([
      { control: 'DIS-01', basis: 'through', extent: 'in-part', via: { framework: 'one', ref: '2' } },
    ]);
  });
});
