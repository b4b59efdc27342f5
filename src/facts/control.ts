import { parseDuration } from './duration.ts';
import { throwIfAny } from './problem.ts';
import type { Reader } from './reader.ts';
import { Reader as SourceReader } from './reader.ts';
import type { MapNode, SourceNode } from './source.ts';
import { didYouMean } from './suggest.ts';

/** The ladder of evidence, weakest first. The tool picks the rung from what it can check. */
export const RUNGS = ['none', 'declared', 'documented', 'tested', 'measured', 'verified'] as const;
export type Rung = (typeof RUNGS)[number];

export const EVIDENCE_KINDS = ['document', 'test', 'measured', 'signature'] as const;
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];

const PARAMETER_TYPES = ['duration', 'count', 'set', 'enum', 'bool'] as const;
const JOINS = ['max', 'min', 'union', 'intersection', 'all-equal'] as const;

/** A quantity that laws set for a control, and how two demands become one. */
export interface Parameter {
  readonly type: (typeof PARAMETER_TYPES)[number];
  readonly means: string;
  /** `max` and `min` of an enum follow the order of its values, weakest first; of a bool, true is the greater. */
  readonly join: (typeof JOINS)[number];
  /** The joined value may not exceed the joined value of this other parameter. */
  readonly upper?: string;
  readonly values: ReadonlyMap<string, string>;
}

/** A harmonised engineering measure that many laws ask for in their own words. */
export interface Control {
  readonly id: string;
  readonly family: string;
  readonly title: string;
  readonly build: string;
  /** The rung from which the duty counts as covered. */
  readonly sufficient: Rung;
  readonly how: readonly { readonly kind: EvidenceKind; readonly what: string }[];
  readonly parameters: ReadonlyMap<string, Parameter>;
}

/** Durations and words are strings, counts numbers, sets sorted lists. */
export type ParameterValue = string | number | boolean | readonly string[];
export type ParameterValues = Readonly<Record<string, ParameterValue>>;

/**
 * Reads the files of `law/controls/`.
 *
 * @throws InputError with every mistake in every file.
 */
