import type { Condition } from '../facts/condition.ts';
import type { Domain } from '../facts/domain.ts';
import { test } from '../facts/domain.ts';
import type { Origin } from '../facts/knowledge.ts';
import type { FactTest } from '../facts/test.ts';
import type { Truth } from '../facts/truth.ts';
import { and, not, or, truth } from '../facts/truth.ts';
import type { Interpreter } from './interpreter.ts';
import type { Interval, Rule } from './rule.ts';
import { intervalAt, nextInterval } from './time.ts';

/** Why a condition has the value it has: only the branches that decide it, and every test on a number that does. */
export type Reason =
  | {
      readonly kind: 'fact';
      readonly truth: Truth;
      readonly fact: string;
      readonly test: FactTest;
      readonly domain: Domain;
      readonly origin: Origin;
    }
  | {
      readonly kind: 'concluded';
      readonly truth: Truth;
      readonly name: string;
      readonly is: boolean;
      readonly by: readonly Proof[];
    }
  | {
      readonly kind: 'all' | 'any' | 'at-least';
      readonly truth: Truth;
      readonly n?: number;
      readonly of: readonly Reason[];
    }
  | { readonly kind: 'not'; readonly truth: Truth; readonly of: Reason };

/** Why a rule holds, does not, or is open. */
export interface Proof {
  readonly rule: string;
  readonly truth: Truth;
  readonly inForce: boolean;
  /** The interval that covers the day; without it, the next one to come. */
  readonly interval?: Interval;
  readonly next?: Interval;
  /** Present when it decides: the rulebook applies, does not, or may. */
  readonly scope?: Reason;
  readonly when?: Reason;
  /** Exceptions that hold, or that still could. */
  readonly defeatedBy: readonly Proof[];
  /** Exceptions whose own condition is met but which are themselves defeated: why the rule holds all the same. */
  readonly overcame: readonly Proof[];
  readonly ambiguous?: string;
}

/** Builds proofs from the values of the reference interpreter, on demand; many rules rest on the same few, so they are kept. */
export function prove(interpreter: Interpreter, rule: Rule): Proof {
  const known = interpreter.proofs.get(rule.id);
  if (known !== undefined) return known;
  const proof = build(interpreter, rule);
  interpreter.proofs.set(rule.id, proof);
  return proof;
}

function build(interpreter: Interpreter, rule: Rule): Proof {
  const { law, moment } = interpreter.situation;
  const value = interpreter.holds(rule);
  const inForce = interpreter.inForce(rule);
  const interval = intervalAt(rule, moment);
  const next = interval === undefined ? nextInterval(rule, moment) : undefined;
  const base = {
    rule: rule.id,
    truth: value,
    inForce,
    ...(interval === undefined ? {} : { interval }),
    ...(next === undefined ? {} : { next }),
    ...(rule.ambiguous === undefined ? {} : { ambiguous: rule.ambiguous }),
  };
  if (!inForce) return { ...base, defeatedBy: [], overcame: [] };
  const scopeName = rule.scoped ? law.rulebooks.get(rule.rulebook)?.scope : undefined;
  const scopeTruth = scopeName === undefined ? 'true' : interpreter.concluded(scopeName);
  const whenTruth = rule.when === undefined ? 'true' : interpreter.evaluate(rule.when);
  const exceptions = law.defeaters.get(rule.id) ?? [];
  // What the rule would be, were the law itself settled: an unsettled point must not hide the facts.
  const plain = and([
    scopeTruth,
    whenTruth,
    ...exceptions.map((exception) => not(interpreter.holds(exception))),
  ]);
  const scope =
    scopeName !== undefined && decides(plain, scopeTruth)
      ? concluded(interpreter, scopeName, true)
      : undefined;
  if (value === 'false' && scopeTruth === 'false')
    return { ...base, ...(scope === undefined ? {} : { scope }), defeatedBy: [], overcame: [] };
  const when =
    rule.when !== undefined && decides(plain, whenTruth) ? reason(interpreter, rule.when) : undefined;
  if (value === 'false' && whenTruth === 'false')
    return { ...base, ...(when === undefined ? {} : { when }), defeatedBy: [], overcame: [] };
  const wanted: Truth = value === 'false' ? 'true' : 'unknown';
  return {
    ...base,
    ...(scope === undefined ? {} : { scope }),
    ...(when === undefined ? {} : { when }),
    defeatedBy: exceptions
      .filter((exception) => interpreter.holds(exception) === wanted && plain !== 'true')
      .map((exception) => prove(interpreter, exception)),
    overcame:
      plain === 'true'
        ? exceptions
            .filter((exception) => isOvercome(interpreter, exception))
            .map((exception) => prove(interpreter, exception))
        : [],
  };
}

