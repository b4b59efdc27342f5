import type { Law } from '../rules/law.ts';
import type { Opposition } from '../rules/opposition.ts';
import type { MarketAssessment } from './assessment.ts';
import type { Conflict } from './conflict.ts';
import { conflictsOf, distinctConflicts, needsSplit } from './conflict.ts';
import { outstandingControls } from './feature.ts';
import type { JoinedControl } from './join.ts';
import { demandsOf, joinDemands } from './join.ts';

/** One build and the markets that it satisfies. */
export interface Variant {
  readonly markets: readonly string[];
  readonly controls: readonly JoinedControl[];
  /** Controls of this build that some of its markets still miss. */
  readonly outstanding: readonly string[];
}

/** The fewest builds for the markets in which the feature may be offered. */
export interface Plan {
  readonly variants: readonly Variant[];
  readonly conflicts: readonly Conflict[];
  /** Markets in which no build helps, because it is not allowed or cannot be told. */
  readonly blocked: readonly MarketAssessment[];
}

/**
 * Groups markets into the fewest builds such that in each the joined controls can be satisfied. Where several
 * groupings are equally few, markets go, in the order of their ids, to the first build that takes them.
 */
export function planRegions(
  law: Law,
  oppositions: readonly Opposition[],
  assessments: readonly MarketAssessment[],
): Plan {
  const blocked = assessments.filter(({ outcome }) => outcome === 'not-allowed' || outcome === 'cannot-tell');
  const open = assessments
    .filter((assessment) => !blocked.includes(assessment))
    .toSorted((a, b) => (a.market < b.market ? -1 : 1));
  const conflicts = conflictsOf(law, oppositions, demandsOf(open));
  const apart = new Set(
    conflicts
      .filter(needsSplit)
      .flatMap(({ left, right }) => [`${left.market}|${right.market}`, `${right.market}|${left.market}`]),
  );
  const markets = open.map(({ market }) => market);
  const groups = fewestGroups(markets, (a, b) => apart.has(`${a}|${b}`));
  const variants = groups.map((group): Variant => {
    const own = open.filter(({ market }) => group.includes(market));
    return {
      markets: group,
      controls: joinDemands(law, demandsOf(own)),
      outstanding: [
        ...new Set(own.flatMap((assessment) => [...outstandingControls(assessment).keys()])),
      ].sort(),
    };
  });
  return { variants, conflicts: distinctConflicts(law, conflicts), blocked };
}

/** A colouring of the markets with the fewest colours, found by trying one more until it fits. */
function fewestGroups(
  markets: readonly string[],
  conflict: (a: string, b: string) => boolean,
): readonly (readonly string[])[] {
  for (let n = 1; n <= markets.length; n++) {
    const groups = place(markets, n, [], conflict);
    if (groups !== undefined) return groups;
  }
  return [];
}

function place(
  markets: readonly string[],
  n: number,
  groups: readonly (readonly string[])[],
  conflict: (a: string, b: string) => boolean,
): readonly (readonly string[])[] | undefined {
  const [market, ...rest] = markets;
  if (market === undefined) return groups;
  for (let i = 0; i <= groups.length && i < n; i++) {
    const group = groups[i] ?? [];
    if (group.some((other) => conflict(other, market))) continue;
    const grown =
      groups.length === i
        ? [...groups, [market]]
        : groups.map((one, k) => (k === i ? [...one, market] : one));
    const found = place(rest, n, grown, conflict);
    if (found !== undefined) return found;
  }
  return undefined;
}
