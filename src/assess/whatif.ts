import type { Condition } from '../facts/condition.ts';
import type { FactValue } from '../facts/domain.ts';
import { compareValues } from '../facts/domain.ts';
import type { Statement } from '../facts/knowledge.ts';
import { gather } from '../facts/knowledge.ts';
import type { DeclaredControl } from '../facts/manifest.ts';
import type { FactTest } from '../facts/test.ts';
import type { Constraint, Fact } from '../facts/vocabulary.ts';
import { Interpreter } from '../rules/interpreter.ts';
import type { Law } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';
import type { Leaf } from '../rules/support.ts';
import { supportOf } from '../rules/support.ts';
import type { Moment } from '../rules/time.ts';
import { assess } from './assess.ts';
import type { MarketAssessment, Outcome } from './assessment.ts';
import type { Probe } from './evidence.ts';
import { outstandingControls } from './feature.ts';

/** A fact stated otherwise than today, or for the first time. */
export interface Change {
  readonly fact: string;
  readonly from?: FactValue;
  readonly to: FactValue;
  /** Effort, by the vocabulary: to change what is so, or to find out what is not stated. */
  readonly cost: number;
  readonly kind: 'change' | 'state';
}

/** Changes that reach the goal, checked by the reference interpreter, with the controls that remain to be built. */
export interface Answer {
  readonly changes: readonly Change[];
  readonly cost: number;
  readonly outcome: Outcome;
  readonly controls: readonly string[];
}

export type WhatIf =
  | { readonly kind: 'reached'; readonly answers: readonly Answer[]; readonly complete: boolean }
  /** No change of facts that can be changed reaches it; these rules alone already stand against it. */
  | { readonly kind: 'impossible'; readonly core: readonly Rule[] }
  /** The limit ran out first: nothing is said. */
  | { readonly kind: 'gave-up'; readonly tried: number };

export interface Wish {
  readonly law: Law;
  readonly market: string;
  readonly moment: Moment;
  readonly statements: readonly Statement[];
  readonly declared: ReadonlyMap<string, DeclaredControl>;
  readonly probe: Probe;
  /** `allowed` and `allowed-if`; better outcomes than the one asked for count too. */
  readonly goal: Outcome;
  /** How many answers, cheapest first. */
  readonly answers: number;
  readonly limitMs: number;
}

interface Node {
  readonly statements: readonly Statement[];
  readonly changes: readonly Change[];
  readonly cost: number;
}

/**
 * The cheapest changes of facts that turn an outcome into a better one.
 *
 * Uniform-cost search: whatever solves the case must alter some test that the first obstacle rests on
 * ({@link supportOf}), so trying each alteration of each such test, cheapest total first, finds the cheapest answer.
 * Facts that exclude each other are a step on the way: a further change may mend the constraint that they break.
 */
export function whatIf(wish: Wish): WhatIf {
  const deadline = performance.now() + wish.limitMs;
  const root: Node = { statements: wish.statements, changes: [], cost: 0 };
  const queue: Node[] = [root];
  const seen = new Set<string>();
  const answers: Answer[] = [];
  const stuck: Rule[] = [];
  let tried = 0;
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    const key = keyOf(node);
    if (seen.has(key)) continue;
    seen.add(key);
    if (performance.now() > deadline)
      return answers.length > 0 ? { kind: 'reached', answers, complete: false } : { kind: 'gave-up', tried };
    tried += 1;
    const found = visit(wish, node);
    if (found.kind === 'goal') {
      // An answer that contains another answer is no news.
      if (
        !answers.some((known) =>
          known.changes.every((change) =>
            node.changes.some((mine) => mine.fact === change.fact && same(mine.to, change.to)),
          ),
        )
      )
        answers.push(found.answer);
      if (answers.length >= wish.answers) return { kind: 'reached', answers, complete: true };
      continue;
    }
    if (found.kind === 'obstacle' && found.next.length === 0) stuck.push(found.obstacle);
    for (const next of found.next) insert(queue, next);
  }
  if (answers.length > 0) return { kind: 'reached', answers, complete: true };
  return { kind: 'impossible', core: minimalCore(wish, stuck) };
}

