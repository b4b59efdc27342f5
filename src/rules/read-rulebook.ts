import type { Condition } from '../facts/condition.ts';
import { readCondition } from '../facts/condition.ts';
import type { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import type { Names } from './read-effect.ts';
import { readRule, readSource } from './read-rule.ts';
import type { Penalty, Role, Rulebook } from './rule.ts';
import { DEPTHS, KINDS, REVIEWS, STATES } from './rule.ts';

const HEADER_KEYS = [
  'rulebook',
  'title',
  'jurisdiction',
  'kind',
  'binding',
  'citation',
  'url',
  'status',
  'recorded',
  'depth',
  'covers',
  'leaves_out',
  'namespace',
  'scope',
  'roles',
  'penalties',
  'source',
  'review',
  'rules',
] as const;
/**
 * Reads one instrument: the file with its header, and the further parts of a long one.
 * Patterns of exceptions are expanded later, when all rules are known.
 *
 * @param expectedId the id that the path of the file demands (`eu/ai-act`).
 */
export function readRulebook(
  reader: Reader,
  header: SourceNode,
  parts: readonly SourceNode[],
  expectedId: string,
  names: Names,
): Rulebook | undefined {
  const map = reader.map(header, 'a rulebook', HEADER_KEYS);
  if (map === undefined) return undefined;
  const what = 'a rulebook';
  const id = reader.text(reader.need(map, 'rulebook', what), '`rulebook`');
  const title = reader.text(reader.need(map, 'title', what), '`title`');
  const jurisdiction = reader.text(reader.need(map, 'jurisdiction', what), '`jurisdiction`');
  const kind = reader.oneOf(reader.need(map, 'kind', what), 'kind', KINDS);
  const citation = reader.text(reader.need(map, 'citation', what), '`citation`');
  const url = reader.text(reader.need(map, 'url', what), '`url`');
  const status = readStatus(reader, reader.need(map, 'status', what));
  const recorded = reader.day(reader.need(map, 'recorded', what), '`recorded`');
  const depth = reader.oneOf(reader.need(map, 'depth', what), 'depth', DEPTHS);
  const covers = reader.text(reader.need(map, 'covers', what), '`covers`');
  const leavesOut = reader.text(reader.need(map, 'leaves_out', what), '`leaves_out`');
  const namespace = reader.text(reader.need(map, 'namespace', what), '`namespace`');
  const sourceNode = reader.need(map, 'source', what);
  const source = sourceNode && readSource(reader, sourceNode, undefined);
  const review = reader.oneOf(reader.entry(map, 'review')?.value, 'review', REVIEWS) ?? 'none';
  if (id !== undefined && id !== expectedId)
    reader.report(
      'unknown-name',
      `the rulebook calls itself \`${id}\`, but its path says \`${expectedId}\``,
      map.at,
    );
  const scope = readScope(reader, map, names);
  const roles = readRoles(reader, reader.entry(map, 'roles')?.value, names, jurisdiction);
  const penalties = reader
    .list(reader.entry(map, 'penalties')?.value, '`penalties`')
    .flatMap((node) => readPenalty(reader, node) ?? []);
  if (
    !id ||
    !title ||
    !jurisdiction ||
    !kind ||
    !citation ||
    !url ||
    !status ||
    !recorded ||
    !depth ||
    !covers ||
    !leavesOut ||
    !namespace ||
    !source
  ) {
    return undefined;
  }
  const defaults = {
    rulebook: id,
    place: jurisdiction,
    namespace,
    recorded,
    state: status.state,
    source,
    review,
    roles,
    scoped: scope !== undefined,
  };
  const lists = [reader.entry(map, 'rules')?.value, ...parts.map((part) => partRules(reader, part))];
  const rules = lists
    .flatMap((list) => reader.list(list, '`rules`'))
    .flatMap((node) => readRule(reader, node, defaults, names) ?? []);
  const binding =
    reader.flag(reader.entry(map, 'binding')?.value, '`binding`') ??
    ['statute', 'regulation', 'directive'].includes(kind);
  return {
    id,
    title,
    jurisdiction,
    kind,
    binding,
    citation,
    url,
    status,
    recorded,
    depth,
    covers,
    leavesOut,
    namespace,
    ...(scope === undefined ? {} : { scope }),
    roles,
    penalties,
    review,
    rules,
    at: map.at,
  };
}

function partRules(reader: Reader, part: SourceNode): SourceNode | undefined {
  const map = reader.map(part, 'a part of a rulebook', ['part', 'rules']);
  return map && reader.need(map, 'rules', 'a part of a rulebook');
}

function readScope(reader: Reader, map: MapNode, names: Names): string | undefined {
  const entry = reader.entry(map, 'scope');
  const scope = reader.text(entry?.value, '`scope`');
  if (entry !== undefined && scope !== undefined) names.onDerived(scope, entry.value.at);
  return scope;
}

function readStatus(reader: Reader, node: SourceNode | undefined): Rulebook['status'] | undefined {
  const map = node && reader.map(node, '`status`', ['state', 'as_of', 'note']);
  const state = map && reader.oneOf(reader.need(map, 'state', '`status`'), 'state', STATES);
  const asOf = map && reader.day(reader.need(map, 'as_of', '`status`'), '`as_of`');
  const note = map && reader.text(reader.entry(map, 'note')?.value, '`note`');
  return state && asOf && { state, asOf, ...(note === undefined ? {} : { note }) };
}

/** A rule may restate only what differs from the source of its rulebook. */
function readRoles(
  reader: Reader,
  node: SourceNode | undefined,
  names: Names,
  place?: string,
): ReadonlyMap<string, Role> {
  const roles = new Map<string, Role>();
  if (node === undefined) return roles;
  if (node.kind !== 'map') {
    reader.report('wrong-type', '`roles` must be a map', node.at);
    return roles;
  }
  for (const { key, value } of node.entries) {
    const map = reader.map(value, `role \`${key}\``, ['title', 'when']);
    const title = map && reader.text(reader.need(map, 'title', 'a role'), '`title`');
    const whenNode = map && reader.need(map, 'when', 'a role');
    const when = whenNode && readCondition(reader, whenNode, names.facts, names.onDerived, place);
    if (title && when) roles.set(key, { title, when });
  }
  return roles;
}

function readPenalty(reader: Reader, node: SourceNode): Penalty | undefined {
  const map = reader.map(node, 'a penalty', ['id', 'cite', 'rules', 'max', 'note']);
  const id = map && reader.text(reader.need(map, 'id', 'a penalty'), '`id`');
  const cite = map && reader.text(reader.need(map, 'cite', 'a penalty'), '`cite`');
  if (!map || !id || !cite) return undefined;
  const rules = reader.texts(reader.entry(map, 'rules')?.value, '`rules`');
  const note = reader.text(reader.entry(map, 'note')?.value, '`note`');
  const maxNode = reader.entry(map, 'max')?.value;
  const max =
    maxNode && reader.map(maxNode, '`max`', ['amount', 'currency', 'turnover_percent', 'whichever', 'per']);
  const amount = max && reader.integer(reader.entry(max, 'amount')?.value, '`amount`');
  const currency = max && reader.text(reader.entry(max, 'currency')?.value, '`currency`');
  const percent = max && reader.text(reader.entry(max, 'turnover_percent')?.value, '`turnover_percent`');
  const whichever =
    max && reader.oneOf(reader.entry(max, 'whichever')?.value, 'whichever', ['higher', 'lower']);
  const per = max && reader.text(reader.entry(max, 'per')?.value, '`per`');
  const bounds = {
    ...(amount === undefined ? {} : { amount }),
    ...(currency === undefined ? {} : { currency }),
    ...(percent === undefined ? {} : { turnover_percent: percent }),
    ...(whichever === undefined ? {} : { whichever }),
    ...(per === undefined ? {} : { per }),
  };
  return {
    id,
    cite,
    rules,
    ...(max === undefined ? {} : { max: bounds }),
    ...(note === undefined ? {} : { note }),
  };
}

/** Every condition of a rulebook: those of its rules and of its roles. */
export function conditionsOf(rulebook: Rulebook): readonly Condition[] {
  return [
    ...rulebook.rules.flatMap((rule) => (rule.when === undefined ? [] : [rule.when])),
    ...[...rulebook.roles.values()].map((role) => role.when),
  ];
}
