import { mentions } from '../facts/condition.ts';
import type { Day } from '../facts/date.ts';
import { daysBetween } from '../facts/date.ts';
import type { Position } from '../facts/problem.ts';
import type { Law } from '../rules/law.ts';
import { conditionsOf } from '../rules/read-rulebook.ts';
import type { Rule } from '../rules/rule.ts';
import { takesEffect } from '../rules/time.ts';
import type { CaseResult } from './case.ts';

/** Something in the law that a reader should mend. Notices are worth knowing and break nothing. */
export interface LintFinding {
  readonly severity: 'warning' | 'notice';
  readonly kind:
    | 'case-failed'
    | 'never-fires'
    | 'never-silent'
    | 'fact-unused'
    | 'control-unused'
    | 'stale-status'
    | 'low-without-note'
    | 'foreign-conclusion'
    | 'unused-conclusion';
  readonly message: string;
  readonly at?: Position;
}

/** Status seen longer ago than this is stale. */
const STALE_DAYS = 120;

/** Looks for what the loader cannot refuse: rules without cases, unused words, stale status, doubt without a note. */
export function lintLaw(law: Law, results: readonly CaseResult[], today: Day): readonly LintFinding[] {
  return [
    ...caseFindings(law, results),
    ...ruleFindings(law),
    ...rulebookFindings(law, today),
    ...unusedFindings(law),
  ];
}

function caseFindings(law: Law, results: readonly CaseResult[]): readonly LintFinding[] {
  const held = new Set(results.flatMap((result) => [...result.held]));
  const failed = new Set(results.flatMap((result) => [...result.failed]));
  const failures = results
    .filter((result) => result.failures.length > 0)
    .map(
      (result): LintFinding => ({
        severity: 'warning',
        kind: 'case-failed',
        message: `case \`${result.case.id}\` fails: ${result.failures[0] ?? ''}`,
        at: result.case.at,
      }),
    );
  const coverage = [...law.rules.values()].flatMap((rule): readonly LintFinding[] => [
    ...(held.has(rule.id) || !canHold(rule)
      ? []
      : [
          {
            severity: 'warning',
            kind: 'never-fires',
            message: `no case makes \`${rule.id}\` hold`,
            at: rule.at,
          } as const,
        ]),
    ...(failed.has(rule.id) || rule.when === undefined
      ? []
      : [
          {
            severity: 'warning',
            kind: 'never-silent',
            message: `no case makes \`${rule.id}\` false`,
            at: rule.at,
          } as const,
        ]),
  ]);
  return [...failures, ...coverage];
}

/** Bills, stayed rules and unsettled readings never hold by themselves. */
function canHold(rule: Rule): boolean {
  return rule.ambiguous === undefined && rule.effective.some(({ state }) => takesEffect(state));
}

function ruleFindings(law: Law): readonly LintFinding[] {
  return [...law.rules.values()].flatMap((rule): readonly LintFinding[] => {
    const chain = law.jurisdictions.chain(law.rulebooks.get(rule.rulebook)?.jurisdiction ?? '');
    const foreign = [...(rule.when === undefined ? [] : mentions(rule.when).derived)].filter((name) =>
      (law.definitions.get(name) ?? []).some(
        (other) => !chain.includes(law.rulebooks.get(other.rulebook)?.jurisdiction ?? ''),
      ),
    );
    const doubt = rule.source.confidence === 'low' && rule.note === undefined && rule.ambiguous === undefined;
    return [
      ...foreign.map(
        (name): LintFinding => ({
          severity: 'warning',
          kind: 'foreign-conclusion',
          message: `\`${rule.id}\` tests \`${name}\`, which the law of another place concludes`,
          at: rule.at,
        }),
      ),
      ...(doubt
        ? [
            {
              severity: 'warning',
              kind: 'low-without-note',
              message: `\`${rule.id}\` has low confidence and no \`note\` that says why`,
              at: rule.at,
            } as const,
          ]
        : []),
    ];
  });
}

function rulebookFindings(law: Law, today: Day): readonly LintFinding[] {
  return [...law.rulebooks.values()]
    .filter((rulebook) => daysBetween(rulebook.status.asOf, today) > STALE_DAYS)
    .map((rulebook) => ({
      severity: 'warning',
      kind: 'stale-status',
      message: `the status of \`${rulebook.id}\` was seen on ${rulebook.status.asOf}, more than ${STALE_DAYS} days ago`,
      at: rulebook.at,
    }));
}

function unusedFindings(law: Law): readonly LintFinding[] {
  const tested = [...law.rulebooks.values()]
    .flatMap(conditionsOf)
    .concat(law.vocabulary.constraints.map((constraint) => constraint.when))
    .map(mentions);
  const facts = new Set(tested.flatMap((mentioned) => [...mentioned.facts]));
  for (const fact of law.vocabulary.facts.values())
    if (fact.derive !== undefined && facts.has(fact.id)) facts.add(fact.derive.from);
  const derived = new Set(tested.flatMap((mentioned) => [...mentioned.derived]));
  for (const rulebook of law.rulebooks.values())
    if (rulebook.scope !== undefined) derived.add(rulebook.scope);
  const controls = new Set(
    [...law.rules.values()].flatMap((rule) =>
      rule.effect.kind === 'require' || rule.effect.kind === 'grant' ? (rule.effect.control ?? []) : [],
    ),
  );
  const conclusions = [...law.definitions].filter(
    ([name, rules]) => !derived.has(name) && rules.every((rule) => rule.effect.kind === 'define'),
  );
  return [
    ...[...law.vocabulary.facts.keys()]
      .filter((id) => !facts.has(id))
      .map(
        (id): LintFinding => ({
          severity: 'notice',
          kind: 'fact-unused',
          message: `no rule tests the fact \`${id}\``,
        }),
      ),
    ...[...law.controls.keys()]
      .filter((id) => !controls.has(id))
      .map(
        (id): LintFinding => ({
          severity: 'notice',
          kind: 'control-unused',
          message: `no rule requires the control \`${id}\``,
        }),
      ),
    ...conclusions.map(
      ([name, rules]): LintFinding => ({
        severity: 'notice',
        kind: 'unused-conclusion',
        message: `nothing tests the concluded fact \`${name}\``,
        ...(rules[0] === undefined ? {} : { at: rules[0].at }),
      }),
    ),
  ];
}
