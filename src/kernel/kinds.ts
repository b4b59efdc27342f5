import { outcomeOf } from '../assess/assess.ts';
import type { Outcome, Reason } from '../assess/assessment.ts';

/** Kinds of reasons as bits, so that the reasons of a decision add up with OR. */
const KINDS = [
  'prohibited',
  'no-rulebook',
  'prohibition-open',
  'scope-open',
  'outstanding',
  'undecided',
  'per-request',
] as const satisfies readonly Reason['kind'][];
type Kind = (typeof KINDS)[number];

const bit = (kind: Kind): number => 1 << KINDS.indexOf(kind);
export const PROHIBITED = bit('prohibited');
export const PROHIBITION_OPEN = bit('prohibition-open');
export const SCOPE_OPEN = bit('scope-open');
export const OUTSTANDING = bit('outstanding');
export const UNDECIDED = bit('undecided');
export const PER_REQUEST = bit('per-request');

/** The kind that is one bit; undefined for none. */
export function kindOf(one: number): Kind | undefined {
  return KINDS.find((kind) => bit(kind) === one);
}

/** The outcome for every combination of kinds, as the assessment has it. */
export const OUTCOMES: readonly Outcome[] = Array.from({ length: 1 << KINDS.length }, (_, bits) =>
  outcomeOf(KINDS.filter((kind) => (bits & bit(kind)) !== 0).map((kind) => ({ kind }))),
);
