import type { Machine, Program } from './program.ts';
import { UNKNOWN } from './program.ts';

/** After a run: the facts whose leaves leave these registers unknown, sorted. */
export function openFactsOf(
  program: Program,
  { values }: Machine,
  registers: readonly number[],
): readonly string[] {
  const reached = new Uint8Array(program.registers);
  for (const register of registers) if (values[register] === UNKNOWN) reached[register] = 1;
  const pairs = program.reasons;
  // Operands come before what is made of them, so one pass from the end reaches everything.
  for (let i = pairs.length - 2; i >= 0; i -= 2) {
    const operand = pairs[i + 1] ?? 0;
    if (reached[pairs[i] ?? 0] === 1 && values[operand] === UNKNOWN) reached[operand] = 1;
  }
  const facts = [...program.slots, ...program.open].flatMap(({ register, leaf }) =>
    reached[register] === 1 ? [leaf.fact] : [],
  );
  return [...new Set(facts)].sort();
}
