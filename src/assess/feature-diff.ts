import type { MarketAssessment, Outcome } from './assessment.ts';
import type { FeatureAssessment } from './feature.ts';
import { outstandingControls } from './feature.ts';

/** How a feature stands in one market before and after a change of its manifest. */
export interface MarketChange {
  readonly market: string;
  /** Undefined where the market, or the feature, did not exist. */
  readonly before?: Outcome;
  readonly after?: Outcome;
  /** Rules that newly hold, and that hold no longer. */
  readonly gained: readonly string[];
  readonly lost: readonly string[];
  /** Controls that newly miss evidence, and that miss it no longer. */
  readonly outstanding: readonly string[];
  readonly settled: readonly string[];
}

export interface FeatureChange {
  readonly file: string;
  readonly name: string;
  readonly markets: readonly MarketChange[];
}

/** What changes, per feature and market; what stays as it was is left out. Features are matched by file. */
export function compareFeatures(
  before: readonly FeatureAssessment[],
  after: readonly FeatureAssessment[],
): readonly FeatureChange[] {
  const files = [...new Set([...before, ...after].map(({ manifest }) => manifest.file))].sort();
  return files.flatMap((file) => {
    const [old, now] = [before, after].map((list) => list.find(({ manifest }) => manifest.file === file));
    const markets = [
      ...new Set([...(old?.markets ?? []), ...(now?.markets ?? [])].map(({ market }) => market)),
    ].sort();
    const changed = markets.flatMap((market) => {
      const find = (feature: FeatureAssessment | undefined): MarketAssessment | undefined =>
        feature?.markets.find((assessment) => assessment.market === market);
      return compareMarket(market, find(old), find(now)) ?? [];
    });
    return changed.length === 0
      ? []
      : [{ file, name: (now ?? old)?.manifest.name ?? file, markets: changed }];
  });
}

function compareMarket(
  market: string,
  before: MarketAssessment | undefined,
  after: MarketAssessment | undefined,
): MarketChange | undefined {
  const rules = (assessment: MarketAssessment | undefined): readonly string[] =>
    (assessment?.findings ?? []).filter(({ truth }) => truth === 'true').map(({ rule }) => rule.id);
  const missing = (assessment: MarketAssessment | undefined): readonly string[] =>
    assessment === undefined ? [] : [...outstandingControls(assessment).keys()];
  const without = (these: readonly string[], those: readonly string[]): readonly string[] =>
    these.filter((one) => !those.includes(one)).sort();
  const change: MarketChange = {
    market,
    ...(before === undefined ? {} : { before: before.outcome }),
    ...(after === undefined ? {} : { after: after.outcome }),
    gained: without(rules(after), rules(before)),
    lost: without(rules(before), rules(after)),
    outstanding: without(missing(after), missing(before)),
    settled: without(missing(before), missing(after)),
  };
  const nothing =
    change.before === change.after &&
    [change.gained, change.lost, change.outstanding, change.settled].every((list) => list.length === 0);
  return nothing ? undefined : change;
}

/** True when some market got worse by outcome. */
export function gotWorse(changes: readonly FeatureChange[], order: readonly Outcome[]): boolean {
  return changes.some(({ markets }) =>
    markets.some(
      ({ before, after }) =>
        after !== undefined &&
        (before === undefined ? after === 'not-allowed' : order.indexOf(after) < order.indexOf(before)),
    ),
  );
}
