import type { Coming, Finding, MarketAssessment, Outcome, Reason } from '../assess/assessment.ts';
import { formatValue } from '../assess/demand.ts';
import { outstandingControls } from '../assess/feature.ts';
import type { Change } from '../assess/whatif.ts';
import type { FactValue } from '../facts/domain.ts';
import type { Law } from '../rules/law.ts';
import type { Rule } from '../rules/rule.ts';

/** The colour of an outcome; the word itself is always printed. */
export const OUTCOME_COLOURS = {
  'not-allowed': 'red',
  'cannot-tell': 'yellow',
  'allowed-if': 'cyan',
  allowed: 'green',
} as const satisfies Record<Outcome, string>;

/** What a rule says, in a few words. */
export function effectOf(law: Law, rule: Rule): string {
  const { effect } = rule;
  switch (effect.kind) {
    case 'prohibit':
      return `prohibited: ${effect.what}`;
    case 'permit':
      return `permitted: ${effect.what}`;
    case 'classify':
      return `class: ${effect.label}`;
    case 'define':
      return `concludes ${effect.fact}`;
    case 'defeats':
      return `exception (${effect.word}) to ${effect.patterns.map((pattern) => pattern.slice(pattern.indexOf(':') + 1)).join(', ')}`;
    case 'grant':
      return `right: ${effect.right}${effect.control === undefined ? '' : ` (${effect.control}${demandsOf(law, rule)})`}`;
    case 'require':
      return `${effect.control} ${law.controls.get(effect.control)?.title ?? ''}${demandsOf(law, rule)}`;
  }
}

