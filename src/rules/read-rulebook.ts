import type { Condition, OnDerived } from '../facts/condition.ts';
import { readCondition } from '../facts/condition.ts';
import type { Control } from '../facts/control.ts';
import { readParameterValues } from '../facts/control.ts';
import type { Day } from '../facts/date.ts';
import type { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Fact } from '../facts/vocabulary.ts';
import type { Effect, Interval, Penalty, Review, Role, Rule, Rulebook, Source, State } from './rule.ts';
import { CONFIDENCES, DEPTHS, KINDS, REVIEWS, STATES } from './rule.ts';

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
const RULE_KEYS = [
  'id',
  'cite',
  'title',
  'note',
  'effective',
  'state',
  'when',
  'define',
  'classify',
  'prohibit',
  'require',
  'grant',
  'permit',
  'defeats',
  'owed_by',
  'ambiguous',
  'force',
  'scope',
  'source',
  'review',
] as const;
const EFFECT_KEYS = ['define', 'classify', 'prohibit', 'require', 'grant', 'permit', 'defeats'] as const;

/** What a rulebook may name. */
export interface Names {
  readonly facts: ReadonlyMap<string, Fact>;
  readonly controls: ReadonlyMap<string, Control>;
  readonly onDerived: OnDerived;
}

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
function readSource(reader: Reader, node: SourceNode, base: Source | undefined): Source | undefined {
  const map = reader.map(node, '`source`', ['url', 'confidence', 'seen']);
  if (map === undefined) return undefined;
  const url = reader.text(reader.entry(map, 'url')?.value, '`url`') ?? base?.url;
  const confidence =
    reader.oneOf(reader.entry(map, 'confidence')?.value, 'confidence', CONFIDENCES) ?? base?.confidence;
  const seen = reader.day(reader.entry(map, 'seen')?.value, '`seen`') ?? base?.seen;
  if (url && confidence && seen) return { url, confidence, seen };
  return reader.report('missing', '`source` needs `url`, `confidence` and `seen`', map.at);
}

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

interface Defaults {
  readonly rulebook: string;
  readonly place: string;
  readonly namespace: string;
  readonly recorded: Day;
  readonly state: State;
  readonly source: Source;
  readonly review: Review;
  readonly roles: ReadonlyMap<string, Role>;
  readonly scoped: boolean;
}

function readRule(reader: Reader, node: SourceNode, defaults: Defaults, names: Names): Rule | undefined {
  const map = reader.map(node, 'a rule', RULE_KEYS);
  if (map === undefined) return undefined;
  const id = reader.text(reader.need(map, 'id', 'a rule'), '`id`');
  const cite = reader.text(reader.need(map, 'cite', 'a rule'), '`cite`');
  if (id !== undefined && !/^[a-z0-9][a-z0-9.-]*$/.test(id))
    reader.report('syntax', `rule id \`${id}\` may have only a-z, 0-9, \`-\` and \`.\``, map.at);
  const effect = readEffect(reader, map, defaults, names);
  const whenNode = reader.entry(map, 'when')?.value;
  const when = whenNode && readCondition(reader, whenNode, names.facts, names.onDerived, defaults.place);
  const state = reader.oneOf(reader.entry(map, 'state')?.value, 'state', STATES) ?? defaults.state;
  const effective = readIntervals(reader, map, state, defaults.recorded);
  const sourceNode = reader.entry(map, 'source')?.value;
  const source = sourceNode ? readSource(reader, sourceNode, defaults.source) : defaults.source;
  const owedBy = readOwedBy(reader, map, effect, defaults.roles);
  if (!id || !cite || !effect || !source || (whenNode && !when)) return undefined;
  const optional = (key: 'title' | 'note' | 'ambiguous'): string | undefined =>
    reader.text(reader.entry(map, key)?.value, `\`${key}\``);
  const [title, note, ambiguous] = [optional('title'), optional('note'), optional('ambiguous')];
  const norm = effect.kind !== 'define' && effect.kind !== 'defeats';
  return {
    id: `${defaults.rulebook}:${id}`,
    rulebook: defaults.rulebook,
    cite,
    ...(title === undefined ? {} : { title }),
    ...(note === undefined ? {} : { note }),
    effective,
    ...(when === undefined ? {} : { when }),
    effect,
    owedBy,
    ...(ambiguous === undefined ? {} : { ambiguous }),
    effort: reader.oneOf(reader.entry(map, 'force')?.value, 'force', ['binding', 'effort']) === 'effort',
    scoped:
      norm &&
      defaults.scoped &&
      reader.oneOf(reader.entry(map, 'scope')?.value, 'scope', ['none']) === undefined,
    source,
    review: reader.oneOf(reader.entry(map, 'review')?.value, 'review', REVIEWS) ?? defaults.review,
    at: map.at,
  };
}

