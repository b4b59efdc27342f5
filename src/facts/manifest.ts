import type { Control, EvidenceKind, ParameterValues } from './control.ts';
import { EVIDENCE_KINDS, readParameterValues } from './control.ts';
import type { Day } from './date.ts';
import type { Jurisdictions } from './jurisdictions.ts';
import type { Statement } from './knowledge.ts';
import { gather } from './knowledge.ts';
import type { Position, Problem } from './problem.ts';
import { throwIfAny } from './problem.ts';
import { Reader } from './reader.ts';
import type { MapNode, SourceNode } from './source.ts';
import { parseSource } from './source.ts';
import { readFactValue } from './statement.ts';
import { didYouMean } from './suggest.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A piece of evidence that a manifest names for a control. */
export interface Evidence {
  readonly kind: EvidenceKind;
  /** A file relative to the manifest, or a query such as `ledger:disclosure.shown`. */
  readonly ref: string;
  readonly on?: Day;
  readonly expires?: Day;
  readonly window?: string;
  readonly sha256?: string;
  readonly at: Position;
}

/** A control that a manifest declares as in place. */
export interface DeclaredControl {
  readonly id: string;
  readonly parameters: ParameterValues;
  readonly evidence: readonly Evidence[];
  readonly at: Position;
}

/** A model or a dataset, for documents and bills of materials. */
export interface Component {
  readonly name: string;
  readonly version?: string;
  readonly provider?: string;
  readonly licence?: string;
  readonly sha256?: string;
  readonly url?: string;
}

/** One AI feature, as its team declares it. */
export interface Manifest {
  readonly file: string;
  readonly name: string;
  readonly owner?: string;
  readonly summary?: string;
  readonly markets: readonly string[];
  /** What is stated for the system and one of its markets, with places. */
  statements(market: string): readonly Statement[];
  readonly models: readonly Component[];
  readonly datasets: readonly Component[];
  readonly controls: ReadonlyMap<string, DeclaredControl>;
  /** Where a market is declared. */
  marketAt(market: string): Position;
}

/** What a manifest may name. */
export interface ManifestNames {
  readonly vocabulary: Vocabulary;
  readonly jurisdictions: Jurisdictions;
  readonly controls: ReadonlyMap<string, Control>;
}

const KEYS = [
  'comity',
  'name',
  'owner',
  'summary',
  'markets',
  'market_defaults',
  'facts',
  'models',
  'datasets',
  'controls',
] as const;
const COMPONENT_KEYS = ['name', 'version', 'provider', 'licence', 'sha256', 'url'] as const;
const EVIDENCE_KEYS = ['kind', 'ref', 'on', 'expires', 'window', 'sha256'] as const;
/** The version of the manifest format. */
export const MANIFEST_VERSION = 1;

/**
 * Reads and checks a manifest: shape, words, days, and whether its facts contradict each other in any market.
 *
 * @param file name for error messages.
 * @throws InputError with every mistake, located, the nearest known name beside each unknown one.
 */
export function readManifest(text: string, file: string, names: ManifestNames): Manifest {
  const root = parseSource(text, file);
  const reader = new Reader();
  const map = reader.map(root, 'the manifest', KEYS);
  throwIfAny(map === undefined ? reader.problems : []);
  const manifest = readTop(reader, map as MapNode, file, names);
  throwIfAny(reader.problems);
  throwIfAny(contradictions(manifest, names));
  return manifest;
}

