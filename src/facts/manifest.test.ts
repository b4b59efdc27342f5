import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadLaw } from '../rules/load.ts';
import { readManifest } from './manifest.ts';
import type { Problem } from './problem.ts';
import { InputError } from './problem.ts';
import { manifestSchema } from './schema.ts';
import { parseSource, toPlain } from './source.ts';

const { law } = loadLaw();
const EXAMPLES = [
  'support-chatbot',
  'cv-screener',
  'image-generator',
  'credit-scorer',
  'voice-coach',
  'open-weights-model',
];
const example = (name: string): string =>
  readFileSync(new URL(`../../examples/${name}/comity.yaml`, import.meta.url), 'utf8');

function problemsOf(text: string): readonly Problem[] {
  try {
    readManifest(text, 'comity.yaml', law);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems;
  }
}

const HEAD = 'comity: 1\nname: x\n';

describe('a manifest', () => {
  test('states facts of the system, of every market, and of one market, nearest first', () => {
    const manifest = readManifest(
      `${HEAD}markets:\n  EU: {role: [deployer]}\n  KR:\nmarket_defaults: {role: [provider], offered: public}\nfacts:\n  system.infers: true\n`,
      'f',
      law,
    );
    const of = (market: string): Record<string, unknown> =>
      Object.fromEntries(manifest.statements(market).map(({ fact, value }) => [fact, value]));
    expect(of('EU')).toEqual({
      'system.infers': true,
      'market.offered': 'public',
      'market.role': ['deployer'],
    });
    expect(of('KR')).toEqual({
      'system.infers': true,
      'market.offered': 'public',
      'market.role': ['provider'],
    });
  });

  test('may name Norway', () => {
    expect(readManifest(`${HEAD}markets:\n  NO: {role: [provider]}\n`, 'f', law).markets).toEqual(['NO']);
  });

  test.each([
    ['no market', `${HEAD}markets: {}\n`, 'missing', 3, /no market/],
    ['an unknown market', `${HEAD}markets:\n  UE: {}\n`, 'unknown-name', 4, /`UE`/],
    [
      'an unknown key',
      `${HEAD}market:\n  EU: {}\nmarkets: {EU: }\n`,
      'unknown-key',
      3,
      /did you mean `markets`/,
    ],
    [
      'an unknown fact',
      `${HEAD}markets: {EU: }\nfacts:\n  purpose.use: [recruitment]\n`,
      'unknown-fact',
      5,
      /did you mean `purpose.uses`/,
    ],
    [
      'an unknown word',
      `${HEAD}markets: {EU: }\nfacts:\n  purpose.uses: [recrutment]\n`,
      'unknown-value',
      5,
      /did you mean `recruitment`/,
    ],
    [
      'a fact without value',
      `${HEAD}markets: {EU: }\nfacts:\n  system.infers:\n`,
      'wrong-type',
      5,
      /leave a fact out/,
    ],
    [
      'a word where yes or no is meant',
      `${HEAD}markets: {EU: }\nfacts:\n  system.infers: maybe\n`,
      'wrong-type',
      5,
      /true or false/,
    ],
    [
      'yes where true is meant',
      `${HEAD}markets: {EU: }\nfacts:\n  system.infers: yes\n`,
      'wrong-type',
      5,
      /true or false/,
    ],
    ['an impossible day', `${HEAD}markets:\n  EU: {placed_on: 2026-02-30}\n`, 'bad-date', 4, /2026-02-30/],
    [
      'a market fact among the facts of the system',
      `${HEAD}markets: {EU: }\nfacts:\n  market.role: [provider]\n`,
      'unknown-fact',
      5,
      /under each market, as `role`/,
    ],
    [
      'a fact that only a call knows',
      `${HEAD}markets: {EU: }\nfacts:\n  user.age_band: adult\n`,
      'unknown-fact',
      5,
      /single call/,
    ],
    ['an unknown control', `${HEAD}markets: {EU: }\ncontrols:\n  DIS-99: {}\n`, 'unknown-name', 5, /DIS-99/],
    [
      'a parameter in the wrong unit',
      `${HEAD}markets: {EU: }\ncontrols:\n  LOG-02: {retention: 6}\n`,
      'bad-duration',
      5,
      /ISO 8601/,
    ],
    [
      'evidence of an unknown kind',
      `${HEAD}markets: {EU: }\ncontrols:\n  LOG-02: {evidence: [{kind: proof, ref: x}]}\n`,
      'unknown-value',
      5,
      /`proof`/,
    ],
    ['a later format', 'comity: 2\nname: x\nmarkets: {EU: }\n', 'unknown-value', 1, /version/],
    [
      'a contradiction',
      `${HEAD}markets: {EU: }\nfacts:\n  biometric.input: false\n  biometric.uses: [verification]\n`,
      'contradiction',
      6,
      /biometric/,
    ],
    ['an empty file', '', 'empty', 1, /comity init/],
    ['a list', '- a\n', 'wrong-type', 1, /must be a map/],
  ])('with %s is refused where it stands', (_what, text, code, line, message) => {
    const problems = problemsOf(text);
    const found = problems.find((problem) => problem.code === code);
    expect(found, JSON.stringify(problems)).toBeDefined();
    expect(found?.at?.line).toBe(line);
    expect(`${found?.message} ${found?.help ?? ''}`).toMatch(message);
  });

  test('gets all its mistakes at once', () => {
    expect(
      problemsOf(`comity: 1\nmarkets: {UE: }\nfacts:\n  a.b: 1\n  system.infers: 7\n`)
        .map(({ code }) => code)
        .toSorted(),
    ).toEqual(['missing', 'unknown-fact', 'unknown-name', 'wrong-type']);
  });

  test.each(EXAMPLES)('of the example %s is valid and short enough to write in ten minutes', (name) => {
    const manifest = readManifest(example(name), name, law);
    const [market = ''] = manifest.markets;
    expect(manifest.statements(market).length).toBeLessThanOrEqual(name === 'support-chatbot' ? 20 : 35);
    expect(example(name).split('\n')[0]).toMatch(/^# yaml-language-server: \$schema=/);
  });
});

describe('the schema and the reader', () => {
  const validate = new Ajv.default({ strict: false, allErrors: false }).compile(manifestSchema(law));

  /** Accepted by the schema; numbers were read exactly by the reader and loosely here. */
  const acceptedBySchema = (text: string): boolean => validate(toPlain(parseSource(text, 'f'))) === true;
  const acceptedByReader = (text: string): boolean =>
    problemsOf(text).every(({ code }) => code === 'contradiction');

  test.each(EXAMPLES)('both accept the example %s', (name) => {
    expect(acceptedBySchema(example(name)), JSON.stringify(validate.errors)).toBe(true);
  });

  test('accept and refuse the same manifests, however they are mangled', () => {
    const lines = EXAMPLES.map((name) => example(name).split('\n'));
    const mangled = fc.constantFrom(...lines).chain((source) =>
      fc
        .array(
          fc.record({
            at: fc.nat({ max: source.length - 1 }),
            how: fc.constantFrom(
              (line: string) => line.replace(/: .*/, ': 7'),
              (line: string) => line.replace(/: .*/, ': [other]'),
              (line: string) => line.replace(/: .*/, ': true'),
              (line: string) => line.replace(/[a-z](?=[a-z]*:)/, 'z'),
              (line: string) => line.replace(/: .*/, ': word'),
              (line: string) => line.replace(/\[.*\]/, '[]'),
              () => '',
            ),
          }),
          { maxLength: 2 },
        )
        .map((changes) =>
          changes
            .reduce((text, { at, how }) => text.map((line, i) => (i === at ? how(line) : line)), source)
            .join('\n'),
        ),
    );
    let refused = 0;
    fc.assert(
      fc.property(mangled, (text) => {
        try {
          parseSource(text, 'f');
        } catch {
          return;
        }
        const accepted = acceptedByReader(text);
        if (!accepted) refused += 1;
        expect(acceptedBySchema(text), `${text}\n${JSON.stringify(problemsOf(text))}`).toBe(accepted);
      }),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(50);
  });

  test('no text makes the reader fail with anything but a located error', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...EXAMPLES.map(example)),
        fc.nat(),
        fc.string({ maxLength: 12 }),
        (text, at, inserted) => {
          const place = at % text.length;
          for (const problem of problemsOf(text.slice(0, place) + inserted + text.slice(place)))
            expect(problem.message).not.toBe('');
        },
      ),
      { numRuns: 300 },
    );
  });
});
