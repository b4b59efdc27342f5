import type { Decimal } from './decimal.ts';
import { compareDecimals } from './decimal.ts';
import type { FactTest, Range } from './test.ts';
import type { Truth } from './truth.ts';
import type { Fact } from './vocabulary.ts';

/** What one fact is stated to be. Numbers are canonical decimals; days and words are strings. */
export type FactValue = boolean | string | readonly string[];

/**
 * The values that a fact may still have.
 *
 * - `choice`: one of `possible` (booleans as the words `true` and `false`).
 * - `members`: a set that certainly has `certain`, and no others than `possible`.
 * - `interval`: a number or day within bounds; `[v, v]` when known.
 *
 * No domain is ever empty: what would leave nothing possible is a contradiction and is reported as one.
 */
export type Domain =
  | { readonly kind: 'choice'; readonly possible: ReadonlySet<string> }
  | {
      readonly kind: 'members';
      readonly certain: ReadonlySet<string>;
      readonly possible: ReadonlySet<string>;
    }
  | { readonly kind: 'interval'; readonly low?: Bound; readonly high?: Bound };

export interface Bound {
  readonly value: string;
  readonly inclusive: boolean;
}

const EITHER: Domain = { kind: 'choice', possible: new Set(['true', 'false']) };
const UNBOUNDED: Domain = { kind: 'interval' };

/** Everything the fact could be when nothing is known of it. */
export function fullDomain(fact: Fact): Domain {
  switch (fact.type) {
    case 'bool':
      return EITHER;
    case 'enum':
      return { kind: 'choice', possible: new Set(fact.values.keys()) };
    case 'set':
      return { kind: 'members', certain: new Set(), possible: new Set(fact.values.keys()) };
    default:
      return UNBOUNDED;
  }
}

/** The domain of a fact that was stated. */
export function domainOf(value: FactValue): Domain {
  if (typeof value === 'boolean') return { kind: 'choice', possible: new Set([String(value)]) };
  if (typeof value === 'string') return { kind: 'choice', possible: new Set([value]) };
  return { kind: 'members', certain: new Set(value), possible: new Set(value) };
}

/** The domain of a stated number or day. */
export function pointDomain(value: string): Domain {
  const bound: Bound = { value, inclusive: true };
  return { kind: 'interval', low: bound, high: bound };
}

/** True when exactly one value is left. */
export function isKnown(domain: Domain): boolean {
  switch (domain.kind) {
    case 'choice':
      return domain.possible.size === 1;
    case 'members':
      return domain.certain.size === domain.possible.size;
    case 'interval':
      return domain.low !== undefined && domain.low.value === domain.high?.value;
  }
}

/** Orders two numbers or two days of a fact. */
export function compareValues(fact: Fact, a: string, b: string): number {
  if (fact.type !== 'date') return compareDecimals(a as Decimal, b as Decimal);
  return a === b ? 0 : a < b ? -1 : 1;
}

/** True when every possible value passes the test, false when none does, unknown otherwise. */
export function test(fact: Fact, domain: Domain, asked: FactTest): Truth {
  if (asked.kind === 'known') return isKnown(domain) ? 'true' : 'unknown';
  switch (domain.kind) {
    case 'choice': {
      const wanted = asked.kind === 'is' ? [String(asked.value)] : asked.kind === 'in' ? asked.values : [];
      const passing = [...domain.possible].filter((value) => wanted.includes(value)).length;
      return passing === 0 ? 'false' : passing === domain.possible.size ? 'true' : 'unknown';
    }
    case 'members': {
      const listed = asked.kind === 'has' || asked.kind === 'only' ? asked.values : [];
      if (asked.kind === 'only') {
        if ([...domain.certain].some((value) => !listed.includes(value))) return 'false';
        return [...domain.possible].every((value) => listed.includes(value)) ? 'true' : 'unknown';
      }
      if (listed.some((value) => domain.certain.has(value))) return 'true';
      return listed.some((value) => domain.possible.has(value)) ? 'unknown' : 'false';
    }
    case 'interval':
      return asked.kind === 'range' ? testRange(fact, domain, asked.range) : 'false';
  }
}

function testRange(fact: Fact, domain: Extract<Domain, { kind: 'interval' }>, range: Range): Truth {
  const { low, high } = boundsOf(range);
  const aboveLow = low === undefined || (domain.low !== undefined && !isBelow(fact, domain.low, low));
  const belowHigh = high === undefined || (domain.high !== undefined && !isAbove(fact, domain.high, high));
  if (aboveLow && belowHigh) return 'true';
  const apart =
    (high !== undefined && domain.low !== undefined && disjoint(fact, domain.low, high)) ||
    (low !== undefined && domain.high !== undefined && disjoint(fact, low, domain.high));
  return apart ? 'false' : 'unknown';
}

