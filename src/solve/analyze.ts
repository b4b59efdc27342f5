import { mentions } from '../facts/condition.ts';
import type { Day } from '../facts/date.ts';
import type { Statement } from '../facts/knowledge.ts';
import { gather } from '../facts/knowledge.ts';
import { Interpreter } from '../rules/interpreter.ts';
import type { Law } from '../rules/law.ts';
import { dependencies } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import { intervalAt, schedule, takesEffect } from '../rules/time.ts';
import { bareSymbol, encodeFacts, encodeRules, ruleSymbol } from './encode.ts';
import type { SolverSession } from './session.ts';
import { statementsOf, symbolsOf } from './witness.ts';

/** What the analysis found about a body of law, or about a change of it. */
export interface LawFinding {
  readonly kind: /** No facts at all make it hold. */
    | 'dead'
    /** All facts make it hold, though it has a condition. */
    | 'always'
    /** The exception never makes a difference to this rule. */
    | 'shadowed'
    /** What only this rule could conclude is never concluded: a question of the law that nothing answers. */
    | 'gap'
    /** Whenever the one holds the other does, with the same effect: it adds nothing. */
    | 'implied'
    | 'equivalent'
    /** A permission that holds only where a prohibition of the same instrument does. */
    | 'clash'
    /** Facts for which the two versions of the law differ. */
    | 'changed'
    /** Everything is unknown, yet every completion agrees: the interpreter says less than it could. */
    | 'incomplete'
    | 'undecided';
  readonly rule: string;
  readonly other?: string;
  readonly message: string;
  /** Facts that show it, replayed by the interpreter. */
  readonly witness?: readonly Statement[];
}

export interface AnalysisOptions {
  readonly moment: Moment;
  /** Rules to look at; all by default. */
  readonly only?: (rule: Rule) => boolean;
  /** Rules that some worked case makes hold, and false: what is seen needs no proof. */
  readonly seenTrue: ReadonlySet<string>;
  readonly seenFalse: ReadonlySet<string>;
  readonly onProgress?: (done: number, total: number) => void;
}

/** The first day, from the day asked for on, on which a rule takes effect. */
function firstDay(rule: Rule, moment: Moment): Day | undefined {
  const now = intervalAt(rule, moment);
  if (now !== undefined && takesEffect(now.state)) return moment.asOf;
  return schedule(rule, moment.knownAt)
    .filter(({ from, state }) => from > moment.asOf && takesEffect(state))
    .map(({ from }) => from)
    .sort()[0];
}

/**
 * The day to look at a rule: once everything it depends on has begun to apply, so that nothing
 * is called dead only because a later part of the same law is still to come; or its own first day
 * where it has ended by then.
 */
function momentOf(law: Law, rule: Rule, moment: Moment): Moment | undefined {
  const own = firstDay(rule, moment);
  if (own === undefined) return undefined;
  const whole = closure(law, [rule]).reduce((latest, { id }) => {
    const needed = law.rules.get(id);
    const day = needed === undefined ? undefined : firstDay(needed, moment);
    return day !== undefined && day > latest ? day : latest;
  }, own);
  const then = intervalAt(rule, { ...moment, asOf: whole });
  return { ...moment, asOf: then !== undefined && takesEffect(then.state) ? whole : own };
}

/** Rules with everything they depend on. */
function closure(law: Law, rules: readonly Rule[]): readonly Rule[] {
  const reached = new Map<string, Rule>();
  const visit = (rule: Rule): void => {
    if (reached.has(rule.id)) return;
    reached.set(rule.id, rule);
    dependencies(law, rule).forEach(visit);
  };
  rules.forEach(visit);
  return [...reached.values()];
}

/** Looks for rules that never hold, always hold, or make no difference, instrument by instrument and day by day. */
export async function analyzeLaw(
  session: SolverSession,
  law: Law,
  options: AnalysisOptions,
): Promise<readonly LawFinding[]> {
  const rules = [...law.rules.values()].filter(options.only ?? (() => true));
  const groups = Map.groupBy(
    rules.flatMap((rule) => {
      const moment = momentOf(law, rule, options.moment);
      return moment === undefined ? [] : [{ rule, moment }];
    }),
    ({ rule, moment }) => `${rule.rulebook} ${moment.asOf}`,
  );
  const findings: LawFinding[] = [];
  let done = 0;
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const own = group.map(({ rule }) => rule);
    const needed = closure(law, own);
    await session.reset();
    await session.assert(`${encodeFacts(law.vocabulary, needed)}\n${encodeRules(law, first.moment, needed)}`);
    const alive: Rule[] = [];
    for (const rule of own) {
      const found = await analyzeRule(session, law, rule, first.moment, options);
      if (!found.some(({ kind }) => kind === 'dead' || kind === 'gap')) alive.push(rule);
      findings.push(...found);
      done += 1;
      options.onProgress?.(done, rules.length);
    }
    findings.push(...(await analyzePairs(session, alive, first.moment)));
  }
  return findings;
}

