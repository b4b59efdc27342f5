import type { Condition } from '../facts/condition.ts';
import type { ParameterValues } from '../facts/control.ts';
import type { Day } from '../facts/date.ts';
import type { Position } from '../facts/problem.ts';

export const STATES = ['in-force', 'adopted', 'stayed', 'repealed', 'bill'] as const;
/** Where a law stands. Enacted law applies on its dates; stayed law and bills are shown and change nothing. */
export type State = (typeof STATES)[number];

export const CONFIDENCES = ['low', 'medium', 'high'] as const;
export type Confidence = (typeof CONFIDENCES)[number];

export const REVIEWS = ['none', 'engineer', 'counsel'] as const;
export type Review = (typeof REVIEWS)[number];

export const KINDS = [
  'statute',
  'regulation',
  'directive',
  'guideline',
  'standard',
  'treaty',
  'voluntary',
] as const;
export type RulebookKind = (typeof KINDS)[number];

export const DEPTHS = ['deep', 'focused', 'framework'] as const;
export type Depth = (typeof DEPTHS)[number];

/** How sure we are of the text, and where and when it was seen. */
export interface Source {
  readonly url: string;
  readonly confidence: Confidence;
  readonly seen: Day;
}

/** Half-open: `from` is the first day in force, `to` the first day no longer. */
export interface Interval {
  readonly from: Day;
  readonly to?: Day;
  /** The day from which the world could know of this interval. */
  readonly recorded: Day;
  readonly basis?: string;
  readonly state: State;
}

/** What a rule does when it holds. */
export type Effect =
  | { readonly kind: 'define'; readonly fact: string }
  | { readonly kind: 'classify'; readonly fact: string; readonly label: string }
  | { readonly kind: 'prohibit'; readonly what: string }
  | { readonly kind: 'require'; readonly control: string; readonly parameters: ParameterValues }
  | {
      readonly kind: 'grant';
      readonly right: string;
      readonly control?: string;
      readonly parameters: ParameterValues;
    }
  | { readonly kind: 'permit'; readonly what: string }
  | {
      readonly kind: 'defeats';
      readonly patterns: readonly string[];
      readonly rules: readonly string[];
      readonly word: string;
    };

/** One norm, conclusion or exception of a law, with its own citation and dates. */
export interface Rule {
  /** `rulebook:rule`. */
  readonly id: string;
  readonly rulebook: string;
  readonly cite: string;
  readonly title?: string;
  readonly note?: string;
  readonly effective: readonly Interval[];
  /** Absent where the rule always holds. */
  readonly when?: Condition;
  readonly effect: Effect;
  readonly owedBy: readonly string[];
  /** The law itself is unsettled on whether this rule holds: it never counts as more than unknown. */
  readonly ambiguous?: string;
  /** The law asks to try, not to achieve. */
  readonly effort: boolean;
  readonly scoped: boolean;
  readonly source: Source;
  readonly review: Review;
  readonly at: Position;
}

/** A role of a law, drawn from what a company does in a market. */
export interface Role {
  readonly title: string;
  readonly when: Condition;
}

/** A sanction, as data. Percentages are decimals in text, so that they stay exact. */
export interface Penalty {
  readonly id: string;
  readonly cite: string;
  readonly rules: readonly string[];
  readonly max?: {
    readonly amount?: number;
    readonly currency?: string;
    readonly turnover_percent?: string;
    readonly whichever?: 'higher' | 'lower';
    readonly per?: string;
  };
  readonly note?: string;
}

/** One instrument of law, or a framework that binds nobody. */
export interface Rulebook {
  readonly id: string;
  readonly title: string;
  readonly jurisdiction: string;
  readonly kind: RulebookKind;
  readonly binding: boolean;
  readonly citation: string;
  readonly url: string;
  readonly status: { readonly state: State; readonly asOf: Day; readonly note?: string };
  readonly recorded: Day;
  readonly depth: Depth;
  readonly covers: string;
  readonly leavesOut: string;
  readonly namespace: string;
  readonly scope?: string;
  readonly roles: ReadonlyMap<string, Role>;
  readonly penalties: readonly Penalty[];
  readonly review: Review;
  readonly rules: readonly Rule[];
  readonly at: Position;
}

/** True for rules that can stand in a person's way or oblige somebody: everything but conclusions and exceptions. */
export function isNorm(rule: Rule): boolean {
  return rule.effect.kind !== 'define' && rule.effect.kind !== 'defeats';
}

/** A pattern names one rule, or a group of rules when it ends in `*`. */
export function matches(pattern: string, id: string): boolean {
  return pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : pattern === id;
}
