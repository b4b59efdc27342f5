import type { MarketAssessment, Reason } from '../../assess/assessment.ts';
import type { Law } from '../../rules/law.ts';
import type { MarketDecision } from '../decision.ts';
import type { DecisionReason } from '../market.ts';

/** The decision that an assessment by the reference interpreter amounts to. */
export function expectedDecision(law: Law, { market, outcome, reasons, findings }: MarketAssessment): MarketDecision {
  const needed = findings.filter(
    ({ weight, truth, perRequest, rule }) =>
      weight === 'counts' && (rule.effect.kind === 'require' || rule.effect.kind === 'grant') && (truth === 'true' || perRequest),
  );
  const controls = needed.flatMap(({ coverage }) => coverage?.control ?? []);
  const open = reasons.flatMap((reason) => (reason.kind === 'no-rulebook' ? [] : reason.kind === 'scope-open' ? reason.open : reason.finding.open));
  return {
    market,
    outcome,
    reasons: reasons.map(named),
    controls: [...new Set(controls.filter((id) => reasons[0]?.kind !== 'no-rulebook' && law.controls.has(id)))].sort(),
    open: [...new Set(open)].sort(),
  };
}

function named(reason: Reason): DecisionReason {
  switch (reason.kind) {
    case 'no-rulebook':
      return { kind: reason.kind };
    case 'scope-open':
      return { kind: reason.kind, id: reason.rulebook.id };
    default: {
      const control = reason.finding.coverage?.control;
      return { kind: reason.kind, id: reason.finding.rule.id, ...(control === undefined ? {} : { control }) };
    }
  }
}
