import type { Position } from '../facts/problem.ts';
import { throwIfAny } from '../facts/problem.ts';
import { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import { didYouMean } from '../facts/suggest.ts';
import { readAttestation, readRoughDay } from './attested.ts';
import type { AnalystRelation, Crosswalk, End, Row, Side, Statement, Style } from './crosswalk.ts';
import { COVERAGES, nameOf, PUBLISHERS, RECOGNITIONS, RELATIONS, STYLES } from './crosswalk.ts';
import type { Framework } from './framework.ts';
import { findReference } from './framework.ts';
import type { Law, LawFile } from './law.ts';
import { parseFolder } from './law-folder.ts';
import { CONFIDENCES, isNorm, matches } from './rule.ts';

/** What a crosswalk may name. */
export interface CrosswalkNames {
  readonly law: Pick<Law, 'jurisdictions' | 'controls' | 'rulebooks' | 'rules'>;
  readonly frameworks: ReadonlyMap<string, Framework>;
}

const KEYS = [
  'crosswalk',
  'title',
  'publisher',
  'published',
  'date',
  'style',
  'extent',
  'from',
  'to',
  'recognition',
  'note',
  'source',
  'rows',
] as const;
const ROW_KEYS = [
  'from',
  'to',
  'coverage',
  'relation',
  'analyst_relation',
  'recognition',
  'confidence',
  'note',
] as const;

/**
 * Reads `law/crosswalks/`: a file holds one crosswalk, or a list of them under `crosswalks`.
 *
 * @throws InputError with every mistake in every file, among them rows to ids that do not exist.
 */
export function readCrosswalks(
  files: readonly LawFile[],
  names: CrosswalkNames,
  prefix = 'law/',
): ReadonlyMap<string, Crosswalk> {
  const reader = new Reader();
  const crosswalks = new Map<string, Crosswalk>();
  for (const { root } of parseFolder(reader, files, 'crosswalks', prefix)) {
    for (const node of entriesOf(reader, root)) {
      const crosswalk = new CrosswalkReader(reader, names).read(node);
      if (crosswalk === undefined) continue;
      const twin = crosswalks.get(crosswalk.id);
      if (twin !== undefined)
        reader.report(
          'duplicate',
          `crosswalk \`${crosswalk.id}\` is already defined in ${twin.at.file}:${twin.at.line}`,
          node.at,
        );
      crosswalks.set(crosswalk.id, crosswalk);
    }
  }
  throwIfAny(reader.problems);
  return crosswalks;
}

function entriesOf(reader: Reader, root: SourceNode): readonly SourceNode[] {
  const list = root.kind === 'map' ? reader.entry(root, 'crosswalks')?.value : undefined;
  if (list === undefined) return [root];
  reader.map(root, 'a file of crosswalks', ['crosswalks']);
  return reader.list(list, '`crosswalks`');
}

/** Reads one crosswalk against the names that exist. */
class CrosswalkReader {
  readonly #reader: Reader;
  readonly #names: CrosswalkNames;

  constructor(reader: Reader, names: CrosswalkNames) {
    this.#reader = reader;
    this.#names = names;
  }

  read(node: SourceNode): Crosswalk | undefined {
    const reader = this.#reader;
    const what = 'a crosswalk';
    const map = reader.map(node, what, KEYS);
    if (map === undefined) return undefined;
    const need = (key: string): SourceNode | undefined => reader.need(map, key, what);
    const id = reader.text(need('crosswalk'), '`crosswalk`');
    const title = reader.text(need('title'), '`title`');
    const publisher = reader.text(need('publisher'), '`publisher`');
    const published = reader.oneOf(need('published'), 'published', PUBLISHERS);
    const style = reader.oneOf(need('style'), 'style', STYLES);
    const extent = reader.oneOf(need('extent'), 'extent', ['all', 'some', 'none']);
    const recognition = reader.oneOf(need('recognition'), 'recognition', RECOGNITIONS);
    const date = readRoughDay(reader, reader.entry(map, 'date')?.value, '`date`');
    const note = reader.text(reader.entry(map, 'note')?.value, '`note`');
    const source = readAttestation(reader, need('source'));
    const from = this.#side(need('from'));
    const toNode = need('to');
    const to = (toNode?.kind === 'list' ? toNode.items : toNode === undefined ? [] : [toNode]).flatMap(
      (item) => this.#side(item) ?? [],
    );
    if (!id || !title || !publisher || !published || !style || !extent || !recognition || !source || !from)
      return undefined;
    const written = reader.list(need('rows'), '`rows`');
    const rows = written.flatMap(
      (row) => this.#row(row, style, { from: [from], to, source, recognition }) ?? [],
    );
    if ((written.length === 0) !== (extent === 'none'))
      reader.report(
        'contradiction',
        extent === 'none'
          ? `\`${id}\` says that none of its rows are here, and has some`
          : `\`${id}\` has no rows, so its extent is \`none\``,
        map.at,
      );
    return {
      id,
      title,
      publisher,
      published,
      style,
      extent,
      from,
      to,
      source,
      rows,
      at: node.at,
      ...(date === undefined ? {} : { date }),
      ...(note === undefined ? {} : { note }),
    };
  }

  #side(node: SourceNode | undefined): Side | undefined {
    if (node === undefined) return undefined;
    const reader = this.#reader;
    if (node.kind === 'map') {
      const map = reader.map(node, 'a side', ['other']);
      const name = map && reader.text(reader.need(map, 'other', 'a side'), '`other`');
      return name === undefined ? undefined : { kind: 'other', name };
    }
    const word = reader.text(node, 'a side');
    if (word === undefined) return undefined;
    if (word === 'controls' || word === 'law') return { kind: word };
    if (this.#names.frameworks.has(word)) return { kind: 'framework', id: word };
    return reader.report(
      'dangling',
      `no framework \`${word}\``,
      node.at,
      `${didYouMean(word, ['controls', 'law', ...this.#names.frameworks.keys()])}; or write {other: name}`,
    );
  }

  #row(
    node: SourceNode,
    style: Style,
    table: Pick<Crosswalk, 'to' | 'source'> & Pick<Row, 'recognition'> & { readonly from: readonly Side[] },
  ): Row | undefined {
    const reader = this.#reader;
    const map = reader.map(node, 'a row', ROW_KEYS);
    if (map === undefined) return undefined;
    const fromNode = reader.need(map, 'from', 'a row');
    const from = fromNode && this.#ends(fromNode, table.from)[0];
    const toNode = reader.need(map, 'to', 'a row');
    const to = reader.list(toNode, '`to`').flatMap((item) => this.#ends(item, table.to));
    const states = this.#statement(map, style, table.to);
    const recognition = reader.oneOf(reader.entry(map, 'recognition')?.value, 'recognition', RECOGNITIONS);
    const confidence = reader.oneOf(reader.entry(map, 'confidence')?.value, 'confidence', CONFIDENCES);
    const note = reader.text(reader.entry(map, 'note')?.value, '`note`');
    if (confidence === 'low' && note === undefined)
      reader.report('missing', 'low confidence needs a `note` that says why', map.at);
    if (toNode?.kind === 'list' && toNode.items.length === 0)
      reader.report('empty', 'a row leads somewhere', toNode.at, 'leave the row out');
    if (from === undefined || states === undefined) return undefined;
    this.#refuseOverclaim(from, to, states, node.at);
    return {
      from,
      to,
      states,
      recognition: recognition ?? table.recognition,
      confidence: confidence ?? table.source.confidence,
      at: node.at,
      ...(note === undefined ? {} : { note }),
    };
  }

  /** A rule that asks for one control is not served wholly by another. */
  #refuseOverclaim(from: End, to: readonly End[], states: Statement, at: Position): void {
    if (from.kind !== 'control' || states.kind !== 'coverage' || states.coverage !== 'full') return;
    for (const end of to) {
      const effect = end.kind === 'rule' ? this.#names.law.rules.get(end.id)?.effect : undefined;
      const asked = effect?.kind === 'require' || effect?.kind === 'grant' ? effect.control : undefined;
      if (asked !== undefined && asked !== from.id)
        this.#reader.report(
          'contradiction',
          `\`${from.id}\` cannot serve \`${nameOf(end)}\` wholly: that rule asks for \`${asked}\``,
          at,
          'say `partial`',
        );
    }
  }

  #statement(map: MapNode, style: Style, to: readonly Side[]): Statement | undefined {
    const reader = this.#reader;
    const refuse = (key: string, why: string): void => {
      const entry = reader.entry(map, key);
      if (entry !== undefined) reader.report('unknown-key', `\`${key}\` ${why}`, entry.keyAt);
    };
    if (style === 'coverage') {
      refuse('relation', 'has no place where the style is coverage');
      refuse('analyst_relation', 'has no place where the style is coverage');
      const coverage = reader.oneOf(reader.need(map, 'coverage', 'a row'), 'coverage', COVERAGES);
      return coverage === undefined ? undefined : { kind: 'coverage', coverage };
    }
    refuse('coverage', `has no place where the style is ${style}`);
    const node = reader.need(map, 'relation', 'a row');
    if (node === undefined) return undefined;
    const unstated = node.kind === 'scalar' && node.value === null;
    const relation = unstated ? null : reader.oneOf(node, 'relation', RELATIONS);
    if (relation === undefined) return undefined;
    if (relation !== null && style !== 'set-theory')
      reader.report(
        'contradiction',
        `a ${style} crosswalk states no relation`,
        node.at,
        'write `relation: null`, and your own reading as `analyst_relation`',
      );
    const analyst = this.#analyst(reader.entry(map, 'analyst_relation')?.value, to);
    return { kind: 'relation', relation, ...(analyst === undefined ? {} : { analyst }) };
  }

  #analyst(node: SourceNode | undefined, sides: readonly Side[]): AnalystRelation | undefined {
    const reader = this.#reader;
    const what = '`analyst_relation`';
    const map = node && reader.map(node, what, ['relation', 'to', 'rationale', 'by', 'on']);
    if (map === undefined) return undefined;
    const relation = reader.oneOf(reader.need(map, 'relation', what), 'relation', RELATIONS);
    const rationale = reader.text(reader.need(map, 'rationale', what), '`rationale`');
    const by = reader.text(reader.need(map, 'by', what), '`by`');
    const on = reader.day(reader.need(map, 'on', what), '`on`');
    const to = reader.list(reader.entry(map, 'to')?.value, '`to`').flatMap((item) => this.#ends(item, sides));
    if (!relation || !rationale || !by || !on) return undefined;
    return { relation, rationale, by, on, ...(to.length === 0 ? {} : { to }) };
  }

  /** One written end: a name, a pattern of rules, or a provision that no rule encodes. */
  #ends(node: SourceNode, sides: readonly Side[]): readonly End[] {
    if (node.kind === 'map') return this.#provision(node, sides);
    const written = this.#reader.text(node, 'an end of a row');
    if (written === undefined) return [];
    const qualified = sides.find((side) => side.kind === 'framework' && written.startsWith(`${side.id}:`));
    const side = qualified ?? (sides.length === 1 ? sides[0] : undefined);
    switch (side?.kind) {
      case 'controls':
        return this.#control(written, node.at);
      case 'law':
        return this.#rules(written, node.at);
      case 'framework':
        return this.#reference(
          side.id,
          qualified === undefined ? written : written.slice(side.id.length + 1),
          node.at,
        );
      default:
        this.#reader.report(
          'dangling',
          `\`${written}\` is on no side of this crosswalk`,
          node.at,
          'write framework:reference, with a framework that `to` names',
        );
        return [];
    }
  }

  #control(id: string, at: Position): readonly End[] {
    if (this.#names.law.controls.has(id)) return [{ kind: 'control', id }];
    this.#reader.report(
      'dangling',
      `no control \`${id}\``,
      at,
      didYouMean(id, [...this.#names.law.controls.keys()]),
    );
    return [];
  }

  #rules(pattern: string, at: Position): readonly End[] {
    const { rules } = this.#names.law;
    // A pattern means the norms of an article; its definitions and exceptions are no duties that evidence could serve.
    const found = [...rules.values()].filter(
      (rule) => matches(pattern, rule.id) && (pattern === rule.id || isNorm(rule)),
    );
    if (found.length === 0)
      this.#reader.report(
        'dangling',
        `\`${pattern}\` names no rule`,
        at,
        `${didYouMean(pattern, [...rules.keys()])}; or write {law, place, cite} for what no rule encodes`,
      );
    return found.map(({ id }) => ({ kind: 'rule', id }));
  }

  #reference(id: string, ref: string, at: Position): readonly End[] {
    const framework = this.#names.frameworks.get(id);
    const found = framework === undefined ? undefined : findReference(framework, ref);
    if (found?.kind === 'found') return [{ kind: 'reference', framework: id, ref: found.reference.ref }];
    this.#reader.report('dangling', `\`${id}\` has no reference \`${ref}\``, at, found?.help);
    return [];
  }

  #provision(node: MapNode, sides: readonly Side[]): readonly End[] {
    const reader = this.#reader;
    const what = 'a provision';
    reader.map(node, what, ['of', 'law', 'place', 'cite']);
    if (!sides.some(({ kind }) => kind === 'law'))
      reader.report('dangling', 'a provision of law is on no side of this crosswalk', node.at);
    const cite = reader.text(reader.need(node, 'cite', what), '`cite`');
    const of = reader.entry(node, 'of');
    if (of !== undefined) {
      const id = reader.text(of.value, '`of`') ?? '';
      const rulebook = this.#names.law.rulebooks.get(id);
      if (rulebook === undefined)
        reader.report(
          'dangling',
          `no rulebook \`${id}\``,
          of.value.at,
          didYouMean(id, [...this.#names.law.rulebooks.keys()]),
        );
      if (rulebook === undefined || cite === undefined) return [];
      const { title, jurisdiction } = rulebook;
      return [{ kind: 'provision', law: title, place: jurisdiction, cite, rulebook: id }];
    }
    const law = reader.text(reader.need(node, 'law', what), '`law`');
    const placeNode = reader.need(node, 'place', what);
    const place = reader.text(placeNode, '`place`');
    const places = this.#names.law.jurisdictions.byId;
    if (place !== undefined && !places.has(place))
      reader.report(
        'dangling',
        `unknown place \`${place}\``,
        placeNode?.at ?? node.at,
        didYouMean(place, [...places.keys()]),
      );
    return law && place && cite ? [{ kind: 'provision', law, place, cite }] : [];
  }
}