function readTop(reader: Reader, map: MapNode, file: string, names: ManifestNames): Manifest {
  const version = reader.integer(reader.need(map, 'comity', 'the manifest'), '`comity`');
  if (version !== undefined && version !== MANIFEST_VERSION) {
    reader.report(
      'unknown-value',
      `manifest version \`${version}\` is not known`,
      map.at,
      `this comity reads version ${MANIFEST_VERSION}`,
    );
  }
  const name = reader.text(reader.need(map, 'name', 'the manifest'), '`name`') ?? '';
  const owner = reader.text(reader.entry(map, 'owner')?.value, '`owner`');
  const summary = reader.text(reader.entry(map, 'summary')?.value, '`summary`');
  const facts = readStatements(reader, reader.entry(map, 'facts')?.value, names, 'system');
  const defaults = readStatements(reader, reader.entry(map, 'market_defaults')?.value, names, 'market');
  const markets = readMarkets(reader, reader.need(map, 'markets', 'the manifest'), names);
  return {
    file,
    name,
    ...(owner === undefined ? {} : { owner }),
    ...(summary === undefined ? {} : { summary }),
    markets: [...markets.keys()],
    statements: (market) => {
      const own = markets.get(market)?.statements ?? [];
      const stated = new Set(own.map((statement) => statement.fact));
      return [...facts, ...defaults.filter((statement) => !stated.has(statement.fact)), ...own];
    },
    models: readComponents(reader, reader.entry(map, 'models')?.value, 'a model'),
    datasets: readComponents(reader, reader.entry(map, 'datasets')?.value, 'a dataset'),
    controls: readDeclaredControls(reader, reader.entry(map, 'controls')?.value, names),
    marketAt: (market) => markets.get(market)?.at ?? map.at,
  };
}

function readMarkets(
  reader: Reader,
  node: SourceNode | undefined,
  names: ManifestNames,
): ReadonlyMap<string, { readonly at: Position; readonly statements: readonly Statement[] }> {
  const markets = new Map<string, { readonly at: Position; readonly statements: readonly Statement[] }>();
  if (node === undefined) return markets;
  if (node.kind !== 'map') {
    reader.report('wrong-type', '`markets` must be a map', node.at, 'for example {EU: {role: [provider]}}');
    return markets;
  }
  if (node.entries.length === 0)
    reader.report(
      'missing',
      'the manifest names no market',
      node.at,
      'add at least one, for example `EU: {role: [provider]}`',
    );
  for (const { key, value, keyAt } of node.entries) {
    if (!names.jurisdictions.byId.has(key)) {
      reader.report(
        'unknown-name',
        `unknown market \`${key}\``,
        keyAt,
        didYouMean(key, [...names.jurisdictions.byId.keys()]),
      );
      continue;
    }
    const nothing = value.kind === 'scalar' && value.value === null;
    markets.set(key, {
      at: keyAt,
      statements: nothing ? [] : readStatements(reader, value, names, 'market'),
    });
  }
  return markets;
}

/** Facts of a market are written without their `market.`; facts of the system by their full id. */
function readStatements(
  reader: Reader,
  node: SourceNode | undefined,
  names: ManifestNames,
  per: 'system' | 'market',
): readonly Statement[] {
  if (node === undefined) return [];
  if (node.kind !== 'map')
    return (
      reader.report(
        'wrong-type',
        per === 'market' ? 'a market must be a map of facts' : '`facts` must be a map',
        node.at,
      ) ?? []
    );
  const prefix = per === 'market' ? 'market.' : '';
  const known = [...names.vocabulary.facts.values()]
    .filter((fact) => fact.per === per && fact.scope === 'static')
    .map((fact) => fact.id.slice(prefix.length));
  return node.entries.flatMap(({ key, value, keyAt }) => {
    const fact = names.vocabulary.facts.get(prefix + key);
    if (fact === undefined || fact.per !== per) {
      const elsewhere = names.vocabulary.facts.get(key);
      const help =
        elsewhere?.per === 'market'
          ? `state it under each market, as \`${key.slice('market.'.length)}\``
          : didYouMean(key, known);
      return reader.report('unknown-fact', `unknown fact \`${key}\``, keyAt, help) ?? [];
    }
    if (fact.scope === 'request')
      return (
        reader.report(
          'unknown-fact',
          `\`${key}\` is known only by a single call`,
          keyAt,
          'leave it out; the guard supplies it with each request',
        ) ?? []
      );
    const read = readFactValue(reader, value, fact);
    return read === undefined ? [] : [{ fact: fact.id, value: read, at: keyAt }];
  });
}

