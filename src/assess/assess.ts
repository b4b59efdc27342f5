import { addMonths } from '../facts/date.ts';
import type { Knowledge } from '../facts/knowledge.ts';
import type { DeclaredControl } from '../facts/manifest.ts';
import type { Truth } from '../facts/truth.ts';
import { or } from '../facts/truth.ts';
import { Interpreter } from '../rules/interpreter.ts';
import type { Law } from '../rules/law.ts';
import type { Proof } from '../rules/proof.ts';
import { openFacts, prove, unsettled, reason as whyCondition } from '../rules/proof.ts';
import type { Rule, Rulebook, State } from '../rules/rule.ts';
import { isNorm } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import { intervalAt, schedule, turningDays } from '../rules/time.ts';
import type { Coming, Coverage, Finding, MarketAssessment, Outcome, Reason, Weight } from './assessment.ts';
import { meets } from './demand.ts';
import type { Probe } from './evidence.ts';
import { strengthOf, suffices } from './evidence.ts';

/** Everything an assessment of one market depends on. */
export interface Question {
  readonly law: Law;
  readonly market: string;
  readonly moment: Moment;
  readonly knowledge: Knowledge;
  readonly declared: ReadonlyMap<string, DeclaredControl>;
  readonly probe: Probe;
  /** How far ahead to look for law that is already enacted. */
  readonly horizonMonths: number;
}

/** Eighteen months: long enough for two release cycles and most transition periods. */
export const DEFAULT_HORIZON_MONTHS = 18;

/**
 * The verdict on one feature in one market on one day: the findings with their proofs, how the declared controls
 * cover the duties, what is coming, and the outcome with its reasons.
 */
export function assess(question: Question): MarketAssessment {
  const { law, market, moment, knowledge } = question;
  const chain = law.jurisdictions.chain(market);
  const rulebooks = [...law.rulebooks.values()].filter((rulebook) => chain.includes(rulebook.jurisdiction));
  const interpreter = new Interpreter({ law, moment, knowledge });
  const norms = rulebooks.flatMap((rulebook) =>
    rulebook.rules.filter(isNorm).map((rule) => ({ rule, rulebook })),
  );
  const findings = norms.flatMap(
    ({ rule, rulebook }) => findingOf(question, interpreter, rule, rulebook) ?? [],
  );
  const covering = rulebooks.filter((rulebook) => rulebook.binding && rulebook.status.state !== 'bill');
  const reasons =
    covering.length === 0 ? [{ kind: 'no-rulebook' } as const] : reasonsOf(interpreter, rulebooks, findings);
  return {
    market,
    outcome: outcomeOf(reasons),
    reasons,
    rulebooks,
    uncovered: chain.filter(
      (place) =>
        law.jurisdictions.byId.get(place)?.kind !== 'union' &&
        !covering.some((rulebook) => rulebook.jurisdiction === place),
    ),
    findings,
    coming: comingOf(question, norms, interpreter, new Set(findings.map((finding) => finding.rule.id))),
  };
}

function findingOf(
  question: Question,
  interpreter: Interpreter,
  rule: Rule,
  rulebook: Rulebook,
): Finding | undefined {
  const value = interpreter.holds(rule);
  if (value === 'false') return undefined;
  // Most findings that hold are never looked into: their proofs are built when somebody asks.
  let proof: Proof | undefined;
  const proven = (): Proof => {
    proof ??= prove(interpreter, rule);
    return proof;
  };
  const owed = owedBy(interpreter, rule, rulebook);
  const coverage = coverageOf(question, rule);
  const doubts =
    value === 'unknown'
      ? unsettled(proven()).map((doubt) => ({ rule: doubt.rule, why: doubt.ambiguous ?? '' }))
      : [];
  const open = value === 'unknown' ? [...openFacts(proven())].sort() : [];
  return {
    rule,
    rulebook,
    truth: value,
    weight: weightOf(rule, rulebook, owed),
    perRequest: isPerRequest(question.law, open, doubts.length),
    owedBy: rule.owedBy.map((role) => rulebook.roles.get(role)?.title ?? role),
    ...(coverage === undefined ? {} : { coverage }),
    get proof() {
      return proven();
    },
    open,
    unsettled: doubts,
  };
}

function isPerRequest(law: Law, open: readonly string[], doubts: number): boolean {
  return (
    doubts === 0 && open.length > 0 && open.every((id) => law.vocabulary.facts.get(id)?.scope === 'request')
  );
}

