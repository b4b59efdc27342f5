/** The kernel: a feature under the law compiled, equal to the reference interpreter and fast enough for every call. */
export { bytecode } from './bytecode.ts';
export type { CallFacts, Decision, MarketDecision } from './decision.ts';
export { Expressions } from './expression.ts';
export type { DecisionReason } from './market.ts';
export type { Explanation, Policy } from './policy.ts';
export { specialise } from './policy.ts';
export type { PolicyOptions } from './policy-options.ts';
export type { LeafValue, Machine, Program } from './program.ts';
export { emit } from './program.ts';
export { webassembly } from './webassembly.ts';
