import type { Condition } from './condition.ts';
import type { Domain, FactValue } from './domain.ts';
import { domainOf, fullDomain, isKnown, narrow, pointDomain, test } from './domain.ts';
import type { Jurisdictions } from './jurisdictions.ts';
import type { Position, Problem } from './problem.ts';
import type { Truth } from './truth.ts';
import { and, atLeast, not, or, truth } from './truth.ts';
import type { Constraint, Fact, Vocabulary } from './vocabulary.ts';

/** How we know what we know of a fact. */
export type Origin =
  | { readonly kind: 'stated'; readonly at?: Position }
  | { readonly kind: 'implied'; readonly constraint: string; readonly because: string }
  | { readonly kind: 'computed'; readonly from: string }
  | { readonly kind: 'nothing' };

/** What is known about one system in one market, with its origin. Immutable. */
export interface Knowledge {
  /** @param place one that contains the market; facts computed from places are then meant for it. */
  domain(fact: string, place?: string): Domain;
  origin(fact: string, place?: string): Origin;
}

/** A stated fact with the place of its statement. */
export interface Statement {
  readonly fact: string;
  readonly value: FactValue;
  readonly at?: Position;
}

interface Entry {
  readonly domain: Domain;
  readonly origin: Origin;
}

const NOTHING: Origin = { kind: 'nothing' };

/**
 * Gathers what was stated about a system and one market, computes the facts that follow from places, and applies
 * the constraints of the vocabulary until nothing more follows.
 *
 * @param market id of the market; facts derived from places are computed for it.
 * @returns the knowledge, or the contradictions (statements that exclude each other) with the constraints they break.
 */
export function gather(
  vocabulary: Vocabulary,
  jurisdictions: Jurisdictions,
  market: string,
  statements: readonly Statement[],
): {
  readonly knowledge: Knowledge;
  readonly problems: readonly Problem[];
  readonly broken: readonly Constraint[];
} {
  const entries = new Map<string, Entry>();
  const problems: Problem[] = [];
  for (const { fact: id, value, at } of statements) {
    const fact = vocabulary.facts.get(id);
    if (fact === undefined) continue;
    const ordered = typeof value === 'string' && fact.type !== 'enum';
    entries.set(id, {
      domain: ordered ? pointDomain(value) : domainOf(value),
      origin: { kind: 'stated', ...(at === undefined ? {} : { at }) },
    });
  }
  for (const fact of vocabulary.facts.values()) {
    if (fact.derive !== undefined) compute(fact, jurisdictions, market, entries, problems);
  }
  const broken = propagate(vocabulary, entries, problems);
  return {
    knowledge: freeze(vocabulary, entries, around(vocabulary, jurisdictions, market, entries)),
    problems,
    broken,
  };
}

/**
 * Facts computed from places, for the places that contain the market: who is established in another member state is
 * established in the union. What is stated for the market itself holds for them too.
 */
function around(
  vocabulary: Vocabulary,
  jurisdictions: Jurisdictions,
  market: string,
  entries: ReadonlyMap<string, Entry>,
): ReadonlyMap<string, ReadonlyMap<string, Entry>> {
  const computed = [...vocabulary.facts.values()].filter(({ id, derive }) => {
    const origin = entries.get(id)?.origin.kind;
    return derive !== undefined && (origin === undefined || origin === 'computed');
  });
  return new Map(
    jurisdictions
      .chain(market)
      .filter((place) => place !== market)
      .map((place) => {
        const own = new Map([...entries].filter(([id]) => computed.every((fact) => fact.id !== id)));
        for (const fact of computed) compute(fact, jurisdictions, place, own, []);
        return [
          place,
          new Map(
            computed.map((fact) => [
              fact.id,
              own.get(fact.id) ?? { domain: fullDomain(fact), origin: NOTHING },
            ]),
          ),
        ];
      }),
  );
}

function freeze(
  vocabulary: Vocabulary,
  entries: ReadonlyMap<string, Entry>,
  places: ReadonlyMap<string, ReadonlyMap<string, Entry>>,
): Knowledge {
  const open = new Map<string, Domain>();
  return {
    domain: (id, place) => {
      const known =
        (place === undefined ? undefined : places.get(place)?.get(id))?.domain ??
        entries.get(id)?.domain ??
        open.get(id);
      if (known !== undefined) return known;
      const fact = vocabulary.facts.get(id);
      if (fact === undefined) throw new RangeError(`no fact \`${id}\` in the vocabulary`);
      const domain = fullDomain(fact);
      open.set(id, domain);
      return domain;
    },
    origin: (id, place) =>
      (place === undefined ? undefined : places.get(place)?.get(id))?.origin ??
      entries.get(id)?.origin ??
      NOTHING,
  };
}

