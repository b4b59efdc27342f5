import type { Day } from '../facts/date.ts';
import type { Interval, Rule, State } from './rule.ts';

/** When the question is asked (`asOf`), and what the world knew then (`knownAt`, usually the same day). */
export interface Moment {
  readonly asOf: Day;
  readonly knownAt: Day;
}

/**
 * The intervals that were known on a day: those of the latest recording. A law that re-dates a rule records its
 * whole schedule anew, so what was recorded before it no longer counts.
 */
export function schedule(rule: Rule, knownAt: Day): readonly Interval[] {
  const [only] = rule.effective;
  if (rule.effective.length === 1 && only !== undefined)
    return only.recorded <= knownAt ? rule.effective : [];
  const known = rule.effective.filter((interval) => interval.recorded <= knownAt);
  const latest = known.at(-1)?.recorded;
  return known.filter((interval) => interval.recorded === latest);
}

/** The interval of the rule that covers the day, if any, whatever its state. */
export function intervalAt(rule: Rule, moment: Moment): Interval | undefined {
  return schedule(rule, moment.knownAt).find(
    ({ from, to }) => from <= moment.asOf && (to === undefined || moment.asOf < to),
  );
}

/** The first interval that begins after the day, if any. */
export function nextInterval(rule: Rule, moment: Moment): Interval | undefined {
  return schedule(rule, moment.knownAt)
    .filter(({ from }) => from > moment.asOf)
    .toSorted((a, b) => (a.from < b.from ? -1 : 1))[0];
}

/** States in which a rule takes effect on its dates. A repealed rule did, until its end. */
export function takesEffect(state: State): boolean {
  return state === 'in-force' || state === 'adopted' || state === 'repealed';
}

/**
 * The days after `moment.asOf`, up to and including `until`, on which some rule begins or ends, each with those
 * rules, in order: between them time stands still.
 */
export function turningDays(
  rules: Iterable<Rule>,
  moment: Moment,
  until: Day,
): ReadonlyMap<Day, readonly Rule[]> {
  const days = new Map<Day, Rule[]>();
  for (const rule of rules) {
    for (const day of schedule(rule, moment.knownAt).flatMap(({ from, to }) => [
      from,
      ...(to === undefined ? [] : [to]),
    ])) {
      if (day <= moment.asOf || day > until) continue;
      const list = days.get(day);
      if (list === undefined) days.set(day, [rule]);
      else list.push(rule);
    }
  }
  return new Map([...days].sort(([a], [b]) => (a < b ? -1 : 1)));
}
