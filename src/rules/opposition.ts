import type { Control, ParameterValue } from '../facts/control.ts';
import { readParameterValue } from '../facts/control.ts';
import { throwIfAny } from '../facts/problem.ts';
import { Reader } from '../facts/reader.ts';
import type { SourceNode } from '../facts/source.ts';
import { didYouMean } from '../facts/suggest.ts';

export const CONFLICT_KINDS = ['true', 'split', 'technical', 'process'] as const;
/**
 * - `true`: one deployment cannot satisfy both, and neither can one company without changing what it is.
 * - `split`: satisfied by different builds for different markets.
 * - `technical`: satisfied by one build, if it is built in a certain way.
 * - `process`: satisfied by how people work.
 */
export type ConflictKind = (typeof CONFLICT_KINDS)[number];

/** One side of an opposition: a control that is demanded, perhaps only with certain parameters or words. */
export interface Side {
  readonly control: string;
  /** The demand sets one of these parameters; empty: whatever it sets. */
  readonly sets: readonly string[];
  /** The demand has this word, or at least this value, in a parameter. */
  readonly with: Readonly<Record<string, ParameterValue>>;
}

/** A way to live with both sides. */
export interface Resolution {
  readonly id: string;
  readonly title: string;
  readonly how: string;
  readonly controls: readonly string[];
}

/**
 * Two demands that one deployment cannot meet naively, whichever countries make them. Conflicts are found by
 * looking for both sides among the duties that hold; no country is named here.
 */
export interface Opposition {
  readonly id: string;
  readonly title: string;
  readonly kind: ConflictKind;
  readonly why: string;
  readonly left: Side;
  readonly right: Side;
  readonly resolutions: readonly Resolution[];
}

/**
 * Reads the oppositions of `law/conflicts/`.
 *
 * @throws InputError with every mistake, among them controls and parameters that do not exist.
 */
export function readOppositions(
  files: readonly SourceNode[],
  controls: ReadonlyMap<string, Control>,
): readonly Opposition[] {
  const reader = new Reader();
  const read = files.flatMap((file) => {
    const top = reader.map(file, 'a file of conflicts', ['oppositions']);
    return reader
      .list(top && reader.need(top, 'oppositions', 'the file'), '`oppositions`')
      .flatMap((node) => readOpposition(reader, node, controls) ?? []);
  });
  const seen = new Set<string>();
  for (const { id } of read) {
    if (seen.has(id))
      reader.problems.push({ code: 'duplicate', message: `opposition \`${id}\` is defined twice` });
    seen.add(id);
  }
  throwIfAny(reader.problems);
  return read.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function readOpposition(
  reader: Reader,
  node: SourceNode,
  controls: ReadonlyMap<string, Control>,
): Opposition | undefined {
  const what = 'an opposition';
  const map = reader.map(node, what, ['id', 'title', 'kind', 'why', 'left', 'right', 'resolutions']);
  if (map === undefined) return undefined;
  const id = reader.text(reader.need(map, 'id', what), '`id`');
  const title = reader.text(reader.need(map, 'title', what), '`title`');
  const kind = reader.oneOf(reader.need(map, 'kind', what), 'kind', CONFLICT_KINDS);
  const why = reader.text(reader.need(map, 'why', what), '`why`');
  const left = readSide(reader, reader.need(map, 'left', what), controls);
  const right = readSide(reader, reader.need(map, 'right', what), controls);
  const resolutions = reader
    .list(reader.need(map, 'resolutions', what), '`resolutions`')
    .flatMap((item) => readResolution(reader, item, controls) ?? []);
  return id && title && kind && why && left && right
    ? { id, title, kind, why, left, right, resolutions }
    : undefined;
}

function readSide(
  reader: Reader,
  node: SourceNode | undefined,
  controls: ReadonlyMap<string, Control>,
): Side | undefined {
  const map = node && reader.map(node, 'a side', ['control', 'sets', 'with']);
  const id = map && reader.text(reader.need(map, 'control', 'a side'), '`control`');
  if (map === undefined || id === undefined) return undefined;
  const control = controls.get(id);
  if (control === undefined)
    return reader.report(
      'unknown-name',
      `unknown control \`${id}\``,
      map.at,
      didYouMean(id, [...controls.keys()]),
    );
  const names = [...control.parameters.keys()];
  const sets = reader
    .list(reader.entry(map, 'sets')?.value, '`sets`')
    .flatMap((item) => reader.oneOf(item, 'parameter', names) ?? []);
  const wanted: Record<string, ParameterValue> = {};
  const withNode = reader.entry(map, 'with')?.value;
  for (const entry of withNode?.kind === 'map' ? withNode.entries : []) {
    const parameter = control.parameters.get(entry.key);
    if (parameter === undefined) {
      reader.report(
        'unknown-key',
        `control \`${id}\` has no parameter \`${entry.key}\``,
        entry.keyAt,
        didYouMean(entry.key, names),
      );
      continue;
    }
    const value = readParameterValue(reader, entry.value, entry.key, parameter);
    if (value !== undefined) wanted[entry.key] = value;
  }
  return { control: id, sets, with: wanted };
}

function readResolution(
  reader: Reader,
  node: SourceNode,
  controls: ReadonlyMap<string, Control>,
): Resolution | undefined {
  const what = 'a resolution';
  const map = reader.map(node, what, ['id', 'title', 'how', 'controls']);
  const id = map && reader.text(reader.need(map, 'id', what), '`id`');
  const title = map && reader.text(reader.need(map, 'title', what), '`title`');
  const how = map && reader.text(reader.need(map, 'how', what), '`how`');
  if (!map || !id || !title || !how) return undefined;
  const named = reader
    .list(reader.entry(map, 'controls')?.value, '`controls`')
    .flatMap((item) => reader.oneOf(item, 'control', [...controls.keys()]) ?? []);
  return { id, title, how, controls: named };
}