async function analyzeRule(
  session: SolverSession,
  law: Law,
  rule: Rule,
  moment: Moment,
  options: AnalysisOptions,
): Promise<readonly LawFinding[]> {
  const symbol = ruleSymbol(rule.id);
  const alive = options.seenTrue.has(rule.id) ? 'sat' : (await session.check([symbol])).sat;
  if (alive === 'unknown')
    return [{ kind: 'undecided', rule: rule.id, message: 'the solver found no answer in time' }];
  if (alive === 'unsat') {
    const gap =
      (rule.effect.kind === 'define' || rule.effect.kind === 'classify') &&
      (law.definitions.get(rule.effect.fact) ?? []).length === 1;
    return [
      {
        kind: gap ? 'gap' : 'dead',
        rule: rule.id,
        message: gap
          ? `nothing can ever conclude \`${rule.effect.kind === 'define' || rule.effect.kind === 'classify' ? rule.effect.fact : ''}\``
          : `no facts make it hold on ${moment.asOf}`,
      },
    ];
  }
  const always =
    rule.when !== undefined &&
    !options.seenFalse.has(rule.id) &&
    (await session.check([`(not ${symbol})`])).sat === 'unsat';
  const shadowed: LawFinding[] = [];
  for (const exception of law.defeaters.get(rule.id) ?? []) {
    const { state } = intervalAt(exception, moment) ?? {};
    if (state === undefined || !takesEffect(state)) continue;
    const others = (law.defeaters.get(rule.id) ?? [])
      .filter(({ id }) => id !== exception.id)
      .map(({ id }) => `(not ${ruleSymbol(id)})`);
    const { sat } = await session.check([bareSymbol(rule.id), ruleSymbol(exception.id), ...others]);
    if (sat === 'unsat' && (await session.check([bareSymbol(rule.id), ...others])).sat === 'sat') {
      shadowed.push({
        kind: 'shadowed',
        rule: exception.id,
        other: rule.id,
        message: `never makes a difference to \`${rule.id}\` on ${moment.asOf}`,
      });
    }
  }
  return [...(always ? alwaysFinding(law, rule, moment) : []), ...shadowed];
}

/** A rule that always holds, though the interpreter, knowing nothing, cannot tell, is where three values say less than two. */
function alwaysFinding(law: Law, rule: Rule, moment: Moment): readonly LawFinding[] {
  const { knowledge } = gather(
    law.vocabulary,
    law.jurisdictions,
    law.rulebooks.get(rule.rulebook)?.jurisdiction ?? '',
    [],
  );
  const told = new Interpreter({ law, moment, knowledge }).holds(rule);
  const always: LawFinding = {
    kind: 'always',
    rule: rule.id,
    message: `holds whatever the facts are on ${moment.asOf}`,
  };
  return told === 'unknown'
    ? [
        always,
        {
          kind: 'incomplete',
          rule: rule.id,
          message: 'every completion agrees, and the interpreter says unknown',
        },
      ]
    : [always];
}

/** Duties, prohibitions and permissions of one instrument against each other. */
async function analyzePairs(
  session: SolverSession,
  rules: readonly Rule[],
  moment: Moment,
): Promise<readonly LawFinding[]> {
  const findings: LawFinding[] = [];
  const effectKey = ({ effect, owedBy }: Rule): string | undefined => {
    if (effect.kind === 'require') return JSON.stringify([effect.control, effect.parameters, owedBy]);
    return effect.kind === 'prohibit' ? JSON.stringify([effect.what]) : undefined;
  };
  for (const same of Map.groupBy(
    rules.filter((rule) => effectKey(rule) !== undefined),
    effectKey,
  ).values()) {
    for (const [i, a] of same.entries()) {
      for (const b of same.slice(i + 1)) {
        const forward =
          (await session.check([ruleSymbol(a.id), `(not ${ruleSymbol(b.id)})`])).sat === 'unsat';
        const backward =
          (await session.check([ruleSymbol(b.id), `(not ${ruleSymbol(a.id)})`])).sat === 'unsat';
        if (forward && backward)
          findings.push({
            kind: 'equivalent',
            rule: a.id,
            other: b.id,
            message: `is the same as \`${b.id}\`, with the same effect`,
          });
        else if (forward || backward) {
          const [narrow, wide] = forward ? [a, b] : [b, a];
          findings.push({
            kind: 'implied',
            rule: narrow.id,
            other: wide.id,
            message: `holds only where \`${wide.id}\` does, with the same effect`,
          });
        }
      }
    }
  }
  const prohibitions = rules.filter(({ effect }) => effect.kind === 'prohibit');
  for (const permit of rules.filter(({ effect }) => effect.kind === 'permit')) {
    for (const prohibit of prohibitions) {
      if (
        (await session.check([ruleSymbol(permit.id), `(not ${ruleSymbol(prohibit.id)})`])).sat === 'unsat'
      ) {
        findings.push({
          kind: 'clash',
          rule: permit.id,
          other: prohibit.id,
          message: `permits only what \`${prohibit.id}\` forbids, on ${moment.asOf}`,
        });
      }
    }
  }
  return findings;
}

