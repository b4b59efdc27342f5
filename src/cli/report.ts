import type { Coming, Finding, MarketAssessment, Reason } from '../assess/assessment.ts';
import type { FeatureAssessment } from '../assess/feature.ts';
import type { Law } from '../rules/law.ts';
import type { LoadedLaw } from '../rules/load.ts';
import type { Proof, Reason as Why } from '../rules/proof.ts';
import type { Rule } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import { describeDomain, describeTest } from './tree.ts';
import { effectOf, sentence } from './words.ts';

/** The stable JSON form of a check: `schema/check.schema.json` describes it. */
export function reportOf(loaded: LoadedLaw, moment: Moment, features: readonly unknown[]): unknown {
  return {
    format: 'comity.check/1',
    ruleset: loaded.digest,
    as_of: moment.asOf,
    known_at: moment.knownAt,
    features,
  };
}

/** One feature. `brief` leaves out findings, what is coming, and proofs. */
export function featureReport(law: Law, feature: FeatureAssessment, detail: 'brief' | 'full'): unknown {
  return {
    name: feature.manifest.name,
    file: feature.manifest.file,
    markets: feature.markets.map((assessment) => marketReport(law, assessment, detail)),
    open: feature.open.map(({ fact, markets, findings }) => ({
      fact: fact.id,
      question: fact.question,
      who: fact.who,
      cost: fact.cost,
      markets,
      findings,
    })),
  };
}

function marketReport(law: Law, assessment: MarketAssessment, detail: 'brief' | 'full'): unknown {
  return {
    market: assessment.market,
    outcome: assessment.outcome,
    reasons: assessment.reasons.map((reason) => reasonReport(law, reason)),
    rulebooks: assessment.rulebooks.map((rulebook) => rulebook.id),
    uncovered: assessment.uncovered,
    ...(detail === 'brief'
      ? {}
      : {
          findings: assessment.findings.map((finding) => findingReport(law, finding)),
          coming: assessment.coming.map((coming) => comingReport(law, coming)),
        }),
  };
}

function reasonReport(law: Law, reason: Reason): unknown {
  const where =
    reason.kind === 'no-rulebook'
      ? {}
      : reason.kind === 'scope-open'
        ? { rulebook: reason.rulebook.id, open: reason.open }
        : { rule: reason.finding.rule.id, open: reason.finding.open };
  return { kind: reason.kind, text: sentence(law, reason), ...where };
}

function ruleReport(law: Law, rule: Rule): Record<string, unknown> {
  const { effect } = rule;
  return {
    rule: rule.id,
    rulebook: rule.rulebook,
    cite: rule.cite,
    ...(rule.title === undefined ? {} : { title: rule.title }),
    effect: {
      kind: effect.kind,
      text: effectOf(law, rule),
      ...(effect.kind === 'require' || (effect.kind === 'grant' && effect.control !== undefined)
        ? { control: effect.control, parameters: effect.parameters }
        : {}),
    },
    confidence: rule.source.confidence,
    review: rule.review,
    source: rule.source.url,
  };
}

function coverageReport({ coverage }: Pick<Finding | Coming, 'coverage'>): Record<string, unknown> {
  if (coverage === undefined) return {};
  return {
    coverage: {
      control: coverage.control,
      covered: coverage.covered,
      strength: coverage.strength.rung,
      gaps: coverage.gaps.map(({ parameter, asked, inPlace }) => ({
        parameter,
        asked,
        ...(inPlace === undefined ? {} : { in_place: inPlace }),
      })),
      remarks: coverage.strength.remarks,
    },
  };
}

function findingReport(law: Law, finding: Finding): unknown {
  const { interval } = finding.proof;
  return {
    ...ruleReport(law, finding.rule),
    truth: finding.truth,
    weight: finding.weight,
    per_request: finding.perRequest,
    owed_by: finding.owedBy,
    ...(interval === undefined
      ? {}
      : {
          from: interval.from,
          ...(interval.to === undefined ? {} : { to: interval.to }),
          state: interval.state,
        }),
    ...coverageReport(finding),
    open: finding.open,
    unsettled: finding.unsettled,
    proof: proofReport(law, finding.proof),
  };
}

function comingReport(law: Law, coming: Coming): unknown {
  return {
    ...ruleReport(law, coming.rule),
    kind: coming.kind,
    truth: coming.truth,
    weight: coming.weight,
    owed_by: coming.owedBy,
    ...(coming.from === undefined ? {} : { from: coming.from }),
    ...coverageReport(coming),
  };
}

/** A proof as plain data. */
export function proofReport(law: Law, proof: Proof): unknown {
  return {
    rule: proof.rule,
    truth: proof.truth,
    in_force: proof.inForce,
    ...(proof.scope === undefined ? {} : { scope: whyReport(law, proof.scope) }),
    ...(proof.when === undefined ? {} : { when: whyReport(law, proof.when) }),
    ...(proof.defeatedBy.length === 0
      ? {}
      : { defeated_by: proof.defeatedBy.map((one) => proofReport(law, one)) }),
    ...(proof.overcame.length === 0 ? {} : { overcame: proof.overcame.map((one) => proofReport(law, one)) }),
    ...(proof.ambiguous === undefined ? {} : { ambiguous: proof.ambiguous }),
  };
}

function whyReport(law: Law, why: Why): unknown {
  switch (why.kind) {
    case 'fact': {
      const fact = law.vocabulary.facts.get(why.fact);
      const at = why.origin.kind === 'stated' ? why.origin.at : undefined;
      return {
        fact: why.fact,
        test: describeTest(why.test),
        truth: why.truth,
        value: fact === undefined ? '' : describeDomain(fact, why.domain),
        origin: why.origin.kind,
        ...(at === undefined ? {} : { at: `${at.file}:${at.line}` }),
        ...(why.origin.kind === 'implied' ? { because: why.origin.because } : {}),
      };
    }
    case 'concluded':
      return {
        concluded: why.name,
        is: why.is,
        truth: why.truth,
        by: why.by.map((proof) => proofReport(law, proof)),
      };
    case 'not':
      return { not: whyReport(law, why.of), truth: why.truth };
    default:
      return { [why.kind.replace('-', '_')]: why.of.map((one) => whyReport(law, one)), truth: why.truth };
  }
}
