/**
 * Comity: what the law of the world asks of an AI feature, with proof. Not legal advice.
 *
 * @example
 * import { readFileSync } from 'node:fs';
 * import { assessFeature, loadLaw, readManifest, today } from 'comity';
 *
 * const { law } = loadLaw();
 * const manifest = readManifest(readFileSync('comity.yaml', 'utf8'), 'comity.yaml', law);
 * const day = today();
 * const feature = assessFeature(law, manifest, { moment: { asOf: day, knownAt: day }, probe: () => ({ kind: 'absent' }) });
 * for (const { market, outcome } of feature.markets) console.log(market, outcome);
 */
export * from './assess/index.ts';
export * from './facts/index.ts';
export type { LoadedLaw } from './rules/load.ts';
export { BUNDLED_LAW, loadLaw } from './rules/load.ts';
