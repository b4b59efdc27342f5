import type { Exported, ExportedRule } from './exported.ts';
import type { Coverage } from './target.ts';

/** Text on one line: what people wrote cannot leave a comment. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** Where a rule stands in the law. */
export function placeOf({ rule }: Pick<ExportedRule, 'rule'>): string {
  return `${rule.at.file}:${rule.at.line}`;
}

/** What every export says first: what it is, of which law, what it covers and what it leaves out. */
export function headerOf(
  title: string,
  { expressed, leftOut }: Coverage,
  exported: Exported,
): readonly string[] {
  const { digest, moment, rules, idle, skipped } = exported;
  return [
    `Law as ${title}: ${rules.length} rules in force on ${moment.asOf}, as known on ${moment.knownAt}`,
    `ruleset ${digest}`,
    'Not legal advice. Written by `comity law export`; change the law, not this file.',
    '',
    'Expressed:',
    ...expressed.map((line) => `- ${line}`),
    'Left out:',
    ...leftOut.map((line) => `- ${line}`),
    ...(skipped.length === 0 ? [] : ['Skipped, because it cannot be expressed here:']),
    ...skipped.map(({ rule, why }) => `- ${why.message} (${placeOf({ rule })})`),
    ...(idle.length === 0 ? [] : ['Not in force on this day, so that they never apply:']),
    ...idle.map(({ rule, why }) => `- ${rule.id} (${oneLine(rule.cite)}): ${why}`),
  ];
}

/** What all targets have in common. */
export const EXPRESSED = [
  'for each rule in force whether it definitely applies and whether it possibly applies: unknown is the second without the first',
  'conditions, scopes, conclusions and classes, exceptions and exceptions to exceptions, dates and states of law as of the day above',
  'points of law that are unsettled: never more than possibly',
] as const;

export const LEFT_OUT = [
  'what follows from facts by the vocabulary (places, constraints): the input states it, `comity law export --input` writes it',
  'whether a duty is met, whose it is, and so `allowed-if` and `allowed`: they need the controls of a manifest; `comity check` has them',
  'proofs, other days, and law that is not in force',
] as const;
