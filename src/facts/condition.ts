import type { Position } from './problem.ts';
import type { Reader } from './reader.ts';
import type { SourceNode } from './source.ts';
import { didYouMean } from './suggest.ts';
import type { FactTest } from './test.ts';
import { readTest } from './test.ts';
import type { Fact } from './vocabulary.ts';

/** A condition tree. No arithmetic, no functions, no recursion: every question about it can be decided. */
export type Condition =
  | { readonly kind: 'all'; readonly of: readonly Condition[] }
  | { readonly kind: 'any'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'at-least'; readonly n: number; readonly of: readonly Condition[] }
  /** `place`: where a fact computed from places is asked for, if not for the market itself. */
  | { readonly kind: 'fact'; readonly fact: string; readonly test: FactTest; readonly place?: string }
  /** What rules conclude (`define`, `classify`) tested like a fact. */
  | { readonly kind: 'derived'; readonly name: string; readonly is: boolean };

/** Told of every concluded fact that a condition tests, so that dangling ones can be reported where they stand. */
export type OnDerived = (name: string, at: Position) => void;

/**
 * Reads a condition. A name that is no fact of the vocabulary is a concluded fact when `onDerived` is given
 * (rules), and an error otherwise (constraints of the vocabulary).
 *
 * @param place whose law asks: facts computed from places ("established here") are meant for it, also where it
 *   contains the market. By default the market.
 */
export function readCondition(
  reader: Reader,
  node: SourceNode,
  facts: ReadonlyMap<string, Fact>,
  onDerived?: OnDerived,
  place?: string,
): Condition | undefined {
  if (node.kind !== 'map')
    return reader.report('wrong-type', 'a condition must be a map such as `{fact: test}`', node.at);
  const [entry, second] = node.entries;
  if (entry === undefined) return reader.report('missing', 'a condition is empty', node.at);
  if (second !== undefined) {
    return reader.report(
      'wrong-type',
      `a condition has one key; \`${second.key}\` is a second`,
      second.keyAt,
      'wrap them: {all: [{…}, {…}]}',
    );
  }
  const children = (list: SourceNode): readonly Condition[] | undefined => {
    const items = reader.list(list, `\`${entry.key}\``);
    if (list.kind === 'list' && items.length === 0)
      return reader.report('missing', `\`${entry.key}\` has no conditions`, list.at);
    const read = items.map((item) => readCondition(reader, item, facts, onDerived, place));
    return read.every((child) => child !== undefined) && read.length > 0 ? read : undefined;
  };
  switch (entry.key) {
    case 'all':
    case 'any': {
      const of = children(entry.value);
      return of && { kind: entry.key, of };
    }
    case 'not': {
      const of = readCondition(reader, entry.value, facts, onDerived, place);
      return of && { kind: 'not', of };
    }
    case 'at_least': {
      const map = reader.map(entry.value, '`at_least`', ['n', 'of']);
      const n = map && reader.integer(reader.need(map, 'n', '`at_least`'), '`n`');
      const list = map && reader.need(map, 'of', '`at_least`');
      const of = list && children(list);
      if (n === undefined || of === undefined) return undefined;
      if (n < 1 || n > of.length)
        return reader.report('bad-number', `\`n: ${n}\` must be between 1 and ${of.length}`, entry.value.at);
      return { kind: 'at-least', n, of };
    }
    default:
      return readLeaf(reader, entry.key, entry.keyAt, entry.value, facts, onDerived, place);
  }
}

function readLeaf(
  reader: Reader,
  name: string,
  at: Position,
  value: SourceNode,
  facts: ReadonlyMap<string, Fact>,
  onDerived?: OnDerived,
  place?: string,
): Condition | undefined {
  const fact = facts.get(name);
  if (fact !== undefined) {
    const test = readTest(reader, value, fact);
    const placed = place !== undefined && fact.derive !== undefined ? { place } : {};
    return test && { kind: 'fact', fact: name, test, ...placed };
  }
  if (onDerived === undefined || !name.includes('.')) {
    return reader.report('unknown-fact', `unknown fact \`${name}\``, at, didYouMean(name, [...facts.keys()]));
  }
  const is = reader.flag(value, `the test on the concluded fact \`${name}\``);
  if (is === undefined) return undefined;
  onDerived(name, at);
  return { kind: 'derived', name, is };
}

/** Every fact and every concluded fact that a condition tests. */
export function mentions(condition: Condition): {
  readonly facts: ReadonlySet<string>;
  readonly derived: ReadonlySet<string>;
} {
  const facts = new Set<string>();
  const derived = new Set<string>();
  const visit = (node: Condition): void => {
    switch (node.kind) {
      case 'fact':
        facts.add(node.fact);
        return;
      case 'derived':
        derived.add(node.name);
        return;
      case 'not':
        visit(node.of);
        return;
      default:
        node.of.forEach(visit);
    }
  };
  visit(condition);
  return { facts, derived };
}