function readOwedBy(
  reader: Reader,
  map: MapNode,
  effect: Effect | undefined,
  roles: ReadonlyMap<string, Role>,
): readonly string[] {
  const entry = reader.entry(map, 'owed_by');
  const duty = effect?.kind === 'require' || effect?.kind === 'grant';
  if (entry === undefined) {
    if (duty)
      reader.report(
        'missing',
        'a duty needs `owed_by`',
        map.at,
        'name the roles of the rulebook header that owe it',
      );
    return [];
  }
  if (effect !== undefined && !duty)
    reader.report('unknown-key', '`owed_by` belongs to `require` and `grant`', entry.keyAt);
  return reader
    .list(entry.value, '`owed_by`')
    .flatMap((item) => reader.oneOf(item, 'role', [...roles.keys()]) ?? []);
}

function readEffect(reader: Reader, map: MapNode, defaults: Defaults, names: Names): Effect | undefined {
  const present = EFFECT_KEYS.filter((key) => reader.entry(map, key) !== undefined);
  const [key, second] = present;
  if (key === undefined)
    return reader.report(
      'missing',
      'a rule needs one effect',
      map.at,
      `one of ${EFFECT_KEYS.map((k) => `\`${k}\``).join(', ')}`,
    );
  if (second !== undefined)
    return reader.report(
      'duplicate',
      `a rule has one effect; \`${key}\` and \`${second}\` are two`,
      map.at,
      'write two rules',
    );
  const node = reader.need(map, key, 'a rule');
  if (node === undefined) return undefined;
  switch (key) {
    case 'define': {
      const fact = reader.text(node, '`define`');
      if (fact === undefined) return undefined;
      if (!fact.startsWith(`${defaults.namespace}.`))
        return reader.report(
          'unknown-name',
          `\`${fact}\` is outside the namespace \`${defaults.namespace}\` of this rulebook`,
          node.at,
        );
      return { kind: 'define', fact };
    }
    case 'classify': {
      const label = reader.text(node, '`classify`');
      return label === undefined
        ? undefined
        : { kind: 'classify', label, fact: `${defaults.namespace}.${label}` };
    }
    case 'prohibit':
    case 'permit': {
      const what = reader.text(node, `\`${key}\``);
      return what === undefined ? undefined : { kind: key, what };
    }
    case 'require':
      return readDuty(reader, node, names);
    case 'grant':
      return readGrant(reader, node, names);
    case 'defeats': {
      const body = reader.map(node, '`defeats`', ['rules', 'word']);
      const patterns = reader.texts(body && reader.need(body, 'rules', '`defeats`'), '`rules`');
      const word = reader.text(body && reader.need(body, 'word', '`defeats`'), '`word`');
      if (word === undefined || patterns.length === 0) return undefined;
      return {
        kind: 'defeats',
        word,
        rules: [],
        patterns: patterns.map((pattern) =>
          pattern.includes(':') ? pattern : `${defaults.rulebook}:${pattern}`,
        ),
      };
    }
  }
}

function controlNamed(reader: Reader, node: SourceNode | undefined, names: Names): Control | undefined {
  const id = reader.text(node, '`control`');
  if (id === undefined || node === undefined) return undefined;
  return (
    names.controls.get(id) ??
    reader.report(
      'unknown-name',
      `unknown control \`${id}\``,
      node.at,
      didYouMean(id, [...names.controls.keys()]),
    )
  );
}

