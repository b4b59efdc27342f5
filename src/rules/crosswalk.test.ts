import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Problem } from '../facts/problem.ts';
import { InputError } from '../facts/problem.ts';
import type { Crosswalk, Relation } from './crosswalk.ts';
import { composed, inverse, nameOf, RELATIONS } from './crosswalk.ts';
import { readCrosswalks } from './crosswalk-read.ts';
import { readFrameworks } from './framework.ts';
import { readLaw } from './law.ts';
import { smallLawFiles } from './testdata/small-law.ts';

const RULES = `rules:
  - {id: log, cite: § 1, effective: [{from: 2025-01-01}], require: {control: LOG-02}, owed_by: [maker]}
  - {id: log.long, cite: § 1, effective: [{from: 2025-01-01}], require: {control: LOG-02, retention: P1Y}, owed_by: [maker]}
  - {id: log.idea, cite: § 1, effective: [{from: 2025-01-01}], define: aa.act.idea}
  - {id: ban, cite: § 2, effective: [{from: 2025-01-01}], prohibit: harm}
`;
const OTHER_CONTROL = `family: DIS
title: Disclosure
controls:
  - {id: DIS-01, title: Tell people, build: Tell them., evidence: {sufficient: tested, how: [{kind: test, what: it shows}]}}
`;
const framework = (id: string): { path: string; text: string } => ({
  path: `frameworks/${id}.yaml`,
  text: `framework: ${id}
title: ${id}
publisher: Somebody
kind: voluntary
version: "1"
state: {is: active, as_of: 2026}
licence: own words
source: {mark: recalled, confidence: high, urls: []}
references: [{ref: "1", gist: a, heading: true}, {ref: "1.1", gist: b}, {ref: "1.2", gist: c}]
`,
});
const law = readLaw(
  [...smallLawFiles({ 'aa/act': RULES }), { path: 'controls/dis.yaml', text: OTHER_CONTROL }],
  '',
);
const frameworks = readFrameworks([framework('one'), framework('two')], law);

function crosswalk(rows: string, header: Readonly<Record<string, string>> = {}): string {
  const keys = {
    crosswalk: 'table',
    title: A_TITLE,
    publisher: 'Somebody',
    published: 'analyst',
    style: 'coverage',
    extent: 'all',
    from: 'controls',
    to: 'law',
    recognition: 'engineering-reuse',
    source: '{mark: recalled, confidence: high, urls: []}',
    ...header,
  };
  const head = Object.entries(keys).map(([key, value]) => `${key}: ${value}\n`);
  return `${head.join('')}rows:${rows === '' ? ' []' : ''}\n${rows}`;
}
const A_TITLE = 'A table';
const CONCEPT = { style: 'concept', from: 'one', to: 'two' };

function read(...texts: readonly string[]): ReadonlyMap<string, Crosswalk> {
  return readCrosswalks(
    texts.map((text, i) => ({ path: `crosswalks/${i}.yaml`, text })),
    { law, frameworks },
    '',
  );
}

function problemsOf(...texts: readonly string[]): readonly Problem[] {
  try {
    read(...texts);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems;
  }
}

describe('the rows of a crosswalk', () => {
  test('name controls, rules, references and provisions that no rule encodes', () => {
    const rows = read(
      crosswalk(
        '  - {from: LOG-02, to: ["aa/act:log", {law: Old Act, place: BB, cite: § 3}, {of: aa/act, cite: § 9}], coverage: full}\n',
      ),
    ).get('table')?.rows;
    expect(rows?.[0]?.to).toEqual([
      { kind: 'rule', id: 'aa/act:log' },
      { kind: 'provision', law: 'Old Act', place: 'BB', cite: '§ 3' },
      { kind: 'provision', law: 'The aa/act Act', place: 'AA', cite: '§ 9', rulebook: 'aa/act' },
    ]);
  });

  test('may name the norms of an article with a pattern, which leaves its definitions out', () => {
    const rows = read(crosswalk('  - {from: LOG-02, to: ["aa/act:log*"], coverage: full}\n')).get(
      'table',
    )?.rows;
    expect(rows?.[0]?.to.map(nameOf)).toEqual(['aa/act:log', 'aa/act:log.long']);
  });

  test.each([
    ['a control that does not exist', '{from: LOG-03, to: ["aa/act:log"], coverage: full}', 'LOG-03'],
    ['a rule that does not exist', '{from: LOG-02, to: ["aa/act:lag"], coverage: full}', 'aa/act:lag'],
    ['a pattern that matches nothing', '{from: LOG-02, to: ["aa/act:x*"], coverage: full}', 'aa/act:x*'],
    [
      'a rulebook that does not exist',
      '{from: LOG-02, to: [{of: aa/akt, cite: § 9}], coverage: full}',
      'aa/akt',
    ],
    [
      'a place that does not exist',
      '{from: LOG-02, to: [{law: Old, place: CC, cite: § 9}], coverage: full}',
      'CC',
    ],
  ])('cannot lead to %s', (_what, row, name) => {
    const [problem, ...others] = problemsOf(crosswalk(`  - ${row}\n`));
    expect(others).toEqual([]);
    expect(problem).toMatchObject({
      code: 'dangling',
      message: expect.stringContaining(`\`${name}\``),
      at: { file: 'crosswalks/0.yaml', line: 12 },
    });
    expect(problem?.help).toBeDefined();
  });

  test('cannot lead to a reference that the framework does not list', () => {
    expect(problemsOf(crosswalk('  - {from: "1.1", to: ["1.3"], relation: null}\n', CONCEPT))).toMatchObject([
      { code: 'dangling', message: '`two` has no reference `1.3`', at: { line: 12 } },
    ]);
    expect(problemsOf(crosswalk('', { ...CONCEPT, extent: 'none', to: 'three' }))).toMatchObject([
      { code: 'dangling', message: 'no framework `three`' },
    ]);
  });

  test('say of which framework a reference is when there are several', () => {
    const header = { ...CONCEPT, from: 'one', to: '[one, two]' };
    expect(
      read(crosswalk('  - {from: "1.1", to: ["two:1.2"], relation: null}\n', header)).get('table')?.rows[0]
        ?.to,
    ).toEqual([{ kind: 'reference', framework: 'two', ref: '1.2' }]);
    expect(problemsOf(crosswalk('  - {from: "1.1", to: ["1.2"], relation: null}\n', header))).toMatchObject([
      { code: 'dangling' },
    ]);
  });

  test('never claim that one control serves wholly what asks for another', () => {
    expect(problemsOf(crosswalk('  - {from: DIS-01, to: ["aa/act:log"], coverage: full}\n'))).toMatchObject([
      { code: 'contradiction', help: 'say `partial`' },
    ]);
    expect(problemsOf(crosswalk('  - {from: DIS-01, to: ["aa/act:log"], coverage: partial}\n'))).toEqual([]);
  });
});

