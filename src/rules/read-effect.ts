import type { OnDerived } from '../facts/condition.ts';
import type { Control } from '../facts/control.ts';
import { readParameterValues } from '../facts/control.ts';
import type { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Fact } from '../facts/vocabulary.ts';
import type { Effect } from './rule.ts';

const EFFECT_KEYS = ['define', 'classify', 'prohibit', 'require', 'grant', 'permit', 'defeats'] as const;

/** What a rulebook may name. */
export interface Names {
  readonly facts: ReadonlyMap<string, Fact>;
  readonly controls: ReadonlyMap<string, Control>;
  readonly onDerived: OnDerived;
}

/** The one effect of a rule. Patterns of exceptions are expanded later, when all rules are known. */
export function readEffect(
  reader: Reader,
  map: MapNode,
  rulebook: { readonly rulebook: string; readonly namespace: string },
  names: Names,
): Effect | undefined {
  const present = EFFECT_KEYS.filter((key) => reader.entry(map, key) !== undefined);
  const [key, second] = present;
  if (key === undefined)
    return reader.report(
      'missing',
      'a rule needs one effect',
      map.at,
      `one of ${EFFECT_KEYS.map((k) => `\`${k}\``).join(', ')}`,
    );
  if (second !== undefined)
    return reader.report(
      'duplicate',
      `a rule has one effect; \`${key}\` and \`${second}\` are two`,
      map.at,
      'write two rules',
    );
  const node = reader.need(map, key, 'a rule');
  if (node === undefined) return undefined;
  switch (key) {
    case 'define': {
      const fact = reader.text(node, '`define`');
      if (fact === undefined) return undefined;
      if (!fact.startsWith(`${rulebook.namespace}.`))
        return reader.report(
          'unknown-name',
          `\`${fact}\` is outside the namespace \`${rulebook.namespace}\` of this rulebook`,
          node.at,
        );
      return { kind: 'define', fact };
    }
    case 'classify': {
      const label = reader.text(node, '`classify`');
      return label === undefined
        ? undefined
        : { kind: 'classify', label, fact: `${rulebook.namespace}.${label}` };
    }
    case 'prohibit':
    case 'permit': {
      const what = reader.text(node, `\`${key}\``);
      return what === undefined ? undefined : { kind: key, what };
    }
    case 'require':
      return readDuty(reader, node, names);
    case 'grant':
      return readGrant(reader, node, names);
    case 'defeats': {
      const body = reader.map(node, '`defeats`', ['rules', 'word']);
      const patterns = reader.texts(body && reader.need(body, 'rules', '`defeats`'), '`rules`');
      const word = reader.text(body && reader.need(body, 'word', '`defeats`'), '`word`');
      if (word === undefined || patterns.length === 0) return undefined;
      return {
        kind: 'defeats',
        word,
        rules: [],
        patterns: patterns.map((pattern) =>
          pattern.includes(':') ? pattern : `${rulebook.rulebook}:${pattern}`,
        ),
      };
    }
  }
}

function controlNamed(reader: Reader, node: SourceNode | undefined, names: Names): Control | undefined {
  const id = reader.text(node, '`control`');
  if (id === undefined || node === undefined) return undefined;
  return (
    names.controls.get(id) ??
    reader.report(
      'unknown-name',
      `unknown control \`${id}\``,
      node.at,
      didYouMean(id, [...names.controls.keys()]),
    )
  );
}

function readDuty(reader: Reader, node: SourceNode, names: Names): Effect | undefined {
  if (node.kind !== 'map')
    return reader.report(
      'wrong-type',
      '`require` must be a map with a `control`',
      node.at,
      'for example {control: LOG-02, retention: P6M}',
    );
  const control = controlNamed(reader, reader.need(node, 'control', '`require`'), names);
  if (control === undefined) return undefined;
  const parameters = readParameterValues(
    reader,
    node.entries.filter((entry) => entry.key !== 'control'),
    control,
  );
  return { kind: 'require', control: control.id, parameters };
}

function readGrant(reader: Reader, node: SourceNode, names: Names): Effect | undefined {
  if (node.kind !== 'map')
    return reader.report(
      'wrong-type',
      '`grant` must be a map with a `right`',
      node.at,
      'for example {right: explanation, control: EXP-01}',
    );
  const right = reader.text(reader.need(node, 'right', '`grant`'), '`right`');
  const controlNode = reader.entry(node, 'control')?.value;
  const control = controlNode && controlNamed(reader, controlNode, names);
  if (right === undefined || (controlNode && !control)) return undefined;
  const rest = node.entries.filter((entry) => entry.key !== 'control' && entry.key !== 'right');
  if (control === undefined && rest[0] !== undefined)
    reader.report('unknown-key', `\`${rest[0].key}\` needs a \`control\` beside it`, rest[0].keyAt);
  return {
    kind: 'grant',
    right,
    ...(control === undefined ? {} : { control: control.id }),
    parameters: control === undefined ? {} : readParameterValues(reader, rest, control),
  };
}
