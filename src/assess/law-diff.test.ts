import { describe, expect, test } from 'vitest';
import type { Law } from '../rules/law.ts';
import { smallLaw } from '../rules/testdata/small-law.ts';
import { diffLaw } from './law-diff.ts';

const rule = (id: string, rest: string, effective = '[{from: 2025-01-01}]'): string =>
  `  - {id: ${id}, cite: § 1, effective: ${effective}, ${rest}}\n`;
const act = (...rules: readonly string[]): Law => smallLaw({ 'aa/act': `rules:\n${rules.join('')}` });
const kinds = (before: Law, after: Law): readonly string[] =>
  diffLaw(before, after).map(({ kind, what, id }) => `${kind} ${what} ${id}`);

describe('the difference between two versions of the law', () => {
  test('is nothing between a law and itself, however its files are ordered', () => {
    expect(
      kinds(
        act(rule('a', 'prohibit: x'), rule('b', 'prohibit: y')),
        act(rule('b', 'prohibit: y'), rule('a', 'prohibit: x')),
      ),
    ).toEqual([]);
  });

  test('names rules added and removed', () => {
    expect(kinds(act(rule('a', 'prohibit: x')), act(rule('b', 'prohibit: x')))).toEqual([
      'removed rule aa/act:a',
      'added rule aa/act:b',
    ]);
  });

  test('tells a new date from a new meaning from a new title', () => {
    const before = act(
      rule('a', 'prohibit: x'),
      rule('b', 'prohibit: x, when: {t.a: true}'),
      rule('c', 'prohibit: x, title: old'),
    );
    const after = act(
      rule('a', 'prohibit: x', '[{from: 2026-01-01, recorded: 2025-06-01}]'),
      rule('b', 'prohibit: x, when: {t.a: false}'),
      rule('c', 'prohibit: x, title: new'),
    );
    expect(kinds(before, after)).toEqual([
      're-dated rule aa/act:a',
      'meaning rule aa/act:b',
      'editorial rule aa/act:c',
    ]);
  });

  test('sees a number moved by one', () => {
    expect(
      kinds(
        act(rule('a', 'prohibit: x, when: {t.count: {gte: 10}}')),
        act(rule('a', 'prohibit: x, when: {t.count: {gt: 10}}')),
      ),
    ).toEqual(['meaning rule aa/act:a']);
  });

  test('does not report an exception as changed because another rule came under its group', () => {
    const exception = rule('e', 'defeats: {rules: ["p.*"], word: except}');
    expect(
      kinds(
        act(rule('p.a', 'prohibit: x'), exception),
        act(rule('p.a', 'prohibit: x'), rule('p.b', 'prohibit: x'), exception),
      ),
    ).toEqual(['added rule aa/act:p.b']);
  });

  test('sees the state and the scope of an instrument', () => {
    const before = smallLaw({ 'aa/act': `rules:\n${rule('s', 'define: aa.act.s')}` });
    const after = smallLaw({ 'aa/act': `scope: aa.act.s\nrules:\n${rule('s', 'define: aa.act.s')}` });
    expect(kinds(before, after)).toContain('meaning rulebook aa/act');
  });
});
