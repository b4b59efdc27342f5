import type { Outcome, Reason } from '../assess/assessment.ts';
import { test } from '../facts/domain.ts';
import type { Knowledge } from '../facts/knowledge.ts';
import type { Law } from '../rules/law.ts';
import type { FactClasses } from './classes.ts';
import {
  kindOf,
  OUTCOMES,
  OUTSTANDING,
  PER_REQUEST,
  PROHIBITED,
  PROHIBITION_OPEN,
  SCOPE_OPEN,
  UNDECIDED,
} from './kinds.ts';
import type { MarketPlan, Norm, Scope } from './market-plan.ts';
import { openFactsOf } from './open.ts';
import type { Machine, Program } from './program.ts';
import { DOUBT, encode, FALSE, isFixed, REQUEST, STATIC, TRUE, UNKNOWN } from './program.ts';
import { factOf } from './vocabulary.ts';

/** Why a market has its outcome, by the rule or the rulebook that makes it so. */
export interface DecisionReason {
  readonly kind: Reason['kind'];
  /** Rule, or rulebook where it is open whether the whole law applies. */
  readonly id?: string;
  /** The control that a duty asks for. */
  readonly control?: string;
}

/** What a decision says beside the outcome. */
export interface Detail {
  readonly reasons: readonly DecisionReason[];
  /** Controls of ours that this call needs in effect, sorted: those in place and those outstanding. */
  readonly controls: readonly string[];
  /** Facts that keep the outcome open, sorted. */
  readonly open: readonly string[];
}

/** Where the tests of one fact of a call go. */
interface Load {
  /** Place of the fact in a call. */
  readonly fact: number;
  readonly classes: FactClasses;
  /** Pairs of a register and the test whose value goes there. */
  readonly pairs: readonly number[];
  /** The class whose values are there. */
  loaded: number;
}

const NOTHING = -1;

/** What norms make whose values no call changes. */
interface Settled {
  /** Kinds of reasons that they always make. */
  readonly kinds: number;
  /** Per scope: something waits for it. */
  readonly waiting: Uint8Array;
  /** One of them is unknown. */
  readonly unknown: boolean;
}

/** The decisions of one market: its program in a machine, and what follows from the values of its rules. */
export class Market {
  readonly market: string;
  readonly program: Program;
  readonly machine: Machine;
  readonly #norms: readonly Norm[];
  readonly #scopes: readonly Scope[];
  readonly #ruled: boolean;
  readonly #loads: readonly Load[];
  /** Per scope: it is open, and something waits for it. */
  readonly #waiting: Uint8Array;
  /** Norms that can make a reason and whose values a call can change; of those that make the same one, one. */
  readonly #varying: readonly Norm[];
  readonly #settled: Settled;
  /** The outcome for what is loaded, once it has been asked for. */
  #outcome: Outcome | undefined;

  /** @param classes of the facts of calls, in their order there. */
  constructor(plan: MarketPlan, machine: Machine, classes: readonly FactClasses[]) {
    const { market, program, norms, scopes, ruled } = plan;
    this.market = market;
    this.program = program;
    this.machine = machine;
    this.#norms = norms;
    this.#scopes = scopes;
    this.#ruled = ruled;
    this.#loads = classes.flatMap((one, fact) => loadOf(program, one, fact));
    this.#waiting = new Uint8Array(scopes.length);
    // A covered duty makes no reason, and nothing waits for it.
    const weighed = norms.filter(({ covered }) => !covered);
    const varies = ({ register, owed }: Norm): boolean =>
      !isFixed(program, register) || !isFixed(program, owed);
    this.#varying = alike(weighed.filter(varies));
    this.#settled = this.#settle(weighed.filter((norm) => !varies(norm)));
  }

  /** Duties that are covered as they are asked. */
  get covered(): readonly string[] {
    return this.#norms.filter(({ covered }) => covered).map(({ rule }) => rule.id);
  }

  /** Loads a call, by the classes of its facts. What is there already stays. */
  load(call: Uint16Array): void {
    const { values } = this.machine;
    for (let l = 0; l < this.#loads.length; l++) {
      const load = this.#loads[l];
      if (load === undefined) continue;
      const found = call[load.fact] ?? 0;
      // The last class holds whatever value came last.
      if (found === load.loaded && found !== load.classes.capacity) continue;
      const row = load.classes.classes[found]?.row;
      if (row === undefined) continue;
      const { pairs } = load;
      for (let p = 0; p < pairs.length; p += 2) values[pairs[p] ?? 0] = row[pairs[p + 1] ?? 0] ?? 0;
      load.loaded = found;
      this.#outcome = undefined;
    }
  }

