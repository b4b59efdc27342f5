import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { cedarAnswer, cedarWasm } from '../../kernel/export/testdata/engines.ts';
import { smallLawFiles } from '../../rules/testdata/small-law.ts';
import { runInside } from '../testdata/inside.ts';
import { comity } from '../testdata/run.ts';
import { command } from './law.ts';

const AS_OF = ['--as-of', '2026-11-25'];
const folder = mkdtempSync(join(tmpdir(), 'comity-export-'));
afterAll(() => rmSync(folder, { recursive: true }));
const law = (...args: readonly string[]): ReturnType<typeof runInside> => runInside(command, args);

describe('comity law export', () => {
  test('prints the law of a market and an instrument, the same bytes each time', async () => {
    const args = ['export', '--to', 'rego', '--market', 'KR', '--instrument', 'kr/ai-basic-act', ...AS_OF];
    const { code, out } = await law(...args);
    expect(code).toBe(0);
    expect(out).toMatch(/^# Law as Rego: \d+ rules in force on 2026-11-25/);
    expect(out).toContain('definitely contains "kr/ai-basic-act:art-31-1" if { "KR" in input.places;');
    expect(out).not.toContain('kr/pipa');
    expect((await law(...args)).out).toBe(out);
  });

  test('writes rules, schema and inputs that the engine takes as they are', async () => {
    const { code, out } = await law(
      'export',
      '--to',
      'cedar',
      '--market',
      'KR',
      '--input',
      'examples/support-chatbot',
      '--out',
      folder,
      ...AS_OF,
    );
    expect(code).toBe(0);
    expect(out.trim().split('\n').sort()).toEqual(
      readdirSync(folder)
        .sort()
        .map((name) => join(folder, name)),
    );
    const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
    const { policies = [] } = cedarWasm().policySetTextToParts(text('law.cedar'));
    const staticPolicies = Object.fromEntries(
      policies.map((policy) => [/@id\("([^"]*)"\)/.exec(policy)?.[1] ?? '', policy]),
    );
    expect(cedarWasm().preparsePolicySet('written', { staticPolicies })).toMatchObject({ type: 'success' });
    const request = JSON.parse(text('input-support-chatbot-KR.json'));
    const { response } = cedarWasm().statefulIsAuthorized({ ...request, preparsedPolicySetId: 'written' });
    const shown = comity([
      'explain',
      'kr/ai-basic-act:art-31-1',
      'examples/support-chatbot',
      '--market',
      'KR',
      ...AS_OF,
    ]).out;
    expect(response?.diagnostics.errors).toEqual([]);
    expect(cedarAnswer(response?.diagnostics.reason ?? []).definitely).toContain('kr/ai-basic-act:art-31-1');
    expect(shown).toContain('holds for Support chatbot in KR');
  });

  test('prints the input of one market, and asks which where there are several', async () => {
    const one = await law(
      'export',
      '--to',
      'cel',
      '--market',
      'EU',
      '--input',
      'examples/cv-screener',
      ...AS_OF,
    );
    expect(JSON.parse(one.out)).toMatchObject({ market: 'EU', places: ['EU'] });
    const several = await law('export', '--to', 'cel', '--input', 'examples/cv-screener', ...AS_OF);
    expect(several).toMatchObject({
      code: 2,
      problems: [expect.stringMatching(/there are \d+ inputs.*--market/)],
    });
  });

  test('refuses a target, an instrument and a market that it does not know', async () => {
    expect((await law('export')).problems[0]).toContain('export to what?');
    expect((await law('export', '--to', 'rog')).problems[0]).toContain('did you mean `rego`?');
    const { code, problems } = await law(
      'export',
      '--to',
      'cel',
      '--instrument',
      'eu/ai-ac',
      '--market',
      'XQ',
    );
    expect(code).toBe(2);
    expect(problems).toEqual([
      expect.stringContaining('did you mean `eu/ai-act`?'),
      expect.stringContaining('unknown market `XQ`'),
    ]);
  });

  test('stops at a rule that the target cannot express, with its place, unless told to leave it out', () => {
    const directory = join(folder, 'law');
    // Each rule names the one before twice: written out, it doubles each time.
    const rules = Array.from({ length: 15 }, (_, i) => {
      const test =
        i === 0 ? '{t.a: true}' : `{all: [{aa.act.d${i - 1}: true}, {not: {aa.act.d${i - 1}: false}}]}`;
      return `  - {id: d${i}, cite: § ${i}, effective: [{from: 2024-01-01}], when: ${test}, define: aa.act.d${i}}`;
    });
    for (const { path, text } of smallLawFiles({ 'aa/act': `rules:\n${rules.join('\n')}\n` })) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    const args = ['law', 'export', '--to', 'cedar', '--law', directory, ...AS_OF];
    const stopped = comity(args);
    expect(stopped).toMatchObject({ code: 2, out: '' });
    expect(stopped.err).toMatch(
      /act\.yaml:\d+:\d+: rule `aa\/act:d14` rests on 16384 tests.*\n.*--skip-inexpressible/,
    );
    const skipped = comity([...args, '--skip-inexpressible']);
    expect(skipped.code).toBe(0);
    expect(skipped.err).toMatch(/^skipped: .*act\.yaml:\d+: rule `aa\/act:d14` rests on 16384 tests/);
    expect(skipped.out).toContain('@id("possibly aa/act:d13")');
    expect(skipped.out).not.toContain('@id("possibly aa/act:d14")');
  });

  test('says in its help what each target leaves out', () => {
    const { out } = comity(['law', '--help']);
    for (const wanted of [
      'cedar (Cedar policies)',
      'smtlib (SMT-LIB 2)',
      'and leaves out',
      '--skip-inexpressible',
    ])
      expect(out).toContain(wanted);
  });
});
