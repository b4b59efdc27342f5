import { describe, expect, test } from 'vitest';
import type { Problem } from '../facts/problem.ts';
import { InputError } from '../facts/problem.ts';
import { readLaw } from './law.ts';
import { smallLaw, smallLawFiles } from './testdata/small-law.ts';

function problemsOf(rules: string, others: Readonly<Record<string, string>> = {}): readonly Problem[] {
  try {
    smallLaw({ 'aa/act': `rules:\n${rules}`, ...others });
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems;
  }
}

const rule = (rest: string, id = 'r'): string =>
  `  - {id: ${id}, cite: § 1, effective: [{from: 2025-01-01}], ${rest}}\n`;
/** Rules begin below a header of fourteen lines and the line `rules:`. */
const FIRST_RULE_LINE = 16;

describe('the strict loader refuses', () => {
  test.each([
    [
      'an unknown key',
      rule('prohibit: x, wenn: {t.a: true}'),
      'unknown-key',
      /`wenn`/,
      /did you mean `when`/,
    ],
    ['an unknown fact', rule('prohibit: x, when: {tt.a: true}'), 'dangling', /`tt.a`/, /./],
    [
      'a test of the wrong kind for a set',
      rule('prohibit: x, when: {t.uses: one}'),
      'wrong-type',
      /is a set/,
      /has: one/,
    ],
    [
      'a number test on a word',
      rule('prohibit: x, when: {t.kind: {gte: 3}}'),
      'wrong-type',
      /`gte` is no test/,
      /./,
    ],
    [
      'an unknown word',
      rule('prohibit: x, when: {t.uses: {has: won}}'),
      'unknown-value',
      /`won`/,
      /did you mean `one`/,
    ],
    [
      '`known: false`',
      rule('prohibit: x, when: {t.a: {known: false}}'),
      'unknown-value',
      /does not exist/,
      undefined,
    ],
    [
      'a fraction of a count',
      rule('prohibit: x, when: {t.count: {gte: 1.5}}'),
      'bad-number',
      /no whole number/,
      undefined,
    ],
    ['two effects', rule('prohibit: x, permit: y'), 'duplicate', /`prohibit` and `permit`/, /two rules/],
    ['no effect', rule('when: {t.a: true}'), 'missing', /needs one effect/, /./],
    ['a duty without who owes it', rule('require: {control: LOG-02}'), 'missing', /`owed_by`/, /./],
    [
      'an unknown role',
      rule('require: {control: LOG-02}, owed_by: [mayker]'),
      'unknown-value',
      /`mayker`/,
      /did you mean `maker`/,
    ],
    [
      'an unknown control',
      rule('require: {control: LOG-03}, owed_by: [maker]'),
      'unknown-name',
      /`LOG-03`/,
      /LOG-02/,
    ],
    [
      'a control parameter in the wrong unit',
      rule('require: {control: LOG-02, retention: 6 months}, owed_by: [maker]'),
      'bad-duration',
      /ISO 8601/,
      /P6M/,
    ],
    [
      'a condition with two keys',
      rule('prohibit: x, when: {t.a: true, t.b: true}'),
      'wrong-type',
      /has one key/,
      /all/,
    ],
    [
      'an impossible day',
      `  - {id: r, cite: § 1, effective: [{from: 2025-02-30}], prohibit: x}\n`,
      'bad-date',
      /2025-02-30/,
      /./,
    ],
    [
      'an end before its beginning',
      `  - {id: r, cite: § 1, effective: [{from: 2025-02-03, to: 2025-02-03}], prohibit: x}\n`,
      'bad-date',
      /not after/,
      /./,
    ],
    [
      'overlapping dates',
      `  - {id: r, cite: § 1, effective: [{from: 2025-01-01}, {from: 2026-01-01}], prohibit: x}\n`,
      'overlap',
      /overlaps/,
      /recorded/,
    ],
    [
      'a repealed rule without an end',
      `  - {id: r, cite: § 1, state: repealed, effective: [{from: 2025-01-01}], prohibit: x}\n`,
      'missing',
      /repealed/,
      /to:/,
    ],
    [
      'an exception to nothing',
      rule('defeats: {rules: [nope], word: except}'),
      'dangling',
      /names no rule/,
      /./,
    ],
    [
      'an exception to an empty group',
      rule('defeats: {rules: ["nope.*"], word: except}'),
      'dangling',
      /names no rule/,
      /./,
    ],
    ['a conclusion outside its namespace', rule('define: bb.act.x'), 'unknown-name', /namespace/, undefined],
    [
      'a conclusion that nothing draws',
      rule('prohibit: x, when: {aa.act.nothing: true}'),
      'dangling',
      /nothing concludes/,
      /./,
    ],
  ])('%s', (_what, rules, code, message, help) => {
    const problems = problemsOf(rules);
    const found = problems.find((problem) => problem.code === code && message.test(problem.message));
    expect(found, JSON.stringify(problems)).toBeDefined();
    expect(found?.at).toMatchObject({ file: 'aa/act.yaml', line: FIRST_RULE_LINE });
    if (help !== undefined) expect(found?.help).toMatch(help);
  });

  test('two rules of one name', () => {
    expect(problemsOf(rule('prohibit: x') + rule('prohibit: y'))).toMatchObject([
      { code: 'duplicate', at: { line: FIRST_RULE_LINE + 1 } },
    ]);
  });

  test('a circle of exceptions', () => {
    const circle =
      rule('defeats: {rules: [b], word: except}', 'a') + rule('defeats: {rules: [a], word: except}', 'b');
    expect(problemsOf(circle)).toMatchObject([{ code: 'cycle' }]);
  });

  test('a circle through a definition and its exception', () => {
    const circle =
      rule('define: aa.act.x', 'a') +
      rule('defeats: {rules: [a], word: except}, when: {aa.act.x: true}', 'b');
    expect(problemsOf(circle).map(({ code }) => code)).toEqual(['cycle']);
  });

  test('two files that claim one instrument', () => {
    const files = [
      ...smallLawFiles({ 'aa/act': 'rules: []\n' }),
      { path: 'aa/act/index.yaml', text: 'rulebook: aa/act\n' },
    ];
    expect(() => readLaw(files, '')).toThrow(/two files claim the instrument `aa\/act`/);
  });

  test('a place that lies in itself', () => {
    const files = smallLawFiles({}).map((file) =>
      file.path === 'jurisdictions.yaml'
        ? {
            ...file,
            text: 'jurisdictions:\n  - {id: AA, name: A, kind: country, parent: BB}\n  - {id: BB, name: B, kind: country, parent: AA}\n',
          }
        : file,
    );
    expect(() => readLaw(files, '')).toThrow(/lies in itself/);
  });

  test('everything at once, and nothing half-loaded', () => {
    const problems = problemsOf(
      rule('prohibit: x, wenn: 1', 'a') +
        rule('prohibit: x, when: {t.uses: one}', 'b') +
        rule('require: {control: NO-1}, owed_by: [maker]', 'c'),
    );
    expect(problems.map(({ code }) => code).toSorted()).toEqual([
      'unknown-key',
      'unknown-name',
      'wrong-type',
    ]);
  });
});

describe('the loader accepts', () => {
  test('a long instrument in parts', () => {
    const [header] = smallLawFiles({ 'aa/act': '' }).slice(-1);
    const law = readLaw(
      [
        ...smallLawFiles({}),
        { path: 'aa/act/index.yaml', text: header?.text ?? '' },
        { path: 'aa/act/two.yaml', text: `part: Two\nrules:\n${rule('prohibit: x')}` },
      ],
      '',
    );
    expect([...law.rules.keys()]).toEqual(['aa/act:r']);
  });

  test('groups of rules by the beginning of their names', () => {
    const law = smallLaw({
      'aa/act': `rules:\n${rule('prohibit: x', 'p.a')}${rule('prohibit: y', 'p.b')}${rule('defeats: {rules: ["p.*"], word: except}', 'e')}`,
    });
    expect(law.defeaters.get('aa/act:p.b')?.map(({ id }) => id)).toEqual(['aa/act:e']);
  });
});
