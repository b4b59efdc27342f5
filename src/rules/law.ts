import { mentions } from '../facts/condition.ts';
import type { Control } from '../facts/control.ts';
import { readControls } from '../facts/control.ts';
import type { Jurisdictions } from '../facts/jurisdictions.ts';
import { readJurisdictions } from '../facts/jurisdictions.ts';
import type { Position, Problem } from '../facts/problem.ts';
import { InputError, throwIfAny } from '../facts/problem.ts';
import { Reader } from '../facts/reader.ts';
import type { SourceNode } from '../facts/source.ts';
import { parseSource } from '../facts/source.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Vocabulary } from '../facts/vocabulary.ts';
import { readVocabulary } from '../facts/vocabulary.ts';
import { readRulebook } from './read-rulebook.ts';
import type { Rule, Rulebook } from './rule.ts';
import { matches } from './rule.ts';

/** One file of `law/`, by its path relative to it, with `/` between folders. */
export interface LawFile {
  readonly path: string;
  readonly text: string;
}

/** The whole body of law, linked and checked. Immutable; independent of the order of files. */
export interface Law {
  readonly jurisdictions: Jurisdictions;
  readonly vocabulary: Vocabulary;
  readonly controls: ReadonlyMap<string, Control>;
  readonly rulebooks: ReadonlyMap<string, Rulebook>;
  readonly rules: ReadonlyMap<string, Rule>;
  /** For each rule, the exceptions that defeat it. */
  readonly defeaters: ReadonlyMap<string, readonly Rule[]>;
  /** For each concluded fact, the rules that conclude it. */
  readonly definitions: ReadonlyMap<string, readonly Rule[]>;
  /** For each rule, the rules whose value depends on it directly. */
  readonly dependents: ReadonlyMap<string, readonly Rule[]>;
}

/** Folders that lie beside the law and are read only when asked for: no verdict depends on them. */
const BESIDE = new Set(['cases', 'agreements', 'frameworks', 'crosswalks', 'conflicts']);

/** Folders of the law that hold something else than rulebooks. */
const WITHOUT_RULEBOOKS = new Set(['facts', 'controls']);

/** Whether a file, by its path relative to `law/`, is part of what verdicts depend on. */
export function isLaw(path: string): boolean {
  return path.endsWith('.yaml') && !BESIDE.has(path.split('/', 1)[0] ?? '');
}

/**
 * Builds the law from its files.
 *
 * @param prefix put before paths in error messages, usually `law/`.
 * @throws InputError with every mistake in every file; nothing is half-loaded.
 */
export function readLaw(files: readonly LawFile[], prefix = 'law/'): Law {
  const problems: Problem[] = [];
  const sources = new Map<string, SourceNode>();
  for (const file of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
    if (!isLaw(file.path)) continue;
    const parsed = attempt(problems, () => parseSource(file.text, prefix + file.path));
    if (parsed !== undefined) sources.set(file.path, parsed);
  }
  const places = sources.get('jurisdictions.yaml');
  if (places === undefined)
    problems.push({ code: 'missing', message: `\`${prefix}jurisdictions.yaml\` is missing` });
  throwIfAny(problems);
  const under = (folder: string): SourceNode[] =>
    [...sources].filter(([path]) => path.startsWith(`${folder}/`)).map(([, node]) => node);
  const jurisdictions = attempt(problems, () => readJurisdictions(places as SourceNode));
  const vocabulary = jurisdictions && attempt(problems, () => readVocabulary(under('facts'), jurisdictions));
  const controls = attempt(problems, () => readControls(under('controls')));
  if (jurisdictions === undefined || vocabulary === undefined || controls === undefined)
    throw new InputError(problems);
  const law = link(readRulebooks(sources, vocabulary, controls, jurisdictions, problems), problems);
  throwIfAny(problems);
  return { jurisdictions, vocabulary, controls, ...law };
}

function attempt<T>(problems: Problem[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    problems.push(...error.problems);
    return undefined;
  }
}

interface Named {
  readonly name: string;
  readonly at: Position;
}

function readRulebooks(
  sources: ReadonlyMap<string, SourceNode>,
  vocabulary: Vocabulary,
  controls: ReadonlyMap<string, Control>,
  jurisdictions: Jurisdictions,
  problems: Problem[],
): { readonly rulebooks: readonly Rulebook[]; readonly tested: readonly Named[] } {
  const reader = new Reader();
  const tested: Named[] = [];
  const instruments = new Map<string, { header?: SourceNode; readonly parts: SourceNode[] }>();
  for (const [path, node] of sources) {
    const [folder = '', ...rest] = path.slice(0, -'.yaml'.length).split('/');
    if (rest.length === 0 || WITHOUT_RULEBOOKS.has(folder)) continue;
    const id = `${folder}/${rest[0]}`;
    const instrument = instruments.get(id) ?? { parts: [] };
    instruments.set(id, instrument);
    const isHeader = rest.length === 1 || rest[1] === 'index';
    if (!isHeader) instrument.parts.push(node);
    else if (instrument.header === undefined) instrument.header = node;
    else reader.report('duplicate', `two files claim the instrument \`${id}\``, node.at);
  }
  const rulebooks: Rulebook[] = [];
  for (const [id, { header, parts }] of instruments) {
    if (header === undefined) {
      const at = parts[0]?.at;
      problems.push({
        code: 'missing',
        message: `the instrument \`${id}\` has parts but no \`index.yaml\``,
        ...(at === undefined ? {} : { at }),
      });
      continue;
    }
    const rulebook = readRulebook(reader, header, parts, id, {
      facts: vocabulary.facts,
      controls,
      onDerived: (name, at) => tested.push({ name, at }),
    });
    if (rulebook === undefined) continue;
    if (!jurisdictions.byId.has(rulebook.jurisdiction)) {
      reader.report(
        'dangling',
        `unknown jurisdiction \`${rulebook.jurisdiction}\``,
        rulebook.at,
        didYouMean(rulebook.jurisdiction, [...jurisdictions.byId.keys()]),
      );
    }
    rulebooks.push(rulebook);
  }
  problems.push(...reader.problems);
  return { rulebooks, tested };
}

