import { outstandingControls } from '../assess/feature.ts';
import type { Run } from './input.ts';
import { citation, headline, sentence } from './words.ts';

function cell(text: string): string {
  return text.replace(/\|/g, '\\|').replace(/\s*\n\s*/g, ' ');
}

/** A report for a pull request or a wiki: the matrix, then per market what is asked. */
export function markdownOf({ loaded, moment, features }: Run): string {
  const { law, digest } = loaded;
  const sections = features.map((feature) => {
    const matrix = feature.markets.map(
      (assessment) => `| ${assessment.market} | ${assessment.outcome} | ${cell(headline(law, assessment))} |`,
    );
    const details = feature.markets.flatMap((assessment) => {
      const stops = assessment.reasons
        .filter(({ kind }) => kind !== 'outstanding' && kind !== 'undecided')
        .map((reason) => `- ${cell(sentence(law, reason))}`);
      const controls = [...outstandingControls(assessment)].map(
        ([id, findings]) =>
          `| ${id} | ${cell(law.controls.get(id)?.title ?? '')} | ${cell(findings.map(({ rule }) => citation(law, rule)).join('; '))} |`,
      );
      if (stops.length === 0 && controls.length === 0) return [];
      return [
        `### ${assessment.market}: ${assessment.outcome}`,
        '',
        ...stops,
        ...(stops.length > 0 ? [''] : []),
        ...(controls.length > 0
          ? ['| control | to build | because of |', '|---|---|---|', ...controls, '']
          : []),
      ];
    });
    return [
      `## ${feature.manifest.name}`,
      '',
      '| market | outcome | why |',
      '|---|---|---|',
      ...matrix,
      '',
      ...details,
    ].join('\n');
  });
  return [
    ...sections,
    `As of ${moment.asOf}, known at ${moment.knownAt}, ruleset \`${digest}\`. Not legal advice.`,
    '',
  ].join('\n');
}
