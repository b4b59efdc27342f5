import { count } from './words.ts';
import type { Run } from './input.ts';
import { sentence } from './words.ts';

function escape(text: string): string {
  // Control characters are not allowed in XML 1.0, escaped or not.
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, '').replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** JUnit XML: one suite per feature, one test per market; a prohibition is a failure, what cannot be told is skipped. */
export function junitOf({ loaded, features }: Run): string {
  const suites = features.map((feature) => {
    const tests = feature.markets.map((assessment) => {
      const reasons = assessment.reasons.map((reason) => sentence(loaded.law, reason)).join('\n');
      const body =
        assessment.outcome === 'not-allowed'
          ? `<failure message="not allowed">${escape(reasons)}</failure>`
          : assessment.outcome === 'cannot-tell'
            ? `<skipped message="${escape(`cannot tell: ${assessment.reasons.map((reason) => sentence(loaded.law, reason))[0] ?? ''}`)}"/>`
            : `<system-out>${escape(`${assessment.outcome}: ${count(assessment.reasons.length, 'reason')}\n${reasons}`)}</system-out>`;
      return `    <testcase classname="${escape(feature.manifest.name)}" name="${escape(assessment.market)}">${body}</testcase>`;
    });
    const failures = feature.markets.filter(({ outcome }) => outcome === 'not-allowed').length;
    const skipped = feature.markets.filter(({ outcome }) => outcome === 'cannot-tell').length;
    return [`  <testsuite name="${escape(feature.manifest.name)}" tests="${tests.length}" failures="${failures}" skipped="${skipped}">`, ...tests, '  </testsuite>'].join('\n');
  });
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="comity">', ...suites, '</testsuites>', ''].join('\n');
}
