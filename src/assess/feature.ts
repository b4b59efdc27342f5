import { gather } from '../facts/knowledge.ts';
import type { Manifest } from '../facts/manifest.ts';
import type { Law } from '../rules/law.ts';
import type { Moment } from '../rules/time.ts';
import { assess, DEFAULT_HORIZON_MONTHS } from './assess.ts';
import type { Finding, MarketAssessment, OpenFact } from './assessment.ts';
import type { Probe } from './evidence.ts';

/** The verdicts on one feature, market by market. */
export interface FeatureAssessment {
  readonly manifest: Manifest;
  readonly moment: Moment;
  readonly markets: readonly MarketAssessment[];
  /** Facts nobody stated on which something hangs, the one that settles most first. */
  readonly open: readonly OpenFact[];
}

export interface FeatureOptions {
  readonly moment: Moment;
  readonly probe: Probe;
  /** Only these markets; by default all that the manifest names. */
  readonly markets?: readonly string[];
  readonly horizonMonths?: number;
}

/** Assesses a feature in its markets. */
export function assessFeature(law: Law, manifest: Manifest, options: FeatureOptions): FeatureAssessment {
  const { moment, probe } = options;
  const markets = (options.markets ?? manifest.markets).map((market) => {
    const { knowledge } = gather(law.vocabulary, law.jurisdictions, market, manifest.statements(market));
    return assess({
      law,
      market,
      moment,
      knowledge,
      declared: manifest.controls,
      probe,
      horizonMonths: options.horizonMonths ?? DEFAULT_HORIZON_MONTHS,
    });
  });
  return { manifest, moment, markets, open: rankOpenFacts(law, markets) };
}

/** Findings that hold an outcome open, with the facts they wait for. */
function waiting(assessment: MarketAssessment): readonly (readonly string[])[] {
  return assessment.reasons.flatMap((reason) => {
    switch (reason.kind) {
      case 'scope-open':
        return [reason.open];
      case 'prohibition-open':
      case 'undecided':
        return [reason.finding.open];
      default:
        return [];
    }
  });
}

/**
 * Open facts, by how many outcomes they could settle, then by how many findings wait for them, then by what they
 * cost to answer. Facts that only a single call knows are no questions for a team.
 */
function rankOpenFacts(law: Law, markets: readonly MarketAssessment[]): readonly OpenFact[] {
  const found = new Map<
    string,
    { readonly markets: Set<string>; readonly blocked: Set<string>; findings: number }
  >();
  for (const assessment of markets) {
    for (const facts of waiting(assessment)) {
      for (const open of facts) {
        // What is computed from places is asked for as the places.
        const id = law.vocabulary.facts.get(open)?.derive?.from ?? open;
        const entry = found.get(id) ?? {
          markets: new Set<string>(),
          blocked: new Set<string>(),
          findings: 0,
        };
        entry.markets.add(assessment.market);
        if (assessment.outcome === 'cannot-tell') entry.blocked.add(assessment.market);
        entry.findings += 1;
        found.set(id, entry);
      }
    }
  }
  return [...found]
    .flatMap(([id, entry]) => {
      const fact = law.vocabulary.facts.get(id);
      return fact === undefined || fact.scope === 'request' ? [] : [{ fact, entry }];
    })
    .toSorted(
      (a, b) =>
        b.entry.blocked.size - a.entry.blocked.size ||
        b.entry.markets.size - a.entry.markets.size ||
        b.entry.findings / b.fact.cost - a.entry.findings / a.fact.cost ||
        (a.fact.id < b.fact.id ? -1 : 1),
    )
    .map(({ fact, entry }) => ({ fact, markets: [...entry.markets].sort(), findings: entry.findings }));
}

/** Duties of ours that are not covered, one line per control. */
export function outstandingControls(assessment: MarketAssessment): ReadonlyMap<string, readonly Finding[]> {
  const controls = new Map<string, Finding[]>();
  for (const reason of assessment.reasons) {
    if (reason.kind !== 'outstanding' && reason.kind !== 'undecided') continue;
    const control = reason.finding.coverage?.control;
    if (control === undefined) continue;
    const list = controls.get(control);
    if (list === undefined) controls.set(control, [reason.finding]);
    else list.push(reason.finding);
  }
  return new Map([...controls].sort(([a], [b]) => (a < b ? -1 : 1)));
}
