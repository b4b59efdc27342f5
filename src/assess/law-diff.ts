import canonicalize from 'canonicalize';
import type { Manifest } from '../facts/manifest.ts';
import type { Law } from '../rules/law.ts';
import type { Rule, Rulebook } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import type { Outcome } from './assessment.ts';
import type { Probe } from './evidence.ts';
import { assessFeature } from './feature.ts';

/** How a part of the law differs between two versions of it. */
export interface LawChange {
  readonly kind: 'added' | 'removed' | 're-dated' | 'meaning' | 'editorial';
  readonly what: 'rule' | 'rulebook' | 'fact' | 'constraint' | 'control' | 'jurisdiction';
  readonly id: string;
  /** What of it changed, in the words of the file: `when`, `effective`, `status` … */
  readonly fields: readonly string[];
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Fields that say when a rule applies, fields that carry no meaning, and all others. */
const DATES = new Set(['effective']);
const EDITORIAL = new Set([
  'title',
  'note',
  'cite',
  'source',
  'review',
  'citation',
  'url',
  'covers',
  'leavesOut',
  'question',
  'definition',
  'cites',
  'build',
  'how',
  'because',
  'asOf',
  'penalties',
  'topic',
  'depth',
  'name',
]);

type Plain = Readonly<Record<string, unknown>>;

/** Every difference between two bodies of law, sorted: nothing changes silently. */
export function diffLaw(before: Law, after: Law): readonly LawChange[] {
  const without = (rulebook: Rulebook): Plain => {
    const { rules: _rules, at: _at, ...header } = rulebook;
    return header;
  };
  return [
    ...compare('jurisdiction', before.jurisdictions.byId, after.jurisdictions.byId),
    ...compare('fact', before.vocabulary.facts, after.vocabulary.facts),
    ...compare('constraint', byId(before.vocabulary.constraints), byId(after.vocabulary.constraints)),
    ...compare('control', before.controls, after.controls),
    ...compare('rulebook', mapped(before.rulebooks, without), mapped(after.rulebooks, without)),
    ...compare('rule', mapped(before.rules, ruleFields), mapped(after.rules, ruleFields)),
  ];
}

/** A rule as its file states it: what follows from other rules (the expanded targets of an exception) is left out. */
function ruleFields(rule: Rule): Plain {
  const { at: _at, id: _id, rulebook: _rulebook, effect, ...rest } = rule;
  const { rules: _rules, ...stated } = { rules: undefined, ...effect };
  return { ...rest, effect: stated };
}

function byId<T extends { readonly id: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.id, item]));
}

function mapped<A, B>(map: ReadonlyMap<string, A>, of: (item: A) => B): ReadonlyMap<string, B> {
  return new Map([...map].map(([key, item]) => [key, of(item)]));
}

function compare(
  what: LawChange['what'],
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
): readonly LawChange[] {
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  return ids.flatMap((id): readonly LawChange[] => {
    const [old, now] = [plain(before.get(id)), plain(after.get(id))];
    if (old === undefined) return [{ kind: 'added', what, id, fields: [], after: now }];
    if (now === undefined) return [{ kind: 'removed', what, id, fields: [], before: old }];
    const fields = [...new Set([...Object.keys(old), ...Object.keys(now)])]
      .filter((field) => canonicalize(old[field] ?? null) !== canonicalize(now[field] ?? null))
      .sort();
    if (fields.length === 0) return [];
    const pick = (all: Plain): Plain => Object.fromEntries(fields.map((field) => [field, all[field]]));
    return [{ kind: kindOf(fields), what, id, fields, before: pick(old), after: pick(now) }];
  });
}

function kindOf(fields: readonly string[]): LawChange['kind'] {
  const real = fields.filter((field) => !EDITORIAL.has(field));
  if (real.length === 0) return 'editorial';
  return real.every((field) => DATES.has(field)) ? 're-dated' : 'meaning';
}

function plain(value: unknown): Plain | undefined {
  if (value === undefined) return undefined;
  return JSON.parse(
    JSON.stringify(value, (_key, item) => (item instanceof Map ? Object.fromEntries(item) : item)),
  ) as Plain;
}

/** A market of a feature whose outcome is another under the new law. */
export interface OutcomeChange {
  readonly name: string;
  readonly file: string;
  readonly market: string;
  readonly before: Outcome;
  readonly after: Outcome;
}

/** One feature, read against each version of the law: its words may have changed too. */
export interface ComparedManifest {
  readonly before: Manifest;
  readonly after: Manifest;
  readonly probe: Probe;
}

/** The markets whose outcome a change of law changes. */
export function outcomeChanges(
  before: Law,
  after: Law,
  manifests: readonly ComparedManifest[],
  moment: Moment,
): readonly OutcomeChange[] {
  return manifests.flatMap((manifest) => {
    const old = assessFeature(before, manifest.before, { moment, probe: manifest.probe });
    const now = assessFeature(after, manifest.after, { moment, probe: manifest.probe });
    return now.markets.flatMap((assessment) => {
      const earlier = old.markets.find(({ market }) => market === assessment.market);
      if (earlier === undefined || earlier.outcome === assessment.outcome) return [];
      return [
        {
          name: manifest.after.name,
          file: manifest.after.file,
          market: assessment.market,
          before: earlier.outcome,
          after: assessment.outcome,
        },
      ];
    });
  });
}
