/** The kernel: a feature under the law compiled, equal to the reference interpreter and fast enough for every call. */
export { bytecode } from './bytecode.ts';
export type { CompileOptions } from './compile.ts';
export { compile } from './compile.ts';
export type { CallFacts, Decision, MarketDecision } from './decision.ts';
export { Expressions } from './expression.ts';
export type { LivePolicy, PolicyChange, WatchOptions } from './live-policy.ts';
export { watch } from './live-policy.ts';
export type { DecisionReason } from './market.ts';
export type { Explanation, Policy } from './policy.ts';
export { specialise } from './policy.ts';
export type { PolicyOptions } from './policy-options.ts';
export type { LeafValue, Machine, Program } from './program.ts';
export { emit } from './program.ts';
export type { Mismatch, RecheckCounts, RecheckOptions } from './recheck.ts';
export { MISMATCH_CHANNEL, Recheck } from './recheck.ts';
export { webassembly } from './webassembly.ts';