function boundsOf(range: Range): { readonly low?: Bound; readonly high?: Bound } {
  const low =
    range.gte !== undefined
      ? { value: range.gte, inclusive: true }
      : range.gt !== undefined
        ? { value: range.gt, inclusive: false }
        : undefined;
  const high =
    range.lte !== undefined
      ? { value: range.lte, inclusive: true }
      : range.lt !== undefined
        ? { value: range.lt, inclusive: false }
        : undefined;
  return { ...(low === undefined ? {} : { low }), ...(high === undefined ? {} : { high }) };
}

/** The lower bound `a` admits values that the lower bound `b` does not. */
function isBelow(fact: Fact, a: Bound, b: Bound): boolean {
  const order = compareValues(fact, a.value, b.value);
  return order < 0 || (order === 0 && a.inclusive && !b.inclusive);
}

/** The upper bound `a` admits values that the upper bound `b` does not. */
function isAbove(fact: Fact, a: Bound, b: Bound): boolean {
  const order = compareValues(fact, a.value, b.value);
  return order > 0 || (order === 0 && a.inclusive && !b.inclusive);
}

/** Nothing lies both above `low` and below `high`. */
function disjoint(fact: Fact, low: Bound, high: Bound): boolean {
  const order = compareValues(fact, low.value, high.value);
  return order > 0 || (order === 0 && !(low.inclusive && high.inclusive));
}

/**
 * Keeps the values that pass (or, with `passes` false, fail) the test.
 *
 * @returns the narrower domain, the same object when nothing changes, or undefined when nothing is left.
 */
export function narrow(fact: Fact, domain: Domain, asked: FactTest, passes: boolean): Domain | undefined {
  if (asked.kind === 'known') return domain;
  switch (domain.kind) {
    case 'choice': {
      const wanted = asked.kind === 'is' ? [String(asked.value)] : asked.kind === 'in' ? asked.values : [];
      const possible = [...domain.possible].filter((value) => wanted.includes(value) === passes);
      if (possible.length === domain.possible.size) return domain;
      return possible.length === 0 ? undefined : { kind: 'choice', possible: new Set(possible) };
    }
    case 'members':
      return narrowMembers(domain, asked, passes);
    case 'interval':
      return asked.kind === 'range' ? narrowInterval(fact, domain, asked.range, passes) : domain;
  }
}

function narrowMembers(
  domain: Extract<Domain, { kind: 'members' }>,
  asked: FactTest,
  passes: boolean,
): Domain | undefined {
  const listed = asked.kind === 'has' || asked.kind === 'only' ? asked.values : [];
  let certain = domain.certain;
  let possible = domain.possible;
  if (asked.kind === 'has') {
    const candidates = listed.filter((value) => possible.has(value));
    if (passes && candidates.length === 0) return undefined;
    // One of several: which one stays open, unless only one is left.
    if (passes && candidates.length === 1) certain = new Set([...certain, ...candidates]);
    if (!passes) possible = new Set([...possible].filter((value) => !listed.includes(value)));
  } else if (passes) {
    possible = new Set([...possible].filter((value) => listed.includes(value)));
  } else {
    const others = [...possible].filter((value) => !listed.includes(value));
    if (others.length === 0) return undefined;
    if (others.length === 1) certain = new Set([...certain, ...others]);
  }
  if ([...certain].some((value) => !possible.has(value))) return undefined;
  const same = certain.size === domain.certain.size && possible.size === domain.possible.size;
  return same ? domain : { kind: 'members', certain, possible };
}

function narrowInterval(
  fact: Fact,
  domain: Extract<Domain, { kind: 'interval' }>,
  range: Range,
  passes: boolean,
): Domain | undefined {
  const bounds = boundsOf(range);
  let { low, high } = domain;
  if (passes) {
    if (bounds.low !== undefined && (low === undefined || isBelow(fact, low, bounds.low))) low = bounds.low;
    if (bounds.high !== undefined && (high === undefined || isAbove(fact, high, bounds.high)))
      high = bounds.high;
  } else if (bounds.low !== undefined && bounds.high === undefined) {
    const below: Bound = { value: bounds.low.value, inclusive: !bounds.low.inclusive };
    if (high === undefined || isAbove(fact, high, below)) high = below;
  } else if (bounds.high !== undefined && bounds.low === undefined) {
    const above: Bound = { value: bounds.high.value, inclusive: !bounds.high.inclusive };
    if (low === undefined || isBelow(fact, low, above)) low = above;
  } else if (testRange(fact, domain, range) === 'true') {
    // Outside a two-sided range is two intervals, which a domain cannot hold: only the impossible is excluded.
    return undefined;
  }
  if (low !== undefined && high !== undefined && disjoint(fact, low, high)) return undefined;
  if (low === domain.low && high === domain.high) return domain;
  return { kind: 'interval', ...(low === undefined ? {} : { low }), ...(high === undefined ? {} : { high }) };
}