export function readControls(files: readonly SourceNode[]): ReadonlyMap<string, Control> {
  const reader = new SourceReader();
  const controls = new Map<string, Control>();
  for (const file of files) {
    const top = reader.map(file, 'a file of controls', ['family', 'title', 'controls']);
    if (top === undefined) continue;
    const family = reader.text(reader.need(top, 'family', 'a file of controls'), '`family`') ?? '';
    for (const node of reader.list(reader.need(top, 'controls', 'a file of controls'), '`controls`')) {
      const control = readControl(reader, node, family);
      if (control === undefined) continue;
      if (controls.has(control.id))
        reader.report('duplicate', `control \`${control.id}\` is defined twice`, node.at);
      if (!control.id.startsWith(`${family}-`))
        reader.report('unknown-value', `control \`${control.id}\` is not of the family ${family}`, node.at);
      controls.set(control.id, control);
    }
  }
  throwIfAny(reader.problems);
  return new Map([...controls].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readControl(reader: Reader, node: SourceNode, family: string): Control | undefined {
  const map = reader.map(node, 'a control', ['id', 'title', 'build', 'evidence', 'parameters']);
  if (map === undefined) return undefined;
  const id = reader.text(reader.need(map, 'id', 'a control'), '`id`');
  const title = reader.text(reader.need(map, 'title', 'a control'), '`title`');
  const build = reader.text(reader.need(map, 'build', 'a control'), '`build`');
  const evidenceNode = reader.need(map, 'evidence', 'a control');
  const evidence = evidenceNode && reader.map(evidenceNode, '`evidence`', ['sufficient', 'how']);
  const sufficient =
    evidence && reader.oneOf(reader.need(evidence, 'sufficient', '`evidence`'), 'sufficient', RUNGS);
  const how = reader.list(evidence && reader.need(evidence, 'how', '`evidence`'), '`how`').flatMap((item) => {
    const entry = reader.map(item, 'a way to prove', ['kind', 'what']);
    const kind = entry && reader.oneOf(reader.need(entry, 'kind', 'a way to prove'), 'kind', EVIDENCE_KINDS);
    const what = entry && reader.text(reader.need(entry, 'what', 'a way to prove'), '`what`');
    return kind && what ? [{ kind, what }] : [];
  });
  if (!id || !title || !build || !sufficient) return undefined;
  return { id, family, title, build, sufficient, how, parameters: readParameters(reader, map) };
}

function readParameters(reader: Reader, control: MapNode): ReadonlyMap<string, Parameter> {
  const node = reader.entry(control, 'parameters')?.value;
  const parameters = new Map<string, Parameter>();
  if (node === undefined) return parameters;
  if (node.kind !== 'map') {
    reader.report('wrong-type', '`parameters` must be a map', node.at);
    return parameters;
  }
  for (const { key, value, keyAt } of node.entries) {
    const map = reader.map(value, `parameter \`${key}\``, ['type', 'means', 'join', 'upper', 'values']);
    const type = map && reader.oneOf(reader.need(map, 'type', 'a parameter'), 'type', PARAMETER_TYPES);
    const means = map && reader.text(reader.need(map, 'means', 'a parameter'), '`means`');
    const join = map && reader.oneOf(reader.need(map, 'join', 'a parameter'), 'join', JOINS);
    if (!map || !type || !means || !join) continue;
    const values = reader.entry(map, 'values')?.value;
    const words = new Map(
      values?.kind === 'map'
        ? values.entries.map((entry) => [
            entry.key,
            reader.text(entry.value, `the meaning of \`${entry.key}\``) ?? '',
          ])
        : [],
    );
    if ((type === 'set' || type === 'enum') && words.size === 0)
      reader.report('missing', `parameter \`${key}\` needs \`values\``, keyAt);
    const upper = reader.text(reader.entry(map, 'upper')?.value, '`upper`');
    parameters.set(key, { type, means, join, values: words, ...(upper === undefined ? {} : { upper }) });
  }
  for (const [key, { upper }] of parameters) {
    if (upper !== undefined && !parameters.has(upper))
      reader.report('dangling', `parameter \`${key}\` names the unknown parameter \`${upper}\``, node.at);
  }
  return parameters;
}

/** Reads the value of a parameter, in the unit that the control gives it. */
export function readParameterValue(
  reader: Reader,
  node: SourceNode,
  name: string,
  parameter: Parameter,
): ParameterValue | undefined {
  const what = `\`${name}\``;
  switch (parameter.type) {
    case 'duration': {
      const duration = node.kind === 'scalar' ? parseDuration(node.text) : undefined;
      if (duration !== undefined) return duration;
      return reader.report(
        'bad-duration',
        `${what} must be an ISO 8601 duration`,
        node.at,
        'for example P6M, P10Y, P30D or PT72H',
      );
    }
    case 'count':
      return reader.integer(node, what);
    case 'bool':
      return reader.flag(node, what);
    case 'enum':
      return reader.oneOf(node, what, [...parameter.values.keys()]);
    case 'set': {
      const words = reader
        .list(node, what)
        .flatMap((item) => reader.oneOf(item, `a value of ${what}`, [...parameter.values.keys()]) ?? []);
      return [...new Set(words)].sort();
    }
  }
}

/** Reads `{control: ID, parameter: value, …}`, or the parameters of a control in a manifest. */
export function readParameterValues(
  reader: Reader,
  entries: MapNode['entries'],
  control: Control,
): ParameterValues {
  const values: Record<string, ParameterValue> = {};
  for (const { key, value, keyAt } of entries) {
    const parameter = control.parameters.get(key);
    if (parameter === undefined) {
      reader.report(
        'unknown-key',
        `control \`${control.id}\` has no parameter \`${key}\``,
        keyAt,
        didYouMean(key, [...control.parameters.keys()]),
      );
      continue;
    }
    const read = readParameterValue(reader, value, key, parameter);
    if (read !== undefined) values[key] = read;
  }
  return values;
}
