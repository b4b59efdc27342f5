import { weightOf } from '../../assess/assess.ts';
import type { Condition } from '../../facts/condition.ts';
import { mentions } from '../../facts/condition.ts';
import { compareValues } from '../../facts/domain.ts';
import type { Problem } from '../../facts/problem.ts';
import type { Fact } from '../../facts/vocabulary.ts';
import type { Law } from '../../rules/law.ts';
import type { Rule, Rulebook } from '../../rules/rule.ts';
import type { Moment } from '../../rules/time.ts';
import { intervalAt, nextInterval, schedule, takesEffect } from '../../rules/time.ts';
import type { Formula, Names, Rail, TestFormula } from './formula.ts';
import { and, FALSE, formulaOf, opposite, or, RAILS, TRUE, testsIn } from './formula.ts';

/** A formula for each rail. */
export type Rails = Readonly<Record<Rail, Formula>>;

/** A rule that is in force, with its exceptions and its scope, on two rails. */
export interface ExportedRule {
  readonly rule: Rule;
  readonly rulebook: Rulebook;
  /** Its dates, in words. */
  readonly status: string;
  readonly rails: Rails;
  /** It alone makes a market *not allowed*. */
  readonly prohibits: boolean;
}

/** A fact that the rules test, under the name that the input gives it. */
export interface ExportedFact {
  readonly key: string;
  readonly fact: Fact;
  readonly place?: string;
  /** For numbers and days: every bound that some rule of the law tests, in order. */
  readonly scale: readonly string[];
}

/** What something is that later formulas name. */
export type Definition =
  | { readonly kind: 'rule'; readonly name: string; readonly rails: Rails }
  | { readonly kind: 'concluded'; readonly name: string; readonly rails: Rails };

/** The law at one moment as every exporter reads it. Everything is in an order that depends on the law alone. */
export interface Exported {
  readonly law: Law;
  readonly digest: string;
  readonly moment: Moment;
  /** Sorted by id. */
  readonly rules: readonly ExportedRule[];
  /** Asked for, and not in force: these do not apply, whatever the facts. */
  readonly idle: readonly { readonly rule: Rule; readonly why: string }[];
  /** The rules and what they conclude, each after everything that its formulas name. */
  readonly definitions: readonly Definition[];
  /** By key, sorted. */
  readonly facts: ReadonlyMap<string, ExportedFact>;
  /** Places with a binding rulebook among those exported, sorted. Of a market in none of them nothing can be told. */
  readonly ruled: readonly string[];
  /** Left out on request, because the target cannot express them, by id. */
  readonly skipped: readonly SkippedRule[];
}

/** A rule that is not exported. One that prohibits has to be taken as one that possibly applies. */
export interface SkippedRule {
  readonly rule: Rule;
  readonly rulebook: Rulebook;
  readonly prohibits: boolean;
  readonly why: Problem;
}

/** What to export. */
export interface Selection {
  readonly law: Law;
  readonly digest: string;
  readonly moment: Moment;
  /** Rules asked for; what they depend on comes along. */
  readonly wanted: (rule: Rule) => boolean;
}

/**
 * Takes the law apart into formulas: dates decided, exceptions and scopes folded in, unknown on two rails.
 *
 * @param leftOut rules that the target cannot express, with the reason: they and all that depend on them are left out.
 */
export function exportLaw(
  { law, digest, moment, wanted }: Selection,
  leftOut: ReadonlyMap<string, Problem> = new Map(),
): Exported {
  const skipped = skippedBy(law, leftOut);
  const asked = [...law.rules.values()].filter((rule) => wanted(rule) && !skipped.has(rule.id));
  const rules: ExportedRule[] = [];
  const idle: { rule: Rule; why: string }[] = [];
  const definitions: Definition[] = [];
  const done = new Set<string>();
  const forced = (rule: Rule): boolean => {
    const interval = intervalAt(rule, moment);
    return interval !== undefined && takesEffect(interval.state);
  };
  const concluded = (name: string, rail: Rail, negated: boolean): Formula => {
    const any = (law.definitions.get(name) ?? []).some(forced);
    if (!any) return negated ? TRUE : FALSE;
    return { kind: 'concluded', name, rail, negated };
  };
  const names: Names = { fact: (id) => factNamed(law, id), concluded };

  const conclude = (name: string): void => {
    const key = `concluded ${name}`;
    if (done.has(key)) return;
    done.add(key);
    const own = (law.definitions.get(name) ?? []).filter(forced);
    own.forEach(visit);
    if (own.length === 0) return;
    const rails = onRails((rail) =>
      or(own.map(({ id }) => ({ kind: 'rule', name: id, rail, negated: false }))),
    );
    definitions.push({ kind: 'concluded', name, rails });
  };
  const visit = (rule: Rule): void => {
    if (done.has(rule.id)) return;
    done.add(rule.id);
    if (!forced(rule)) {
      idle.push({ rule, why: whyIdle(rule, moment) });
      return;
    }
    const rulebook = rulebookOf(law, rule);
    const scope = rule.scoped ? rulebook.scope : undefined;
    const exceptions = (law.defeaters.get(rule.id) ?? []).filter(forced);
    exceptions.forEach(visit);
    const named = new Set(rule.when === undefined ? [] : mentions(rule.when).derived);
    for (const name of [...named, ...(scope === undefined ? [] : [scope])].sort()) conclude(name);
    const rails = onRails((rail) =>
      // Where the law itself is unsettled, a rule is never more than unknown.
      rule.ambiguous !== undefined && rail === 'definitely'
        ? FALSE
        : and([
            scope === undefined ? TRUE : concluded(scope, rail, false),
            rule.when === undefined ? TRUE : formulaOf(rule.when, rail, names),
            ...exceptions.map(
              ({ id }): Formula => ({ kind: 'rule', name: id, rail: opposite(rail), negated: true }),
            ),
          ]),
    );
    definitions.push({ kind: 'rule', name: rule.id, rails });
    const status = statusOf(rule, moment);
    rules.push({ rule, rulebook, status, rails, prohibits: doesProhibit(rule, rulebook) });
  };
  asked.forEach(visit);
  return {
    law,
    digest,
    moment,
    rules: rules.sort((a, b) => byText(a.rule.id, b.rule.id)),
    idle: idle.sort((a, b) => byText(a.rule.id, b.rule.id)),
    definitions,
    facts: factsOf(law, definitions),
    ruled: ruledBy(law, wanted),
    skipped: [...law.rules.values()].filter(wanted).flatMap((rule) => {
      const why = skipped.get(rule.id);
      const rulebook = rulebookOf(law, rule);
      return why === undefined ? [] : [{ rule, rulebook, prohibits: doesProhibit(rule, rulebook), why }];
    }),
  };
}

