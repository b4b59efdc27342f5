import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Problem } from '../facts/problem.ts';
import { InputError } from '../facts/problem.ts';
import { covers, findReference, readFrameworks } from './framework.ts';
import { smallLaw } from './testdata/small-law.ts';

const law = smallLaw({ 'aa/act': 'rules: []\n' });
const HEAD = `framework: frame
title: A framework
publisher: Somebody
kind: voluntary
version: "1"
state: {is: active, as_of: 2026}
licence: own words
source: {mark: recalled, confidence: high, urls: ["https://example.org"]}
`;
const REFERENCES = `references:
  - {ref: PART 1, gist: First, heading: true}
  - {ref: PART 1.1, gist: Keep a list}
  - {ref: PART 1.2, gist: Keep it current}
`;
const file = (text: string, name = 'frame'): { path: string; text: string } => ({
  path: `frameworks/${name}.yaml`,
  text,
});

function problemsOf(...texts: readonly string[]): readonly Problem[] {
  try {
    readFrameworks(
      texts.map((text, i) => file(text, i === 0 ? 'frame' : `frame${i}`)),
      law,
      '',
    );
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems;
  }
}

describe('a framework', () => {
  test('has references, of which headings are no demands of their own', () => {
    const frame = readFrameworks([file(HEAD + REFERENCES)], law).get('frame');
    expect([...(frame?.references.values() ?? [])].filter(({ heading }) => !heading)).toHaveLength(2);
  });

  test('knows a reference whatever the case of its letters, and suggests the nearest', () => {
    const frame = readFrameworks([file(HEAD + REFERENCES)], law).get('frame');
    if (frame === undefined) throw new Error('not read');
    expect(findReference(frame, 'part 1.1')).toMatchObject({
      kind: 'found',
      reference: { ref: 'PART 1.1' },
    });
    expect(findReference(frame, 'PART 1.3')).toEqual({
      kind: 'unknown',
      help: 'did you mean `PART 1.1`?',
    });
  });

  test.each([
    ['a number that is no text', 'references: [{ref: 4.1, gist: x}]', 'wrong-type', /`ref` must be text/],
    [
      'a reference listed twice',
      'references: [{ref: A, gist: x}, {ref: A, gist: y}]',
      'duplicate',
      /`A` is listed twice/,
    ],
    ['an unknown key', 'references: [{ref: A, gist: x, text: y}]', 'unknown-key', /`text`/],
    ['a rulebook that does not exist', 'rulebook: aa/akt\nreferences: []', 'dangling', /`aa\/akt`/],
  ])('refuses %s, with its place', (_what, text, code, message) => {
    const [problem] = problemsOf(HEAD + text);
    expect(problem).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(problem?.at).toMatchObject({ file: 'frameworks/frame.yaml', line: expect.any(Number) });
  });

  test('stands in a file of its own name', () => {
    expect(problemsOf(HEAD + REFERENCES, HEAD + REFERENCES)).toMatchObject([
      { code: 'unknown-value', help: 'name the file `frame.yaml`' },
    ]);
  });

  test('says when its source was read, and why confidence is low', () => {
    const source = (text: string): string =>
      HEAD.replace('{mark: recalled, confidence: high,', text) + REFERENCES;
    expect(problemsOf(source('{mark: verified, confidence: high,'))).toMatchObject([{ code: 'missing' }]);
    expect(problemsOf(source('{mark: recalled, confidence: low,'))).toMatchObject([{ code: 'missing' }]);
    expect(problemsOf(source('{mark: recalled, seen: 2026-11-23, confidence: high,'))).toMatchObject([
      { code: 'contradiction' },
    ]);
    expect(problemsOf(HEAD.replace('as_of: 2026', 'as_of: 2026-13') + REFERENCES)).toMatchObject([
      { code: 'bad-date' },
    ]);
  });

  test('reports the mistakes of all files at once', () => {
    expect(problemsOf('framework: [', `${HEAD}references: [{ref: A}]`).length).toBeGreaterThan(1);
  });
});

describe('covers', () => {
  test.each([
    ['GOVERN 6', 'GOVERN 6.1', true],
    ['GOVERN', 'GOVERN 6', true],
    ['16', '16(2)(g)', true],
    ['A.6', 'A.6.2.4', true],
    ['1', '16', false],
    ['GOVERN 6.1', 'GOVERN 6', false],
    ['Action 1', 'Action 11', false],
  ])('%s, %s: %s', (outer, inner, expected) => expect(covers(outer, inner)).toBe(expected));

  test('holds of a reference and itself, and is handed down', () => {
    const step = fc.constantFrom('.1', '.2', '(a)', '(b)', ' 3');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 4 }), fc.array(step, { maxLength: 4 }), (above, below) => {
        const outer = `A${above.join('')}`;
        expect(covers(outer, outer)).toBe(true);
        expect(covers(outer, outer + below.join(''))).toBe(true);
        expect(covers('A', outer + below.join(''))).toBe(true);
      }),
    );
  });
});
