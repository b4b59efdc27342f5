import type { Jurisdictions } from '../facts/jurisdictions.ts';
import type { Position } from '../facts/problem.ts';
import type { Attestation, RoughDay, State } from './attested.ts';
import type { Recognition } from './crosswalk.ts';

export const PILLARS = ['joint-research', 'standards', 'talent', 'safety'] as const;
/** What an agreement is about: shared research, standards for responsible use, talent, safety and ethics. */
export type Pillar = (typeof PILLARS)[number];

/** Places that act together and are listed once: the members of an organisation on the day named. */
export interface Group {
  readonly id: string;
  readonly title: string;
  readonly members: readonly string[];
  readonly asOf: RoughDay;
  readonly source: Attestation;
}

/** One place accepting what another did: directed, never transitive. */
export interface Acceptance {
  readonly kind: Recognition;
  readonly by: readonly string[];
  readonly of: readonly string[];
  readonly what: string;
  readonly cite: string;
  /** Controls whose evidence it bears on. */
  readonly serves: readonly string[];
  readonly excludes?: string;
  readonly until?: RoughDay;
}

/** How countries coordinate: a treaty, an understanding, a declaration, or one country's act of recognition. */
export interface Agreement {
  readonly id: string;
  readonly title: string;
  /** Who takes part: places of `law/jurisdictions.yaml`. */
  readonly parties: readonly string[];
  /** Who signed a treaty and is not bound yet. */
  readonly signatories: readonly string[];
  /** Who is named without being a party: an associate, or whom a one-sided act is about. */
  readonly concerns: readonly string[];
  /** Who stayed away, where that is known and the parties are not all listed. */
  readonly absent: readonly string[];
  readonly groups: readonly string[];
  readonly organisations: readonly string[];
  /** Says who else takes part where the parties are not listed one by one. */
  readonly unlisted?: string;
  readonly dates: readonly { readonly on: RoughDay; readonly what: string }[];
  readonly force: 'binding' | 'soft';
  readonly forceNote?: string;
  readonly state: State;
  readonly pillars: readonly Pillar[];
  readonly commitments: string;
  /** What changes for an engineering team. Often nothing yet. */
  readonly forTeams: string;
  readonly recognition: readonly Acceptance[];
  readonly uncertain?: string;
  readonly source: Attestation;
  readonly at: Position;
}

/** The agreements, and the groups of places that they name. */
export interface Agreements {
  readonly byId: ReadonlyMap<string, Agreement>;
  readonly groups: ReadonlyMap<string, Group>;
}

/**
 * How an agreement stands to some places. A place takes part when it is named or lies in a place that is: what a union
 * agrees reaches its members, what one member agrees does not reach the union. An act that merely concerns all of the
 * places, and is of none of them, is nothing between them.
 *
 * @returns `open` when all that is missing may be among parties that are not listed one by one.
 */
export function concerns(
  agreement: Agreement,
  places: readonly string[],
  groups: Agreements['groups'],
  jurisdictions: Jurisdictions,
): 'yes' | 'open' | 'no' {
  const among = (named: readonly string[], place: string): boolean =>
    named.some((one) => jurisdictions.contains(one, place));
  const taking = [
    ...agreement.parties,
    ...agreement.signatories,
    ...agreement.groups.flatMap((id) => groups.get(id)?.members ?? []),
  ];
  const named = places.filter((place) => among([...taking, ...agreement.concerns], place));
  if (named.length === places.length)
    return places.length === 0 || places.some((place) => among(taking, place)) ? 'yes' : 'no';
  const away = places.some((place) => among(agreement.absent, place));
  const possible = agreement.unlisted !== undefined && !away && (named.length > 0 || places.length === 1);
  return possible ? 'open' : 'no';
}

/** In force where it binds, being carried out where it does not. */
export function isLive(agreement: Agreement): boolean {
  return agreement.state.is === 'in-force' || agreement.state.is === 'active';
}
