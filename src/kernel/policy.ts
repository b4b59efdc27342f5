import type { MarketAssessment } from '../assess/assessment.ts';
import type { Day } from '../facts/date.ts';
import { gather } from '../facts/knowledge.ts';
import type { Problem } from '../facts/problem.ts';
import { InputError, throwIfAny } from '../facts/problem.ts';
import type { Moment } from '../rules/time.ts';
import type { CallReader } from './call.ts';
import type { CallFacts, Decision, DecisionSource, MarketDecision, Stated } from './decision.ts';
import { cannotTell, KernelDecision, lazyDecision, settledDecision } from './decision.ts';
import { covers, epochOf } from './epoch.ts';
import { hashOf, identityOf } from './identity.ts';
import type { Market } from './market.ts';
import type { PolicyOptions } from './policy-options.ts';
import { rememberProbes } from './policy-options.ts';
import type { Machine } from './program.ts';
import type { Recheck } from './recheck.ts';
import { assessCall, referenceDecision } from './reference.ts';
import { residualOf } from './residual.ts';

/** What a decision rests on, by the reference interpreter. */
export interface Explanation {
  readonly facts: CallFacts;
  readonly markets: readonly MarketAssessment[];
}

/** Decisions kept: with tens of markets some hundred bytes each, so a few megabytes at most. */
const KEEP = 16_384;

/**
 * Specialises a law at a moment to a feature: what the manifest states is folded away, and what is left decides single
 * calls. For a manifest and a law on disk, {@link compile} reads both.
 *
 * @throws InputError for an unknown market or fact, and for statements that contradict each other.
 *
 * @example
 * const policy = specialise({ law, digest, manifest, moment, probe });
 * policy.decide({ 'user.age_band': 'under-13' }).in(market).outcome;
 */
export function specialise(options: PolicyOptions): Policy {
  return new Policy(options);
}

/** A feature under a law at a moment, compiled. Decides; the law and the manifest it was made from stay as they were. */
export class Policy {
  /** SHA-256 of the law. */
  readonly digest: string;
  readonly moment: Moment;
  /** First day on which decisions are those at {@link moment}; absent where they never were otherwise before. */
  readonly validFrom: Day | undefined;
  /** First day on which some rule, or the worth of some evidence, is no longer as it was; absent where none is known. */
  readonly validUntil: Day | undefined;
  readonly markets: readonly string[];
  /** Facts that a call may state. */
  readonly callFacts: readonly string[];
  /** Confirms decisions now and then; its counters say how it went. */
  readonly recheck: Recheck | undefined;
  readonly #options: PolicyOptions;
  readonly #identity: string;
  readonly #compiled: readonly Market[];
  readonly #reader: CallReader;
  readonly #entangled: boolean;
  readonly #keep: number;
  readonly #source: DecisionSource;
  readonly #decisions = new Map<number, KernelDecision>();
  readonly #byId = new Map<string, CallFacts>();