/** Whether one of the roles that owe the duty is ours. */
function owedBy(interpreter: Interpreter, rule: Rule, rulebook: Rulebook): Truth {
  const roles = rule.owedBy.flatMap((name) => rulebook.roles.get(name) ?? []);
  return or(roles.map((role) => interpreter.evaluate(role.when)));
}

/** Whether a rule of this rulebook can change an outcome, given whether one of the roles that owe it is ours. */
export function weightOf(rule: Rule, rulebook: Rulebook, owed: Truth): Weight {
  const { kind } = rule.effect;
  const duty =
    kind === 'require' ||
    (kind === 'grant' && rule.effect.kind === 'grant' && rule.effect.control !== undefined);
  if (kind !== 'prohibit' && !duty) return 'shown';
  if (!rulebook.binding) return 'voluntary';
  if (rule.effort) return 'effort';
  return duty && owed === 'false' ? 'theirs' : 'counts';
}

/** How the declared controls cover the duty of a rule; undefined for what is no duty. */
export function coverageOf(
  { law, declared, moment, probe }: Pick<Question, 'law' | 'declared' | 'moment' | 'probe'>,
  rule: Rule,
): Coverage | undefined {
  const { effect } = rule;
  if (effect.kind !== 'require' && effect.kind !== 'grant') return undefined;
  const control = effect.control === undefined ? undefined : law.controls.get(effect.control);
  if (control === undefined) return undefined;
  const ours = declared.get(control.id);
  const strength = strengthOf(ours, moment.asOf, probe);
  const gaps = Object.entries(effect.parameters).flatMap(([name, asked]) => {
    const parameter = control.parameters.get(name);
    const inPlace = ours?.parameters[name];
    if (parameter === undefined || (inPlace !== undefined && meets(parameter, inPlace, asked))) return [];
    return [{ parameter: name, asked, ...(inPlace === undefined ? {} : { inPlace }) }];
  });
  return { control: control.id, strength, gaps, covered: suffices(strength, control) && gaps.length === 0 };
}

function reasonsOf(
  interpreter: Interpreter,
  rulebooks: readonly Rulebook[],
  findings: readonly Finding[],
): readonly Reason[] {
  const counting = findings.filter((finding) => finding.weight === 'counts');
  const scopes = rulebooks.flatMap((rulebook) => scopeOpen(interpreter, rulebook, counting) ?? []);
  const open = new Set(scopes.map((reason) => reason.rulebook.id));
  return [
    ...counting.flatMap((finding) => prohibition(finding) ?? []),
    ...scopes,
    ...counting.flatMap((finding) => (open.has(finding.rulebook.id) ? [] : (duty(finding) ?? []))),
  ];
}

/** A law of which nobody knows whether it applies, and which would ask something if it did. */
function scopeOpen(
  interpreter: Interpreter,
  rulebook: Rulebook,
  counting: readonly Finding[],
): Extract<Reason, { kind: 'scope-open' }> | undefined {
  const { scope } = rulebook;
  if (scope === undefined || interpreter.concluded(scope) !== 'unknown') return undefined;
  const waiting = counting.some(
    (finding) =>
      finding.rulebook.id === rulebook.id && finding.rule.scoped && finding.coverage?.covered !== true,
  );
  if (!waiting) return undefined;
  const why: Proof = {
    rule: '',
    truth: 'unknown',
    inForce: true,
    when: whyCondition(interpreter, { kind: 'derived', name: scope, is: true }),
    defeatedBy: [],
    overcame: [],
  };
  const facts = [...openFacts(why)].sort();
  return isPerRequest(interpreter.situation.law, facts, 0)
    ? undefined
    : { kind: 'scope-open', rulebook, open: facts };
}

function prohibition(finding: Finding): Reason | undefined {
  if (finding.rule.effect.kind !== 'prohibit') return undefined;
  if (finding.truth === 'true') return { kind: 'prohibited', finding };
  return finding.perRequest ? { kind: 'per-request', finding } : { kind: 'prohibition-open', finding };
}

function duty(finding: Finding): Reason | undefined {
  if (finding.coverage === undefined || finding.coverage.covered) return undefined;
  // A duty that some calls trigger must be in place before the first such call.
  return finding.truth === 'true' || finding.perRequest
    ? { kind: 'outstanding', finding }
    : { kind: 'undecided', finding };
}

