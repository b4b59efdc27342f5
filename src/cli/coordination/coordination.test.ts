import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../facts/problem.ts';
import type { Crosswalk, End } from '../../rules/crosswalk.ts';
import { nameOf } from '../../rules/crosswalk.ts';
import { loadLaw } from '../../rules/load.ts';
import { loadCoordination } from './coordination.ts';

const loaded = loadLaw();
const { law } = loaded;
const { frameworks, crosswalks, agreements } = loadCoordination(loaded);
const coverage = [...crosswalks.values()].filter(({ style }) => style === 'coverage');
const demands = (id: string): number =>
  [...(frameworks.get(id)?.references.values() ?? [])].filter(({ heading }) => !heading).length;
const table = (id: string): Crosswalk => {
  const found = crosswalks.get(id);
  if (found === undefined) throw new Error(`no crosswalk ${id}`);
  return found;
};
const leadsTo = (kind: End['kind'], controls: string): readonly string[] =>
  coverage
    .flatMap(({ rows }) => rows)
    .filter(({ from }) => nameOf(from) === controls)
    .flatMap(({ to }) => to.filter((end) => end.kind === kind).map(nameOf));

describe('the frameworks', () => {
  test.each([
    ['nist-ai-rmf', 72],
    ['nist-ai-600-1', 12],
    ['iso-42001', 65],
    ['hiroshima-code', 11],
    ['haip-reporting', 7],
    ['ai-verify', 11],
    ['jp-ai-guidelines', 10],
    ['oecd-due-diligence', 6],
  ])('%s has all its %i parts', (id, parts) => expect(demands(id)).toBe(parts));

  test('list 38 controls of Annex A of ISO/IEC 42001, the 36 articles of the convention and 10 OECD principles', () => {
    const refs = (id: string, pattern: RegExp): number =>
      [...(frameworks.get(id)?.references.values() ?? [])].filter(
        ({ ref, heading }) => !heading && pattern.test(ref),
      ).length;
    expect(refs('iso-42001', /^A\./)).toBe(38);
    expect(refs('cets-225', /^\d+$/)).toBe(36);
    expect(refs('oecd-principles', /^\d\.\d$/)).toBe(10);
  });

  test('say that the convention of the Council of Europe is not in force', () => {
    expect(frameworks.get('cets-225')?.state.is).toBe('not-in-force');
    expect(agreements.byId.get('coe-cets-225')?.state.is).toBe('not-in-force');
  });
});

describe('the crosswalks', () => {
  test('map each of the 57 controls to a framework, and each to some law or framework beyond it', () => {
    expect(law.controls.size).toBe(57);
    const unmapped = [...law.controls.keys()].filter(
      (id) => leadsTo('reference', id).length + leadsTo('rule', id).length === 0,
    );
    expect(unmapped).toEqual([]);
    // A representative is asked for by law alone; no framework knows it.
    expect([...law.controls.keys()].filter((id) => leadsTo('reference', id).length === 0)).toEqual([
      'DOC-03',
      'GOV-05',
    ]);
  });

  test('put no relation into the mouth of a publisher', () => {
    const stated = [...crosswalks.values()]
      .flatMap(({ rows }) => rows)
      .filter(({ states }) => states.kind === 'relation' && states.relation !== null);
    expect(stated).toEqual([]);
  });

  test('keep our own readings apart, signed and dated, and none of them says equal', () => {
    const readings = [...crosswalks.values()]
      .flatMap(({ rows }) => rows)
      .flatMap(({ states }) => (states.kind === 'relation' ? (states.analyst ?? []) : []));
    expect(readings.map(({ relation, on }) => [relation, on])).toEqual([
      ['subset', '2026-11-23'],
      ['intersects', '2026-11-23'],
      ['intersects', '2026-11-23'],
    ]);
  });

  test('claim legal recognition for no row: that stands in the agreements', () => {
    const rows = [...crosswalks.values()].flatMap((one) => one.rows);
    expect(new Set(rows.map(({ recognition }) => recognition))).toEqual(new Set(['engineering-reuse']));
  });

  test('have the eight subcategories that could be read of the mapping by NIST', () => {
    const { rows } = table('nist-ai-rmf-iso-42001');
    expect(new Set(rows.map(({ from }) => nameOf(from))).size).toBe(8);
    expect(table('seven-controls').rows).toHaveLength(7);
  });
});

describe('the agreements', () => {
  test('let legal recognition follow from binding acts, and from what a certificate or clause is worth', () => {
    const recognising = [...agreements.byId.values()].filter(({ recognition }) =>
      recognition.some(({ kind }) => kind === 'legal-recognition'),
    );
    expect(recognising.length).toBeGreaterThan(15);
    expect(recognising.filter(({ force }) => force === 'soft').map(({ id }) => id)).toEqual([
      'asean-mcc',
      'global-cbpr',
    ]);
  });

  test('of the European Union with Korea accept each other, with exclusions on both sides', () => {
    expect(agreements.byId.get('eu-kr-adeq')?.recognition).toMatchObject([
      { kind: 'legal-recognition', of: ['KR'], excludes: expect.stringContaining('credit') },
      { kind: 'legal-recognition', by: ['KR'], excludes: expect.stringContaining('registration') },
    ]);
  });

  test('say what is not known wherever the state is unverified', () => {
    const silent = [...agreements.byId.values()].filter(
      ({ state, uncertain }) => state.is === 'unverified' && uncertain === undefined,
    );
    expect(silent).toEqual([]);
    expect(agreements.byId.get('waico')?.uncertain).toMatch(/charter/);
  });

  test('count 193 members of the United Nations and 38 of the OECD', () => {
    expect(agreements.groups.get('un')?.members).toHaveLength(193);
    expect(agreements.groups.get('oecd')?.members).toHaveLength(38);
  });
});

describe('the files', () => {
  test('of three folders are read with all their mistakes at once', () => {
    const directory = mkdtempSync(join(tmpdir(), 'comity-'));
    for (const [folder, text] of [
      ['agreements', 'agreements: [{id: a}]'],
      ['frameworks', 'framework: f'],
    ] as const) {
      mkdirSync(join(directory, folder));
      writeFileSync(join(directory, folder, 'x.yaml'), text);
    }
    try {
      loadCoordination({ ...loaded, directory });
      expect.unreachable('the files are wrong');
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const places = new Set(error.problems.map(({ at }) => at?.file));
      expect(places).toEqual(new Set([`${directory}/agreements/x.yaml`, `${directory}/frameworks/x.yaml`]));
    }
  });

  test('may be absent: a body of law need not have them', () => {
    const empty = loadCoordination({ ...loaded, directory: mkdtempSync(join(tmpdir(), 'comity-')) });
    expect(empty.crosswalks.size + empty.frameworks.size + empty.agreements.byId.size).toBe(0);
  });
});
