import type { Bound, Domain } from '../../facts/domain.ts';
import { compareValues, isKnown } from '../../facts/domain.ts';
import type { Knowledge } from '../../facts/knowledge.ts';
import type { Fact } from '../../facts/vocabulary.ts';
import type { Exported, ExportedFact } from './exported.ts';

/**
 * What is known of one fact, as the engines read it. A fact of which nothing is known is left out.
 *
 * - yes or no, and one of several words: the words it can still be (`true` and `false` for yes and no);
 * - a set of words: those it certainly has, and those it can have;
 * - a number or a day: the lowest and the highest position on the fact's scale that it can have, and whether its value
 *   is known. With `scale` the sorted bounds that rules test, `2 i + 1` is the bound `scale[i]` itself, `2 i` what lies
 *   below it and above the one before. No rule can tell apart what stands at the same position, so no engine has to
 *   hold 10^26 exactly.
 */
export type FactInput =
  | { readonly possible: readonly string[] }
  | { readonly certain: readonly string[]; readonly possible: readonly string[] }
  | { readonly low: number; readonly high: number; readonly known: boolean };

/** What an engine is asked about: one feature in one market. */
export interface EngineInput {
  readonly feature: string;
  readonly market: string;
  /** The market and every place that contains it: rules of other places do not apply. */
  readonly places: readonly string[];
  /** By key, sorted. */
  readonly facts: Readonly<Record<string, FactInput>>;
}

/** A feature in a market, with what is known of it. */
export interface Subject {
  readonly feature: string;
  readonly market: string;
  readonly knowledge: Knowledge;
}

/** Translates what is known of a feature in a market into the input that the exported rules read. */
export function inputOf(exported: Exported, { feature, market, knowledge }: Subject): EngineInput {
  const facts = [...exported.facts.values()].flatMap((one) => {
    const read = factInput(one, knowledge.domain(one.fact.id, one.place));
    return read === undefined ? [] : [[one.key, read] as const];
  });
  const places = exported.law.jurisdictions.chain(market);
  return { feature, market, places, facts: Object.fromEntries(facts) };
}

function factInput({ fact, scale }: ExportedFact, domain: Domain): FactInput | undefined {
  switch (domain.kind) {
    case 'choice':
      return { possible: [...domain.possible].sort() };
    case 'members':
      return { certain: [...domain.certain].sort(), possible: [...domain.possible].sort() };
    case 'interval': {
      const { low, high } = domain;
      if (low === undefined && high === undefined) return undefined;
      return {
        low: low === undefined ? 0 : position(fact, scale, low, 1),
        high: high === undefined ? 2 * scale.length : position(fact, scale, high, -1),
        known: isKnown(domain),
      };
    }
  }
}

/** The position of a bound. What excludes the bound itself begins beside it, inwards. */
function position(
  fact: Fact,
  scale: readonly string[],
  { value, inclusive }: Bound,
  inwards: 1 | -1,
): number {
  const below = scale.filter((one) => compareValues(fact, one, value) < 0).length;
  if (!scale.includes(value)) return 2 * below;
  return 2 * below + 1 + (inclusive ? 0 : inwards);
}

/** The positions that pass a range test: from the first to the last. */
export function passing(
  scale: readonly string[],
  range: { readonly gte?: string; readonly gt?: string; readonly lte?: string; readonly lt?: string },
): { readonly from?: number; readonly to?: number } {
  const at = (bound: string): number => 2 * scale.indexOf(bound) + 1;
  const from =
    range.gte !== undefined ? at(range.gte) : range.gt !== undefined ? at(range.gt) + 1 : undefined;
  const to = range.lte !== undefined ? at(range.lte) : range.lt !== undefined ? at(range.lt) - 1 : undefined;
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}
