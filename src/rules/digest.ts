import canonicalize from 'canonicalize';
import type { Law } from './law.ts';

/**
 * The law as canonical JSON (RFC 8785): everything that can change an answer, and nothing that cannot (no file
 * positions, no order of files). Its SHA-256 is the ruleset digest that names a body of law.
 */
export function canonicalLaw(
  law: Pick<Law, 'jurisdictions' | 'vocabulary' | 'controls' | 'rulebooks'>,
): string {
  const text = canonicalize({
    format: 'comity.law/1',
    jurisdictions: [...law.jurisdictions.byId.values()].map(plain),
    facts: plain(law.vocabulary.facts),
    constraints: law.vocabulary.constraints.map(plain),
    controls: plain(law.controls),
    rulebooks: plain(law.rulebooks),
  });
  if (text === undefined) throw new TypeError('the law has no canonical form');
  return text;
}

/** Maps become objects; positions are left out. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, item]) => key !== 'at' && item !== undefined)
      .map(([key, item]) => [key, plain(item)]),
  );
}
