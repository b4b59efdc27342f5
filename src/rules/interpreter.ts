import type { Condition } from '../facts/condition.ts';
import { test } from '../facts/domain.ts';
import type { Knowledge } from '../facts/knowledge.ts';
import type { Truth } from '../facts/truth.ts';
import { and, atLeast, not, or, truth } from '../facts/truth.ts';
import type { Law } from './law.ts';
import type { Proof } from './proof.ts';
import type { Rule, State } from './rule.ts';
import type { Moment } from './time.ts';
import { intervalAt, takesEffect } from './time.ts';

/** Everything that the value of a rule depends on. */
export interface Situation {
  readonly law: Law;
  readonly moment: Moment;
  readonly knowledge: Knowledge;
  /** Take rules in these states for enacted: what a bill would do, what a stayed rule would ask. */
  readonly pretend?: ReadonlySet<State>;
}

/**
 * The reference interpreter: it defines what rules mean, and every faster evaluator is tested against it.
 *
 * A rule holds when it is in its dates, its condition is true, the scope of its rulebook is true, and no exception
 * that defeats it holds. A rule on which the law itself is unsettled never counts as more than unknown. Learning a
 * fact never turns true into false or false into true.
 */
export class Interpreter {
  readonly situation: Situation;
  readonly #holds = new Map<string, Truth>();
  readonly #concluded = new Map<string, Truth>();
  /** Proofs built so far; see `prove`. */
  readonly proofs = new Map<string, Proof>();

  constructor(situation: Situation) {
    this.situation = situation;
  }

  /** Whether the rule holds. */
  holds(rule: Rule): Truth {
    const known = this.#holds.get(rule.id);
    if (known !== undefined) return known;
    const value = this.#evaluateRule(rule);
    this.#holds.set(rule.id, value);
    return value;
  }

  /** Whether the rule is in its dates and in a state that takes effect. */
  inForce(rule: Rule): boolean {
    const { moment, pretend } = this.situation;
    const interval = intervalAt(rule, moment);
    return interval !== undefined && (takesEffect(interval.state) || pretend?.has(interval.state) === true);
  }

  /** The value of a fact that rules conclude: true when one concludes it, false when all fail to. */
  concluded(name: string): Truth {
    const known = this.#concluded.get(name);
    if (known !== undefined) return known;
    const value = or((this.situation.law.definitions.get(name) ?? []).map((rule) => this.holds(rule)));
    this.#concluded.set(name, value);
    return value;
  }

  evaluate(condition: Condition): Truth {
    switch (condition.kind) {
      case 'all':
        return and(condition.of.map((child) => this.evaluate(child)));
      case 'any':
        return or(condition.of.map((child) => this.evaluate(child)));
      case 'not':
        return not(this.evaluate(condition.of));
      case 'at-least':
        return atLeast(
          condition.n,
          condition.of.map((child) => this.evaluate(child)),
        );
      case 'derived':
        return condition.is ? this.concluded(condition.name) : not(this.concluded(condition.name));
      case 'fact': {
        const { law, knowledge } = this.situation;
        const fact = law.vocabulary.facts.get(condition.fact);
        // INVARIANT: the loader refuses conditions on facts outside the vocabulary.
        return fact === undefined
          ? 'unknown'
          : test(fact, knowledge.domain(fact.id, condition.place), condition.test);
      }
    }
  }

  /** True when the facts alone make a condition false, whatever rules conclude: then it is false on every day. */
  ruledOut(condition: Condition): boolean {
    switch (condition.kind) {
      case 'all':
        return condition.of.some((child) => this.ruledOut(child));
      case 'any':
        return condition.of.every((child) => this.ruledOut(child));
      case 'fact':
        return this.evaluate(condition) === 'false';
      default:
        return false;
    }
  }

  #evaluateRule(rule: Rule): Truth {
    const { law } = this.situation;
    const scope = rule.scoped ? law.rulebooks.get(rule.rulebook)?.scope : undefined;
    const value = and([
      truth(this.inForce(rule)),
      scope === undefined ? 'true' : this.concluded(scope),
      rule.when === undefined ? 'true' : this.evaluate(rule.when),
      ...(law.defeaters.get(rule.id) ?? []).map((exception) => not(this.holds(exception))),
    ]);
    return rule.ambiguous !== undefined && value === 'true' ? 'unknown' : value;
  }
}
