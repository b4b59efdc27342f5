import { assess } from '../assess/assess.ts';
import type { MarketAssessment, Reason } from '../assess/assessment.ts';
import { gather } from '../facts/knowledge.ts';
import { InputError, throwIfAny } from '../facts/problem.ts';
import { readValue } from './classes.ts';
import type { CallFacts, MarketDecision } from './decision.ts';
import type { DecisionReason } from './market.ts';
import type { PolicyOptions } from './policy-options.ts';
import { factOf } from './vocabulary.ts';

/**
 * What the reference interpreter says of a call in one market.
 *
 * @throws InputError for facts of the wrong type or outside their values, and for what contradicts the manifest.
 */
export function assessCall(options: PolicyOptions, market: string, facts: CallFacts): MarketAssessment {
  const { law, manifest, moment, probe } = options;
  const stated = Object.entries(facts).map(([id, value]) => {
    const read = readValue(factOf(law, id), value);
    if (read.problem !== undefined) throw new InputError([read.problem]);
    return { fact: id, value: read.value };
  });
  const { knowledge, problems } = gather(law.vocabulary, law.jurisdictions, market, [
    ...manifest.statements(market),
    ...stated,
  ]);
  throwIfAny(problems);
  const declared = manifest.controls;
  return assess({ law, market, moment, knowledge, declared, probe, horizonMonths: 0 });
}

/** The decision that an assessment amounts to. */
export function referenceDecision({ market, outcome, reasons, findings }: MarketAssessment): MarketDecision {
  const needed = findings.filter(
    ({ weight, truth, perRequest, rule: { effect } }) =>
      weight === 'counts' &&
      (effect.kind === 'require' || effect.kind === 'grant') &&
      (truth === 'true' || perRequest),
  );
  const controls = reasons[0]?.kind === 'no-rulebook' ? [] : needed.flatMap(({ coverage }) => coverage ?? []);
  const open = reasons.flatMap((reason) => {
    if (reason.kind === 'no-rulebook') return [];
    return reason.kind === 'scope-open' ? reason.open : reason.finding.open;
  });
  return {
    market,
    outcome,
    reasons: reasons.map(named),
    controls: [...new Set(controls.map(({ control }) => control))].sort(),
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
      return {
        kind: reason.kind,
        id: reason.finding.rule.id,
        ...(control === undefined ? {} : { control }),
      };
    }
  }
}
