import type { ParameterValue } from '../facts/control.ts';
import type { Day } from '../facts/date.ts';
import type { Fact } from '../facts/vocabulary.ts';
import type { Proof } from '../rules/proof.ts';
import type { Rule, Rulebook } from '../rules/rule.ts';
import type { Strength } from './evidence.ts';

/** In order of precedence. */
export const OUTCOMES = ['not-allowed', 'cannot-tell', 'allowed-if', 'allowed'] as const;
/**
 * - `not-allowed`: a prohibition in force applies.
 * - `cannot-tell`: whether a prohibition applies, or whether a law applies at all, hangs on facts nobody stated or
 *   on a point of law that is unsettled; or no rulebook covers the market.
 * - `allowed-if`: duties of ours are outstanding or undecided, or single requests must be decided one by one.
 * - `allowed`: nothing of that.
 */
export type Outcome = (typeof OUTCOMES)[number];

/** Whether a finding can change an outcome, and if not, why not. */
export type Weight =
  | 'counts'
  /** The law asks to try. */
  | 'effort'
  /** The instrument binds nobody. */
  | 'voluntary'
  /** It falls on somebody else. */
  | 'theirs'
  /** A right, a class or a permission: shown, asks nothing by itself. */
  | 'shown';

/** How a control that a law asks for stands in the manifest. */
export interface Coverage {
  readonly control: string;
  readonly strength: Strength;
  /** Parameters that are weaker than asked, or not stated. */
  readonly gaps: readonly {
    readonly parameter: string;
    readonly asked: ParameterValue;
    readonly inPlace?: ParameterValue;
  }[];
  readonly covered: boolean;
}

/** One norm that holds, or may hold, for a feature in a market on a day. */
export interface Finding {
  readonly rule: Rule;
  readonly rulebook: Rulebook;
  readonly truth: 'true' | 'unknown';
  readonly weight: Weight;
  /** Open only on what a single call knows: it is decided call by call. */
  readonly perRequest: boolean;
  /** Who owes a duty: the titles of the law's roles. */
  readonly owedBy: readonly string[];
  /** Present for duties: what the law asks and what is there. */
  readonly coverage?: Coverage;
  readonly proof: Proof;
  readonly open: readonly string[];
  /** Points on which the law itself is unsettled, by rule. */
  readonly unsettled: readonly { readonly rule: string; readonly why: string }[];
}

/** A norm that does not hold today and will, by enacted law, or would, by a bill or were it not stayed. */
export interface Coming {
  readonly rule: Rule;
  readonly rulebook: Rulebook;
  readonly truth: 'true' | 'unknown';
  readonly kind: 'enacted' | 'bill' | 'stayed';
  /** First day on which it holds; for bills and stayed rules the day that their text names, if it lies ahead. */
  readonly from?: Day;
  readonly weight: Weight;
  readonly owedBy: readonly string[];
  readonly coverage?: Coverage;
}

/** Why a market has its outcome. */
export type Reason =
  | { readonly kind: 'no-rulebook' }
  | { readonly kind: 'prohibited'; readonly finding: Finding }
  | { readonly kind: 'prohibition-open'; readonly finding: Finding }
  | { readonly kind: 'scope-open'; readonly rulebook: Rulebook; readonly open: readonly string[] }
  | { readonly kind: 'outstanding'; readonly finding: Finding }
  | { readonly kind: 'undecided'; readonly finding: Finding }
  | { readonly kind: 'per-request'; readonly finding: Finding };

/** The verdict on one feature in one market on one day. */
export interface MarketAssessment {
  readonly market: string;
  readonly outcome: Outcome;
  readonly reasons: readonly Reason[];
  readonly rulebooks: readonly Rulebook[];
  /** Places that contain the market and have no rulebook: their law is not covered. */
  readonly uncovered: readonly string[];
  readonly findings: readonly Finding[];
  readonly coming: readonly Coming[];
}

/** A fact that nobody stated and on which something hangs. */
export interface OpenFact {
  readonly fact: Fact;
  /** Outcomes that could change by learning it, as markets. */
  readonly markets: readonly string[];
  /** Findings that hang on it, over all markets. */
  readonly findings: number;
}
