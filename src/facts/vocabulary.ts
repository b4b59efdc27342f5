import type { Condition } from './condition.ts';
import { readCondition } from './condition.ts';
import type { Jurisdictions } from './jurisdictions.ts';
import { throwIfAny } from './problem.ts';
import { Reader } from './reader.ts';
import type { MapNode, SourceNode } from './source.ts';
import type { FactTest } from './test.ts';
import { readTest } from './test.ts';

const TYPES = ['bool', 'enum', 'set', 'int', 'decimal', 'date'] as const;
const ANSWERERS = ['engineer', 'lawyer', 'measurement'] as const;
const FACT_KEYS = [
  'id',
  'type',
  'values',
  'values_from',
  'nonempty',
  'unit',
  'per',
  'scope',
  'derive',
  'question',
  'definition',
  'cites',
  'who',
  'cost',
  'change',
] as const;

/** How a fact of a market follows from a set of places: some place lies inside, or some place lies outside. */
export interface Derivation {
  readonly kind: 'inside-market' | 'outside-market';
  readonly from: string;
}

/** One word of the vocabulary: something that is so or not so, in the words of people who know it. */
export interface Fact {
  readonly id: string;
  readonly topic: string;
  readonly type: (typeof TYPES)[number];
  /** Closed list of words with their meaning, for enums and sets. */
  readonly values: ReadonlyMap<string, string>;
  /** The words of a set are the jurisdictions. */
  readonly places: boolean;
  readonly unit?: string;
  /** A set with at least one word in every real case: an empty one is never proposed as a change. */
  readonly nonempty: boolean;
  /** Stated once for the system, or for each market. */
  readonly per: 'system' | 'market';
  /** Known when the feature is built, or only by a single call. */
  readonly scope: 'static' | 'request';
  readonly derive?: Derivation;
  readonly question: string;
  readonly definition: string;
  readonly cites: readonly string[];
  readonly who: (typeof ANSWERERS)[number];
  /** Effort to answer, 1 (a glance) to 5 (a study). */
  readonly cost: number;
  /** Effort to change the fact itself, 1 to 5; undefined when it cannot be changed. */
  readonly change?: number;
}

/** What cannot be otherwise: when one thing is so, another follows. */
export interface Constraint {
  readonly id: string;
  readonly when: Condition;
  readonly then: readonly { readonly fact: string; readonly test: FactTest }[];
  readonly because: string;
}

export interface Vocabulary {
  readonly facts: ReadonlyMap<string, Fact>;
  readonly topics: ReadonlyMap<string, string>;
  readonly constraints: readonly Constraint[];
}

/**
 * Reads the files of `law/facts/`.
 *
 * @throws InputError with every mistake in every file.
 */