/** Whether some place of a set lies inside the market, or some lies outside it. */
function compute(
  fact: Fact,
  jurisdictions: Jurisdictions,
  market: string,
  entries: Map<string, Entry>,
  problems: Problem[],
): void {
  const { kind, from } = fact.derive ?? { kind: 'inside-market', from: '' };
  const source = entries.get(from);
  if (source?.domain.kind !== 'members') return;
  const places = [...source.domain.certain].map((place) => placed(jurisdictions, market, place));
  const value = or(kind === 'inside-market' ? places : places.map(not));
  if (value === 'unknown') return;
  const stated = entries.get(fact.id);
  if (
    stated !== undefined &&
    test(fact, stated.domain, { kind: 'is', value: value === 'true' }) === 'false'
  ) {
    problems.push({
      code: 'contradiction',
      message: `\`${fact.id}\` is stated as ${value === 'true' ? 'false' : 'true'} for ${market}, but \`${from}\` says ${value}`,
      ...(stated.origin.kind === 'stated' && stated.origin.at ? { at: stated.origin.at } : {}),
      help: `leave \`${fact.id}\` out: it is computed from \`${from}\``,
    });
    return;
  }
  entries.set(fact.id, { domain: domainOf(value === 'true'), origin: { kind: 'computed', from } });
}

/** A country of the union lies inside the union; the United States may or may not be in Colorado. */
function placed(jurisdictions: Jurisdictions, market: string, place: string): Truth {
  if (jurisdictions.contains(market, place)) return 'true';
  return jurisdictions.contains(place, market) ? 'unknown' : 'false';
}

function propagate(
  vocabulary: Vocabulary,
  entries: Map<string, Entry>,
  problems: Problem[],
): readonly Constraint[] {
  const domain = (id: string): Domain => {
    const fact = vocabulary.facts.get(id);
    return (
      entries.get(id)?.domain ??
      (fact === undefined ? { kind: 'choice', possible: new Set() } : fullDomain(fact))
    );
  };
  const broken = new Set<string>();
  for (let changed = true; changed; ) {
    changed = false;
    for (const constraint of vocabulary.constraints) {
      if (broken.has(constraint.id)) continue;
      const when = evaluate(constraint.when, (id, asked) => {
        const fact = vocabulary.facts.get(id);
        return fact === undefined ? 'unknown' : test(fact, domain(id), asked);
      });
      const origin: Origin = { kind: 'implied', constraint: constraint.id, because: constraint.because };
      const set = (id: string, asked: Parameters<typeof narrow>[2], passes: boolean): void => {
        const fact = vocabulary.facts.get(id);
        if (fact === undefined) return;
        const before = domain(id);
        const after = narrow(fact, before, asked, passes);
        if (after === undefined) {
          broken.add(constraint.id);
          problems.push(
            contradiction(constraint.id, constraint.because, id, entries, mentionedIn(constraint.when)),
          );
        } else if (after !== before) {
          // What was stated stays known as stated, even where a constraint says the same or less.
          const old = entries.get(id)?.origin;
          entries.set(id, { domain: after, origin: old !== undefined && isKnown(before) ? old : origin });
          changed = true;
        }
      };
      if (when === 'true') for (const { fact, test: asked } of constraint.then) set(fact, asked, true);
      else if (
        when === 'unknown' &&
        constraint.then.some(({ fact, test: asked }) => falsified(vocabulary, domain, fact, asked))
      ) {
        const leaf = constraint.when.kind === 'not' ? constraint.when.of : constraint.when;
        if (leaf.kind === 'fact') set(leaf.fact, leaf.test, constraint.when.kind === 'not');
      }
    }
  }
  return vocabulary.constraints.filter(({ id }) => broken.has(id));
}

function falsified(
  vocabulary: Vocabulary,
  domain: (id: string) => Domain,
  id: string,
  asked: Parameters<typeof narrow>[2],
): boolean {
  const fact = vocabulary.facts.get(id);
  return fact !== undefined && test(fact, domain(id), asked) === 'false';
}

function mentionedIn(condition: Condition): readonly string[] {
  switch (condition.kind) {
    case 'fact':
      return [condition.fact];
    case 'derived':
      return [];
    case 'not':
      return mentionedIn(condition.of);
    default:
      return condition.of.flatMap(mentionedIn);
  }
}

function contradiction(
  id: string,
  because: string,
  fact: string,
  entries: ReadonlyMap<string, Entry>,
  premises: readonly string[],
): Problem {
  const stated = (name: string): Position | undefined => {
    const origin = entries.get(name)?.origin;
    return origin?.kind === 'stated' ? origin.at : undefined;
  };
  const at = stated(fact) ?? premises.map(stated).find((place) => place !== undefined);
  return {
    code: 'contradiction',
    message: `\`${fact}\` contradicts ${premises.map((name) => `\`${name}\``).join(', ')}: ${because}`,
    ...(at === undefined ? {} : { at }),
    help: `correct one of them (constraint \`${id}\`)`,
  };
}

/** Evaluates a condition without concluded facts, as constraints are. */
function evaluate(
  condition: Condition,
  leaf: (fact: string, asked: Parameters<typeof narrow>[2]) => Truth,
): Truth {
  switch (condition.kind) {
    case 'all':
      return and(condition.of.map((child) => evaluate(child, leaf)));
    case 'any':
      return or(condition.of.map((child) => evaluate(child, leaf)));
    case 'not':
      return not(evaluate(condition.of, leaf));
    case 'at-least':
      return atLeast(
        condition.n,
        condition.of.map((child) => evaluate(child, leaf)),
      );
    case 'fact':
      return leaf(condition.fact, condition.test);
    case 'derived':
      return truth(false);
  }
}
