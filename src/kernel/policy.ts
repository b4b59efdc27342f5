import { createHash } from 'node:crypto';
import { assess } from '../assess/assess.ts';
import type { MarketAssessment } from '../assess/assessment.ts';
import type { FactValue } from '../facts/domain.ts';
import { test } from '../facts/domain.ts';
import type { Knowledge, Statement } from '../facts/knowledge.ts';
import { gather } from '../facts/knowledge.ts';
import type { Problem } from '../facts/problem.ts';
import { InputError, throwIfAny } from '../facts/problem.ts';
import type { FactTest } from '../facts/test.ts';
import type { Law } from '../rules/law.ts';
import type { Moment } from '../rules/time.ts';
import { FactClasses, UNSTATED, weightsOf } from './classes.ts';
import type { CallFacts, Decision, DetailSource, MarketDecision } from './decision.ts';
import { cannotTell, KernelDecision, lazyDecision, settledDecision } from './decision.ts';
import { entangledWith } from './entangled.ts';
import type { Expressions } from './expression.ts';
import type { MarketPlan } from './market.ts';
import { Market, planMarket } from './market.ts';
import type { PolicyOptions } from './policy-options.ts';
import { expressionsFor, unknownFact, unknownMarket } from './policy-options.ts';
import type { LeafValue, Machine } from './program.ts';
import { encode } from './program.ts';
import { webassembly } from './webassembly.ts';

/** What a decision rests on, by the reference interpreter. */
export interface Explanation {
  readonly facts: CallFacts;
  readonly markets: readonly MarketAssessment[];
}

/** Decisions kept: with tens of markets some hundred bytes each, so a few megabytes at most. */
const KEEP = 16_384;

/**
 * Compiles a feature under a law at a moment into decisions on single calls. What the manifest states is folded away.
 *
 * @throws InputError for an unknown market or fact, and for statements that contradict each other.
 *
 * @example
 * const policy = compile({ law, digest, manifest, moment, probe });
 * policy.decide({ 'user.age_band': 'under-13' }).in(market).outcome;
 */
export function compile(options: PolicyOptions): Policy {
  return new Policy(options);
}

