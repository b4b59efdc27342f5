import type { FactValue } from '../src/facts/domain.ts';
import { FactClasses } from '../src/kernel/classes.ts';
import type { Expressions } from '../src/kernel/expression.ts';
import type { LeafValue, Machine, Program } from '../src/kernel/program.ts';
import { emit } from '../src/kernel/program.ts';
import type { Law } from '../src/rules/law.ts';

/** Expressions compiled so that every fact that is not folded away is loaded anew for each decision. */
export interface Whole {
  readonly program: Program;
  readonly machine: Machine;
  /** The facts that are loaded. */
  readonly facts: readonly string[];
  /** Loads the facts of a feature, those left out as unknown, and runs. */
  decide(feature: Readonly<Record<string, FactValue>>): void;
}

export function wholeOf(
  law: Law,
  expressions: Expressions,
  roots: readonly number[],
  build: (programs: readonly Program[]) => readonly Machine[],
  leafValue: LeafValue = () => undefined,
): Whole {
  const program = emit(expressions, roots, leafValue, () => false);
  const [machine] = build([program]);
  if (machine === undefined) throw new RangeError('no machine');
  const { values } = machine;
  const loads = [...new Set(program.slots.map(({ leaf }) => leaf.fact))].sort().map((id) => {
    const fact = law.vocabulary.facts.get(id);
    if (fact === undefined) throw new RangeError(id);
    const slots = program.slots.filter(({ leaf }) => leaf.fact === id);
    // One test per slot, so that a row lies as its registers do.
    const classes = new FactClasses(
      fact,
      slots.map(({ leaf }) => leaf.test),
      false,
    );
    return { id, classes, registers: Int32Array.from(slots, ({ register }) => register) };
  });
  return {
    program,
    machine,
    facts: loads.map(({ id }) => id),
    decide: (feature) => {
      for (let f = 0; f < loads.length; f++) {
        const load = loads[f];
        if (load === undefined) continue;
        const value = feature[load.id];
        const found = value === undefined ? 0 : load.classes.classOf(value);
        if (typeof found !== 'number') throw new Error(found.message);
        const row = load.classes.classes[found]?.row;
        if (row === undefined) continue;
        const { registers } = load;
        for (let i = 0; i < registers.length; i++) values[registers[i] ?? 0] = row[i] ?? 0;
      }
      machine.run();
    },
  };
}
