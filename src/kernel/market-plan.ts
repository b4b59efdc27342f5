import { coverageOf, weightOf } from '../assess/assess.ts';
import type { Probe } from '../assess/evidence.ts';
import type { DeclaredControl } from '../facts/manifest.ts';
import type { Law } from '../rules/law.ts';
import type { Rule, Rulebook } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import type { Expressions } from './expression.ts';
import { ALWAYS } from './expression.ts';
import type { LeafValue, Program } from './program.ts';
import { emit, FALSE_REGISTER } from './program.ts';

/** What the decisions of one market are made from. */
export interface MarketSource {
  readonly law: Law;
  readonly market: string;
  readonly moment: Moment;
  readonly expressions: Expressions;
  readonly declared: ReadonlyMap<string, DeclaredControl>;
  readonly probe: Probe;
  readonly leafValue: LeafValue;
}

/** A norm that can change the outcome. */
export interface Norm {
  readonly rule: Rule;
  readonly prohibits: boolean;
  /** The control of a duty, and whether it is in place as asked. */
  readonly control?: string;
  readonly covered: boolean;
  readonly scoped: boolean;
  /** Index of the rulebook's scope, or -1. */
  readonly scope: number;
  readonly register: number;
  /** Whether one of the roles that owe it is ours. */
  readonly owed: number;
}

export interface Scope {
  readonly rulebook: Rulebook;
  readonly register: number;
}

/** One market compiled, but for a machine to run it on. */
export interface MarketPlan {
  readonly market: string;
  readonly program: Program;
  /** Norms that can change an outcome, whatever the call is. */
  readonly norms: readonly Norm[];
  readonly scopes: readonly Scope[];
  /** Some rulebook binds here. */
  readonly ruled: boolean;
}

export function planMarket(source: MarketSource): MarketPlan {
  const { law, market, expressions } = source;
  const chain = law.jurisdictions.chain(market);
  const rulebooks = [...law.rulebooks.values()].filter(({ jurisdiction }) => chain.includes(jurisdiction));
  const scoped = rulebooks.filter(({ scope }) => scope !== undefined);
  const candidates = rulebooks.flatMap((rulebook) => candidatesOf(source, rulebook));
  const roots = [
    ...candidates.map(({ node }) => node),
    ...candidates.map(({ owed }) => owed),
    ...scoped.map(({ scope = '' }) => expressions.concluded(scope)),
  ];
  const isRequest = (id: string): boolean => law.vocabulary.facts.get(id)?.scope === 'request';
  const program = emit(expressions, roots, source.leafValue, isRequest);
  const register = (root: number): number => program.roots[root] ?? 0;
  return {
    market,
    program,
    norms: candidates
      .map(({ rule, rulebook, prohibits, control, covered }, i) => ({
        rule,
        prohibits,
        ...(control === undefined ? {} : { control }),
        covered,
        scoped: rule.scoped,
        scope: scoped.indexOf(rulebook),
        register: register(i),
        owed: register(candidates.length + i),
      }))
      .filter((norm) => norm.register !== FALSE_REGISTER && norm.owed !== FALSE_REGISTER),
    scopes: scoped.map((rulebook, i) => ({ rulebook, register: register(candidates.length * 2 + i) })),
    ruled: rulebooks.some(({ binding, status }) => binding && status.state !== 'bill'),
  };
}

interface Candidate {
  readonly rule: Rule;
  readonly rulebook: Rulebook;
  readonly prohibits: boolean;
  readonly control?: string;
  readonly covered: boolean;
  readonly node: number;
  readonly owed: number;
}

/** The norms of a rulebook that count for outcomes. */
function candidatesOf(source: MarketSource, rulebook: Rulebook): readonly Candidate[] {
  const { expressions } = source;
  return rulebook.rules.flatMap((rule) => {
    if (weightOf(rule, rulebook, 'true') !== 'counts') return [];
    const roles = rule.owedBy.flatMap((name) => rulebook.roles.get(name) ?? []);
    const always = weightOf(rule, rulebook, 'false') === 'counts';
    const coverage = coverageOf(source, rule);
    return {
      rule,
      rulebook,
      prohibits: rule.effect.kind === 'prohibit',
      ...(coverage === undefined ? {} : { control: coverage.control }),
      covered: coverage?.covered === true,
      node: expressions.rule(rule),
      owed: always ? ALWAYS : expressions.or(roles.map((role) => expressions.condition(role.when))),
    };
  });
}
