import { coverageOf, outcomeOf, weightOf } from '../assess/assess.ts';
import type { Outcome, Reason } from '../assess/assessment.ts';
import type { Probe } from '../assess/evidence.ts';
import type { DeclaredControl } from '../facts/manifest.ts';
import type { Law } from '../rules/law.ts';
import type { Rule, Rulebook } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import type { Expressions } from './expression.ts';
import { ALWAYS } from './expression.ts';
import { openFactsOf } from './open.ts';
import type { LeafValue, Machine, Program } from './program.ts';
import {
  DOUBT,
  emit,
  FALSE,
  FALSE_REGISTER,
  REQUEST,
  STATIC,
  TRUE,
  TRUE_REGISTER,
  UNKNOWN,
} from './program.ts';

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

/** What the decisions of one market are made from. */
export interface MarketSource {
  readonly law: Law;
  readonly market: string;
  readonly moment: Moment;
  readonly expressions: Expressions;
  readonly declared: ReadonlyMap<string, DeclaredControl>;
  readonly probe: Probe;
  readonly leafValue: LeafValue;
}

const KINDS = [
  'prohibited',
  'no-rulebook',
  'prohibition-open',
  'scope-open',
  'outstanding',
  'undecided',
  'per-request',
] as const satisfies readonly Reason['kind'][];
type Kind = (typeof KINDS)[number];
const bit = (kind: Kind): number => 1 << KINDS.indexOf(kind);
const PROHIBITED = bit('prohibited');
const PROHIBITION_OPEN = bit('prohibition-open');
const SCOPE_OPEN = bit('scope-open');
const OUTSTANDING = bit('outstanding');
const UNDECIDED = bit('undecided');
const PER_REQUEST = bit('per-request');

/** The outcome for every combination of kinds of reasons, as the assessment has it. */
const OUTCOMES: readonly Outcome[] = Array.from({ length: 1 << KINDS.length }, (_, bits) =>
  outcomeOf(KINDS.filter((kind) => (bits & bit(kind)) !== 0).map((kind) => ({ kind }))),
);

/** A norm that can change the outcome. */
interface Norm {
  readonly rule: Rule;
  readonly prohibits: boolean;
  /** The control of a duty, and whether it is in place as asked. */
  readonly control?: string;
  readonly covered: boolean;
  readonly scoped: boolean;
  /** Index of the rulebook's scope, or -1. */
  readonly scope: number;
  readonly register: number;
  /** Whether one of the roles that owe it is ours. */
  readonly owed: number;
}

interface Scope {
  readonly rulebook: Rulebook;
  readonly register: number;
}

/** One market compiled, but for a machine to run it on. */
export interface MarketPlan {
  readonly market: string;
  readonly program: Program;
  /** Norms that can change an outcome, whatever the call is. */
  readonly norms: readonly Norm[];
  readonly scopes: readonly Scope[];
  /** Some rulebook binds here. */
  readonly ruled: boolean;
}

export function planMarket(source: MarketSource): MarketPlan {
  const { law, market, expressions } = source;
  const chain = law.jurisdictions.chain(market);
  const rulebooks = [...law.rulebooks.values()].filter(({ jurisdiction }) => chain.includes(jurisdiction));
  const scoped = rulebooks.filter(({ scope }) => scope !== undefined);
  const candidates = rulebooks.flatMap((rulebook) => candidatesOf(source, rulebook));
  const roots = [
    ...candidates.map(({ node }) => node),
    ...candidates.map(({ owed }) => owed),
    ...scoped.map(({ scope = '' }) => expressions.concluded(scope)),
  ];
  const isRequest = (id: string): boolean => law.vocabulary.facts.get(id)?.scope === 'request';
  const program = emit(expressions, roots, source.leafValue, isRequest);
  const register = (root: number): number => program.roots[root] ?? 0;
  return {
    market,
    program,
    norms: candidates
      .map(({ rule, rulebook, prohibits, control, covered }, i) => ({
        rule,
        prohibits,
        ...(control === undefined ? {} : { control }),
        covered,
        scoped: rule.scoped,
        scope: scoped.indexOf(rulebook),
        register: register(i),
        owed: register(candidates.length + i),
      }))
      .filter((norm) => norm.register !== FALSE_REGISTER && norm.owed !== FALSE_REGISTER),
    scopes: scoped.map((rulebook, i) => ({ rulebook, register: register(candidates.length * 2 + i) })),
    ruled: rulebooks.some(({ binding, status }) => binding && status.state !== 'bill'),
  };
}

/** The decisions of one market: its program in a machine, and what follows from the values of its rules. */
export class Market {
  readonly market: string;
  readonly program: Program;
  readonly machine: Machine;
  readonly norms: readonly Norm[];
  readonly #scopes: readonly Scope[];
  readonly #ruled: boolean;
  /** Per scope: it is open, and something waits for it. */
  readonly #waiting: Uint8Array;
  /** The norms that can make a reason, and what those make that hold whatever the call is. */
  readonly #weighed: readonly Norm[];
  readonly #always: number;