function onRails(make: (rail: Rail) => Formula): Rails {
  return { definitely: make('definitely'), possibly: make('possibly') };
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function doesProhibit(rule: Rule, rulebook: Rulebook): boolean {
  return rule.effect.kind === 'prohibit' && weightOf(rule, rulebook, 'true') === 'counts';
}

/** Places of which an assessment would not say that no rulebook covers them. */
function ruledBy(law: Law, wanted: (rule: Rule) => boolean): readonly string[] {
  const covering = [...law.rulebooks.values()].filter(
    ({ binding, status, rules }) => binding && status.state !== 'bill' && rules.some(wanted),
  );
  return [...new Set(covering.map(({ jurisdiction }) => jurisdiction))].sort();
}

/** Rules that cannot be expressed, and those that cannot be answered without them. */
function skippedBy(law: Law, leftOut: ReadonlyMap<string, Problem>): ReadonlyMap<string, Problem> {
  const skipped = new Map(leftOut);
  const spread = (id: string): void => {
    for (const rule of law.dependents.get(id) ?? []) {
      if (skipped.has(rule.id)) continue;
      skipped.set(rule.id, {
        code: 'dangling',
        message: `rule \`${rule.id}\` depends on \`${id}\`, which is left out`,
        at: rule.at,
      });
      spread(rule.id);
    }
  };
  for (const id of leftOut.keys()) spread(id);
  return skipped;
}

export function factNamed(law: Law, id: string): Fact {
  const fact = law.vocabulary.facts.get(id);
  // INVARIANT: the loader refuses conditions on facts outside the vocabulary.
  if (fact === undefined) throw new RangeError(`no fact \`${id}\` in the vocabulary`);
  return fact;
}

function rulebookOf(law: Law, rule: Rule): Rulebook {
  const rulebook = law.rulebooks.get(rule.rulebook);
  // INVARIANT: a rule is read as part of its rulebook.
  if (rulebook === undefined) throw new RangeError(`no rulebook \`${rule.rulebook}\``);
  return rulebook;
}

function statusOf(rule: Rule, moment: Moment): string {
  const interval = intervalAt(rule, moment);
  const until = interval?.to === undefined ? '' : `, until ${interval.to}`;
  return `in force from ${interval?.from ?? ''}${until}`;
}

function whyIdle(rule: Rule, moment: Moment): string {
  const interval = intervalAt(rule, moment);
  if (interval !== undefined) return interval.state === 'bill' ? 'a bill' : interval.state;
  const next = nextInterval(rule, moment);
  if (next !== undefined) return `${takesEffect(next.state) ? '' : `${next.state}, `}from ${next.from}`;
  return schedule(rule, moment.knownAt).length === 0 ? 'not known of yet' : 'no longer in force';
}

function factsOf(law: Law, definitions: readonly Definition[]): ReadonlyMap<string, ExportedFact> {
  const tests = new Map<string, TestFormula>();
  for (const { rails } of definitions)
    for (const test of RAILS.flatMap((rail) => testsIn(rails[rail]))) tests.set(test.key, test);
  const scales = scalesOf(law);
  return new Map(
    [...tests]
      .sort(([a], [b]) => byText(a, b))
      .map(([key, { fact, place }]) => {
        const around = place === undefined ? {} : { place };
        return [key, { key, fact, ...around, scale: scales.get(fact.id) ?? [] }];
      }),
  );
}

/** The bounds of numbers and days, by fact: of all law, so that an input fits every selection of rules on every day. */
function scalesOf(law: Law): ReadonlyMap<string, readonly string[]> {
  const bounds = new Map<string, Set<string>>();
  const visit = (condition: Condition): void => {
    if (condition.kind === 'fact') {
      if (condition.test.kind !== 'range') return;
      const own = bounds.get(condition.fact) ?? new Set();
      bounds.set(condition.fact, own);
      for (const bound of Object.values(condition.test.range)) own.add(bound);
    } else if (condition.kind === 'not') visit(condition.of);
    else if (condition.kind !== 'derived') condition.of.forEach(visit);
  };
  for (const { when } of law.rules.values()) if (when !== undefined) visit(when);
  return new Map(
    [...bounds].map(([id, own]) => {
      const fact = factNamed(law, id);
      return [id, [...own].sort((a, b) => compareValues(fact, a, b))];
    }),
  );
}
