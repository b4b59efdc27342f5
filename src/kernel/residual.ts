import { test } from '../facts/domain.ts';
import { gather } from '../facts/knowledge.ts';
import { throwIfAny } from '../facts/problem.ts';
import type { FactTest } from '../facts/test.ts';
import { CallReader } from './call.ts';
import { FactClasses } from './classes.ts';
import { entangledWith } from './entangled.ts';
import type { Expressions } from './expression.ts';
import { Market } from './market.ts';
import type { MarketPlan } from './market-plan.ts';
import { planMarket } from './market-plan.ts';
import type { PolicyOptions } from './policy-options.ts';
import { expressionsFor, unknownFact, unknownMarket } from './policy-options.ts';
import type { LeafValue } from './program.ts';
import { factOf } from './vocabulary.ts';
import { webassembly } from './webassembly.ts';

/** What is left of the law for a feature once all that its manifest states is folded away. */
export interface Residual {
  readonly markets: readonly Market[];
  readonly reader: CallReader;
  /** Other facts follow from what a call states: what is known is gathered anew for each new call. */
  readonly entangled: boolean;
}

/** @throws InputError for an unknown market or fact, and for statements that contradict each other. */
export function residualOf(options: PolicyOptions): Residual {
  const { law, manifest } = options;
  const names = options.markets ?? manifest.markets;
  throwIfAny(names.flatMap((market) => unknownMarket(law, market) ?? []));
  const callFacts = callFactsOf(options, names);
  const entangled = entangledWith(law.vocabulary, callFacts);
  const variable = new Set([...callFacts, ...entangled]);
  const expressions = expressionsFor(options);
  const plans = names.map((market) => plan(options, market, variable, expressions));
  const classes = callFacts.map(
    (id) => new FactClasses(factOf(law, id), testsOf(id, plans), entangled.has(id)),
  );
  const programs = plans.map(({ program }) => program);
  const machines = options.build === undefined ? webassembly(programs) : options.build(programs);
  return {
    markets: plans.flatMap((one, i) => {
      const machine = machines[i];
      return machine === undefined ? [] : [new Market(one, machine, classes)];
    }),
    reader: new CallReader(law, classes),
    entangled: callFacts.some((id) => entangled.has(id)),
  };
}

/** The facts that a call may state: what the manifest states is none of its business. */
function callFactsOf(
  { law, manifest, callFacts }: PolicyOptions,
  markets: readonly string[],
): readonly string[] {
  const { facts } = law.vocabulary;
  throwIfAny((callFacts ?? []).flatMap((id) => unknownFact(id, [...facts.keys()]) ?? []));
  const stated = new Set(markets.flatMap((market) => manifest.statements(market)).map(({ fact }) => fact));
  const all = callFacts ?? [...facts.values()].filter(({ scope }) => scope === 'request').map(({ id }) => id);
  return all.filter((id) => !stated.has(id));
}

function plan(
  { law, manifest, moment, probe }: PolicyOptions,
  market: string,
  variable: ReadonlySet<string>,
  expressions: Expressions,
): MarketPlan {
  const { knowledge, problems } = gather(
    law.vocabulary,
    law.jurisdictions,
    market,
    manifest.statements(market),
  );
  throwIfAny(problems);
  const leafValue: LeafValue = ({ fact, place, test: asked }) =>
    variable.has(fact) ? undefined : test(factOf(law, fact), knowledge.domain(fact, place), asked);
  return planMarket({ law, market, moment, expressions, declared: manifest.controls, probe, leafValue });
}

/** Every test that some market makes of a fact, in an order of their own. */
function testsOf(id: string, plans: readonly MarketPlan[]): readonly FactTest[] {
  const tests = new Map<string, FactTest>();
  for (const { program } of plans) {
    for (const { leaf } of program.slots) {
      if (leaf.fact === id) tests.set(JSON.stringify(leaf.test), leaf.test);
    }
  }
  return [...tests].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, asked]) => asked);
}
