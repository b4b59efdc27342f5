import type { Condition } from '../facts/condition.ts';
import type { FactTest } from '../facts/test.ts';
import type { Law } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import { intervalAt, takesEffect } from '../rules/time.ts';

/** One expression. Operands are the indices of earlier nodes; equal expressions are one node. */
export type Node =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'leaf'; readonly fact: string; readonly place?: string; readonly test: FactTest }
  | { readonly kind: 'and' | 'or'; readonly of: readonly number[] }
  | { readonly kind: 'at-least'; readonly n: number; readonly of: readonly number[] }
  | { readonly kind: 'not'; readonly of: number }
  /** What the law itself leaves unsettled: never more than unknown. */
  | { readonly kind: 'doubt'; readonly of: number };

/** A test on a fact. */
export type Leaf = Extract<Node, { readonly kind: 'leaf' }>;

const FALSE = 0;
const TRUE = 1;
/** The expression that is always true. */
export const ALWAYS = TRUE;

/**
 * The rules of a law at one moment as a graph of shared expressions: dates and states are decided, exceptions and
 * conclusions are edges. It mirrors the reference interpreter case by case; a node is built when first asked for.
 */
export class Expressions {
  readonly nodes: Node[] = [
    { kind: 'constant', value: false },
    { kind: 'constant', value: true },
  ];
  readonly law: Law;
  readonly moment: Moment;
  readonly #index = new Map<string, number>();
  readonly #rules = new Map<string, number>();
  readonly #concluded = new Map<string, number>();

  constructor(law: Law, moment: Moment) {
    this.law = law;
    this.moment = moment;
  }

  /** Whether the rule holds. */
  rule(rule: Rule): number {
    const known = this.#rules.get(rule.id);
    if (known !== undefined) return known;
    const node = this.#buildRule(rule);
    this.#rules.set(rule.id, node);
    return node;
  }

  /** The value of a fact that rules conclude. */
  concluded(name: string): number {
    const known = this.#concluded.get(name);
    if (known !== undefined) return known;
    const node = this.or((this.law.definitions.get(name) ?? []).map((rule) => this.rule(rule)));
    this.#concluded.set(name, node);
    return node;
  }

  condition(condition: Condition): number {
    switch (condition.kind) {
      case 'all':
        return this.#and(condition.of.map((child) => this.condition(child)));
      case 'any':
        return this.or(condition.of.map((child) => this.condition(child)));
      case 'not':
        return this.#not(this.condition(condition.of));
      case 'at-least':
        return this.#atLeast(
          condition.n,
          condition.of.map((child) => this.condition(child)),
        );
      case 'derived': {
        const node = this.concluded(condition.name);
        return condition.is ? node : this.#not(node);
      }
      case 'fact': {
        const { fact, place, test } = condition;
        return this.#add({ kind: 'leaf', fact, ...(place === undefined ? {} : { place }), test });
      }
    }
  }

  or(of: readonly number[]): number {
    if (of.includes(TRUE)) return TRUE;
    const open = distinct(of.filter((node) => node !== FALSE));
    return open.length <= 1 ? (open[0] ?? FALSE) : this.#add({ kind: 'or', of: open });
  }

  #buildRule(rule: Rule): number {
    const interval = intervalAt(rule, this.moment);
    if (interval === undefined || !takesEffect(interval.state)) return FALSE;
    const scope = rule.scoped ? this.law.rulebooks.get(rule.rulebook)?.scope : undefined;
    const value = this.#and([
      scope === undefined ? TRUE : this.concluded(scope),
      rule.when === undefined ? TRUE : this.condition(rule.when),
      ...(this.law.defeaters.get(rule.id) ?? []).map((exception) => this.#not(this.rule(exception))),
    ]);
    return rule.ambiguous === undefined || value === FALSE ? value : this.#add({ kind: 'doubt', of: value });
  }

  #and(of: readonly number[]): number {
    if (of.includes(FALSE)) return FALSE;
    const open = distinct(of.filter((node) => node !== TRUE));
    return open.length <= 1 ? (open[0] ?? TRUE) : this.#add({ kind: 'and', of: open });
  }

  #not(of: number): number {
    if (of === FALSE) return TRUE;
    if (of === TRUE) return FALSE;
    const node = this.nodes[of];
    return node?.kind === 'not' ? node.of : this.#add({ kind: 'not', of });
  }

  #atLeast(n: number, of: readonly number[]): number {
    const open = of.filter((node) => node !== TRUE && node !== FALSE);
    const wanted = n - of.filter((node) => node === TRUE).length;
    if (wanted <= 0) return TRUE;
    if (wanted > open.length) return FALSE;
    if (wanted === 1) return this.or(open);
    if (wanted === open.length) return this.#and(open);
    return this.#add({ kind: 'at-least', n: wanted, of: open.toSorted((a, b) => a - b) });
  }

  #add(node: Node): number {
    const key = JSON.stringify(node);
    const known = this.#index.get(key);
    if (known !== undefined) return known;
    this.nodes.push(node);
    this.#index.set(key, this.nodes.length - 1);
    return this.nodes.length - 1;
  }
}

function distinct(nodes: readonly number[]): readonly number[] {
  return [...new Set(nodes)].sort((a, b) => a - b);
}
