import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from './problem.ts';
import { parseSource, toPlain } from './source.ts';

function problemsOf(text: string): readonly { code: string; line?: number }[] {
  try {
    parseSource(text, 'f.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems.map(({ code, at }) => ({ code, ...(at === undefined ? {} : { line: at.line }) }));
  }
}

describe('YAML', () => {
  test('keeps the country NO a string, as key and as value', () => {
    expect(toPlain(parseSource('markets: {NO: x}\nlist: [NO, yes, off]', 'f'))).toEqual({
      markets: { NO: 'x' },
      list: ['NO', 'yes', 'off'],
    });
  });

  test('keeps the text of numbers, so that they stay exact', () => {
    const root = parseSource('n: 10000000000000000000000001', 'f');
    expect(root.kind === 'map' && root.entries[0]?.value).toMatchObject({
      text: '10000000000000000000000001',
    });
  });

  test('knows the line and column of every value', () => {
    const root = parseSource('a: 1\nb:\n  - x\n  - y\n', 'f');
    expect(
      root.kind === 'map' && root.entries[1]?.value.kind === 'list' && root.entries[1].value.items[1]?.at,
    ).toEqual({ file: 'f', line: 4, column: 5 });
  });

  test.each([
    ['an empty file', '', 'empty'],
    ['a file with only comments', '# nothing\n', 'empty'],
    ['tabs as indentation', 'a:\n\tb: 1\n', 'syntax'],
    ['a duplicate key', 'a: 1\na: 2\n', 'duplicate'],
    ['an unclosed list', 'a: [1, 2\n', 'syntax'],
    ['a tag', 'a: !!js/function "x"\n', 'syntax'],
    ['a key that is a list', '? [a]\n: 1\n', 'syntax'],
    ['two documents', 'a: 1\n---\nb: 2\n', 'syntax'],
  ])('refuses %s', (_what, text, code) => {
    expect(problemsOf(text).map((problem) => problem.code)).toContain(code);
  });

  test('refuses aliases, so that a few lines cannot become a billion', () => {
    const bomb = `a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n`;
    expect(problemsOf(bomb).map((problem) => problem.code)).toContain('alias');
  });

  test('refuses ten megabytes at once', () => {
    expect(problemsOf(`a: "${'x'.repeat(10_000_000)}"`)).toEqual([{ code: 'too-large', line: 1 }]);
  });

  test.each([
    ['in flow style', `a: ${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['in block style', Array.from({ length: 200 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['in compact lists', `${'- '.repeat(5000)}x`],
    ['in braces', `a: ${'{a: '.repeat(3000)}1${'}'.repeat(3000)}`],
  ])('refuses deep nesting %s', (_what, text) => {
    expect(problemsOf(text).map((problem) => problem.code)).toContain('too-deep');
  });

  test('never fails with anything but a located error', () => {
    const piece = fc.constantFrom(
      'a',
      ': ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '&x ',
      '*x ',
      '!t ',
      '#',
      '|',
      '>',
      '\t',
      ' ',
      '? ',
      'null',
      '1e9',
      '\u0000',
      '\ud800',
      '%',
      '---\n',
      '...\n',
      ',',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 60 }).map((parts) => parts.join('')),
          fc.string({ maxLength: 200 }),
        ),
        (text) => {
          try {
            parseSource(text, 'f');
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
