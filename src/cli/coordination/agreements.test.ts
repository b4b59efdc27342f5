import Ajv from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { helpOf } from '../command.ts';
import { runInside } from '../testdata/inside.ts';
import { command } from './agreements.ts';
import { agreementsReportSchema } from './agreements-report.ts';

const valid = new Ajv.default({ strict: false }).compile(agreementsReportSchema());
const json = async (...argv: readonly string[]): Promise<{ agreements: { id: string }[]; open: object[] }> =>
  JSON.parse((await runInside(command, [...argv, '--format', 'json'])).out);
const ids = async (...argv: readonly string[]): Promise<readonly string[]> =>
  (await json(...argv)).agreements.map(({ id }) => id);

describe('comity agreements', () => {
  test('lists what two places take part in, in force or carried out', async () => {
    const { code, out } = await runInside(command, ['--between', 'EU', 'KR', '--in-force']);
    expect(code).toBe(0);
    expect(out).toMatch(/^eu-kr-adeq {2}binding · in force \(2025-09-16\)/m);
    expect(out).toMatch(/legal recognition: KR of EU, IS, LI, NO/);
    expect(out).toMatch(/oecd-legal-0449/);
    expect(out).not.toMatch(/eu-kr-dta/);
    expect(out).toMatch(/\d+ agreements of EU and KR, 1 binding and in force/);
  });

  test('keeps what is not confirmed out of what is in force, and shows why', async () => {
    const { out } = await runInside(command, ['--between', 'EU,KR']);
    expect(out).toMatch(/eu-kr-dta {2}binding · unverified/);
    expect(out.replace(/\s+/g, ' ')).toContain(
      'not known: Signature and entry into force were not confirmed',
    );
  });

  test('reaches a member state through the union, and never the union through a member', async () => {
    expect(await ids('--between', 'DE', 'KR')).toContain('eu-kr-adeq');
    expect(await ids('--between', 'AE', 'FR')).toContain('fr-ae-ai');
    expect(await ids('--between', 'AE', 'EU')).not.toContain('fr-ae-ai');
  });

  test('calls nothing that stays open compared', async () => {
    const { open } = await json('--between', 'EU', 'KE');
    expect(open).toContainEqual({
      id: 'delhi-2026',
      unlisted: expect.stringContaining('92 countries'),
    });
    expect((await json('--between', 'FR', 'GB')).open).not.toContainEqual(
      expect.objectContaining({ id: 'paris-2025' }),
    );
  });

  test('filters by pillar', async () => {
    const talent = await json('--pillar', 'talent', '--pillar', 'safety');
    expect(talent.agreements.length).toBeGreaterThan(5);
    for (const one of talent.agreements)
      expect(one).toMatchObject({ pillars: expect.arrayContaining(['talent', 'safety']) });
  });

  test('shows one in full', async () => {
    const { out } = await runInside(command, ['coe-cets-225']);
    expect(out).toMatch(/state {8}not in force \(2026-09-24\)/);
    expect(out).toMatch(/for teams {4}Nothing yet/);
    expect(out).toMatch(/not known/);
  });

  test('prints JSON that fits its schema', async () => {
    for (const argv of [[], ['--between', 'EU', 'KR'], ['waico']])
      expect(valid(await json(...argv)) ? [] : valid.errors).toEqual([]);
  });

  test('wraps at 80 columns, addresses apart', async () => {
    for (const argv of [[], ['coe-cets-225'], ['--between', 'US', 'GB']]) {
      const { out } = await runInside(command, argv);
      expect(out.split('\n').filter((line) => line.length > 80 && !line.includes('http'))).toEqual([]);
    }
  });

  test('says what was meant', async () => {
    const { code, problems } = await runInside(command, ['--between', 'EU', 'KRR', '--pillar', 'safty']);
    expect(code).toBe(2);
    expect(problems).toHaveLength(2);
    expect(problems.join()).toContain('did you mean `safety`?');
  });

  test('explains itself', () => {
    expect(helpOf(command)).toMatch(/usage: comity agreements/);
  });
});
