import type { FactValue } from './domain.ts';
import type { Reader } from './reader.ts';
import type { SourceNode } from './source.ts';
import { readOrdered, readWord } from './test.ts';
import type { Fact } from './vocabulary.ts';

/** Reads what somebody states of a fact. `null` is an error: a fact that is not known is left out. */
export function readFactValue(reader: Reader, node: SourceNode, fact: Fact): FactValue | undefined {
  if (node.kind === 'scalar' && node.value === null) {
    return reader.report(
      'wrong-type',
      `\`${fact.id}\` has no value`,
      node.at,
      'leave a fact out while it is not known',
    );
  }
  switch (fact.type) {
    case 'bool':
      return reader.flag(node, `\`${fact.id}\``);
    case 'enum':
      return readWord(reader, node, fact);
    case 'set': {
      const items = reader.list(node, `\`${fact.id}\``);
      const words = items.map((item) => readWord(reader, item, fact));
      if (node.kind !== 'list' || words.some((word) => word === undefined)) return undefined;
      return [...new Set(words.filter((word) => word !== undefined))].sort();
    }
    default:
      return readOrdered(reader, node, fact);
  }
}