/** The parameters that a rule sets, in words. */
function demandsOf(law: Law, rule: Rule): string {
  const { effect } = rule;
  if ((effect.kind !== 'require' && effect.kind !== 'grant') || effect.control === undefined) return '';
  const control = law.controls.get(effect.control);
  const parts = Object.entries(effect.parameters).flatMap(([name, value]) => {
    const parameter = control?.parameters.get(name);
    return parameter === undefined ? [] : [`${name.replaceAll('_', ' ')}: ${formatValue(parameter, value)}`];
  });
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

/** The citation with its instrument: `AI Act Art. 5(1)(f)`. */
export function citation(law: Law, rule: Rule): string {
  return `${law.rulebooks.get(rule.rulebook)?.title ?? rule.rulebook}, ${rule.cite}`;
}

/** The reason for an outcome in one sentence. */
export function headline(law: Law, assessment: MarketAssessment): string {
  const first = assessment.reasons[0];
  switch (assessment.outcome) {
    case 'not-allowed':
    case 'cannot-tell':
      return first === undefined ? '' : `${sentence(law, first)}${more(assessment)}`;
    case 'allowed-if': {
      const controls = outstandingControls(assessment);
      const perRequest = assessment.reasons.filter((reason) => reason.kind === 'per-request').length;
      const parts = [
        ...(controls.size > 0 ? [`${count(controls.size, 'control')} outstanding`] : []),
        ...(perRequest > 0 ? [`${count(perRequest, 'prohibition')} to decide call by call`] : []),
      ];
      return `${parts.join('; ')}${classes(assessment)}${comingHint(assessment)}`;
    }
    case 'allowed':
      return `nothing outstanding${classes(assessment)}${comingHint(assessment)}`;
  }
}

function more(assessment: MarketAssessment): string {
  const others =
    assessment.reasons.filter(
      ({ kind }) => kind === 'prohibited' || kind === 'prohibition-open' || kind === 'scope-open',
    ).length - 1;
  return others > 0 ? ` (and ${others} more)` : '';
}

function classes(assessment: MarketAssessment): string {
  const labels = assessment.findings.flatMap(({ rule, truth }) =>
    rule.effect.kind === 'classify' && truth === 'true' ? [rule.effect.label] : [],
  );
  return labels.length === 0 ? '' : `; ${[...new Set(labels)].join(', ')}`;
}

/** The nearest thing to come that changes most: a prohibition, a class, or a number of duties. */
function comingHint(assessment: MarketAssessment): string {
  const ahead = assessment.coming.filter(
    ({ kind, truth, from }) => kind === 'enacted' && truth === 'true' && from !== undefined,
  );
  const lead =
    ahead.find(({ rule }) => rule.effect.kind === 'prohibit') ??
    ahead.find(({ rule }) => rule.effect.kind === 'classify') ??
    ahead.find(({ weight }) => weight === 'counts');
  if (lead === undefined) return '';
  const { effect, cite } = lead.rule;
  const what =
    effect.kind === 'prohibit'
      ? 'prohibited'
      : effect.kind === 'classify'
        ? effect.label
        : `${ahead.filter(({ weight }) => weight === 'counts').length} more duties`;
  return `; ${what} from ${lead.from} (${cite})`;
}

/** One reason in words. */
export function sentence(law: Law, reason: Reason): string {
  switch (reason.kind) {
    case 'no-rulebook':
      return 'no rulebook for this market';
    case 'prohibited':
      return `${effectOf(law, reason.finding.rule)} (${citation(law, reason.finding.rule)})`;
    case 'prohibition-open':
      return `${waitsFor(reason.finding)}: ${effectOf(law, reason.finding.rule)} (${citation(law, reason.finding.rule)})`;
    case 'scope-open':
      return `whether the ${reason.rulebook.title} applies hangs on ${several(reason.open)}`;
    case 'per-request':
      return `decided call by call on ${several(reason.finding.open)}: ${effectOf(law, reason.finding.rule)} (${reason.finding.rule.cite})`;
    case 'outstanding':
      return `${effectOf(law, reason.finding.rule)} (${citation(law, reason.finding.rule)})`;
    case 'undecided':
      return `${effectOf(law, reason.finding.rule)} (${citation(law, reason.finding.rule)}): ${waitsFor(reason.finding)}`;
  }
}

/** What leaves a finding open: facts nobody stated, or the law itself. */
export function waitsFor(finding: Finding): string {
  const doubts =
    finding.unsettled.length > 0
      ? `the law is unsettled (${[...new Set(finding.unsettled.map(({ why }) => why))].join('; ')})`
      : '';
  const facts = finding.open.length > 0 ? `hangs on ${several(finding.open)}` : '';
  return [facts, doubts].filter((part) => part !== '').join('; ') || 'open';
}

/** What is wrong with the cover of a duty. */
export function coverOf(law: Law, finding: Pick<Finding | Coming, 'coverage'>): string {
  const { coverage } = finding;
  if (coverage === undefined) return '';
  const control = law.controls.get(coverage.control);
  if (coverage.covered) return coverage.strength.rung;
  const gaps = coverage.gaps.map(({ parameter, asked, inPlace }) => {
    const definition = control?.parameters.get(parameter);
    const show = (value: typeof asked): string =>
      definition === undefined ? String(value) : formatValue(definition, value);
    return `${parameter.replaceAll('_', ' ')}: ${inPlace === undefined ? 'not stated' : show(inPlace)}, asked ${show(asked)}`;
  });
  const weak =
    coverage.strength.rung === 'none'
      ? 'not in place'
      : `${coverage.strength.rung}, needs ${control?.sufficient ?? ''}`;
  return [
    ...(coverage.strength.rung === 'none' ? [weak] : [weak, ...gaps]),
    ...coverage.strength.remarks,
  ].join('; ');
}

/** The first few of a list, and how many more there are. */
function several(names: readonly string[]): string {
  return names.length <= 4
    ? names.join(', ')
    : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}

/** A number with its noun: 1 duty, 2 duties. */
export function count(n: number, noun: string): string {
  return `${n} ${n === 1 ? noun : noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}s`}`;
}

function showValue(value: FactValue): string {
  return Array.isArray(value) ? (value.length === 0 ? 'none' : value.join(', ')) : String(value);
}

/** A change of facts in words. */
export function changeText({ fact, from, to, kind }: Change): string {
  return kind === 'state'
    ? `state ${fact}: ${showValue(to)}`
    : `change ${fact}: ${from === undefined ? '' : showValue(from)} → ${showValue(to)}`;
}
