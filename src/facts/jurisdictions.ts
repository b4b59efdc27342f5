import { throwIfAny } from './problem.ts';
import { Reader } from './reader.ts';
import type { SourceNode } from './source.ts';

const KINDS = ['union', 'country', 'subdivision', 'city', 'zone'] as const;

/** A place with law of its own: a union of countries, a country, or a part of one. */
export interface Jurisdiction {
  readonly id: string;
  readonly name: string;
  readonly kind: (typeof KINDS)[number];
  /** The place it lies in, for parts of a country. */
  readonly parent?: string;
  /** The countries of a union. */
  readonly members: readonly string[];
}

/** The places of the world and how they contain each other. */
export interface Jurisdictions {
  readonly byId: ReadonlyMap<string, Jurisdiction>;
  /** The place itself and everything that it lies in, nearest first: US-NYC, US-NY, US. */
  chain(id: string): readonly string[];
  /** True when `inner` is `outer` or lies in it. */
  contains(outer: string, inner: string): boolean;
}

/**
 * Reads `law/jurisdictions.yaml`.
 *
 * @throws InputError for unknown parents or members, and for places that contain themselves.
 */
export function readJurisdictions(root: SourceNode): Jurisdictions {
  const reader = new Reader();
  const byId = new Map<string, Jurisdiction>();
  const places: { readonly node: SourceNode; readonly place: Jurisdiction }[] = [];
  const top = reader.map(root, 'the list of jurisdictions', ['jurisdictions']);
  for (const node of reader.list(top && reader.need(top, 'jurisdictions', 'the file'), '`jurisdictions`')) {
    const map = reader.map(node, 'a jurisdiction', ['id', 'name', 'kind', 'parent', 'members']);
    if (map === undefined) continue;
    const id = reader.text(reader.need(map, 'id', 'a jurisdiction'), '`id`');
    const name = reader.text(reader.need(map, 'name', 'a jurisdiction'), '`name`');
    const kind = reader.oneOf(reader.need(map, 'kind', 'a jurisdiction'), 'kind', KINDS);
    const parent = reader.text(reader.entry(map, 'parent')?.value, '`parent`');
    const members = reader.texts(reader.entry(map, 'members')?.value, '`members`');
    if (id === undefined || name === undefined || kind === undefined) continue;
    if (byId.has(id)) reader.report('duplicate', `jurisdiction \`${id}\` is listed twice`, map.at);
    const place: Jurisdiction = { id, name, kind, members, ...(parent === undefined ? {} : { parent }) };
    byId.set(id, place);
    places.push({ node, place });
  }
  const above = containers(byId);
  for (const { node, place } of places) {
    for (const other of [...place.members, ...(place.parent === undefined ? [] : [place.parent])]) {
      if (!byId.has(other))
        reader.report('dangling', `\`${place.id}\` names the unknown jurisdiction \`${other}\``, node.at);
    }
    if (climb(place.id, above).slice(1).includes(place.id)) {
      reader.report(
        'cycle',
        `\`${place.id}\` lies in itself`,
        node.at,
        'a place inherits from places that contain it, never from itself',
      );
    }
  }
  throwIfAny(reader.problems);
  return jurisdictionsOf([...byId.values()]);
}

/** Indexes places that are known to be consistent. */
export function jurisdictionsOf(places: readonly Jurisdiction[]): Jurisdictions {
  const byId = new Map(places.map((place) => [place.id, place]));
  const above = containers(byId);
  const chains = new Map(places.map((place) => [place.id, climb(place.id, above)]));
  return {
    byId,
    chain: (id) => chains.get(id) ?? [id],
    contains: (outer, inner) => (chains.get(inner) ?? [inner]).includes(outer),
  };
}

function containers(byId: ReadonlyMap<string, Jurisdiction>): ReadonlyMap<string, readonly string[]> {
  const above = new Map<string, string[]>([...byId.keys()].map((id) => [id, []]));
  for (const place of byId.values()) {
    if (place.parent !== undefined) above.get(place.id)?.push(place.parent);
  }
  for (const place of byId.values()) {
    for (const member of place.members) above.get(member)?.push(place.id);
  }
  return above;
}

/** Breadth-first, so that nearer places come first; a place that contains itself appears twice. */
function climb(id: string, above: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const chain = [id];
  for (let i = 0; i < chain.length; i++) {
    for (const outer of above.get(chain[i] ?? '') ?? []) {
      if (outer === id) return [...chain, id];
      if (!chain.includes(outer)) chain.push(outer);
    }
  }
  return chain;
}