/** A part of a conjunction matters when the whole is true, or when the part has the value of the whole. */
function decides(whole: Truth, part: Truth): boolean {
  return whole === 'true' || whole === part;
}

/** The exception would hold, were neither it nor what it rests on defeated. */
function isOvercome(interpreter: Interpreter, exception: Rule): boolean {
  if (interpreter.holds(exception) !== 'false' || !interpreter.inForce(exception)) return false;
  return exception.when !== undefined && undefeated(interpreter, exception.when) === 'true';
}

/** The value of a condition if no conclusion were defeated. */
function undefeated(interpreter: Interpreter, condition: Condition): Truth {
  switch (condition.kind) {
    case 'all':
      return and(condition.of.map((child) => undefeated(interpreter, child)));
    case 'any':
      return or(condition.of.map((child) => undefeated(interpreter, child)));
    case 'derived': {
      const rules = interpreter.situation.law.definitions.get(condition.name) ?? [];
      const met = rules.some(
        (rule) =>
          interpreter.inForce(rule) &&
          (rule.when === undefined || interpreter.evaluate(rule.when) === 'true'),
      );
      return met && condition.is ? 'true' : interpreter.evaluate(condition);
    }
    default:
      return interpreter.evaluate(condition);
  }
}

function concluded(interpreter: Interpreter, name: string, is: boolean): Reason {
  const value = interpreter.concluded(name);
  const rules = interpreter.situation.law.definitions.get(name) ?? [];
  // One rule that concludes it is reason enough; that none does needs them all.
  const deciding = rules.filter((rule) => interpreter.holds(rule) === value);
  const shown = value === 'true' ? deciding.slice(0, 1) : deciding;
  return {
    kind: 'concluded',
    truth: is ? value : not(value),
    name,
    is,
    by: shown.map((rule) => prove(interpreter, rule)),
  };
}

/** Why a condition has its value. */
export function reason(interpreter: Interpreter, condition: Condition): Reason {
  switch (condition.kind) {
    case 'fact': {
      const { law, knowledge } = interpreter.situation;
      const fact = law.vocabulary.facts.get(condition.fact);
      const domain = knowledge.domain(condition.fact, condition.place);
      const value = fact === undefined ? truth(false) : test(fact, domain, condition.test);
      return {
        kind: 'fact',
        truth: value,
        fact: condition.fact,
        test: condition.test,
        domain,
        origin: knowledge.origin(condition.fact, condition.place),
      };
    }
    case 'derived':
      return concluded(interpreter, condition.name, condition.is);
    case 'not':
      return { kind: 'not', truth: interpreter.evaluate(condition), of: reason(interpreter, condition.of) };
    case 'all':
    case 'any':
    case 'at-least': {
      const value = interpreter.evaluate(condition);
      const deciding = condition.of.filter((child) => interpreter.evaluate(child) === value);
      const settled =
        (condition.kind === 'any' && value === 'true') || (condition.kind === 'all' && value === 'false');
      const needed =
        condition.kind === 'at-least' && value === 'true' ? condition.n : settled ? 1 : deciding.length;
      return {
        kind: condition.kind,
        truth: value,
        ...(condition.kind === 'at-least' ? { n: condition.n } : {}),
        of: deciding.slice(0, needed).map((child) => reason(interpreter, child)),
      };
    }
  }
}

/** The facts that leave a proof open: learning them could settle it. */
export function openFacts(proof: Proof): ReadonlySet<string> {
  const open = new Set<string>();
  const visit = (node: Reason): void => {
    if (node.kind === 'fact') {
      if (node.truth === 'unknown') open.add(node.fact);
    } else if (node.kind === 'concluded') node.by.forEach(visitProof);
    else if (node.kind === 'not') visit(node.of);
    else node.of.forEach(visit);
  };
  const visitProof = (node: Proof): void => {
    if (node.truth !== 'unknown' && node !== proof) return;
    if (node.scope !== undefined) visit(node.scope);
    if (node.when !== undefined) visit(node.when);
    node.defeatedBy.forEach(visitProof);
  };
  visitProof(proof);
  return open;
}

/** The unsettled points of law that leave a proof open. */
export function unsettled(proof: Proof): readonly Proof[] {
  const found: Proof[] = [];
  const visit = (node: Reason): void => {
    if (node.kind === 'concluded') node.by.forEach(visitProof);
    else if (node.kind === 'not') visit(node.of);
    else if (node.kind !== 'fact') node.of.forEach(visit);
  };
  const visitProof = (node: Proof): void => {
    if (node.truth !== 'unknown') return;
    if (node.ambiguous !== undefined) found.push(node);
    if (node.scope !== undefined) visit(node.scope);
    if (node.when !== undefined) visit(node.when);
    node.defeatedBy.forEach(visitProof);
  };
  visitProof(proof);
  return found;
}