function keyOf({ changes }: Node): string {
  return JSON.stringify(changes.map(({ fact, to }) => [fact, to]).sort());
}

function same(a: FactValue, b: FactValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function insert(queue: Node[], node: Node): void {
  let at = queue.length;
  while (at > 0 && (queue[at - 1]?.cost ?? 0) > node.cost) at -= 1;
  queue.splice(at, 0, node);
}

type Visit =
  | { readonly kind: 'goal'; readonly answer: Answer }
  | { readonly kind: 'obstacle'; readonly obstacle: Rule; readonly next: readonly Node[] }
  | { readonly kind: 'contradiction'; readonly next: readonly Node[] };

function visit(wish: Wish, node: Node, ignored: ReadonlySet<string> = new Set()): Visit {
  const { law, market, moment, declared, probe } = wish;
  const { knowledge, problems, broken } = gather(law.vocabulary, law.jurisdictions, market, node.statements);
  if (problems.length > 0)
    return {
      kind: 'contradiction',
      next: broken.flatMap((constraint) =>
        leavesOf(constraint).flatMap((leaf) => alterations(wish, node, leaf)),
      ),
    };
  const assessment = assess({ law, market, moment, knowledge, declared, probe, horizonMonths: 0 });
  const interpreter = new Interpreter({ law, moment, knowledge });
  const obstacle = obstacles(assessment, wish.goal).find(({ id }) => !ignored.has(id));
  if (obstacle === undefined) {
    const controls = [...outstandingControls(assessment).keys()];
    const outcome =
      wish.goal === 'allowed' || assessment.outcome === 'allowed' ? 'allowed' : assessment.outcome;
    return { kind: 'goal', answer: { changes: node.changes, cost: node.cost, outcome, controls } };
  }
  return {
    kind: 'obstacle',
    obstacle,
    next: supportOf(interpreter, obstacle).flatMap((leaf) => alterations(wish, node, leaf)),
  };
}

/** Tests that a broken constraint consists of: to mend it, what it rests on has to fail or what follows has to hold. */
function leavesOf({ when, then }: Constraint): readonly Leaf[] {
  const premises = (condition: Condition): readonly Leaf[] => {
    switch (condition.kind) {
      case 'fact':
        return [{ fact: condition.fact, test: condition.test, truth: 'unknown' }];
      case 'derived':
        return [];
      case 'not':
        return premises(condition.of);
      default:
        return condition.of.flatMap(premises);
    }
  };
  return [...then.map(({ fact, test }): Leaf => ({ fact, test, truth: 'false' })), ...premises(when)];
}

/** What stands against the goal, in the order of the reasons; duties are built, not argued away. */
function obstacles({ reasons, findings }: MarketAssessment, goal: Outcome): readonly Rule[] {
  return reasons.flatMap((reason): readonly Rule[] => {
    switch (reason.kind) {
      case 'prohibited':
      case 'prohibition-open':
        return [reason.finding.rule];
      case 'per-request':
        return goal === 'allowed' ? [reason.finding.rule] : [];
      case 'scope-open': {
        const waiting = findings.find(
          ({ rulebook, rule }) => rulebook.id === reason.rulebook.id && rule.scoped,
        );
        return waiting === undefined ? [] : [waiting.rule];
      }
      default:
        return [];
    }
  });
}

/** Every way to make one test come out otherwise by stating its fact anew. */
function alterations(wish: Wish, node: Node, leaf: Leaf): readonly Node[] {
  const fact = wish.law.vocabulary.facts.get(leaf.fact);
  if (
    fact === undefined ||
    fact.scope === 'request' ||
    fact.derive !== undefined ||
    node.changes.some((change) => change.fact === leaf.fact)
  )
    return [];
  const stated = node.statements.find((statement) => statement.fact === leaf.fact);
  const cost = stated === undefined ? fact.cost : fact.change;
  if (cost === undefined) return [];
  const wanted = leaf.truth === 'unknown' ? [true, false] : [leaf.truth === 'false'];
  const values = wanted.flatMap((passes) => valuesFor(fact, leaf.test, passes, stated?.value));
  return values
    .filter((value) => !(fact.nonempty && Array.isArray(value) && value.length === 0))
    .filter((value) => stated === undefined || !same(value, stated.value))
    .map((to): Node => {
      const change: Change = {
        fact: fact.id,
        ...(stated === undefined ? {} : { from: stated.value }),
        to,
        cost,
        kind: stated === undefined ? 'state' : 'change',
      };
      return {
        statements: [
          ...node.statements.filter((statement) => statement.fact !== fact.id),
          { fact: fact.id, value: to },
        ],
        changes: [...node.changes, change],
        cost: node.cost + cost,
      };
    });
}

/** Values that make a test pass, or fail, staying as near to the stated value as can be. */
function valuesFor(
  fact: Fact,
  test: FactTest,
  passes: boolean,
  stated: FactValue | undefined,
): readonly FactValue[] {
  switch (test.kind) {
    case 'is':
      if (typeof test.value === 'boolean') return [passes === test.value];
      return [...fact.values.keys()].filter((word) => (word === test.value) === passes);
    case 'in':
      return [...fact.values.keys()].filter((word) => test.values.includes(word) === passes);
    case 'has': {
      const now = Array.isArray(stated) ? stated : [];
      if (!passes) return [now.filter((word) => !test.values.includes(word))];
      return test.values.map((word) => [...new Set([...now, word])].sort());
    }
    case 'only': {
      const now = Array.isArray(stated) ? stated : [];
      if (passes) return [now.filter((word) => test.values.includes(word))];
      return [...fact.values.keys()]
        .filter((word) => !test.values.includes(word))
        .slice(0, 3)
        .map((word) => [...new Set([...now, word])].sort());
    }
    case 'range':
      return bounds(fact, test.range, passes);
    case 'known':
      return [];
  }
}

/** The bounds of a range are the values nearest to a change of its truth; a whole number may also step past them. */
function bounds(
  fact: Fact,
  range: Extract<FactTest, { kind: 'range' }>['range'],
  passes: boolean,
): readonly FactValue[] {
  const candidates = [range.gte, range.gt, range.lte, range.lt].flatMap((bound) => {
    if (bound === undefined) return [];
    if (fact.type !== 'int') return [bound];
    return [String(BigInt(bound) - 1n), bound, String(BigInt(bound) + 1n)];
  });
  const inside = (value: string): boolean =>
    (range.gte === undefined || compareValues(fact, value, range.gte) >= 0) &&
    (range.gt === undefined || compareValues(fact, value, range.gt) > 0) &&
    (range.lte === undefined || compareValues(fact, value, range.lte) <= 0) &&
    (range.lt === undefined || compareValues(fact, value, range.lt) < 0);
  return [...new Set(candidates)].filter((value) => !value.startsWith('-') && inside(value) === passes);
}

/** Rules at which the search got stuck, fewest: leaving one out of the core would leave nothing that proves it. */
function minimalCore(wish: Wish, stuck: readonly Rule[]): readonly Rule[] {
  const rules = [...new Map(stuck.map((rule) => [rule.id, rule])).values()];
  return rules.reduce<readonly Rule[]>((core, rule) => {
    const without = core.filter((other) => other !== rule);
    return without.length > 0 && blocks(wish, without) ? without : core;
  }, rules);
}

/** Whether these rules alone, all others ignored, still leave no way. */
function blocks(wish: Wish, rules: readonly Rule[]): boolean {
  const kept = new Set(rules.map(({ id }) => id));
  const ignored = new Set([...wish.law.rules.keys()].filter((id) => !kept.has(id)));
  const queue: Node[] = [{ statements: wish.statements, changes: [], cost: 0 }];
  const seen = new Set<string>();
  for (let node = queue.shift(); node !== undefined && seen.size < 500; node = queue.shift()) {
    const key = keyOf(node);
    if (seen.has(key)) continue;
    seen.add(key);
    const found = visit(wish, node, ignored);
    if (found.kind === 'goal') return false;
    for (const next of found.next) insert(queue, next);
  }
  return queue.length === 0;
}
