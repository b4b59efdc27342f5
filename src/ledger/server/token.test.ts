import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Authenticate, addWriter, authenticator, readWriters } from './writers.ts';

/** What the comparison was given: the real one, watched. */
const compared = vi.hoisted((): { readonly pairs: (readonly [Buffer, Buffer])[] } => ({ pairs: [] }));
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return {
    ...crypto,
    timingSafeEqual: (a: Buffer, b: Buffer) => {
      compared.pairs.push([a, b]);
      return crypto.timingSafeEqual(a, b);
    },
  };
});

const WRITERS = 5;
const directory = mkdtempSync(join(tmpdir(), 'comity-token-'));
let tokens: readonly string[] = [];
let authenticate: Authenticate;

beforeAll(() => {
  tokens = Array.from({ length: WRITERS }, (_, i) => addWriter(directory, `writer-${i}`));
  authenticate = authenticator(readWriters(directory));
});
beforeEach(() => void compared.pairs.splice(0));
afterAll(() => rmSync(directory, { recursive: true }));

test('a token is compared in constant time, with that of every writer, whichever it is', () => {
  const [first = '', , third = '', , last = ''] = tokens;
  const nearly = `${first.slice(0, -1)}${first.endsWith('A') ? 'B' : 'A'}`;
  for (const [token, id] of [
    [first, 'writer-0'],
    [third, 'writer-2'],
    [last, 'writer-4'],
    [nearly, undefined],
    ['x'.repeat(8), undefined],
    [first.slice(0, 20), undefined],
    [`${first}x`, undefined],
  ] as const) {
    compared.pairs.splice(0);
    expect(authenticate(`Bearer ${token}`)?.id).toBe(id);
    expect(compared.pairs).toHaveLength(WRITERS);
    // Hashes of one length: neither the length of a token nor how much of it is right can show in the time.
    for (const pair of compared.pairs) expect(pair.map(({ length }) => length)).toEqual([32, 32]);
    expect(compared.pairs.flat().some((bytes) => bytes.includes(token))).toBe(false);
  }
});

test('what is no bearer token is turned away before anything is compared', () => {
  const [first = ''] = tokens;
  for (const authorization of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    first,
    `Basic ${first}`,
    `Bearer ${'x'.repeat(513)}`,
  ]) {
    expect(authenticate(authorization)).toBeUndefined();
  }
  expect(compared.pairs).toEqual([]);
});
