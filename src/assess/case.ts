import type { ParameterValues } from '../facts/control.ts';
import { readParameterValues } from '../facts/control.ts';
import type { Day } from '../facts/date.ts';
import type { Statement } from '../facts/knowledge.ts';
import { gather } from '../facts/knowledge.ts';
import type { Position, Problem } from '../facts/problem.ts';
import { throwIfAny } from '../facts/problem.ts';
import { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import { readFactValue } from '../facts/statement.ts';
import { didYouMean } from '../facts/suggest.ts';
import { Interpreter } from '../rules/interpreter.ts';
import type { Law } from '../rules/law.ts';
import type { Confidence } from '../rules/rule.ts';
import { CONFIDENCES, matches } from '../rules/rule.ts';
import { assess, DEFAULT_HORIZON_MONTHS } from './assess.ts';
import type { MarketAssessment, Outcome } from './assessment.ts';
import { OUTCOMES } from './assessment.ts';
import { meets } from './demand.ts';

/** A worked example: the tests of the law, readable by a lawyer. */
export interface Case {
  readonly id: string;
  readonly title: string;
  readonly market: string;
  readonly asOf: Day;
  readonly knownAt?: Day;
  readonly source: string;
  readonly confidence: Confidence;
  readonly statements: readonly Statement[];
  readonly expect: Expectations;
  readonly at: Position;
}

/** Every expectation is optional; what is listed must hold exactly. */
export interface Expectations {
  readonly outcome?: Outcome;
  /** Rules, or groups of rules ending in `*`, that hold. */
  readonly fires: readonly string[];
  /** Rules that are false, every one of a group. */
  readonly notFires: readonly string[];
  readonly undecided: readonly string[];
  readonly coming: readonly string[];
  readonly open: readonly string[];
  readonly controls: ReadonlyMap<string, ParameterValues>;
  readonly theirs: readonly string[];
}

const CASE_KEYS = [
  'id',
  'title',
  'market',
  'as_of',
  'known_at',
  'source',
  'confidence',
  'note',
  'facts',
  'expect',
] as const;
const EXPECT_KEYS = [
  'outcome',
  'fires',
  'not_fires',
  'undecided',
  'coming',
  'open',
  'controls',
  'theirs',
] as const;

/**
 * Reads files of cases against the law they test.
 *
 * @throws InputError with every mistake, among them expectations about rules, facts and controls that do not exist.
 */
export function readCases(files: readonly SourceNode[], law: Law): readonly Case[] {
  const reader = new Reader();
  const seen = new Map<string, Position>();
  const cases = files.flatMap((file) => {
    const top = reader.map(file, 'a file of cases', ['cases']);
    return reader
      .list(top && reader.need(top, 'cases', 'a file of cases'), '`cases`')
      .flatMap((node) => readCase(reader, node, law) ?? []);
  });
  for (const one of cases) {
    if (seen.has(one.id)) reader.report('duplicate', `two cases are called \`${one.id}\``, one.at);
    seen.set(one.id, one.at);
  }
  throwIfAny(reader.problems);
  return cases;
}

function readCase(reader: Reader, node: SourceNode, law: Law): Case | undefined {
  const map = reader.map(node, 'a case', CASE_KEYS);
  if (map === undefined) return undefined;
  const id = reader.text(reader.need(map, 'id', 'a case'), '`id`');
  const title = reader.text(reader.need(map, 'title', 'a case'), '`title`');
  const market = reader.oneOf(reader.need(map, 'market', 'a case'), 'market', [
    ...law.jurisdictions.byId.keys(),
  ]);
  const asOf = reader.day(reader.need(map, 'as_of', 'a case'), '`as_of`');
  const knownAt = reader.day(reader.entry(map, 'known_at')?.value, '`known_at`');
  const source = reader.text(reader.entry(map, 'source')?.value, '`source`') ?? '';
  const confidence =
    reader.oneOf(reader.entry(map, 'confidence')?.value, 'confidence', CONFIDENCES) ?? 'medium';
  const statements = readStatements(reader, reader.need(map, 'facts', 'a case'), law);
  const expectNode = reader.need(map, 'expect', 'a case');
  const expect = expectNode && readExpectations(reader, expectNode, law);
  if (!id || !title || !market || !asOf || !expect) return undefined;
  return {
    id,
    title,
    market,
    asOf,
    ...(knownAt === undefined ? {} : { knownAt }),
    source,
    confidence,
    statements,
    expect,
    at: map.at,
  };
}

function readStatements(reader: Reader, node: SourceNode | undefined, law: Law): readonly Statement[] {
  if (node === undefined) return [];
  if (node.kind !== 'map') return reader.report('wrong-type', '`facts` must be a map', node.at) ?? [];
  return node.entries.flatMap(({ key, value, keyAt }) => {
    const fact = law.vocabulary.facts.get(key);
    if (fact === undefined)
      return (
        reader.report(
          'unknown-fact',
          `unknown fact \`${key}\``,
          keyAt,
          didYouMean(key, [...law.vocabulary.facts.keys()]),
        ) ?? []
      );
    const read = readFactValue(reader, value, fact);
    return read === undefined ? [] : [{ fact: key, value: read, at: value.at }];
  });
}

function readExpectations(reader: Reader, node: SourceNode, law: Law): Expectations | undefined {
  const map = reader.map(node, '`expect`', EXPECT_KEYS);
  if (map === undefined) return undefined;
  const outcome = reader.oneOf(reader.entry(map, 'outcome')?.value, 'outcome', OUTCOMES);
  const rules = (key: (typeof EXPECT_KEYS)[number]): readonly string[] =>
    named(
      reader,
      map,
      key,
      (name) =>
        law.rules.has(name) || (name.endsWith('*') && [...law.rules.keys()].some((id) => matches(name, id))),
      law.rules,
      'rule',
    );
  const open = named(
    reader,
    map,
    'open',
    (name) => law.vocabulary.facts.has(name),
    law.vocabulary.facts,
    'fact',
  );
  const theirs = named(reader, map, 'theirs', (name) => law.controls.has(name), law.controls, 'control');
  return {
    ...(outcome === undefined ? {} : { outcome }),
    fires: rules('fires'),
    notFires: rules('not_fires'),
    undecided: rules('undecided'),
    coming: rules('coming'),
    open,
    controls: readExpectedControls(reader, reader.entry(map, 'controls')?.value, law),
    theirs,
  };
}

function named(
  reader: Reader,
  map: MapNode,
  key: string,
  exists: (name: string) => boolean,
  known: ReadonlyMap<string, unknown>,
  what: string,
): readonly string[] {
  return reader.list(reader.entry(map, key)?.value, `\`${key}\``).flatMap((item) => {
    const name = reader.text(item, `a ${what}`);
    if (name === undefined) return [];
    if (!exists(name))
      return (
        reader.report(
          'unknown-name',
          `unknown ${what} \`${name}\``,
          item.at,
          didYouMean(name, [...known.keys()]),
        ) ?? []
      );
    return [name];
  });
}

function readExpectedControls(
  reader: Reader,
  node: SourceNode | undefined,
  law: Law,
): ReadonlyMap<string, ParameterValues> {
  const controls = new Map<string, ParameterValues>();
  if (node === undefined) return controls;
  if (node.kind !== 'map') {
    reader.report('wrong-type', '`controls` must be a map', node.at);
    return controls;
  }
  for (const { key, value, keyAt } of node.entries) {
    const control = law.controls.get(key);
    if (control === undefined)
      reader.report(
        'unknown-name',
        `unknown control \`${key}\``,
        keyAt,
        didYouMean(key, [...law.controls.keys()]),
      );
    else controls.set(key, value.kind === 'map' ? readParameterValues(reader, value.entries, control) : {});
  }
  return controls;
}

/** A case with what came out otherwise than expected. */
export interface CaseResult {
  readonly case: Case;
  readonly failures: readonly string[];
  /** Rules that held, and rules that were false, in this case: the coverage of the law by its cases. */
  readonly held: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
}

/** Runs one case through the reference interpreter. */
export function runCase(law: Law, one: Case): CaseResult {
  const moment = { asOf: one.asOf, knownAt: one.knownAt ?? one.asOf };
  const { knowledge, problems } = gather(law.vocabulary, law.jurisdictions, one.market, one.statements);
  const interpreter = new Interpreter({ law, moment, knowledge });
  const { expect } = one;
  // The verdict is built only as far as something is expected of it: thousands of cases ask for single rules.
  const asked =
    expect.outcome !== undefined ||
    expect.coming.length + expect.open.length + expect.theirs.length + expect.controls.size > 0;
  const assessment = asked
    ? assess({
        law,
        market: one.market,
        moment,
        knowledge,
        declared: new Map(),
        probe: () => ({ kind: 'absent' }),
        horizonMonths: expect.coming.length > 0 ? DEFAULT_HORIZON_MONTHS : 0,
      })
    : undefined;
  const chain = law.jurisdictions.chain(one.market);
  const applicable = [...law.rulebooks.values()]
    .filter(({ jurisdiction }) => chain.includes(jurisdiction))
    .flatMap(({ rules }) => rules);
  const valued = new Map(applicable.map((rule) => [rule.id, interpreter.holds(rule)]));
  return {
    case: one,
    failures: [
      ...problems.map((problem: Problem) => `the facts contradict each other: ${problem.message}`),
      ...compareRules(expect, valued),
      ...(assessment === undefined ? [] : compareVerdict(law, expect, assessment)),
    ],
    held: new Set([...valued].filter(([, value]) => value === 'true').map(([id]) => id)),
    failed: new Set([...valued].filter(([, value]) => value === 'false').map(([id]) => id)),
  };
}

function compareRules(expect: Expectations, valued: ReadonlyMap<string, string>): readonly string[] {
  const group = (pattern: string): readonly (readonly [string, string])[] => {
    if (pattern.endsWith('*')) return [...valued].filter(([id]) => matches(pattern, id));
    const value = valued.get(pattern);
    return value === undefined ? [] : [[pattern, value]];
  };
  return [
    ...expect.fires
      .filter((pattern) => !group(pattern).some(([, value]) => value === 'true'))
      .map((pattern) => `${pattern} should hold; it is ${describe(group(pattern))}`),
    ...expect.undecided
      .filter((pattern) => !group(pattern).some(([, value]) => value === 'unknown'))
      .map((pattern) => `${pattern} should be undecided; it is ${describe(group(pattern))}`),
    ...expect.notFires.flatMap((pattern) =>
      group(pattern)
        .filter(([, value]) => value !== 'false')
        .map(([id, value]) => `${id} should not hold; it is ${value}`),
    ),
  ];
}

function compareVerdict(law: Law, expect: Expectations, assessment: MarketAssessment): readonly string[] {
  const failures: string[] = [];
  if (expect.outcome !== undefined && expect.outcome !== assessment.outcome) {
    const reasons = assessment.reasons.slice(0, 4).map(briefly).join('; ');
    failures.push(
      `outcome is ${assessment.outcome}, expected ${expect.outcome}${reasons === '' ? '' : ` (${reasons})`}`,
    );
  }
  const coming = assessment.coming.filter(({ truth }) => truth === 'true').map(({ rule }) => rule.id);
  for (const pattern of expect.coming)
    if (!coming.some((id) => matches(pattern, id))) failures.push(`${pattern} should be coming`);
  const open = new Set(assessment.findings.flatMap((finding) => finding.open));
  for (const fact of expect.open) if (!open.has(fact)) failures.push(`${fact} should be open`);
  failures.push(...compareControls(law, expect, assessment));
  return failures;
}

function compareControls(law: Law, expect: Expectations, assessment: MarketAssessment): readonly string[] {
  const failures: string[] = [];
  const duties = assessment.findings.filter(
    (finding) => finding.truth === 'true' && finding.coverage !== undefined,
  );
  for (const [id, parameters] of expect.controls) {
    const ours = duties.filter((finding) => finding.weight === 'counts' && finding.coverage?.control === id);
    if (ours.length === 0) failures.push(`${id} should be a duty of ours`);
    for (const [name, wanted] of Object.entries(parameters)) {
      const parameter = law.controls.get(id)?.parameters.get(name);
      const asked = ours.flatMap(({ rule }) => {
        const value =
          rule.effect.kind === 'require' || rule.effect.kind === 'grant'
            ? rule.effect.parameters[name]
            : undefined;
        return value === undefined ? [] : [value];
      });
      const reached = parameter !== undefined && asked.some((value) => meets(parameter, value, wanted));
      if (ours.length > 0 && !reached)
        failures.push(
          `${id} should ask for ${name}: ${String(wanted)}; it asks for ${asked.length === 0 ? 'nothing of it' : asked.map(String).join(', ')}`,
        );
    }
  }
  for (const id of expect.theirs) {
    if (!duties.some((finding) => finding.weight === 'theirs' && finding.coverage?.control === id))
      failures.push(`${id} should be a duty of somebody else`);
  }
  return failures;
}

function describe(group: readonly (readonly [string, string])[]): string {
  if (group.length === 0) return 'not part of the law of this market';
  return [...new Set(group.map(([, value]) => value))].join(' or ');
}

function briefly(reason: MarketAssessment['reasons'][number]): string {
  switch (reason.kind) {
    case 'no-rulebook':
      return 'no rulebook';
    case 'scope-open':
      return `whether ${reason.rulebook.id} applies hangs on ${reason.open.join(', ')}`;
    default:
      return `${reason.kind} ${reason.finding.rule.id}${reason.finding.open.length > 0 ? ` on ${reason.finding.open.join(', ')}` : ''}`;
  }
}