describe('relations', () => {
  const row = (rest: string): string => `  - {from: "1.1", to: ["1.2"], ${rest}}\n`;

  test('are said out loud: null where the publisher states none', () => {
    expect(problemsOf(crosswalk(row('note: x'), CONCEPT))).toMatchObject([{ code: 'missing' }]);
    expect(read(crosswalk(row('relation: null'), CONCEPT)).get('table')?.rows[0]?.states).toEqual({
      kind: 'relation',
      relation: null,
    });
  });

  test('are not put into the mouth of a publisher who states none', () => {
    expect(problemsOf(crosswalk(row('relation: equal'), CONCEPT))).toMatchObject([
      { code: 'contradiction', help: expect.stringContaining('analyst_relation') },
    ]);
    expect(problemsOf(crosswalk(row('relation: equal'), { ...CONCEPT, style: 'set-theory' }))).toEqual([]);
  });

  test('of our own are signed and dated', () => {
    const reading = 'relation: subset, rationale: smaller, by: Somebody';
    expect(
      problemsOf(crosswalk(row(`relation: null, analyst_relation: {${reading}}`), CONCEPT)),
    ).toMatchObject([{ code: 'missing', message: '`analyst_relation` needs `on`' }]);
    const whole = crosswalk(
      row(`relation: null, analyst_relation: {${reading}, on: 2026-11-23, to: ["1.1", "1.2"]}`),
      CONCEPT,
    );
    expect(read(whole).get('table')?.rows[0]?.states).toMatchObject({
      relation: null,
      analyst: { relation: 'subset', on: '2026-11-23', to: [{ ref: '1.1' }, { ref: '1.2' }] },
    });
  });

  test('have no place beside coverage', () => {
    const mixed = '  - {from: LOG-02, to: ["aa/act:log"], coverage: full, relation: equal}\n';
    expect(problemsOf(crosswalk(mixed))).toMatchObject([{ code: 'unknown-key' }]);
  });

  test('read from the other end twice are themselves', () => {
    fc.assert(
      fc.property(fc.constantFrom<Relation | null>(...RELATIONS, null), (relation) => {
        expect(inverse(inverse(relation))).toBe(relation);
      }),
    );
    expect(inverse('subset')).toBe('superset');
  });

  test('are never equal, nor a subset, through a hub', () => {
    for (const first of [...RELATIONS, null])
      for (const second of [...RELATIONS, null])
        expect([null, 'intersects']).toContain(composed(first, second));
    expect(composed('equal', 'equal')).toBe('intersects');
    expect(composed('equal', null)).toBeNull();
  });
});

describe('a file of crosswalks', () => {
  test('may register crosswalks of which no row is here', () => {
    const header = { ...CONCEPT, extent: 'none', to: '{other: A far framework}' };
    expect(read(crosswalk('', header)).get('table')?.to).toEqual([
      { kind: 'other', name: 'A far framework' },
    ]);
    expect(problemsOf(crosswalk('', { ...header, extent: 'all' }))).toMatchObject([
      { code: 'contradiction' },
    ]);
  });

  test('is refused with the mistakes of all files at once, an id used twice among them', () => {
    const good = crosswalk('  - {from: LOG-02, to: ["aa/act:log"], coverage: full}\n');
    const bad = crosswalk('  - {from: LOG-09, to: [], coverage: whole}\n');
    expect(problemsOf(good, bad).map(({ code }) => code)).toEqual([
      'dangling',
      'unknown-value',
      'empty',
      'duplicate',
    ]);
  });
});
