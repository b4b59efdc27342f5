import type { Outcome } from '../assess/assessment.ts';
import type { FactValue } from '../facts/domain.ts';
import type { Problem } from '../facts/problem.ts';
import type { Moment } from '../rules/time.ts';
import type { ValueClass } from './classes.ts';
import type { DecisionReason, Detail } from './market.ts';

/** What a single call states. A fact that differs by market is stated for all markets alike. */
export type CallFacts = Readonly<Record<string, FactValue | number>>;

/** The decision on one call in one market. */
export interface MarketDecision {
  readonly market: string;
  readonly outcome: Outcome;
  readonly reasons: readonly DecisionReason[];
  /** Controls of ours that this call needs in effect, sorted: those in place and those outstanding. */
  readonly controls: readonly string[];
  /** Facts that keep the outcome open, sorted. */
  readonly open: readonly string[];
}

/** The decision on one call. Calls whose facts no rule can tell apart share one. */
export interface Decision {
  /** Names the rules, the feature and what was stated: the same everywhere for the same input. */
  readonly id: string;
  /** SHA-256 of the law that it was made under. */
  readonly digest: string;
  readonly moment: Moment;
  readonly markets: readonly MarketDecision[];
  /** What was wrong with the facts; then every market is `cannot-tell`. */
  readonly problems: readonly Problem[];
  /** The decision for one market; `cannot-tell` for one that the policy was not compiled for. */
  in(market: string): MarketDecision;
}

/** A call with something wrong in it. */
interface Refused {
  readonly facts: CallFacts;
  readonly problem: Problem;
}

/** What a call stated: its number, its values where it has none, or what it was refused with. */
export type Stated = number | readonly (ValueClass | undefined)[] | Refused;

/** Where decisions come from: works out what is seldom looked at. */
export interface DecisionSource {
  readonly digest: string;
  readonly moment: Moment;
  /** The hash of everything that a decision follows from. */
  nameOf(stated: Stated): string;
  /** What is decided in one market beside the outcome, for a call by its number. */
  detailOf(market: number, key: number): Detail;
}

/**
 * Reasons, controls and open facts are worked out when somebody looks: the outcome is what every call needs, and
 * thousands of these are kept.
 */
class LazyMarketDecision implements MarketDecision {
  readonly market: string;
  readonly outcome: Outcome;
  readonly #source: DecisionSource;
  readonly #index: number;
  readonly #key: number;
  #detail: Detail | undefined;

  constructor(market: string, outcome: Outcome, source: DecisionSource, index: number, key: number) {
    this.market = market;
    this.outcome = outcome;
    this.#source = source;
    this.#index = index;
    this.#key = key;
  }

  get reasons(): readonly DecisionReason[] {
    return this.#known().reasons;
  }

  get controls(): readonly string[] {
    return this.#known().controls;
  }

  get open(): readonly string[] {
    return this.#known().open;
  }

  toJSON(): MarketDecision {
    return settledDecision(this.market, this.outcome, this);
  }

  #known(): Detail {
    this.#detail ??= this.#source.detailOf(this.#index, this.#key);
    return this.#detail;
  }
}

const NOTHING: Detail = { reasons: [], controls: [], open: [] };

export class KernelDecision implements Decision {
  readonly markets: readonly MarketDecision[];
  readonly problems: readonly Problem[];
  readonly #source: DecisionSource;
  readonly #stated: Stated;
  #id: string | undefined;

  constructor(
    source: DecisionSource,
    stated: Stated,
    markets: readonly MarketDecision[],
    problems: readonly Problem[],
  ) {
    this.#source = source;
    this.#stated = stated;
    this.markets = markets;
    this.problems = problems;
  }

  get id(): string {
    this.#id ??= this.#source.nameOf(this.#stated);
    return this.#id;
  }

  get digest(): string {
    return this.#source.digest;
  }

  get moment(): Moment {
    return this.#source.moment;
  }

  in(market: string): MarketDecision {
    for (const one of this.markets) if (one.market === market) return one;
    return cannotTell(market);
  }

  toJSON(): Omit<Decision, 'in' | 'toJSON'> {
    const { id, digest, moment, markets, problems } = this;
    return { id, digest, moment, markets, problems };
  }
}

export function lazyDecision(
  market: string,
  outcome: Outcome,
  source: DecisionSource,
  index: number,
  key: number,
): MarketDecision {
  return new LazyMarketDecision(market, outcome, source, index, key);
}

export function settledDecision(market: string, outcome: Outcome, detail: Detail): MarketDecision {
  const { reasons, controls, open } = detail;
  return { market, outcome, reasons, controls, open };
}

/** What is decided where nothing can be: never *allowed*. */
export function cannotTell(market: string): MarketDecision {
  return settledDecision(market, 'cannot-tell', NOTHING);
}