function readComponents(reader: Reader, node: SourceNode | undefined, what: string): readonly Component[] {
  return reader.list(node, `the list with ${what}`).flatMap((item) => {
    const map = reader.map(item, what, COMPONENT_KEYS);
    const name = map && reader.text(reader.need(map, 'name', what), '`name`');
    if (map === undefined || name === undefined) return [];
    const rest = COMPONENT_KEYS.slice(1).flatMap((key) => {
      const value = reader.text(reader.entry(map, key)?.value, `\`${key}\``);
      return value === undefined ? [] : [[key, value] as const];
    });
    return [{ name, ...Object.fromEntries(rest) }];
  });
}

function readDeclaredControls(
  reader: Reader,
  node: SourceNode | undefined,
  names: ManifestNames,
): ReadonlyMap<string, DeclaredControl> {
  const controls = new Map<string, DeclaredControl>();
  if (node === undefined) return controls;
  if (node.kind !== 'map') {
    reader.report('wrong-type', '`controls` must be a map', node.at);
    return controls;
  }
  for (const { key, value, keyAt } of node.entries) {
    const control = names.controls.get(key);
    if (control === undefined) {
      reader.report(
        'unknown-name',
        `unknown control \`${key}\``,
        keyAt,
        didYouMean(key, [...names.controls.keys()]),
      );
      continue;
    }
    const entries = value.kind === 'map' ? value.entries : [];
    if (value.kind === 'list' || (value.kind === 'scalar' && value.value !== null))
      reader.report(
        'wrong-type',
        `control \`${key}\` must be a map`,
        value.at,
        'for example {evidence: [{kind: document, ref: docs/notice.md}]}',
      );
    const evidence = entries.find((entry) => entry.key === 'evidence')?.value;
    controls.set(key, {
      id: key,
      at: keyAt,
      parameters: readParameterValues(
        reader,
        entries.filter((entry) => entry.key !== 'evidence'),
        control,
      ),
      evidence: reader.list(evidence, '`evidence`').flatMap((item) => readEvidence(reader, item) ?? []),
    });
  }
  return controls;
}

function readEvidence(reader: Reader, node: SourceNode): Evidence | undefined {
  const what = 'a piece of evidence';
  const map = reader.map(node, what, EVIDENCE_KEYS);
  const kind = map && reader.oneOf(reader.need(map, 'kind', what), 'kind', EVIDENCE_KINDS);
  const ref = map && reader.text(reader.need(map, 'ref', what), '`ref`');
  if (!map || !kind || !ref) return undefined;
  const on = reader.day(reader.entry(map, 'on')?.value, '`on`');
  const expires = reader.day(reader.entry(map, 'expires')?.value, '`expires`');
  const window = reader.text(reader.entry(map, 'window')?.value, '`window`');
  const sha256 = reader.text(reader.entry(map, 'sha256')?.value, '`sha256`');
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
    reader.report('wrong-type', '`sha256` must be 64 hexadecimal digits', map.at);
  return {
    kind,
    ref,
    ...(on === undefined ? {} : { on }),
    ...(expires === undefined ? {} : { expires }),
    ...(window === undefined ? {} : { window }),
    ...(sha256 === undefined ? {} : { sha256 }),
    at: map.at,
  };
}

/** Statements that exclude each other, each reported once however many markets it shows in. */
function contradictions(manifest: Manifest, names: ManifestNames): readonly Problem[] {
  const seen = new Map<string, Problem>();
  for (const market of manifest.markets) {
    for (const problem of gather(names.vocabulary, names.jurisdictions, market, manifest.statements(market))
      .problems) {
      seen.set(`${problem.message}${problem.at?.line}`, problem);
    }
  }
  return [...seen.values()];
}
