import type { Run } from './input.ts';
import { count, sentence } from './words.ts';

function escapeXml(text: string): string {
  // Control characters are not allowed in XML 1.0, escaped or not.
  return text
    .replace(/[^\t\n\r -\u{10FFFF}]/gu, '')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}

/** JUnit XML: one suite per feature, one test per market; a prohibition is a failure, what cannot be told is skipped. */
export function junitOf({ loaded, features }: Run): string {
  const suites = features.map((feature) => {
    const tests = feature.markets.map((assessment) => {
      const reasons = assessment.reasons.map((reason) => sentence(loaded.law, reason)).join('\n');
      const body =
        assessment.outcome === 'not-allowed'
          ? `<failure message="not allowed">${escapeXml(reasons)}</failure>`
          : assessment.outcome === 'cannot-tell'
            ? `<skipped message="${escapeXml(`cannot tell: ${assessment.reasons.map((reason) => sentence(loaded.law, reason))[0] ?? ''}`)}"/>`
            : `<system-out>${escapeXml(`${assessment.outcome}: ${count(assessment.reasons.length, 'reason')}\n${reasons}`)}</system-out>`;
      return `    <testcase classname="${escapeXml(feature.manifest.name)}" name="${escapeXml(assessment.market)}">${body}</testcase>`;
    });
    const failures = feature.markets.filter(({ outcome }) => outcome === 'not-allowed').length;
    const skipped = feature.markets.filter(({ outcome }) => outcome === 'cannot-tell').length;
    return [
      `  <testsuite name="${escapeXml(feature.manifest.name)}" tests="${tests.length}" failures="${failures}" skipped="${skipped}">`,
      ...tests,
      '  </testsuite>',
    ].join('\n');
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites name="comity">',
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
}
