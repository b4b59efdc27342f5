import { isInteger, parseDecimal } from './decimal.ts';
import type { Reader } from './reader.ts';
import type { ScalarNode, SourceNode } from './source.ts';
import { didYouMean } from './suggest.ts';
import type { Fact } from './vocabulary.ts';

/** Numbers are canonical decimals and days are ISO strings; both are ordered by the type of their fact. */
export interface Range {
  readonly gte?: string;
  readonly gt?: string;
  readonly lte?: string;
  readonly lt?: string;
}

/** A test on one fact: the leaf of every condition. */
export type FactTest =
  | { readonly kind: 'is'; readonly value: string | boolean }
  | { readonly kind: 'in'; readonly values: readonly string[] }
  | { readonly kind: 'has'; readonly values: readonly string[] }
  | { readonly kind: 'only'; readonly values: readonly string[] }
  | { readonly kind: 'range'; readonly range: Range }
  | { readonly kind: 'known' };

const OPERATORS: Readonly<Record<Fact['type'], readonly string[]>> = {
  bool: ['known'],
  enum: ['in', 'known'],
  set: ['has', 'has_any', 'only', 'known'],
  int: ['gte', 'gt', 'lte', 'lt', 'known'],
  decimal: ['gte', 'gt', 'lte', 'lt', 'known'],
  date: ['gte', 'gt', 'lte', 'lt', 'known'],
};

/** Reads the test of a leaf, checked against the type and the words of its fact. */
export function readTest(reader: Reader, node: SourceNode, fact: Fact): FactTest | undefined {
  if (node.kind === 'scalar') return readEquality(reader, node, fact);
  if (node.kind === 'list') {
    const better = fact.type === 'set' ? '`{has_any: […]}` or `{only: […]}`' : '`{in: […]}`';
    return reader.report(
      'wrong-type',
      `a test on \`${fact.id}\` cannot be a plain list`,
      node.at,
      `write ${better}`,
    );
  }
  const allowed = OPERATORS[fact.type];
  for (const entry of node.entries) {
    if (!allowed.includes(entry.key)) {
      return reader.report(
        'wrong-type',
        `\`${entry.key}\` is no test for \`${fact.id}\`, which is of type ${fact.type}`,
        entry.keyAt,
        didYouMean(entry.key, allowed),
      );
    }
  }
  const [first, second] = node.entries;
  if (first === undefined) return reader.report('missing', `the test on \`${fact.id}\` is empty`, node.at);
  if (['gte', 'gt', 'lte', 'lt'].includes(first.key)) return readRange(reader, node.entries, fact);
  if (second !== undefined)
    return reader.report(
      'wrong-type',
      `\`${second.key}\` cannot be combined with \`${first.key}\``,
      second.keyAt,
      'use `all` or `any` with one test each',
    );
  switch (first.key) {
    case 'known': {
      const known = reader.flag(first.value, '`known`');
      if (known === false)
        return reader.report(
          'unknown-value',
          '`known: false` does not exist: what is not stated may still be learned',
          first.value.at,
        );
      return known === undefined ? undefined : { kind: 'known' };
    }
    case 'has': {
      const word =
        first.value.kind === 'scalar'
          ? readWord(reader, first.value, fact)
          : reader.report('wrong-type', '`has` takes one word', first.value.at, 'use `has_any` for a list');
      return word === undefined ? undefined : { kind: 'has', values: [word] };
    }
    default: {
      const words = reader
        .list(first.value, `\`${first.key}\``)
        .flatMap((item) => readWord(reader, item, fact) ?? []);
      if (words.length === 0 && first.key !== 'only')
        return reader.report('missing', `\`${first.key}\` needs at least one word`, first.value.at);
      return {
        kind: first.key === 'has_any' ? 'has' : first.key === 'only' ? 'only' : 'in',
        values: words.toSorted(),
      };
    }
  }
}

function readEquality(reader: Reader, node: ScalarNode, fact: Fact): FactTest | undefined {
  switch (fact.type) {
    case 'bool': {
      const value = reader.flag(node, `the test on \`${fact.id}\``);
      return value === undefined ? undefined : { kind: 'is', value };
    }
    case 'enum': {
      const value = readWord(reader, node, fact);
      return value === undefined ? undefined : { kind: 'is', value };
    }
    case 'set':
      return reader.report('wrong-type', `\`${fact.id}\` is a set`, node.at, `write {has: ${node.text}}`);
    default: {
      const value = readOrdered(reader, node, fact);
      return value === undefined ? undefined : { kind: 'range', range: { gte: value, lte: value } };
    }
  }
}

function readRange(
  reader: Reader,
  entries: readonly { readonly key: string; readonly value: SourceNode }[],
  fact: Fact,
): FactTest | undefined {
  const range: Record<string, string> = {};
  for (const { key, value } of entries) {
    const bound = readOrdered(reader, value, fact);
    if (bound === undefined) return undefined;
    range[key] = bound;
  }
  return { kind: 'range', range };
}

/** One word out of the closed list of an enum or set. */
export function readWord(reader: Reader, node: SourceNode, fact: Fact): string | undefined {
  if (node.kind !== 'scalar' || node.value === null)
    return reader.report('wrong-type', `a value of \`${fact.id}\` must be a word`, node.at);
  if (fact.values.has(node.text)) return node.text;
  return reader.report(
    'unknown-value',
    `\`${node.text}\` is no value of \`${fact.id}\``,
    node.at,
    didYouMean(node.text, [...fact.values.keys()]),
  );
}

/** A number or a day, in canonical form. */
export function readOrdered(reader: Reader, node: SourceNode, fact: Fact): string | undefined {
  if (fact.type === 'date') return reader.day(node, `\`${fact.id}\``);
  const value = node.kind === 'scalar' && node.value !== null ? parseDecimal(node.text) : undefined;
  if (value === undefined)
    return reader.report(
      'bad-number',
      `\`${fact.id}\` must be a number`,
      node.at,
      'write digits, or powers of ten like 1e25',
    );
  if (fact.type === 'int' && !isInteger(value))
    return reader.report(
      'bad-number',
      `\`${fact.id}\` counts ${fact.unit ?? 'things'}: \`${node.kind === 'scalar' ? node.text : ''}\` is no whole number`,
      node.at,
    );
  return value;
}
