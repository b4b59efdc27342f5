import { strengthOf } from '../assess/evidence.ts';
import { mentions } from '../facts/condition.ts';
import type { Day } from '../facts/date.ts';
import type { DeclaredControl } from '../facts/manifest.ts';
import type { Law } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import { intervalAt, takesEffect } from '../rules/time.ts';
import type { PolicyOptions } from './policy-options.ts';

/** Days between which time stands still: `from` is the first of them, `until` the first no longer. */
export interface Epoch {
  /** Undefined where it was never otherwise before. */
  readonly from: Day | undefined;
  /** Undefined where nothing is known to change after. */
  readonly until: Day | undefined;
}

/** What an epoch depends on. */
export type EpochSource = Pick<PolicyOptions, 'law' | 'moment' | 'probe'> & {
  readonly markets: readonly string[];
  readonly declared: ReadonlyMap<string, DeclaredControl>;
};

/**
 * The days around `moment.asOf` on which every rule that can reach these markets is in force as it is on that day, and
 * every piece of evidence worth as much. Who asks with the knowledge of the day (`knownAt` is `asOf`) goes on to know
 * more as the days pass; any other `knownAt` stays what it is.
 */
export function epochOf({ law, markets, moment, declared, probe }: EpochSource): Epoch {
  const on = (asOf: Day): Moment => ({
    asOf,
    knownAt: moment.knownAt === moment.asOf ? asOf : moment.knownAt,
  });
  const reach = reachInto(law, markets);
  const rules = [...law.rules.values()].flatMap((rule) => {
    const days = rule.effective.flatMap(({ from, to, recorded }) => [from, to ?? from, recorded]);
    const epoch = around(moment.asOf, days, (day) => isInForce(rule, on(day)));
    return isEternal(epoch) || !reach(rule) ? [] : [epoch];
  });
  const evidence = [...declared.values()].map((control) => {
    const days = control.evidence.flatMap(({ on: dated, expires }) => [dated ?? [], expires ?? []].flat());
    return around(moment.asOf, days, (day) => strengthOf(control, day, probe).rung);
  });
  return [...rules, ...evidence].reduce(intersect, { from: undefined, until: undefined });
}

/** Whether a day lies in an epoch. */
export function covers({ from, until }: Epoch, day: Day): boolean {
  return (from === undefined || from <= day) && (until === undefined || day < until);
}

function isInForce(rule: Rule, moment: Moment): boolean {
  const interval = intervalAt(rule, moment);
  return interval !== undefined && takesEffect(interval.state);
}

function isEternal({ from, until }: Epoch): boolean {
  return from === undefined && until === undefined;
}

/** Later than no day. */
const BEFORE_ALL = '' as Day;

/** The days around one day that have the same value, where values change on none but the days given. */
function around(day: Day, days: readonly Day[], valueOn: (day: Day) => unknown): Epoch {
  const value = valueOn(day);
  const turning = [BEFORE_ALL, ...new Set(days)].sort();
  const until = turning.find((later) => later > day && valueOn(later) !== value);
  const past = turning.filter((earlier) => earlier <= day);
  const last = past.findLastIndex((earlier) => valueOn(earlier) !== value);
  // A value that has lasted since before all days has no first one.
  const from = last < 0 ? undefined : past[last + 1];
  return { from, until };
}

function intersect(a: Epoch, b: Epoch): Epoch {
  const from = a.from === undefined || (b.from !== undefined && b.from > a.from) ? b.from : a.from;
  const until = a.until === undefined || (b.until !== undefined && b.until < a.until) ? b.until : a.until;
  return { from, until };
}

/** Tells whether the value of a rule can reach a decision in one of the markets. */
function reachInto(law: Law, markets: readonly string[]): (rule: Rule) => boolean {
  const places = new Set(markets.flatMap((market) => law.jurisdictions.chain(market)));
  const rulebooks = [...law.rulebooks.values()].filter(({ jurisdiction }) => places.has(jurisdiction));
  const names = rulebooks.flatMap(({ roles }) =>
    [...roles.values()].flatMap(({ when }) => [...mentions(when).derived]),
  );
  const asked = new Set(
    [
      ...rulebooks.flatMap(({ rules }) => rules),
      ...names.flatMap((name) => law.definitions.get(name) ?? []),
    ].map(({ id }) => id),
  );
  return (rule) => {
    const reached = new Set<Rule>([rule]);
    // A set yields what is added while it is walked.
    for (const one of reached) {
      if (asked.has(one.id)) return true;
      for (const dependent of law.dependents.get(one.id) ?? []) reached.add(dependent);
    }
    return false;
  };
}