/** Resolves names between rules: exceptions to what they defeat, tests to what concludes them; refuses cycles. */
function link(
  { rulebooks: read, tested }: { readonly rulebooks: readonly Rulebook[]; readonly tested: readonly Named[] },
  problems: Problem[],
): Pick<Law, 'rulebooks' | 'rules' | 'defeaters' | 'definitions' | 'dependents'> {
  const known = new Map<string, Rule>();
  for (const rule of read.flatMap((rulebook) => rulebook.rules)) {
    const twin = known.get(rule.id);
    if (twin !== undefined)
      problems.push({
        code: 'duplicate',
        message: `rule \`${rule.id}\` is already defined in ${twin.at.file}:${twin.at.line}`,
        at: rule.at,
      });
    known.set(rule.id, rule);
  }
  const rulebooks = read
    .map((rulebook) => ({
      ...rulebook,
      rules: rulebook.rules.map((rule) => resolve(rule, known, problems)).toSorted(byId),
    }))
    .sort(byId);
  const index = new Map(rulebooks.map((rulebook) => [rulebook.id, rulebook]));
  const linked = { rulebooks: index, ...indexRules(index) };
  const { definitions } = linked;
  for (const { name, at } of tested) {
    if (!definitions.has(name))
      problems.push({
        code: 'dangling',
        message: `nothing concludes \`${name}\`, and it is no fact`,
        at,
        help: didYouMean(name, [...definitions.keys()]),
      });
  }
  problems.push(...cycles(linked));
  return linked;
}

/** The rules of all rulebooks, by id, by what they conclude and by what they defeat. */
export function indexRules(
  rulebooks: ReadonlyMap<string, Rulebook>,
): Pick<Law, 'rules' | 'defeaters' | 'definitions' | 'dependents'> {
  const rules = new Map(
    [...rulebooks.values()]
      .flatMap((rulebook) => rulebook.rules)
      .toSorted(byId)
      .map((rule) => [rule.id, rule]),
  );
  const definitions = new Map<string, Rule[]>();
  const defeaters = new Map<string, Rule[]>();
  const add = (index: Map<string, Rule[]>, key: string, rule: Rule): void => {
    const list = index.get(key);
    if (list === undefined) index.set(key, [rule]);
    else list.push(rule);
  };
  for (const rule of rules.values()) {
    if (rule.effect.kind === 'define' || rule.effect.kind === 'classify')
      add(definitions, rule.effect.fact, rule);
    if (rule.effect.kind === 'defeats') for (const target of rule.effect.rules) add(defeaters, target, rule);
  }
  const dependents = new Map<string, Rule[]>();
  for (const rule of rules.values()) {
    for (const { id } of dependencies({ rulebooks, defeaters, definitions }, rule)) add(dependents, id, rule);
  }
  return { rules, defeaters, definitions, dependents };
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function resolve(rule: Rule, known: ReadonlyMap<string, Rule>, problems: Problem[]): Rule {
  if (rule.effect.kind !== 'defeats') return rule;
  const targets = new Set<string>();
  for (const pattern of rule.effect.patterns) {
    const found = pattern.endsWith('*')
      ? [...known.keys()].filter((id) => matches(pattern, id) && id !== rule.id)
      : known.has(pattern)
        ? [pattern]
        : [];
    if (found.length === 0)
      problems.push({
        code: 'dangling',
        message: `\`${rule.id}\` defeats \`${pattern}\`, which names no rule`,
        at: rule.at,
        help: didYouMean(pattern, [...known.keys()]),
      });
    for (const id of found) targets.add(id);
  }
  return { ...rule, effect: { ...rule.effect, rules: [...targets].sort() } };
}

/** What the value of a rule depends on: its exceptions, and the rules that conclude what it tests. */
export function dependencies(
  law: Pick<Law, 'rulebooks' | 'defeaters' | 'definitions'>,
  rule: Rule,
): readonly Rule[] {
  const names = new Set(rule.when === undefined ? [] : mentions(rule.when).derived);
  const scope = law.rulebooks.get(rule.rulebook)?.scope;
  if (rule.scoped && scope !== undefined) names.add(scope);
  return [
    ...(law.defeaters.get(rule.id) ?? []),
    ...[...names].flatMap((name) => law.definitions.get(name) ?? []),
  ];
}

function cycles(law: Pick<Law, 'rulebooks' | 'rules' | 'defeaters' | 'definitions'>): readonly Problem[] {
  const done = new Set<string>();
  const path: string[] = [];
  const problems: Problem[] = [];
  const visit = (rule: Rule): void => {
    if (done.has(rule.id)) return;
    const start = path.indexOf(rule.id);
    if (start >= 0) {
      problems.push({
        code: 'cycle',
        message: `rules depend on each other in a circle: ${[...path.slice(start), rule.id].map((id) => `\`${id}\``).join(' → ')}`,
        at: rule.at,
        help: 'exceptions and definitions must not lead back to themselves',
      });
      return;
    }
    path.push(rule.id);
    dependencies(law, rule).forEach(visit);
    path.pop();
    done.add(rule.id);
  };
  [...law.rules.values()].forEach(visit);
  return problems;
}