/** The outcome that reasons of these kinds make. */
export function outcomeOf(reasons: readonly Pick<Reason, 'kind'>[]): Outcome {
  const kinds = new Set(reasons.map((reason) => reason.kind));
  if (kinds.has('prohibited')) return 'not-allowed';
  if (kinds.has('no-rulebook') || kinds.has('prohibition-open') || kinds.has('scope-open'))
    return 'cannot-tell';
  return kinds.size > 0 ? 'allowed-if' : 'allowed';
}

interface Norm {
  readonly rule: Rule;
  readonly rulebook: Rulebook;
}

/** What does not hold today: enacted law by its day, then bills and stayed rules as if they were in force. */
function comingOf(
  question: Question,
  norms: readonly Norm[],
  now: Interpreter,
  holding: ReadonlySet<string>,
): readonly Coming[] {
  const { law, moment, knowledge } = question;
  const until = addMonths(moment.asOf, question.horizonMonths);
  const waiting = norms.filter(
    ({ rule }) => !holding.has(rule.id) && (rule.when === undefined || !now.ruledOut(rule.when)),
  );
  const found = new Map<string, Coming>();
  for (const [day, turning] of turningDays(relevant(law, norms), moment, until)) {
    const later = new Interpreter({ law, moment: { ...moment, asOf: day }, knowledge });
    const affected = reachedFrom(law, turning);
    for (const norm of waiting) {
      if (!affected.has(norm.rule.id)) continue;
      const value = later.holds(norm.rule);
      const seen = found.get(norm.rule.id);
      if (value === 'false' || seen?.truth === 'true' || seen?.truth === value) continue;
      found.set(norm.rule.id, {
        ...describe(question, later, norm),
        truth: value,
        kind: 'enacted',
        from: day,
      });
    }
  }
  for (const kind of ['stayed', 'bill'] as const) {
    for (const norm of waiting) {
      if (found.has(norm.rule.id)) continue;
      const asIf = pretended(question, norm, kind);
      if (asIf !== undefined) found.set(norm.rule.id, asIf);
    }
  }
  return [...found.values()];
}

/** These rules and all whose value depends on them: no other rule changes on a day on which only these turn. */
function reachedFrom(law: Law, rules: readonly Rule[]): ReadonlySet<string> {
  const reached = new Set<string>();
  const visit = (rule: Rule): void => {
    if (reached.has(rule.id)) return;
    reached.add(rule.id);
    (law.dependents.get(rule.id) ?? []).forEach(visit);
  };
  rules.forEach(visit);
  return reached;
}

/** The rules whose dates can change a norm: the norms, and everything they depend on lies in the same law. */
function relevant(law: Law, norms: readonly Norm[]): readonly Rule[] {
  const ids = new Set(norms.map(({ rulebook }) => rulebook.id));
  return [...law.rulebooks.values()]
    .filter((rulebook) => ids.has(rulebook.id))
    .flatMap((rulebook) => rulebook.rules);
}

function pretended(question: Question, norm: Norm, kind: 'bill' | 'stayed'): Coming | undefined {
  const { law, moment, knowledge } = question;
  const interval =
    intervalAt(norm.rule, moment) ??
    schedule(norm.rule, moment.knownAt).find(({ from }) => from > moment.asOf);
  if (interval?.state !== kind) return undefined;
  const ahead = interval.from > moment.asOf;
  const asOf = ahead ? interval.from : moment.asOf;
  const interpreter = new Interpreter({
    law,
    moment: { ...moment, asOf },
    knowledge,
    pretend: new Set<State>([kind]),
  });
  const value = interpreter.holds(norm.rule);
  if (value === 'false') return undefined;
  return {
    ...describe(question, interpreter, norm),
    truth: value,
    kind,
    ...(ahead ? { from: interval.from } : {}),
  };
}

function describe(
  question: Question,
  interpreter: Interpreter,
  { rule, rulebook }: Norm,
): Omit<Coming, 'truth' | 'kind' | 'from'> {
  const coverage = coverageOf(question, rule);
  return {
    rule,
    rulebook,
    weight: weightOf(rule, rulebook, owedBy(interpreter, rule, rulebook)),
    owedBy: rule.owedBy.map((role) => rulebook.roles.get(role)?.title ?? role),
    ...(coverage === undefined ? {} : { coverage }),
  };
}