  /** Loads everything that is known, where facts follow from each other. */
  loadKnowledge(law: Law, knowledge: Knowledge): void {
    for (const { register, leaf } of this.program.slots) {
      const value = test(factOf(law, leaf.fact), knowledge.domain(leaf.fact, leaf.place), leaf.test);
      this.machine.values[register] = encode(value);
    }
    for (const load of this.#loads) load.loaded = NOTHING;
    this.#outcome = undefined;
  }

  /** The outcome for what is loaded. */
  decide(): Outcome {
    this.#outcome ??= this.#ruled ? this.#weigh() : 'cannot-tell';
    return this.#outcome;
  }

  /** Reasons, controls and open facts for what is loaded. */
  detail(): Detail {
    if (!this.#ruled) return { reasons: [{ kind: 'no-rulebook' }], controls: [], open: [] };
    this.#weigh();
    // Covered duties are needed too, and were not weighed.
    this.machine.giveReasons();
    const { values, reasons } = this.machine;
    const found = this.#norms.map((norm) => ({ norm, kind: this.#kindOf(norm, values, reasons) }));
    const scopes = this.#scopes.filter((_, i) => this.#waiting[i] === 1);
    const named = ({ norm, kind }: (typeof found)[number]): readonly DecisionReason[] => {
      const name = kindOf(kind);
      const control = norm.control === undefined ? {} : { control: norm.control };
      return name === undefined ? [] : [{ kind: name, id: norm.rule.id, ...control }];
    };
    const blocked = found.filter(({ kind }) => kind !== 0).map(({ norm }) => norm.register);
    const needed = this.#norms.filter(
      (norm) =>
        norm.control !== undefined &&
        values[norm.owed] !== FALSE &&
        (values[norm.register] === TRUE ||
          (values[norm.register] === UNKNOWN && isPerRequest(reasons[norm.register] ?? 0))),
    );
    return {
      reasons: [
        ...found.filter(({ norm }) => norm.prohibits).flatMap(named),
        ...scopes.map(({ rulebook }) => ({ kind: 'scope-open' as const, id: rulebook.id })),
        ...found.filter(({ norm }) => !norm.prohibits).flatMap(named),
      ],
      controls: [...new Set(needed.flatMap(({ control }) => control ?? []))].sort(),
      open: openFactsOf(this.program, this.machine, [...blocked, ...scopes.map(({ register }) => register)]),
    };
  }

  /** What these norms make, for good. */
  #settle(norms: readonly Norm[]): Settled {
    const { values, reasons } = this.machine;
    const waiting = new Uint8Array(this.#scopes.length);
    let kinds = 0;
    for (const norm of norms) {
      // INVARIANT: a duty counts for nothing while its scope is waited for, and then the outcome is the scope's.
      kinds |= this.#kindOf(norm, values, reasons);
      if (norm.scoped && norm.scope >= 0) waiting[norm.scope] = 1;
    }
    return { kinds, waiting, unknown: norms.some(({ register }) => values[register] === UNKNOWN) };
  }

  #weigh(): Outcome {
    const { values, reasons } = this.machine;
    this.machine.run();
    let kinds = this.#settled.kinds | (this.#weighScopes() ? SCOPE_OPEN : 0);
    const norms = this.#varying;
    for (let i = 0; i < norms.length; i++) {
      const norm = norms[i];
      if (norm !== undefined) kinds |= this.#kindOf(norm, values, reasons);
    }
    return OUTCOMES[kinds] ?? 'cannot-tell';
  }

  /** Finds the scopes that are open and waited for; gives reasons for what is unknown where somebody needs them. */
  #weighScopes(): boolean {
    const norms = this.#varying;
    const waiting = this.#waiting;
    const { values, reasons } = this.machine;
    let { unknown } = this.#settled;
    for (let s = 0; s < waiting.length; s++) waiting[s] = this.#settled.waiting[s] ?? 0;
    for (let i = 0; i < norms.length; i++) {
      const norm = norms[i];
      if (norm === undefined || values[norm.register] === FALSE || values[norm.owed] === FALSE) continue;
      if (values[norm.register] === UNKNOWN) unknown = true;
      if (norm.scope >= 0 && norm.scoped) waiting[norm.scope] = 1;
    }
    if (!unknown) {
      // A scoped norm is no more than unknown while its scope is.
      waiting.fill(0);
      return false;
    }
    this.machine.giveReasons();
    let open = false;
    for (let i = 0; i < this.#scopes.length; i++) {
      const register = this.#scopes[i]?.register ?? 0;
      const bits = reasons[register] ?? 0;
      // Open only on facts of the call: decided call by call.
      const byCall = (bits & (STATIC | REQUEST)) === REQUEST;
      if (waiting[i] === 1 && values[register] === UNKNOWN && !byCall) open = true;
      else waiting[i] = 0;
    }
    return open;
  }

  #kindOf(norm: Norm, values: Uint8Array, reasons: Uint8Array): number {
    const value = values[norm.register];
    if (value === FALSE || values[norm.owed] === FALSE) return 0;
    const byCall = value === UNKNOWN && isPerRequest(reasons[norm.register] ?? 0);
    if (norm.prohibits) return value === TRUE ? PROHIBITED : byCall ? PER_REQUEST : PROHIBITION_OPEN;
    if (norm.covered || norm.control === undefined) return 0;
    if (norm.scope >= 0 && this.#waiting[norm.scope] === 1) return 0;
    return value === TRUE || byCall ? OUTSTANDING : UNDECIDED;
  }
}

/** Open on facts of the call alone. */
function isPerRequest(reasons: number): boolean {
  return (reasons & (STATIC | DOUBT | REQUEST)) === REQUEST;
}

/** Of the norms that always come to the same kind of reason in the same scope, one: every duty names a control. */
function alike(norms: readonly Norm[]): readonly Norm[] {
  const distinct = new Map<string, Norm>();
  for (const norm of norms) {
    const { prohibits, scoped, scope, register, owed } = norm;
    distinct.set([prohibits, scoped, scope, register, owed].join(), norm);
  }
  return [...distinct.values()];
}

function loadOf(program: Program, classes: FactClasses, fact: number): readonly Load[] {
  const tests = classes.tests.map((asked) => JSON.stringify(asked));
  const pairs = program.slots.flatMap(({ register, leaf }) =>
    leaf.fact === classes.fact.id ? [register, tests.indexOf(JSON.stringify(leaf.test))] : [],
  );
  return pairs.length === 0 ? [] : [{ fact, classes, pairs, loaded: NOTHING }];
}
