import type { Day } from '../facts/date.ts';
import type { Position } from '../facts/problem.ts';
import type { Attestation, RoughDay } from './attested.ts';
import type { Confidence } from './rule.ts';

export const RELATIONS = ['equal', 'subset', 'superset', 'intersects'] as const;
/** How the first concept stands to the second (NIST IR 8477, set theory relationship mapping). */
export type Relation = (typeof RELATIONS)[number];

export const STYLES = ['coverage', 'concept', 'structural', 'set-theory'] as const;
/**
 * What the rows of a crosswalk say. `coverage`: doing this control serves that provision, wholly or in part (ours).
 * `concept` and `structural` name neighbours and state no relation; `set-theory` states one (NIST IR 8477 §4).
 */
export type Style = (typeof STYLES)[number];

export const PUBLISHERS = ['official', 'third-party', 'analyst'] as const;
/** Who says so: the body behind one of the two sides, somebody else, or we. */
type PublisherKind = (typeof PUBLISHERS)[number];

export const RECOGNITIONS = ['engineering-reuse', 'legal-recognition'] as const;
/** Whether somebody must accept the evidence by law, or a team merely uses the same work twice. */
export type Recognition = (typeof RECOGNITIONS)[number];

export const COVERAGES = ['full', 'partial'] as const;
type Coverage = (typeof COVERAGES)[number];

/** One side of a crosswalk. What is neither ours nor listed in `law/frameworks/` has only a name. */
export type Side =
  | { readonly kind: 'controls' }
  | { readonly kind: 'law' }
  | { readonly kind: 'framework'; readonly id: string }
  | { readonly kind: 'other'; readonly name: string };

/** One end of a row. A provision is law that no rule encodes: it has a citation and a place, and nothing checks it. */
export type End =
  | { readonly kind: 'control'; readonly id: string }
  | { readonly kind: 'rule'; readonly id: string }
  | { readonly kind: 'reference'; readonly framework: string; readonly ref: string }
  | {
      readonly kind: 'provision';
      readonly law: string;
      readonly place: string;
      readonly cite: string;
      /** The rulebook of that law, where there is one that leaves the provision out. */
      readonly rulebook?: string;
    };

/** Our own reading of a row, kept apart from what the publisher states: signed and dated. */
export interface AnalystRelation {
  readonly relation: Relation;
  /** What the relation is to, taken together, where that is not the whole row. */
  readonly to?: readonly End[];
  readonly rationale: string;
  readonly by: string;
  readonly on: Day;
}

/** What a row states. A null relation: the publisher names neighbours and does not say how they relate. */
export type Statement =
  | { readonly kind: 'coverage'; readonly coverage: Coverage }
  | {
      readonly kind: 'relation';
      readonly relation: Relation | null;
      readonly analyst?: AnalystRelation;
    };

export interface Row {
  readonly from: End;
  readonly to: readonly End[];
  readonly states: Statement;
  readonly recognition: Recognition;
  readonly confidence: Confidence;
  readonly note?: string;
  readonly at: Position;
}

/** A table that sets two bodies of demands beside each other, row by row, as its publisher did. */
export interface Crosswalk {
  readonly id: string;
  readonly title: string;
  readonly publisher: string;
  readonly published: PublisherKind;
  readonly date?: RoughDay;
  readonly style: Style;
  /** How many of the publisher's rows are here. */
  readonly extent: 'all' | 'some' | 'none';
  readonly from: Side;
  readonly to: readonly Side[];
  readonly note?: string;
  readonly source: Attestation;
  readonly rows: readonly Row[];
  readonly at: Position;
}

/** The same relation read from the other end. */
export function inverse(relation: Relation | null): Relation | null {
  switch (relation) {
    case 'subset':
      return 'superset';
    case 'superset':
      return 'subset';
    default:
      return relation;
  }
}

/**
 * What two relations say of the outer ends when they meet in a hub: that they overlap, at most. Two mappings that each
 * call something equal were made for two purposes, so equality is never handed on (NIST IR 8477 §4.3).
 */
export function composed(first: Relation | null, second: Relation | null): Relation | null {
  return first === null || second === null ? null : 'intersects';
}

/** One name for an end, as it is typed on the command line. */
export function nameOf(end: End): string {
  switch (end.kind) {
    case 'control':
    case 'rule':
      return end.id;
    case 'reference':
      return `${end.framework}:${end.ref}`;
    case 'provision':
      return `${end.law}, ${end.cite}`;
  }
}

/** The name of a side, as crosswalks write it. */
export function sideName(side: Side): string {
  switch (side.kind) {
    case 'controls':
    case 'law':
      return side.kind;
    case 'framework':
      return side.id;
    case 'other':
      return side.name;
  }
}