/** A feature under a law at a moment, compiled. Decides; the law and the manifest it was made from stay as they were. */
export class Policy {
  readonly digest: string;
  readonly moment: Moment;
  readonly markets: readonly string[];
  /** Facts that a call may state. */
  readonly callFacts: readonly string[];
  readonly #options: PolicyOptions;
  readonly #identity: string;
  readonly #compiled: readonly Market[];
  readonly #classes: readonly FactClasses[];
  readonly #index: ReadonlyMap<string, number>;
  readonly #lastIds: string[] = [];
  readonly #lastIndices: number[] = [];
  /** Weight of each fact in the key of a call; zero weights where the keys would grow past exact numbers. */
  readonly #weights: readonly number[];
  /** Classes of the call at hand. */
  readonly #call: Uint16Array;
  /** Per market, fact and class: registers and values to load. */
  readonly #loads: readonly (readonly (readonly number[])[])[];
  /** Other facts follow from what a call states: what is known is gathered anew for each new call. */
  readonly #entangled: boolean;
  readonly #keep: number;
  readonly #details: DetailSource = {
    detail: (m, call) => {
      const market = this.#compiled[m];
      if (market === undefined) throw new RangeError(`no market ${m}`);
      this.#load(m, market, call);
      return market.detail();
    },
  };
  readonly #decisions = new Map<number, KernelDecision>();
  readonly #byId = new Map<string, CallFacts>();

  constructor(options: PolicyOptions) {
    const { law, digest, manifest, moment } = options;
    this.#options = options;
    this.digest = digest;
    this.moment = moment;
    this.markets = options.markets ?? manifest.markets;
    throwIfAny(this.markets.flatMap((market) => unknownMarket(law, market) ?? []));
    throwIfAny(
      (options.callFacts ?? []).flatMap((id) => unknownFact(id, [...law.vocabulary.facts.keys()]) ?? []),
    );
    const stated = new Set(
      this.markets.flatMap((market) => manifest.statements(market)).map(({ fact }) => fact),
    );
    this.callFacts = (
      options.callFacts ??
      [...law.vocabulary.facts.values()].filter(({ scope }) => scope === 'request').map(({ id }) => id)
    ).filter((id) => !stated.has(id));
    const entangled = entangledWith(law.vocabulary, this.callFacts);
    this.#entangled = this.callFacts.some((id) => entangled.has(id));
    const variable = new Set([...this.callFacts, ...entangled]);
    const expressions = expressionsFor(options);
    const plans = this.markets.map((market) => this.#plan(market, variable, expressions));
    const machines = (options.build ?? webassembly)(plans.map(({ program }) => program));
    this.#compiled = plans.flatMap((plan, i) => {
      const machine = machines[i];
      return machine === undefined ? [] : [new Market(plan, machine)];
    });
    this.#classes = this.callFacts.map(
      (id) => new FactClasses(factOf(law, id), this.#testsOf(id), entangled.has(id)),
    );
    this.#index = new Map(this.callFacts.map((id, i) => [id, i]));
    this.#weights = weightsOf(this.#classes);
    this.#call = new Uint16Array(this.#classes.length);
    this.#loads = this.#compiled.map((market) =>
      this.#classes.map((classes) => this.#loadsOf(market, classes)),
    );
    this.#keep = options.keep ?? KEEP;
    this.#identity = this.#identify();
  }

  /** How the rules are run, and how much there is to run: operations and registers over all markets. */
  get size(): {
    readonly backend: Machine['backend'];
    readonly operations: number;
    readonly registers: number;
  } {
    return {
      backend: this.#compiled[0]?.machine.backend ?? 'bytecode',
      operations: this.#compiled.reduce((sum, { program }) => sum + program.code.length / 4, 0),
      registers: this.#compiled.reduce((sum, { program }) => sum + program.registers, 0),
    };
  }

  /**
   * Decides a call. Facts of the wrong type, outside their values or unknown make every market `cannot-tell`, with
   * the problems beside it: this never throws and never allows by mistake.
   */
  decide(facts: CallFacts): Decision {
    const call = this.#call;
    call.fill(UNSTATED);
    let key = 0;
    let kept = true;
    let n = 0;
    for (const id in facts) {
      const i = this.#indexOf(id, n++);
      const classes = i === undefined ? undefined : this.#classes[i];
      if (i === undefined || classes === undefined) return this.#refuse(facts, this.#unexpected(id));
      const found = classes.classOf(facts[id]);
      if (typeof found !== 'number') return this.#refuse(facts, found);
      const weight = this.#weights[i] ?? 0;
      call[i] = found;
      key += found * weight;
      if (weight === 0 || found === classes.capacity) kept = false;
    }
    const known = kept ? this.#decisions.get(key) : undefined;
    if (known !== undefined) return known;
    const decision = this.#entangled ? this.#decideJointly() : this.#decideLoaded(kept);
    if (kept && this.#decisions.size < this.#keep) this.#decisions.set(key, decision);
    return decision;
  }

  /**
   * The full assessment behind a decision, by the reference interpreter.
   *
   * @param id of a decision whose `id` was read, or that `facts` lead to.
   * @throws InputError when the id names no decision that is still kept, and none that the facts lead to.
   */
  explain(id: string, facts?: CallFacts): Explanation {
    const given = facts ?? this.#byId.get(id);
    const decision = given === undefined ? undefined : this.decide(given);
    if (given === undefined || decision?.id !== id) {
      throw new InputError([
        {
          code: 'unknown-name',
          message: `no decision \`${id}\` of this policy`,
          help: 'give the facts of the call beside the id, and the law and the day of the decision to the policy',
        },
      ]);
    }
    throwIfAny(decision.problems);
    const statements = this.#statements();
    const { law, manifest, moment, probe } = this.#options;
    const markets = this.markets.map((market) =>
      assess({
        law,
        market,
        moment,
        knowledge: gather(law.vocabulary, law.jurisdictions, market, [
          ...manifest.statements(market),
          ...statements,
        ]).knowledge,
        declared: manifest.controls,
        probe,
        horizonMonths: 0,
      }),
    );
    for (const { market, outcome } of markets) {
      if (decision.in(market).outcome !== outcome)
        throw new Error(
          `the kernel decided ${decision.in(market).outcome} for ${market}, the interpreter ${outcome}`,
        );
    }
    return { facts: given, markets };
  }

  /** Calls mostly state the same facts in the same order: the one stated at this place last is tried first. */
  #indexOf(id: string, place: number): number | undefined {
    if (this.#lastIds[place] === id) return this.#lastIndices[place];
    const index = this.#index.get(id);
    if (index !== undefined && place < this.callFacts.length) {
      this.#lastIds[place] = id;
      this.#lastIndices[place] = index;
    }
    return index;
  }

  #plan(market: string, variable: ReadonlySet<string>, expressions: Expressions): MarketPlan {
    const { law, manifest, moment, probe } = this.#options;
    const { knowledge, problems } = gather(
      law.vocabulary,
      law.jurisdictions,
      market,
      manifest.statements(market),
    );
    throwIfAny(problems);
    const leafValue: LeafValue = ({ fact, place, test: asked }) =>
      variable.has(fact) ? undefined : test(factOf(law, fact), knowledge.domain(fact, place), asked);
    return planMarket({
      law,
      market,
      moment,
      expressions,
      declared: manifest.controls,
      probe,
      leafValue,
    });
  }

  /** Every test that some market makes of a fact. */
  #testsOf(id: string): readonly FactTest[] {
    const tests = new Map<string, FactTest>();
    for (const { program } of this.#compiled) {
      for (const { leaf } of program.slots) {
        if (leaf.fact === id) tests.set(JSON.stringify(leaf.test), leaf.test);
      }
    }
    return [...tests].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, asked]) => asked);
  }

  /** Pairs of a register and the test whose value goes there. */
  #loadsOf({ program }: Market, classes: FactClasses): readonly number[] {
    return program.slots.flatMap(({ register, leaf }) => {
      if (leaf.fact !== classes.fact.id) return [];
      const asked = JSON.stringify(leaf.test);
      return [register, classes.tests.findIndex((one) => JSON.stringify(one) === asked)];
    });
  }

  #decideLoaded(kept: boolean): KernelDecision {
    const call = this.#call.slice();
    const markets: MarketDecision[] = [];
    for (let m = 0; m < this.#compiled.length; m++) {
      const market = this.#compiled[m];
      if (market === undefined) continue;
      this.#load(m, market, call);
      const outcome = market.decide();
      // What is not kept may stand on a class that the next call overwrites.
      markets.push(
        kept
          ? lazyDecision(market.market, outcome, this.#details, m, call)
          : settledDecision(market.market, outcome, market.detail()),
      );
    }
    return this.#decision(call, markets, []);
  }

  #load(m: number, market: Market, call: Uint16Array): void {
    const { values } = market.machine;
    for (let f = 0; f < call.length; f++) {
      const row = this.#classes[f]?.classes[call[f] ?? 0]?.row;
      const pairs = this.#loads[m]?.[f];
      if (row === undefined || pairs === undefined) continue;
      for (let p = 0; p < pairs.length; p += 2) values[pairs[p] ?? 0] = row[pairs[p + 1] ?? 0] ?? 0;
    }
  }

  #decideJointly(): KernelDecision {
    const { law, manifest } = this.#options;
    const statements = this.#statements();
    const problems: Problem[] = [];
    const markets = this.#compiled.map((market) => {
      const known = gather(law.vocabulary, law.jurisdictions, market.market, [
        ...manifest.statements(market.market),
        ...statements,
      ]);
      problems.push(...known.problems);
      if (known.problems.length > 0) return cannotTell(market.market);
      this.#loadKnowledge(market, known.knowledge);
      const outcome = market.decide();
      return settledDecision(market.market, outcome, market.detail());
    });
    return this.#decision(
      this.#call.slice(),
      problems.length === 0 ? markets : this.markets.map(cannotTell),
      problems,
    );
  }

  #loadKnowledge(market: Market, knowledge: Knowledge): void {
    const { law } = this.#options;
    for (const { register, leaf } of market.program.slots) {
      const value = test(factOf(law, leaf.fact), knowledge.domain(leaf.fact, leaf.place), leaf.test);
      market.machine.values[register] = encode(value);
    }
  }

  /** The call at hand as statements; each value stands for all that no rule can tell from it. */
  #statements(): readonly Statement[] {
    return this.#classes.flatMap((classes, i) => {
      const value = classes.classes[this.#call[i] ?? 0]?.value;
      return value === undefined ? [] : [{ fact: classes.fact.id, value }];
    });
  }

  #decision(
    call: Uint16Array,
    markets: readonly MarketDecision[],
    problems: readonly Problem[],
  ): KernelDecision {
    const stated = this.#classes.map((classes, i) => classes.classes[call[i] ?? 0]);
    return this.#made(
      () => stated.map((one) => [one?.row.join('') ?? '', this.#entangled ? (one?.value ?? null) : null]),
      () => Object.fromEntries(stated.flatMap((one, i) => entry(this.callFacts[i], one?.value))),
      markets,
      problems,
    );
  }

  #made(
    name: () => unknown,
    facts: () => CallFacts,
    markets: readonly MarketDecision[],
    problems: readonly Problem[],
  ): KernelDecision {
    const id = (): string => {
      const made = hash([this.#identity, name()]);
      if (this.#byId.size < this.#keep) this.#byId.set(made, facts());
      return made;
    };
    return new KernelDecision({ digest: this.digest, moment: this.moment, id }, markets, problems);
  }

  #refuse(facts: CallFacts, problem: Problem): KernelDecision {
    return this.#made(
      () => ['refused', problem.message],
      () => facts,
      this.markets.map(cannotTell),
      [problem],
    );
  }

  #unexpected(id: string): Problem {
    const { law } = this.#options;
    const problem = unknownFact(id, this.callFacts);
    return problem === undefined || !law.vocabulary.facts.has(id)
      ? (problem ?? { code: 'unknown-fact', message: `unknown fact \`${id}\`` })
      : {
          code: 'unknown-fact',
          message: `\`${id}\` is no fact of a call`,
          help: 'what is known when the feature is built stands in the manifest',
        };
  }

  /** Everything that decisions depend on beside the call. */
  #identify(): string {
    const { manifest } = this.#options;
    return hash([
      'comity.kernel/1',
      this.digest,
      this.moment.asOf,
      this.moment.knownAt,
      this.callFacts,
      this.#compiled.map(({ market, covered }) => [
        market,
        covered,
        manifest
          .statements(market)
          .map(({ fact, value }): [string, FactValue] => [fact, value])
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ]),
    ]);
  }
}

function entry(
  id: string | undefined,
  value: FactValue | undefined,
): readonly (readonly [string, FactValue])[] {
  return id === undefined || value === undefined ? [] : [[id, value]];
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function factOf(law: Law, id: string): Parameters<typeof test>[0] {
  const fact = law.vocabulary.facts.get(id);
  // INVARIANT: the loader refuses conditions on facts outside the vocabulary.
  if (fact === undefined) throw new RangeError(`no fact \`${id}\` in the vocabulary`);
  return fact;
}