export function readVocabulary(files: readonly SourceNode[], jurisdictions: Jurisdictions): Vocabulary {
  const reader = new Reader();
  const facts = new Map<string, Fact>();
  const topics = new Map<string, string>();
  const pending: MapNode[] = [];
  for (const file of files) {
    const top = reader.map(file, 'a file of facts', ['topic', 'title', 'facts', 'constraints']);
    if (top === undefined) continue;
    const topic = reader.text(reader.need(top, 'topic', 'a file of facts'), '`topic`') ?? '';
    const title = reader.text(reader.need(top, 'title', 'a file of facts'), '`title`') ?? '';
    if (topics.has(topic)) reader.report('duplicate', `two files claim the topic \`${topic}\``, top.at);
    topics.set(topic, title);
    for (const node of reader.list(reader.need(top, 'facts', 'a file of facts'), '`facts`')) {
      const fact = readFact(reader, node, topic, jurisdictions);
      if (fact === undefined) continue;
      if (facts.has(fact.id)) reader.report('duplicate', `fact \`${fact.id}\` is defined twice`, node.at);
      facts.set(fact.id, fact);
    }
    for (const node of reader.list(reader.entry(top, 'constraints')?.value, '`constraints`')) {
      const map = reader.map(node, 'a constraint', ['id', 'when', 'then', 'because']);
      if (map !== undefined) pending.push(map);
    }
  }
  throwIfAny(reader.problems);
  const constraints = pending.flatMap((map) => readConstraint(reader, map, facts) ?? []);
  for (const fact of facts.values()) {
    const from = fact.derive?.from;
    if (from !== undefined && facts.get(from)?.places !== true) {
      throwIfAny([
        { code: 'dangling', message: `\`${fact.id}\` derives from \`${from}\`, which is no set of places` },
      ]);
    }
  }
  throwIfAny(reader.problems);
  return {
    facts: sorted(facts),
    topics: sorted(topics),
    constraints: constraints.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

function sorted<T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readFact(
  reader: Reader,
  node: SourceNode,
  topic: string,
  jurisdictions: Jurisdictions,
): Fact | undefined {
  const map = reader.map(node, 'a fact', FACT_KEYS);
  if (map === undefined) return undefined;
  const id = reader.text(reader.need(map, 'id', 'a fact'), '`id`');
  const type = reader.oneOf(reader.need(map, 'type', 'a fact'), 'type', TYPES);
  const question = reader.text(reader.need(map, 'question', 'a fact'), '`question`');
  const definition = reader.text(reader.need(map, 'definition', 'a fact'), '`definition`');
  const who = reader.oneOf(reader.need(map, 'who', 'a fact'), 'who', ANSWERERS);
  const cost = reader.integer(reader.need(map, 'cost', 'a fact'), '`cost`');
  const cites = reader.texts(reader.need(map, 'cites', 'a fact'), '`cites`');
  const changeNode = reader.need(map, 'change', 'a fact');
  const fixed = changeNode?.kind === 'scalar' && changeNode.value === 'fixed';
  const change = fixed ? undefined : reader.integer(changeNode, '`change`');
  if (!id || !type || !question || !definition || !who || cost === undefined) return undefined;
  if (!/^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$/.test(id))
    reader.report('syntax', `\`${id}\` is not of the form \`topic.name\``, map.at);
  const places =
    reader.oneOf(reader.entry(map, 'values_from')?.value, 'values_from', ['jurisdictions']) !== undefined;
  const unit = reader.text(reader.entry(map, 'unit')?.value, '`unit`');
  const derive = readDerivation(reader, reader.entry(map, 'derive')?.value);
  return {
    id,
    topic,
    type,
    values: places ? placeNames(jurisdictions) : readValues(reader, map, type),
    places,
    ...(unit === undefined ? {} : { unit }),
    nonempty: reader.flag(reader.entry(map, 'nonempty')?.value, '`nonempty`') ?? false,
    per: reader.oneOf(reader.entry(map, 'per')?.value, 'per', ['system', 'market']) ?? 'system',
    scope: reader.oneOf(reader.entry(map, 'scope')?.value, 'scope', ['static', 'request']) ?? 'static',
    ...(derive === undefined ? {} : { derive }),
    question,
    definition,
    cites,
    who,
    cost,
    ...(change === undefined ? {} : { change }),
  };
}

function placeNames(jurisdictions: Jurisdictions): ReadonlyMap<string, string> {
  return new Map([...jurisdictions.byId.values()].map((place) => [place.id, place.name]));
}

function readValues(reader: Reader, map: MapNode, type: Fact['type']): ReadonlyMap<string, string> {
  const entry = reader.entry(map, 'values');
  const worded = type === 'enum' || type === 'set';
  if (entry === undefined) {
    if (worded)
      reader.report(
        'missing',
        `a fact of type \`${type}\` needs \`values\``,
        map.at,
        'list the words, each with its meaning',
      );
    return new Map();
  }
  if (!worded || entry.value.kind !== 'map') {
    reader.report(
      'wrong-type',
      '`values` is a map of words with their meaning, on enums and sets only',
      entry.keyAt,
    );
    return new Map();
  }
  return new Map(
    entry.value.entries.map(({ key, value }) => [key, reader.text(value, `the meaning of \`${key}\``) ?? '']),
  );
}

function readDerivation(reader: Reader, node: SourceNode | undefined): Derivation | undefined {
  if (node === undefined) return undefined;
  const map = reader.map(node, '`derive`', ['inside_market', 'outside_market']);
  const entry = map?.entries[0];
  const from = reader.text(entry?.value, '`derive`');
  if (entry === undefined || from === undefined) return undefined;
  return { kind: entry.key === 'inside_market' ? 'inside-market' : 'outside-market', from };
}

function readConstraint(
  reader: Reader,
  map: MapNode,
  facts: ReadonlyMap<string, Fact>,
): Constraint | undefined {
  const id = reader.text(reader.need(map, 'id', 'a constraint'), '`id`');
  const because = reader.text(reader.need(map, 'because', 'a constraint'), '`because`');
  const whenNode = reader.need(map, 'when', 'a constraint');
  const when = whenNode && readCondition(reader, whenNode, facts);
  const then = reader.need(map, 'then', 'a constraint');
  if (then !== undefined && then.kind !== 'map')
    reader.report('wrong-type', '`then` must be a map of facts and tests', then.at);
  const conclusions = (then?.kind === 'map' ? then.entries : []).flatMap((entry) => {
    const fact = facts.get(entry.key);
    if (fact === undefined)
      return reader.report('unknown-fact', `unknown fact \`${entry.key}\``, entry.keyAt) ?? [];
    const test = readTest(reader, entry.value, fact);
    return test === undefined ? [] : [{ fact: fact.id, test }];
  });
  return id && because && when ? { id, when, then: conclusions, because } : undefined;
}