/** Facts for which a rule has another value in the new law than in the old, one witness per rule, replayed before it is given. */
export async function analyzeChange(
  session: SolverSession,
  before: Law,
  after: Law,
  moment: Moment,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<readonly LawFinding[]> {
  const findings: LawFinding[] = [];
  const changed = [...after.rules.values()].filter((rule) => {
    const old = before.rules.get(rule.id);
    return (
      old !== undefined &&
      JSON.stringify(closure(before, [old]).map(core)) !== JSON.stringify(closure(after, [rule]).map(core))
    );
  });
  for (const [i, rule] of changed.entries()) {
    onProgress(i, changed.length);
    const old = before.rules.get(rule.id);
    if (old === undefined) continue;
    const cone = closure(after, [rule]);
    const oldCone = closure(before, [old]);
    const known = [...cone, ...oldCone].flatMap(({ when }) =>
      when === undefined ? [] : [...mentions(when).facts],
    );
    if (known.some((fact) => !after.vocabulary.facts.has(fact))) {
      findings.push({ kind: 'changed', rule: rule.id, message: 'tests other facts than before' });
      continue;
    }
    const unsettled = oldCone
      .filter(
        ({ id, ambiguous }) =>
          ambiguous !== undefined && cone.find((one) => one.id === id)?.ambiguous === undefined,
      )
      .map(({ id }) => `(declare-const |settled ${id}| Bool)`);
    await session.reset();
    await session.assert(
      [
        encodeFacts(after.vocabulary, [...cone, ...oldCone]),
        encodeRules(after, moment, cone),
        ...unsettled,
        encodeRules(before, moment, oldCone, 'old '),
      ].join('\n'),
    );
    const facts = [...new Set(known)].flatMap((id) => after.vocabulary.facts.get(id) ?? []);
    const { sat, model } = await session.check(
      [`(not (= ${ruleSymbol(rule.id)} ${ruleSymbol(rule.id, 'old ')}))`],
      symbolsOf(facts),
    );
    if (sat === 'unknown')
      findings.push({ kind: 'undecided', rule: rule.id, message: 'the solver found no answer in time' });
    if (sat !== 'sat') continue;
    const witness = statementsOf(after.vocabulary, known, model);
    const values = [before, after].map((law) => {
      const { knowledge, problems } = gather(
        law.vocabulary,
        law.jurisdictions,
        law.rulebooks.get(rule.rulebook)?.jurisdiction ?? '',
        witness,
      );
      const version = law.rules.get(rule.id);
      return problems.length > 0 || version === undefined
        ? undefined
        : new Interpreter({ law, moment, knowledge }).holds(version);
    });
    const [was, is] = values;
    // A witness that the interpreter does not confirm is not shown as one.
    if (was !== undefined && is !== undefined && was !== is)
      findings.push({ kind: 'changed', rule: rule.id, message: `${was} becomes ${is}`, witness });
    else
      findings.push({
        kind: 'undecided',
        rule: rule.id,
        message: 'may differ, but no facts could be shown that the interpreter confirms',
      });
  }
  return findings;
}

/** What of a rule decides its value. */
function core({ id, effective, when, effect, ambiguous, scoped }: Rule): unknown {
  return {
    id,
    effective,
    when,
    ambiguous,
    scoped,
    effect:
      effect.kind === 'defeats'
        ? { rules: effect.rules }
        : effect.kind === 'define' || effect.kind === 'classify'
          ? { fact: effect.fact }
          : {},
  };
}
