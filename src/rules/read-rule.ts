import { readCondition } from '../facts/condition.ts';
import type { Day } from '../facts/date.ts';
import type { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import { type Names, readEffect } from './read-effect.ts';
import type { Effect, Interval, Review, Role, Rule, Source, State } from './rule.ts';
import { CONFIDENCES, REVIEWS, STATES } from './rule.ts';

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
/** What a rule takes from its rulebook where it says nothing itself. */
export interface Defaults {
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

export function readRule(
  reader: Reader,
  node: SourceNode,
  defaults: Defaults,
  names: Names,
): Rule | undefined {
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

export function readSource(reader: Reader, node: SourceNode, base: Source | undefined): Source | undefined {
  const map = reader.map(node, '`source`', ['url', 'confidence', 'seen']);
  if (map === undefined) return undefined;
  const url = reader.text(reader.entry(map, 'url')?.value, '`url`') ?? base?.url;
  const confidence =
    reader.oneOf(reader.entry(map, 'confidence')?.value, 'confidence', CONFIDENCES) ?? base?.confidence;
  const seen = reader.day(reader.entry(map, 'seen')?.value, '`seen`') ?? base?.seen;
  if (url && confidence && seen) return { url, confidence, seen };
  return reader.report('missing', '`source` needs `url`, `confidence` and `seen`', map.at);
}
