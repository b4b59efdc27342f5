/** The kernel: the rules of a law compiled, equal to the reference interpreter and fast enough for every request. */
export { bytecode } from './bytecode.ts';
export { Expressions } from './expression.ts';
export { openFactsOf } from './open.ts';
export type { LeafValue, Machine, Program } from './program.ts';
export { decode, emit, encode } from './program.ts';