  constructor({ market, program, norms, scopes, ruled }: MarketPlan, machine: Machine) {
    this.market = market;
    this.program = program;
    this.machine = machine;
    this.norms = norms;
    this.#scopes = scopes;
    this.#ruled = ruled;
    this.#waiting = new Uint8Array(scopes.length);
    const fixed = norms.filter(({ register, owed }) => register === TRUE_REGISTER && owed === TRUE_REGISTER);
    this.#always = fixed.reduce(
      (kinds, { prohibits, covered, control }) =>
        kinds | (prohibits ? PROHIBITED : covered || control === undefined ? 0 : OUTSTANDING),
      0,
    );
    // A covered duty makes no reason, and nothing waits for it. Where the scope of one
    // that always holds is open, the outcome is the scope's either way.
    this.#weighed = norms.filter((norm) => !norm.covered && !fixed.includes(norm));
  }

  /** Duties that are covered as they are asked. */
  get covered(): readonly string[] {
    return this.norms.filter(({ covered }) => covered).map(({ rule }) => rule.id);
  }

  /** The outcome for what is loaded. */
  decide(): Outcome {
    if (!this.#ruled) return 'cannot-tell';
    const norms = this.#weighed;
    const { values, reasons } = this.machine;
    this.machine.run();
    let kinds = this.#always | (this.#weighScopes() ? SCOPE_OPEN : 0);
    for (let i = 0; i < norms.length; i++) {
      const norm = norms[i];
      if (norm !== undefined) kinds |= this.#kindOf(norm, values, reasons);
    }
    return OUTCOMES[kinds] ?? 'cannot-tell';
  }

  /** Reasons, controls and open facts for what is loaded. */
  detail(): Detail {
    if (!this.#ruled) return { reasons: [{ kind: 'no-rulebook' }], controls: [], open: [] };
    this.decide();
    // Covered duties are needed too, and were not weighed.
    this.machine.giveReasons();
    const { values, reasons } = this.machine;
    const found = this.norms.map((norm) => ({ norm, kind: this.#kindOf(norm, values, reasons) }));
    const scopes = this.#scopes.filter((_, i) => this.#waiting[i] === 1);
    const named = ({ norm, kind }: (typeof found)[number]): readonly DecisionReason[] => {
      const name = KINDS.find((one) => bit(one) === kind);
      const control = norm.control === undefined ? {} : { control: norm.control };
      return name === undefined ? [] : [{ kind: name, id: norm.rule.id, ...control }];
    };
    const blocked = found.filter(({ kind }) => kind !== 0).map(({ norm }) => norm.register);
    const needed = this.norms.filter(
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

  /** Finds the scopes that are open and waited for; gives reasons for what is unknown where somebody needs them. */
  #weighScopes(): boolean {
    const norms = this.#weighed;
    const { values, reasons } = this.machine;
    let unknown = false;
    this.#waiting.fill(0);
    for (let i = 0; i < norms.length; i++) {
      const norm = norms[i];
      if (norm === undefined || values[norm.register] === FALSE || values[norm.owed] === FALSE) continue;
      if (values[norm.register] === UNKNOWN) unknown = true;
      if (norm.scope >= 0 && norm.scoped) this.#waiting[norm.scope] = 1;
    }
    if (!unknown) {
      // A scoped norm is no more than unknown while its scope is.
      this.#waiting.fill(0);
      return false;
    }
    this.machine.giveReasons();
    let open = false;
    for (let i = 0; i < this.#scopes.length; i++) {
      const register = this.#scopes[i]?.register ?? 0;
      const bits = reasons[register] ?? 0;
      // Open only on facts of the call: decided call by call.
      const byCall = (bits & (STATIC | REQUEST)) === REQUEST;
      if (this.#waiting[i] === 1 && values[register] === UNKNOWN && !byCall) open = true;
      else this.#waiting[i] = 0;
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

interface Candidate {
  readonly rule: Rule;
  readonly rulebook: Rulebook;
  readonly prohibits: boolean;
  readonly control?: string;
  readonly covered: boolean;
  readonly node: number;
  readonly owed: number;
}

/** The norms of a rulebook that count for outcomes. */
function candidatesOf(source: MarketSource, rulebook: Rulebook): readonly Candidate[] {
  const { expressions } = source;
  return rulebook.rules.flatMap((rule) => {
    if (weightOf(rule, rulebook, 'true') !== 'counts') return [];
    const roles = rule.owedBy.flatMap((name) => rulebook.roles.get(name) ?? []);
    const always = weightOf(rule, rulebook, 'false') === 'counts';
    const coverage = coverageOf(source, rule);
    return {
      rule,
      rulebook,
      prohibits: rule.effect.kind === 'prohibit',
      ...(coverage === undefined ? {} : { control: coverage.control }),
      covered: coverage?.covered === true,
      node: expressions.rule(rule),
      owed: always ? ALWAYS : expressions.or(roles.map((role) => expressions.condition(role.when))),
    };
  });
}
