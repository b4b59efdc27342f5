import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseDay } from '../facts/date.ts';
import { gather } from '../facts/knowledge.ts';
import { readManifest } from '../facts/manifest.ts';
import { parseSource } from '../facts/source.ts';
import { loadLaw } from '../rules/load.ts';
import { readOppositions } from '../rules/opposition.ts';
import { assess } from './assess.ts';
import type { Conflict } from './conflict.ts';
import { conflictsOf } from './conflict.ts';
import { demandsOf } from './join.ts';

const { law } = loadLaw();
const file = new URL('../../law/conflicts/oppositions.yaml', import.meta.url);
const oppositions = readOppositions(
  [parseSource(readFileSync(file, 'utf8'), 'law/conflicts/oppositions.yaml')],
  law.controls,
);

/** The conflicts of an example, read with other facts, between markets on a day. */
function conflicts(
  example: string,
  markets: readonly string[],
  asOf: string,
  facts: Readonly<Record<string, string>> = {},
): readonly Conflict[] {
  const text = Object.entries(facts).reduce(
    (manifest, [fact, value]) =>
      manifest.includes(`  ${fact}:`)
        ? manifest.replace(new RegExp(`  ${fact}:.*`), `  ${fact}: ${value}`)
        : manifest.replace('facts:\n', `facts:\n  ${fact}: ${value}\n`),
    readFileSync(new URL(`../../examples/${example}/comity.yaml`, import.meta.url), 'utf8'),
  );
  const roles = markets
    .map((market) => `  ${market}: {role: [provider, deployer, employer, controller]}\n`)
    .join('');
  const manifest = readManifest(
    text.replace(/^markets:\n(?: {2}.*\n)+/m, `markets:\n${roles}`),
    example,
    law,
  );
  const day = parseDay(asOf);
  if (day === undefined) throw new RangeError(asOf);
  const moment = { asOf: day, knownAt: day };
  const assessments = markets.map((market) => {
    const { knowledge } = gather(law.vocabulary, law.jurisdictions, market, manifest.statements(market));
    return assess({
      law,
      market,
      moment,
      knowledge,
      declared: new Map(),
      probe: () => ({ kind: 'absent' }),
      horizonMonths: 0,
    });
  });
  return conflictsOf(law, oppositions, demandsOf(assessments));
}

describe('conflicts between the laws of the world, by computation', () => {
  test.each([
    [
      'label formats: national metadata fields against open marks',
      'image-generator',
      ['CN', 'EU'],
      '2026-12-03',
      {},
      'label-formats',
    ],
    [
      'a visible label against a mark that machines read',
      'image-generator',
      ['CN', 'EU'],
      '2026-12-03',
      {},
      'visible-label-against-machine-mark',
    ],
    [
      'delivery without label on request against never',
      'image-generator',
      ['CN', 'IN'],
      '2026-11-25',
      { 'output.unlabelled_export': 'true' },
      'deliver-unlabelled-against-always-label',
    ],
    [
      'keeping application data for years against erasure',
      'cv-screener',
      ['EU', 'US-CA'],
      '2026-11-25',
      { 'data.legal_basis': '[legitimate-interests]', 'company.employees': '80' },
      'keep-against-erase',
    ],
    [
      'bias testing by group against minimisation',
      'cv-screener',
      ['EU', 'US-NYC'],
      '2026-11-25',
      { 'decision.weight': 'sole' },
      'test-bias-against-minimise',
    ],
  ] as const)('%s', (_what, example, markets, day, facts, id) => {
    expect(conflicts(example, markets, day, facts).map((conflict) => conflict.id)).toContain(id);
  });

  test('have both rules, of two places, and a way to live with them', () => {
    const found = conflicts('image-generator', ['CN', 'EU'], '2026-12-03');
    for (const { left, right, resolutions } of found) {
      expect(law.rulebooks.get(left.rule.rulebook)?.jurisdiction).not.toBe(
        law.rulebooks.get(right.rule.rulebook)?.jurisdiction,
      );
      expect(resolutions.length).toBeGreaterThan(0);
    }
  });

  test.each([
    ['members of one union', 'image-generator', ['DE', 'FR', 'ES'], '2026-12-03'],
    ['a state and its country', 'cv-screener', ['US', 'US-CO'], '2027-02-01'],
  ] as const)('are not found between markets that agree: %s', (_what, example, markets, day) => {
    expect(
      conflicts(example, markets, day).filter(
        ({ left, right }) => !(left.market === 'US-CO' || right.market === 'US-CO'),
      ),
    ).toEqual([]);
  });
});
