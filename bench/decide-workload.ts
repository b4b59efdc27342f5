import { readFileSync } from 'node:fs';
import type { Domain, FactValue } from '../src/facts/domain.ts';
import { domainOf, fullDomain, pointDomain, test } from '../src/facts/domain.ts';
import type { Knowledge } from '../src/facts/knowledge.ts';
import { gather } from '../src/facts/knowledge.ts';
import { readManifest } from '../src/facts/manifest.ts';
import type { Truth } from '../src/facts/truth.ts';
import type { Fact } from '../src/facts/vocabulary.ts';
import type { Definition, Exported, Rails } from '../src/kernel/export/exported.ts';
import { exportLaw, factNamed } from '../src/kernel/export/exported.ts';
import type { Formula } from '../src/kernel/export/formula.ts';
import { and, atLeast, FALSE, or, RAILS, TRUE, testsIn } from '../src/kernel/export/formula.ts';
import type { EngineInput } from '../src/kernel/export/input.ts';
import { inputOf } from '../src/kernel/export/input.ts';
import type { LeafValue } from '../src/kernel/program.ts';
import { Interpreter } from '../src/rules/interpreter.ts';
import { loadLaw } from '../src/rules/load.ts';
import { statedOf } from './stated.ts';

/**
 * - `cold`: nothing is known beforehand, every fact comes with the decision;
 * - `specialised`: what a feature states is folded into the rules, the facts of a call come with the decision. No peer
 *   does that by itself: each is given the folded rules.
 */
export type Column = 'cold' | 'specialised';

/** What is decided, over and over: the same rules on the same facts for every engine. */
export interface Workload {
  readonly column: Column;
  readonly exported: Exported;
  /** What each decision is given: values for the kernel, and the same for the engines of the exports. */
  readonly values: readonly Readonly<Record<string, FactValue>>[];
  readonly knowledge: readonly Knowledge[];
  readonly inputs: readonly EngineInput[];
  /** What the reference interpreter says of every rule, by decision. */
  readonly expected: readonly (readonly Truth[])[];
  /** What is folded away. */
  readonly leafValue: LeafValue;
}

const MARKET = 'EU';
const DECISIONS = 64;
/** Facts of a single call beside those that the vocabulary marks as such: a chatbot learns them as it talks. */
const BY_CALL = [
  'data.personal',
  'data.sensitive',
  'output.modalities',
  'people.groups',
  'people.minimum_age',
  'purpose.uses',
];

/** The rules in force in one market, as an engine of its own process needs them. */
export function workloadOf(column: Column): Workload {
  const { law, digest } = loadLaw();
  const asOf = [...law.rulebooks.values()].map(({ status }) => status.asOf).sort()[0];
  if (asOf === undefined) throw new Error('no law');
  const moment = { asOf, knownAt: asOf };
  const places = law.jurisdictions.chain(MARKET);
  const whole = exportLaw({
    law,
    digest,
    moment,
    wanted: ({ rulebook }) => places.includes(law.rulebooks.get(rulebook)?.jurisdiction ?? ''),
  });
  const manifestFile = new URL('../examples/support-chatbot/comity.yaml', import.meta.url);
  const manifest = readManifest(readFileSync(manifestFile, 'utf8'), 'comity.yaml', law);
  const byCall = (id: string): boolean => factNamed(law, id).scope === 'request' || BY_CALL.includes(id);
  const stated = manifest.statements(MARKET).filter(({ fact }) => !byCall(fact));
  const feature = gather(law.vocabulary, law.jurisdictions, MARKET, stated).knowledge;
  const leafValue: LeafValue = ({ fact, place, test: asked }) =>
    column === 'cold' || byCall(fact)
      ? undefined
      : test(factNamed(law, fact), feature.domain(fact, place), asked);
  const exported = column === 'cold' ? whole : folded(whole, leafValue);
  const facts = [...new Map([...whole.facts.values()].map(({ fact }) => [fact.id, fact])).values()].filter(
    ({ id }) => column === 'cold' || byCall(id),
  );
  const values = Array.from({ length: DECISIONS }, (_, i) => statedOf(facts, i));
  const knowledge = values.map(
    (own): Knowledge => ({
      domain: (id, place) => {
        const fact = factNamed(law, id);
        const value = own[id];
        if (value !== undefined) return domainOfValue(fact, value);
        return column === 'cold' || byCall(id) ? fullDomain(fact) : feature.domain(id, place);
      },
      origin: () => ({ kind: 'nothing' }),
    }),
  );
  return {
    column,
    exported,
    values,
    knowledge,
    inputs: knowledge.map((one) =>
      inputOf(exported, { feature: manifest.name, market: MARKET, knowledge: one }),
    ),
    expected: knowledge.map((one) => {
      const interpreter = new Interpreter({ law, moment, knowledge: one });
      return whole.rules.map(({ rule }) => interpreter.holds(rule));
    }),
    leafValue,
  };
}

function domainOfValue(fact: Fact, value: FactValue): Domain {
  return typeof value === 'string' && fact.type !== 'enum' ? pointDomain(value) : domainOf(value);
}

/** The rules with the values of some tests folded away. */
function folded(exported: Exported, leafValue: LeafValue): Exported {
  const known = new Map<string, Formula>();
  const fold = (formula: Formula): Formula => {
    switch (formula.kind) {
      case 'constant':
        return formula;
      case 'and':
        return and(formula.of.map(fold));
      case 'or':
        return or(formula.of.map(fold));
      case 'at-least':
        return atLeast(formula.n, formula.of.map(fold));
      case 'test': {
        const { fact, place, test: asked, rail, negated } = formula;
        const around = place === undefined ? {} : { place };
        const value = leafValue({ kind: 'leaf', fact: fact.id, ...around, test: asked });
        if (value === undefined) return formula;
        return constant((rail === 'definitely' ? value === 'true' : value !== 'false') !== negated);
      }
      default: {
        const { kind, name, rail, negated } = formula;
        const value = known.get(`${rail} ${kind} ${name}`);
        return value?.kind === 'constant' ? constant(value.value !== negated) : formula;
      }
    }
  };
  const definitions = exported.definitions.map((one): Definition => {
    const rails = { definitely: fold(one.rails.definitely), possibly: fold(one.rails.possibly) };
    for (const rail of RAILS) known.set(`${rail} ${one.kind} ${one.name}`, rails[rail]);
    return { ...one, rails };
  });
  const byRule = new Map(
    definitions.flatMap(({ kind, name, rails }) => (kind === 'rule' ? [[name, rails]] : [])),
  );
  const tested = new Set(
    definitions.flatMap(({ rails }) => RAILS.flatMap((rail) => testsIn(rails[rail]).map(({ key }) => key))),
  );
  const never: Rails = { definitely: FALSE, possibly: FALSE };
  return {
    ...exported,
    rules: exported.rules.map((one) => ({ ...one, rails: byRule.get(one.rule.id) ?? never })),
    definitions,
    facts: new Map([...exported.facts].filter(([key]) => tested.has(key))),
  };
}

function constant(value: boolean): Formula {
  return value ? TRUE : FALSE;
}
