import Ajv from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { helpOf } from '../command.ts';
import { runInside } from '../testdata/inside.ts';
import { command } from './crosswalk.ts';
import { crosswalkReportSchema } from './crosswalk-report.ts';

const valid = new Ajv.default({ strict: false }).compile(crosswalkReportSchema());
const said = async (...argv: readonly string[]): Promise<string> =>
  (await runInside(command, [...argv, '--as-of', '2026-11-25'])).out.replace(/\s+/g, ' ');

describe('comity crosswalk', () => {
  test('lists frameworks and crosswalks when nothing is asked', async () => {
    const { code, out } = await runInside(command, []);
    expect(code).toBe(0);
    expect(out).toMatch(/^nist-ai-rmf +voluntary active +72 /m);
    expect(out).toMatch(/^cets-225 +treaty +not in force +41 /m);
    expect(out).toMatch(/^official +concept +10 +nist-ai-rmf-iso-42001/m);
    expect(out).toMatch(/^third party +set-theory +- +iso-42001-scf/m);
  });

  test('tells what a rule leaves over for others that ask for the same control', async () => {
    const out = await said('eu/ai-act:art-19');
    expect(out).toContain('asks for LOG-02');
    expect(out).toMatch(/wholly Cybersecurity Law[^[]*\[cn\/cybersecurity-law:csl-logs\]/);
    expect(out).toMatch(
      /\[us-co\/sb26-189:s-1703\]; left over: retention decisions 3 years; from 2027-01-01/,
    );
    expect(out).toContain('none: no row here obliges anybody to accept the evidence');
  });

  test('names what a reference asks besides', async () => {
    expect(await said('LOG-02', '--to', 'iso-42001')).toContain(
      'iso-42001:A.6.2.8 Event logs; also asks LOG-01, LOG-03',
    );
  });

  test('narrows to a place, with the acts of recognition that concern it', async () => {
    const out = await said('TRF-01', '--to', 'KR');
    expect(out).toContain('[kr/pipa:art-28-8-1]');
    expect(out).not.toContain('[cn/');
    expect(out).toContain('KR of EU, IS, LI, NO: Data protection is equivalent');
    expect(out).not.toContain('EU, IS, LI, NO of AD');
  });

  test('keeps what a publisher states apart from our reading', async () => {
    const out = await said('nist-ai-rmf:govern 2.2');
    expect(out).toContain('served wholly by LIT-01');
    expect(out).toContain(
      'relation not stated; our reading: subset of 7.2 and 7.3 together (Comity, 2026-11-23)',
    );
  });

  test('reaches a principle through a third-party table, and says so', async () => {
    const out = await said('oecd-principles:1.5(b)');
    expect(out).toContain('served in part by LOG-01 Log events automatically, by way of seven-controls');
    expect(out).toContain('meets it only in seven-controls:Traceability, so overlaps at most');
  });

  test('sets a whole instrument beside a whole framework', async () => {
    const out = await said('eu/ai-act', '--to', 'iso-42001');
    expect(out).toContain('art-12 LOG-01 Log events automatically: A.6.2.8 in part');
    expect(out).toMatch(/\d+ of \d+ have a counterpart in iso-42001 here/);
    expect(await said('nist-ai-rmf')).toMatch(/GOVERN 1\.6 GOV-01 wholly/);
  });

  test('prints JSON that fits its schema', async () => {
    for (const argv of [
      [],
      ['TRF-01'],
      ['eu/ai-act:art-17'],
      ['nist-ai-rmf'],
      ['oecd-principles:1.5(b)', '--to', 'cets-225'],
    ]) {
      const { out } = await runInside(command, [...argv, '--format', 'json']);
      expect(valid(JSON.parse(out)) ? [] : valid.errors).toEqual([]);
    }
  });

  test('says of every row whether it is legal recognition or engineering reuse', async () => {
    const { out } = await runInside(command, ['TRF-01', '--format', 'json']);
    const [answer] = JSON.parse(out).answers;
    for (const row of [...answer.services, ...answer.neighbours])
      expect(row.recognition).toBe('engineering-reuse');
    expect(answer.accepted.map(({ kind }: { kind: string }) => kind)).toContain('legal-recognition');
  });

  test('wraps at 80 columns', async () => {
    for (const argv of [[], ['DIS-01'], ['iso-42001'], ['eu/gdpr:art-44'], ['cets-225:16']]) {
      const { out } = await runInside(command, argv);
      expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    }
  });

  test.each([
    [['LOG-99'], 'LOG-'],
    [['nist-ai-rmf:GOVERN 9.9'], 'GOVERN'],
    [['eu/ai-act:art-191'], 'art-19'],
    [['LOG-02', '--to', 'iso-42002'], 'iso-42001'],
  ])('says what was meant by %j', async (argv, near) => {
    const { code, problems } = await runInside(command, argv);
    expect(code).toBe(2);
    expect(problems.join()).toContain(near);
  });

  test('explains itself', () => {
    expect(helpOf(command)).toMatch(/usage: comity crosswalk/);
  });
});
