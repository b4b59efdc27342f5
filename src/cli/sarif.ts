import { relative } from 'node:path';
import type { MarketAssessment, Reason } from '../assess/assessment.ts';
import type { FeatureAssessment } from '../assess/feature.ts';
import type { Position } from '../facts/problem.ts';
import type { Law } from '../rules/law.ts';
import type { Proof, Reason as Why } from '../rules/proof.ts';
import type { Rule } from '../rules/rule.ts';
import type { Run } from './input.ts';
import { citation, effectOf, sentence } from './words.ts';

const LEVELS = {
  prohibited: 'error',
  'prohibition-open': 'warning',
  'scope-open': 'warning',
  'no-rulebook': 'warning',
  outstanding: 'warning',
  undecided: 'note',
  'per-request': 'note',
} as const satisfies Record<Reason['kind'], string>;

/** SARIF 2.1.0 (OASIS): one result per reason and market, at the line of the manifest that decides it. */
export function sarifOf({ loaded, moment, features }: Run): unknown {
  const { law, digest } = loaded;
  const results = features.flatMap((feature) =>
    feature.markets.flatMap((assessment) =>
      assessment.reasons.map((reason) => resultOf(law, feature, assessment, reason)),
    ),
  );
  const named = new Set(results.map((result) => result.ruleId));
  const rules = [...law.rules.values()].filter((rule) => named.has(rule.id)).map((rule) => ruleOf(law, rule));
  const general = [...named]
    .filter((id) => !law.rules.has(id))
    .map((id) => ({
      id,
      shortDescription: {
        text:
          id === 'comity/no-rulebook'
            ? 'No rulebook covers this market'
            : 'Whether a law applies hangs on open facts',
      },
    }));
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'comity',
            informationUri: 'https://www.npmjs.com/package/comity',
            rules: [...general, ...rules],
          },
        },
        properties: { ruleset: digest, as_of: moment.asOf, known_at: moment.knownAt },
        results,
      },
    ],
  };
}

function ruleOf(law: Law, rule: Rule): unknown {
  return {
    id: rule.id,
    name: rule.title ?? rule.cite,
    shortDescription: { text: effectOf(law, rule) },
    fullDescription: {
      text: `${citation(law, rule)}: ${effectOf(law, rule)}. Confidence ${rule.source.confidence}, review ${rule.review}.`,
    },
    helpUri: rule.source.url,
  };
}

interface Result {
  readonly ruleId: string;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly locations: readonly unknown[];
  readonly partialFingerprints: Readonly<Record<string, string>>;
}

function resultOf(
  law: Law,
  feature: FeatureAssessment,
  assessment: MarketAssessment,
  reason: Reason,
): Result {
  const ruleId =
    'finding' in reason
      ? reason.finding.rule.id
      : reason.kind === 'scope-open'
        ? 'comity/scope-open'
        : 'comity/no-rulebook';
  const at =
    ('finding' in reason ? firstStated(reason.finding.proof) : undefined) ??
    feature.manifest.marketAt(assessment.market);
  return {
    ruleId,
    level: LEVELS[reason.kind],
    message: { text: `${assessment.market}: ${sentence(law, reason)}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(at.file) },
          region: { startLine: at.line, startColumn: at.column },
        },
      },
    ],
    partialFingerprints: { 'comity/v1': `${feature.manifest.name}|${assessment.market}|${ruleId}` },
  };
}

function uriOf(file: string): string {
  return relative(process.cwd(), file).replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/');
}

/** The first fact of the proof that somebody stated: the line to look at. */
function firstStated(proof: Proof): Position | undefined {
  const inWhy = (why: Why): Position | undefined => {
    switch (why.kind) {
      case 'fact':
        return why.origin.kind === 'stated' ? why.origin.at : undefined;
      case 'concluded':
        return first(why.by, firstStated);
      case 'not':
        return inWhy(why.of);
      default:
        return first(why.of, inWhy);
    }
  };
  return (proof.when && inWhy(proof.when)) ?? first(proof.defeatedBy, firstStated);
}

function first<T>(items: readonly T[], find: (item: T) => Position | undefined): Position | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