  constructor(given: PolicyOptions) {
    const options = { ...given, probe: rememberProbes(given.probe) };
    const { manifest, digest, moment } = options;
    const { markets, reader, entangled } = residualOf(options);
    this.#options = options;
    this.#compiled = markets;
    this.#reader = reader;
    this.#entangled = entangled;
    this.#keep = options.keep ?? KEEP;
    this.recheck = options.recheck;
    this.digest = digest;
    this.moment = moment;
    this.markets = markets.map(({ market }) => market);
    this.callFacts = reader.facts;
    const epoch = epochOf({ ...options, markets: this.markets, declared: manifest.controls });
    this.validFrom = epoch.from;
    this.validUntil = epoch.until;
    this.#identity = identityOf(options, epoch, this.callFacts, markets);
    this.#source = {
      digest,
      moment,
      nameOf: (stated) => this.#nameOf(stated),
      detailOf: (m, key) => {
        const market = markets[m];
        if (market === undefined) throw new RangeError(`no market ${m}`);
        reader.recall(key);
        market.load(reader.call);
        return market.detail();
      },
    };
  }

  /** Whether decisions on a day are those of this policy. */
  isValidOn(day: Day): boolean {
    return covers({ from: this.validFrom, until: this.validUntil }, day);
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
    const decision = this.#decide(facts);
    if (this.recheck?.due() === true) this.#sample(this.recheck, facts, decision);
    return decision;
  }

  /** Whether {@link explain} knows a decision, by its id or by facts that lead to it. */
  knows(id: string, facts?: CallFacts): boolean {
    return facts === undefined ? this.#byId.has(id) : this.#decide(facts).id === id;
  }

  /**
   * The full assessment behind a decision, by the reference interpreter.
   *
   * @param id of a decision whose `id` was read, or that `facts` lead to.
   * @throws InputError when the id names no decision that is still kept, and none that the facts lead to.
   */
  explain(id: string, facts?: CallFacts): Explanation {
    const given = facts ?? this.#byId.get(id);
    const decision = given === undefined ? undefined : this.#decide(given);
    if (given === undefined || decision?.id !== id) throw unknownDecision(id);
    throwIfAny(decision.problems);
    const markets = this.markets.map((market) => assessCall(this.#options, market, given));
    for (const { market, outcome } of markets) {
      if (decision.in(market).outcome !== outcome)
        throw new Error(
          `the kernel decided ${decision.in(market).outcome} for ${market}, the interpreter ${outcome}`,
        );
    }
    return { facts: given, markets };
  }

  #decide(facts: CallFacts): KernelDecision {
    const reader = this.#reader;
    const problem = reader.read(facts);
    if (problem !== undefined)
      return new KernelDecision(this.#source, { facts, problem }, this.markets.map(cannotTell), [problem]);
    const { key, hasKey } = reader;
    const known = hasKey ? this.#decisions.get(key) : undefined;
    if (known !== undefined) return known;
    const stated = hasKey ? key : reader.stated();
    const decision = this.#entangled ? this.#decideJointly(stated) : this.#decideLoaded(stated);
    if (hasKey && this.#decisions.size < this.#keep) this.#decisions.set(key, decision);
    return decision;
  }

  #decideLoaded(stated: Stated): KernelDecision {
    const { call } = this.#reader;
    const markets: MarketDecision[] = [];
    for (let m = 0; m < this.#compiled.length; m++) {
      const market = this.#compiled[m];
      if (market === undefined) continue;
      market.load(call);
      const outcome = market.decide();
      // What has no number may stand on a class that the next call overwrites.
      markets.push(
        typeof stated === 'number'
          ? lazyDecision(market.market, outcome, this.#source, m, stated)
          : settledDecision(market.market, outcome, market.detail()),
      );
    }
    return new KernelDecision(this.#source, stated, markets, []);
  }

  #decideJointly(stated: Stated): KernelDecision {
    const { law, manifest } = this.#options;
    const statements = this.#reader
      .stated()
      .flatMap((one, i) =>
        one?.value === undefined ? [] : [{ fact: this.callFacts[i] ?? '', value: one.value }],
      );
    const problems: Problem[] = [];
    const markets = this.#compiled.map((market) => {
      const known = gather(law.vocabulary, law.jurisdictions, market.market, [
        ...manifest.statements(market.market),
        ...statements,
      ]);
      problems.push(...known.problems);
      if (known.problems.length > 0) return cannotTell(market.market);
      market.loadKnowledge(law, known.knowledge);
      const outcome = market.decide();
      return settledDecision(market.market, outcome, market.detail());
    });
    const refused = problems.length > 0;
    return new KernelDecision(
      this.#source,
      stated,
      refused ? this.markets.map(cannotTell) : markets,
      problems,
    );
  }

  #sample(recheck: Recheck, facts: CallFacts, decision: KernelDecision): void {
    // What is refused is never allowed, and nothing is left to check.
    if (decision.problems.length > 0) return;
    recheck.add({
      feature: this.#options.manifest.name,
      facts,
      decision,
      reference: (market, stated) => referenceDecision(assessCall(this.#options, market, stated)),
    });
  }

  #nameOf(stated: Stated): string {
    if (typeof stated === 'object' && 'problem' in stated)
      return this.#remember(['refused', stated.problem.message], () => stated.facts);
    if (typeof stated === 'number') this.#reader.recall(stated);
    const values = typeof stated === 'number' ? this.#reader.stated() : stated;
    return this.#remember(
      values.map((one) => [one?.row.join('') ?? '', this.#entangled ? (one?.value ?? null) : null]),
      () =>
        Object.fromEntries(
          values.flatMap((one, i) => (one?.value === undefined ? [] : [[this.callFacts[i], one.value]])),
        ),
    );
  }

  #remember(name: unknown, facts: () => CallFacts): string {
    const id = hashOf([this.#identity, name]);
    if (this.#byId.size < this.#keep) this.#byId.set(id, facts());
    return id;
  }
}

export function unknownDecision(id: string): InputError {
  return new InputError([
    {
      code: 'unknown-name',
      message: `no decision \`${id}\` of this policy`,
      help: 'give the facts of the call beside the id, and the law and the day of the decision to the policy',
    },
  ]);
}
