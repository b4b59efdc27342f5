/** Rules: the body of law, the reference interpreter and its proofs. Runs in a browser; `loadLaw` is in `comity`. */
export { canonicalLaw } from './digest.ts';
export type { Situation } from './interpreter.ts';
export { Interpreter } from './interpreter.ts';
export type { Law, LawFile } from './law.ts';
export { readLaw } from './law.ts';
export type { Proof, Reason } from './proof.ts';
export { openFacts, prove, unsettled } from './proof.ts';
export type { Effect, Interval, Penalty, Rule, Rulebook, State } from './rule.ts';
export type { Moment } from './time.ts';