function readDuty(reader: Reader, node: SourceNode, names: Names): Effect | undefined {
  if (node.kind !== 'map')
    return reader.report(
      'wrong-type',
      '`require` must be a map with a `control`',
      node.at,
      'for example {control: LOG-02, retention: P6M}',
    );
  const control = controlNamed(reader, reader.need(node, 'control', '`require`'), names);
  if (control === undefined) return undefined;
  const parameters = readParameterValues(
    reader,
    node.entries.filter((entry) => entry.key !== 'control'),
    control,
  );
  return { kind: 'require', control: control.id, parameters };
}

function readGrant(reader: Reader, node: SourceNode, names: Names): Effect | undefined {
  if (node.kind !== 'map')
    return reader.report(
      'wrong-type',
      '`grant` must be a map with a `right`',
      node.at,
      'for example {right: explanation, control: EXP-01}',
    );
  const right = reader.text(reader.need(node, 'right', '`grant`'), '`right`');
  const controlNode = reader.entry(node, 'control')?.value;
  const control = controlNode && controlNamed(reader, controlNode, names);
  if (right === undefined || (controlNode && !control)) return undefined;
  const rest = node.entries.filter((entry) => entry.key !== 'control' && entry.key !== 'right');
  if (control === undefined && rest[0] !== undefined)
    reader.report('unknown-key', `\`${rest[0].key}\` needs a \`control\` beside it`, rest[0].keyAt);
  return {
    kind: 'grant',
    right,
    ...(control === undefined ? {} : { control: control.id }),
    parameters: control === undefined ? {} : readParameterValues(reader, rest, control),
  };
}

function readIntervals(
  reader: Reader,
  rule: MapNode,
  ruleState: State,
  recordedDefault: Day,
): readonly Interval[] {
  const list = reader.need(rule, 'effective', 'a rule');
  const intervals: Interval[] = [];
  for (const node of reader.list(list, '`effective`')) {
    const map = reader.map(node, 'an interval', ['from', 'to', 'recorded', 'basis', 'state']);
    const from = map && reader.day(reader.need(map, 'from', 'an interval'), '`from`');
    if (map === undefined || from === undefined) continue;
    const to = reader.day(reader.entry(map, 'to')?.value, '`to`');
    const recorded = reader.day(reader.entry(map, 'recorded')?.value, '`recorded`') ?? recordedDefault;
    const basis = reader.text(reader.entry(map, 'basis')?.value, '`basis`');
    const state = reader.oneOf(reader.entry(map, 'state')?.value, 'state', STATES) ?? ruleState;
    if (to !== undefined && to <= from)
      reader.report(
        'bad-date',
        `\`to\` ${to} is not after \`from\` ${from}`,
        map.at,
        '`to` is the first day no longer in force',
      );
    if (state === 'repealed' && to === undefined)
      reader.report(
        'missing',
        'a repealed rule needs the day from which it no longer holds',
        map.at,
        'add `to:`',
      );
    for (const other of intervals) {
      const apart = (other.to !== undefined && other.to <= from) || (to !== undefined && to <= other.from);
      if (other.recorded === recorded && !apart)
        reader.report(
          'overlap',
          `${from} overlaps the interval from ${other.from}, recorded on the same day`,
          map.at,
          'end one where the other begins, or give the later one its own `recorded`',
        );
    }
    intervals.push({
      from,
      ...(to === undefined ? {} : { to }),
      recorded,
      ...(basis === undefined ? {} : { basis }),
      state,
    });
  }
  if (intervals.length === 0 && list?.kind === 'list')
    reader.report(
      'missing',
      'a rule needs at least one interval in `effective`',
      rule.at,
      'for example [{from: 2026-08-02}]',
    );
  return intervals.toSorted((a, b) => (a.recorded + a.from < b.recorded + b.from ? -1 : 1));
}

/** Every condition of a rulebook: those of its rules and of its roles. */
export function conditionsOf(rulebook: Rulebook): readonly Condition[] {
  return [
    ...rulebook.rules.flatMap((rule) => (rule.when === undefined ? [] : [rule.when])),
    ...[...rulebook.roles.values()].map((role) => role.when),
  ];
}
