import type { Machine, Program } from './program.ts';
import { AND, CAP, FALSE, NOT, OR, reasonsOfFixed, TRUE, UNKNOWN } from './program.ts';

/** Runs a program instruction by instruction: everywhere, and where WebAssembly may not be compiled. */
export function bytecode(program: Program): Machine {
  const { code, reasons: pairs, fixedReasons } = program;
  const values = program.preset.slice();
  const reasons = reasonsOfFixed(program);
  return {
    backend: 'bytecode',
    values,
    reasons,
    run: () => {
      for (let i = 0; i < code.length; i += 4) {
        const left = values[code[i + 2] ?? 0] ?? 0;
        const right = values[code[i + 3] ?? 0] ?? 0;
        values[code[i + 1] ?? 0] = operate(code[i] ?? 0, left, right);
      }
    },
    giveReasons: () => {
      for (let i = fixedReasons; i < pairs.length; i += 2) reasons[pairs[i] ?? 0] = 0;
      for (let i = fixedReasons; i < pairs.length; i += 2) {
        const target = pairs[i] ?? 0;
        if (values[target] === UNKNOWN)
          reasons[target] = (reasons[target] ?? 0) | (reasons[pairs[i + 1] ?? 0] ?? 0);
      }
    },
  };
}

function operate(operation: number, left: number, right: number): number {
  switch (operation) {
    case AND:
      return left & right;
    case OR:
      return left | right;
    case NOT:
      return left === UNKNOWN ? UNKNOWN : left === FALSE ? TRUE : FALSE;
    case CAP:
      return left & UNKNOWN;
    default:
      throw new RangeError(`no operation ${operation}`);
  }
}
