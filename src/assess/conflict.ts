import type { Law } from '../rules/law.ts';
import type { ConflictKind, Opposition, Resolution, Side } from '../rules/opposition.ts';
import { meets } from './demand.ts';
import type { Demand } from './join.ts';
import { joinDemands } from './join.ts';

/** Two norms in force for the same feature and day that one build cannot meet naively. */
export interface Conflict {
  /** The opposition, or `empty-join`. */
  readonly id: string;
  readonly title: string;
  readonly kind: ConflictKind;
  readonly why: string;
  readonly left: Demand;
  readonly right: Demand;
  readonly resolutions: readonly Resolution[];
}

const EMPTY_JOIN: Pick<Conflict, 'kind' | 'resolutions'> = {
  kind: 'split',
  resolutions: [
    {
      id: 'region-split',
      title: 'one build per market',
      how: 'Build the control differently for the two markets and route each user to the build of their market.',
      controls: [],
    },
  ],
};

/**
 * Every conflict among the duties that hold: oppositions of which laws of two different places demand the two sides,
 * and joins that leave no value. One conflict per opposition and pair of markets, with the first rules (by id) that
 * make it. What one place asks on both sides it has settled itself, and markets that inherit the same law agree.
 */
export function conflictsOf(
  law: Law,
  oppositions: readonly Opposition[],
  demands: readonly Demand[],
): readonly Conflict[] {
  const sorted = demands.toSorted((a, b) => (a.rule.id + a.market < b.rule.id + b.market ? -1 : 1));
  const opposed = oppositions.flatMap((opposition) => {
    const lefts = sorted.filter((demand) => isSide(law, opposition.left, demand));
    const rights = sorted.filter((demand) => isSide(law, opposition.right, demand));
    const { id, title, kind, why, resolutions } = opposition;
    return lefts.flatMap((left) =>
      rights
        .filter((right) => placeOf(law, right) !== placeOf(law, left) && right.market !== left.market)
        .map((right): Conflict => ({ id, title, kind, why, left, right, resolutions })),
    );
  });
  const empty = joinDemands(law, sorted).flatMap(({ control, empty: pairs }) =>
    pairs.map(
      ({ parameter, left, right }): Conflict => ({
        id: 'empty-join',
        title: `${control.title}: no value of ${parameter.replaceAll('_', ' ')} meets both`,
        why: 'What one law asks at least, or exactly, another allows at most, or not.',
        left,
        right,
        ...EMPTY_JOIN,
      }),
    ),
  );
  const seen = new Set<string>();
  return [...opposed, ...empty].filter((conflict) => {
    const pair = [conflict.left.market, conflict.right.market].sort().join('|');
    const key = `${conflict.id}|${pair}|${conflict.id === 'empty-join' ? conflict.title : ''}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function placeOf(law: Law, { rule }: Demand): string {
  return law.rulebooks.get(rule.rulebook)?.jurisdiction ?? rule.rulebook;
}

/** One conflict per opposition and pair of laws, however many markets inherit them. */
export function distinctConflicts(law: Law, conflicts: readonly Conflict[]): readonly Conflict[] {
  const seen = new Set<string>();
  return conflicts.filter((conflict) => {
    const places = [placeOf(law, conflict.left), placeOf(law, conflict.right)].sort().join('|');
    const key = `${conflict.id}|${conflict.title}|${places}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function isSide(law: Law, side: Side, demand: Demand): boolean {
  if (side.control !== demand.control) return false;
  const parameters = law.controls.get(side.control)?.parameters;
  if (side.sets.length > 0 && !side.sets.some((name) => demand.parameters[name] !== undefined)) return false;
  return Object.entries(side.with).every(([name, wanted]) => {
    const parameter = parameters?.get(name);
    const asked = demand.parameters[name];
    return parameter !== undefined && asked !== undefined && meets(parameter, asked, wanted);
  });
}

/** Conflicts that only different builds can satisfy. */
export function needsSplit(conflict: Conflict): boolean {
  return conflict.kind === 'true' || conflict.kind === 'split';
}
