import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Problem } from '../facts/problem.ts';
import { InputError } from '../facts/problem.ts';
import type { Agreement } from './agreement.ts';
import { concerns, isLive } from './agreement.ts';
import { readAgreements } from './agreement-read.ts';
import { smallLaw } from './testdata/small-law.ts';

const law = smallLaw({ 'aa/act': 'rules: []\n' });
const SOURCE = '{mark: recalled, confidence: high, urls: ["https://example.org"]}';
const GROUPS = `groups:
  - {id: club, title: The club, members: [AA, "NO"], as_of: 2025, source: ${SOURCE}}
`;

function agreement(rest: Readonly<Record<string, string>> = {}): string {
  const keys = {
    id: 'pact',
    title: 'A pact',
    parties: '[AA, UU]',
    dates: '[{on: 2025-03, what: signed}]',
    force: 'soft',
    state: '{is: active, as_of: 2025-03}',
    pillars: '[safety]',
    commitments: 'Talk.',
    for_teams: 'Nothing yet.',
    source: SOURCE,
    ...rest,
  };
  const lines = Object.entries(keys)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}: ${value}`);
  return `agreements:\n  - ${lines.join('\n    ')}\n`;
}

const files = (...texts: readonly string[]): { path: string; text: string }[] =>
  [GROUPS, ...texts].map((text, i) => ({ path: `agreements/${i}.yaml`, text }));

function problemsOf(...texts: readonly string[]): readonly Problem[] {
  try {
    readAgreements(files(...texts), law, '');
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems;
  }
}

function read(rest: Readonly<Record<string, string>> = {}): Agreement {
  const found = readAgreements(files(agreement(rest)), law).byId.get('pact');
  if (found === undefined) throw new Error('not read');
  return found;
}

const { groups } = readAgreements(files(), law);
const between = (one: Agreement, ...places: readonly string[]): string =>
  concerns(one, places, groups, law.jurisdictions);

describe('an agreement between places', () => {
  test('reaches the members of a union that is a party, and the parts of a country', () => {
    expect(between(read(), 'AA', 'UU')).toBe('yes');
    expect(between(read(), 'AA-X', 'BB')).toBe('yes');
  });

  test('of one member does not reach the union', () => {
    expect(between(read({ parties: '[AA, BB]' }), 'AA', 'UU')).toBe('no');
  });

  test('counts the members of groups and those who have only signed', () => {
    const one = read({ parties: '', groups: '[club]', signatories: '[BB]' });
    expect(between(one, 'NO', 'BB')).toBe('yes');
  });

  test('is open where the missing one may be among parties not listed, unless it stayed away', () => {
    const one = read({ parties: '[AA]', unlisted: 'thirty more', absent: '[BB]' });
    expect(between(one, 'AA', 'NO')).toBe('open');
    expect(between(one, 'AA', 'BB')).toBe('no');
    expect(between(one, 'UU', 'NO')).toBe('no');
    expect(between(one, 'NO')).toBe('open');
  });

  test('is nothing between two whom an act of a third merely concerns', () => {
    const one = read({ parties: '[AA]', concerns: '[UU, "NO"]' });
    expect(between(one, 'AA', 'UU')).toBe('yes');
    expect(between(one, 'UU', 'NO')).toBe('no');
  });

  test('never turns from no to yes when another place is asked for', () => {
    const place = fc.constantFrom('AA', 'AA-X', 'BB', 'UU', 'NO');
    const list = fc.uniqueArray(fc.constantFrom('AA', 'BB', 'UU', '"NO"'), { minLength: 1 });
    fc.assert(
      fc.property(list, fc.array(place, { minLength: 1, maxLength: 3 }), place, (parties, places, more) => {
        const one = read({ parties: `[${parties.join(', ')}]` });
        if (between(one, ...places) === 'no') expect(between(one, ...places, more)).toBe('no');
      }),
    );
  });

  test('is live while it binds in force, or is being carried out without binding', () => {
    expect(isLive(read())).toBe(true);
    expect(isLive(read({ force: 'binding', state: '{is: in-force, as_of: 2025}' }))).toBe(true);
    expect(isLive(read({ force: 'binding', state: '{is: not-in-force, as_of: 2025}' }))).toBe(false);
    expect(isLive(read({ state: '{is: paused, as_of: 2025}' }))).toBe(false);
  });
});

describe('the strict reader refuses', () => {
  test.each([
    ['an unknown place', { parties: '[AA, ZZ]' }, 'dangling', /`ZZ`/],
    ['an unknown group', { groups: '[klub]' }, 'dangling', /`klub`/],
    ['a party listed twice', { parties: '[AA, AA]' }, 'duplicate', /`AA` is listed twice/],
    ['an agreement of nobody', { parties: '' }, 'missing', /has parties/],
    ['an unknown pillar', { pillars: '[safty]' }, 'unknown-value', /`safty`/],
    ['a month that does not exist', { dates: '[{on: 2025-13, what: signed}]' }, 'bad-date', /`2025-13`/],
    ['no date', { dates: '[]' }, 'empty', /at least one date/],
    [
      'soft law in force',
      { state: '{is: in-force, as_of: 2025}' },
      'contradiction',
      /does not bind is not in force/,
    ],
    ['binding law that is merely active', { force: 'binding' }, 'contradiction', /in force or it is not/],
    [
      'a state nobody verified without a word on what is not known',
      { state: '{is: unverified, as_of: 2025}' },
      'missing',
      /`uncertain`/,
    ],
    [
      'recognition that serves an unknown control',
      { recognition: '[{kind: legal-recognition, by: [AA], of: [UU], what: x, cite: y, serves: [LOG-99]}]' },
      'dangling',
      /`LOG-99`/,
    ],
    [
      'recognition of nobody',
      { recognition: '[{kind: legal-recognition, by: [AA], of: [], what: x, cite: y, serves: []}]' },
      'empty',
      /of somebody/,
    ],
    [
      'an address that is none',
      { source: '{mark: recalled, confidence: high, urls: [example.org]}' },
      'unknown-value',
      /is no address/,
    ],
    ['what changes for teams left out', { for_teams: '' }, 'missing', /`for_teams`/],
  ])('%s', (_what, rest, code, message) => {
    const [problem, ...others] = problemsOf(agreement(rest));
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(problem?.at).toMatchObject({ file: 'agreements/1.yaml' });
  });

  test('an id used twice, and everything else that is wrong, at once', () => {
    expect(
      problemsOf(agreement(), agreement(), agreement({ id: 'other', force: 'hard' })).map(({ code }) => code),
    ).toEqual(['duplicate', 'unknown-value']);
  });
});
