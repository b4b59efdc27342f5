import type { Condition } from '../facts/condition.ts';
import type { FactTest } from '../facts/test.ts';
import type { Truth } from '../facts/truth.ts';
import type { Interpreter } from './interpreter.ts';
import type { Rule } from './rule.ts';

/** One test on a fact that a value rests on, and what it came out as. */
export interface Leaf {
  readonly fact: string;
  readonly test: FactTest;
  readonly truth: Truth;
}

/**
 * Tests that together are reason enough for the value of a rule: as long as all of them come out the same, so does
 * the rule (INVARIANT: every change that alters the value alters one of these leaves; tested on random rules).
 * Unlike a proof, it includes why exceptions fail: making one of them hold is a way to change the rule.
 */
export function supportOf(interpreter: Interpreter, rule: Rule): readonly Leaf[] {
  const leaves = new Map<string, Leaf>();
  addRule(interpreter, rule, leaves);
  return [...leaves.values()];
}

function addRule(interpreter: Interpreter, rule: Rule, into: Map<string, Leaf>): void {
  if (!interpreter.inForce(rule)) return;
  const { law } = interpreter.situation;
  const value = interpreter.holds(rule);
  const scope = rule.scoped ? law.rulebooks.get(rule.rulebook)?.scope : undefined;
  const exceptions = law.defeaters.get(rule.id) ?? [];
  const parts: readonly { readonly truth: Truth; readonly add: () => void }[] = [
    ...(scope === undefined
      ? []
      : [{ truth: interpreter.concluded(scope), add: () => addConcluded(interpreter, scope, into) }]),
    ...(rule.when === undefined
      ? []
      : [{ truth: interpreter.evaluate(rule.when), add: () => addCondition(interpreter, rule.when, into) }]),
    ...exceptions.map((exception) => ({
      truth: opposite(interpreter.holds(exception)),
      add: () => addRule(interpreter, exception, into),
    })),
  ];
  if (value === 'false') {
    parts.find(({ truth }) => truth === 'false')?.add();
    return;
  }
  // A rule that is open only because the law is unsettled rests on all its parts being true.
  for (const { truth, add } of parts)
    if (truth === value || value === 'true' || (rule.ambiguous !== undefined && truth === 'true')) add();
}

function opposite(truth: Truth): Truth {
  return truth === 'unknown' ? truth : truth === 'true' ? 'false' : 'true';
}

function addConcluded(interpreter: Interpreter, name: string, into: Map<string, Leaf>): void {
  const value = interpreter.concluded(name);
  const rules = interpreter.situation.law.definitions.get(name) ?? [];
  const same = rules.filter((rule) => interpreter.holds(rule) === value);
  for (const rule of value === 'true' ? same.slice(0, 1) : same) addRule(interpreter, rule, into);
}

function addCondition(
  interpreter: Interpreter,
  condition: Condition | undefined,
  into: Map<string, Leaf>,
): void {
  if (condition === undefined) return;
  const truth = interpreter.evaluate(condition);
  switch (condition.kind) {
    case 'fact':
      into.set(`${condition.fact} ${JSON.stringify(condition.test)}`, {
        fact: condition.fact,
        test: condition.test,
        truth,
      });
      return;
    case 'derived':
      addConcluded(interpreter, condition.name, into);
      return;
    case 'not':
      addCondition(interpreter, condition.of, into);
      return;
    default: {
      const same = condition.of.filter((child) => interpreter.evaluate(child) === truth);
      const enough =
        (condition.kind === 'any' && truth === 'true') || (condition.kind === 'all' && truth === 'false')
          ? 1
          : condition.kind === 'at-least' && truth === 'true'
            ? condition.n
            : same.length;
      for (const child of same.slice(0, enough)) addCondition(interpreter, child, into);
    }
  }
}
