import type { Position } from '../facts/problem.ts';
import { throwIfAny } from '../facts/problem.ts';
import { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Attestation, RoughDay, State } from './attested.ts';
import { readAttestation, readRoughDay, readState } from './attested.ts';
import type { Law, LawFile } from './law.ts';
import { parseFolder } from './law-folder.ts';

export const FRAMEWORK_KINDS = ['treaty', 'standard', 'voluntary'] as const;
type FrameworkKind = (typeof FRAMEWORK_KINDS)[number];

/** One numbered part of a framework, in our own words: nothing of its text is copied. */
export interface Reference {
  readonly ref: string;
  readonly gist: string;
  /** A heading over other references, not a demand of its own. */
  readonly heading: boolean;
  /** How far this part is, where the parts of a framework differ. */
  readonly state?: State;
}

/** A treaty, standard or voluntary framework that people compare their work with. It is no law of a market. */
export interface Framework {
  readonly id: string;
  readonly title: string;
  readonly publisher: string;
  readonly kind: FrameworkKind;
  readonly version: string;
  readonly date?: RoughDay;
  readonly url?: string;
  readonly state: State;
  /** Under which terms its own text may be used. */
  readonly licence: string;
  readonly note?: string;
  /** The rulebook that encodes it as rules, where there is one. */
  readonly rulebook?: string;
  readonly source: Attestation;
  readonly references: ReadonlyMap<string, Reference>;
  readonly at: Position;
}

const KEYS = [
  'framework',
  'title',
  'publisher',
  'kind',
  'version',
  'date',
  'url',
  'state',
  'licence',
  'note',
  'rulebook',
  'source',
  'references',
] as const;

/**
 * Reads `law/frameworks/`: one framework per file, the file named after it.
 *
 * @throws InputError with every mistake in every file.
 */
export function readFrameworks(
  files: readonly LawFile[],
  { rulebooks }: Pick<Law, 'rulebooks'>,
  prefix = 'law/',
): ReadonlyMap<string, Framework> {
  const reader = new Reader();
  const frameworks = parseFolder(reader, files, 'frameworks', prefix).flatMap(({ name, root }) => {
    const framework = readFramework(reader, root, rulebooks);
    if (framework === undefined) return [];
    if (name !== `${framework.id}.yaml`)
      reader.report(
        'unknown-value',
        `framework \`${framework.id}\` stands in the file \`${name}\``,
        root.at,
        `name the file \`${framework.id}.yaml\``,
      );
    return [framework];
  });
  throwIfAny(reader.problems);
  return new Map(frameworks.map((framework) => [framework.id, framework]));
}

function readFramework(reader: Reader, root: SourceNode, rulebooks: Law['rulebooks']): Framework | undefined {
  const what = 'a framework';
  const map = reader.map(root, what, KEYS);
  if (map === undefined) return undefined;
  const word = (key: string): string | undefined => reader.text(reader.need(map, key, what), `\`${key}\``);
  const id = word('framework');
  const title = word('title');
  const publisher = word('publisher');
  const version = word('version');
  const url = reader.text(reader.entry(map, 'url')?.value, '`url`');
  const licence = word('licence');
  const kind = reader.oneOf(reader.need(map, 'kind', what), 'kind', FRAMEWORK_KINDS);
  const date = readRoughDay(reader, reader.entry(map, 'date')?.value, '`date`');
  const state = readState(reader, reader.need(map, 'state', what));
  const note = reader.text(reader.entry(map, 'note')?.value, '`note`');
  const rulebookNode = reader.entry(map, 'rulebook')?.value;
  const rulebook = reader.text(rulebookNode, '`rulebook`');
  if (rulebook !== undefined && !rulebooks.has(rulebook))
    reader.report(
      'dangling',
      `no rulebook \`${rulebook}\``,
      rulebookNode?.at ?? map.at,
      didYouMean(rulebook, [...rulebooks.keys()]),
    );
  const source = readAttestation(reader, reader.need(map, 'source', what));
  const references = readReferences(reader, map);
  if (!id || !title || !publisher || !version || !licence || !kind || !state || !source) return undefined;
  return {
    id,
    title,
    publisher,
    kind,
    version,
    licence,
    state,
    source,
    references,
    at: root.at,
    ...(url === undefined ? {} : { url }),
    ...(date === undefined ? {} : { date }),
    ...(note === undefined ? {} : { note }),
    ...(rulebook === undefined ? {} : { rulebook }),
  };
}

function readReferences(reader: Reader, framework: MapNode): ReadonlyMap<string, Reference> {
  const references = new Map<string, Reference>();
  const node = reader.need(framework, 'references', 'a framework');
  for (const item of reader.list(node, '`references`')) {
    const map = reader.map(item, 'a reference', ['ref', 'gist', 'heading', 'state']);
    if (map === undefined) continue;
    const ref = reader.text(reader.need(map, 'ref', 'a reference'), '`ref`');
    const gist = reader.text(reader.need(map, 'gist', 'a reference'), '`gist`');
    const heading = reader.flag(reader.entry(map, 'heading')?.value, '`heading`') ?? false;
    const state = readState(reader, reader.entry(map, 'state')?.value);
    if (ref === undefined || gist === undefined) continue;
    if (references.has(ref)) reader.report('duplicate', `reference \`${ref}\` is listed twice`, map.at);
    references.set(ref, { ref, gist, heading, ...(state === undefined ? {} : { state }) });
  }
  return references;
}

/**
 * True when `inner` is `outer` or stands under it by its number.
 *
 * @example covers('GOVERN 6', 'GOVERN 6.1') // true; 'Art. 16' covers 'Art. 16(2)(g)' but not 'Art. 161'
 */
export function covers(outer: string, inner: string): boolean {
  return inner.startsWith(outer) && /^($|[.( ])/.test(inner.slice(outer.length));
}

/**
 * The reference somebody wrote, whatever the case of its letters.
 *
 * @returns the reference as the framework spells it, or a help line.
 */
export function findReference(
  framework: Framework,
  written: string,
):
  | { readonly kind: 'found'; readonly reference: Reference }
  | { readonly kind: 'unknown'; readonly help: string } {
  const exact =
    framework.references.get(written) ??
    [...framework.references.values()].find(({ ref }) => ref.toLowerCase() === written.toLowerCase());
  if (exact !== undefined) return { kind: 'found', reference: exact };
  return { kind: 'unknown', help: didYouMean(written, [...framework.references.keys()]) };
}
