import type { Truth } from '../facts/truth.ts';
import type { Expressions, Leaf, Node } from './expression.ts';

/**
 * A truth value in two rails: bit 0 *definitely*, bit 1 *possibly*. AND and OR of three-valued logic are then the
 * bitwise ones.
 */
export const FALSE = 0;
export const UNKNOWN = 2;
export const TRUE = 3;

/** Why a value is unknown, as bits: a fact known when the feature is built, an unsettled point of law, a fact of the call. */
export const STATIC = 1;
export const DOUBT = 2;
export const REQUEST = 4;

/** Operations: `[operation, target, left, right]`. */
export const AND = 0;
export const OR = 1;
export const NOT = 2;
export const CAP = 3;

/** Registers with fixed values: false, true, and unknown for each combination of reasons. */
export const FALSE_REGISTER = 0;
export const TRUE_REGISTER = 1;
const REASONS = 2;
const FIXED = REASONS + 8;
/** In {@link Program.preset}: computed by the program or loaded before it runs. */
const OPEN = 255;

/** A leaf in a register, to be loaded before each run. */
export interface Slot {
  readonly register: number;
  readonly leaf: Leaf;
}

/** A straight line of two-rail operations over one byte per register. */
export interface Program {
  readonly registers: number;
  /** Initial values; those of loaded and computed registers are zero. */
  readonly preset: Uint8Array;
  /** Quadruples in the order of execution: an operand is always computed before it is read. */
  readonly code: Int32Array;
  /**
   * Pairs of an expression and an operand, operands first: the reasons why an unknown expression is unknown are those
   * of its unknown operands. Pairs of fixed expressions come first, up to `fixedReasons`: they are the same in every run.
   */
  readonly reasons: Int32Array;
  readonly fixedReasons: number;
  readonly slots: readonly Slot[];
  /** Leaves that stay unknown whatever is loaded. */
  readonly open: readonly Slot[];
  /** The registers of the roots, in their order. */
  readonly roots: Int32Array;
}

/** The value of a leaf: fixed, or `undefined` where it is loaded before each run. */
export type LeafValue = (leaf: Leaf) => Truth | undefined;

/**
 * Compiles expressions to a program. Leaves with fixed values are folded away: given none, it is the whole rule set;
 * given those of a deployed feature, the residual over the facts of a call.
 *
 * @param isRequest whether a fact is known only by a single call.
 */
export function emit(
  { nodes }: Expressions,
  roots: readonly number[],
  leafValue: LeafValue,
  isRequest: (fact: string) => boolean,
): Program {
  const values: number[] = [FALSE, TRUE, ...Array.from({ length: FIXED - REASONS }, () => UNKNOWN)];
  const code: number[] = [];
  const fixedReasons: number[] = [];
  const openReasons: number[] = [];
  const slots: Slot[] = [];
  const open: Slot[] = [];
  const placed = new Map<number, number>();

  const register = (value: number): number => values.push(value) - 1;
  const compute = (operation: number, left: number, right: number, target = register(OPEN)): number => {
    code.push(operation, target, left, right);
    return target;
  };
  const because = (target: number, operands: readonly number[]): number => {
    const reasons = values[target] === OPEN ? openReasons : fixedReasons;
    for (const operand of operands) reasons.push(target, operand);
    return target;
  };
  const isFixed = (of: readonly number[]): boolean => of.every((one) => values[one] !== OPEN);
  const chain = (operation: number, of: readonly number[]): number => {
    if (isFixed(of)) return because(register(UNKNOWN), of);
    const [first = 0, second = 0, ...rest] = of;
    const target = compute(operation, first, second);
    for (const one of rest) compute(operation, target, one, target);
    return because(target, of);
  };
  const and = (of: readonly number[]): number => {
    if (of.includes(FALSE_REGISTER)) return FALSE_REGISTER;
    const rest = [...new Set(of.filter((one) => one !== TRUE_REGISTER))];
    return rest.length <= 1 ? (rest[0] ?? TRUE_REGISTER) : chain(AND, rest);
  };
  const or = (of: readonly number[]): number => {
    if (of.includes(TRUE_REGISTER)) return TRUE_REGISTER;
    const rest = [...new Set(of.filter((one) => one !== FALSE_REGISTER))];
    return rest.length <= 1 ? (rest[0] ?? FALSE_REGISTER) : chain(OR, rest);
  };
  /** At least `j` of the first `i`: at least `j` of those before it, or it and `j - 1` of those. */
  const atLeast = (n: number, of: readonly number[]): number => {
    const rest = of.filter((one) => one !== TRUE_REGISTER && one !== FALSE_REGISTER);
    const wanted = n - of.filter((one) => one === TRUE_REGISTER).length;
    if (wanted <= 0) return TRUE_REGISTER;
    if (wanted > rest.length) return FALSE_REGISTER;
    if (isFixed(rest)) return because(register(UNKNOWN), rest);
    let counts: readonly number[] = [TRUE_REGISTER, ...Array.from({ length: wanted }, () => FALSE_REGISTER)];
    for (const one of rest) {
      const before = counts;
      counts = before.map((count, j) =>
        j === 0 ? TRUE_REGISTER : compute(OR, count, compute(AND, one, before[j - 1] ?? FALSE_REGISTER)),
      );
    }
    return because(counts[wanted] ?? FALSE_REGISTER, rest);
  };
  const doubt = (of: number): number => {
    if (of === FALSE_REGISTER) return of;
    const operands = [of, REASONS + DOUBT];
    if (values[of] !== OPEN) return because(register(UNKNOWN), operands);
    return because(compute(CAP, of, of), operands);
  };
  const leaf = (node: Leaf): number => {
    const value = leafValue(node);
    if (value === 'true') return TRUE_REGISTER;
    if (value === 'false') return FALSE_REGISTER;
    const target = register(value === undefined ? OPEN : UNKNOWN);
    (value === undefined ? slots : open).push({ register: target, leaf: node });
    return because(target, [REASONS + (isRequest(node.fact) ? REQUEST : STATIC)]);
  };
  const place = (index: number): number => {
    const known = placed.get(index);
    if (known !== undefined) return known;
    const node = nodes[index];
    // INVARIANT: operands are indices of nodes of the same expressions.
    if (node === undefined) throw new RangeError(`no expression ${index}`);
    const target = build(node);
    placed.set(index, target);
    return target;
  };
  const build = (node: Node): number => {
    switch (node.kind) {
      case 'constant':
        return node.value ? TRUE_REGISTER : FALSE_REGISTER;
      case 'leaf':
        return leaf(node);
      case 'and':
        return and(node.of.map(place));
      case 'or':
        return or(node.of.map(place));
      case 'at-least':
        return atLeast(node.n, node.of.map(place));
      case 'doubt':
        return doubt(place(node.of));
      case 'not': {
        const of = place(node.of);
        if (of === FALSE_REGISTER) return TRUE_REGISTER;
        if (of === TRUE_REGISTER) return FALSE_REGISTER;
        // The negation of what stays unknown is unknown for the same reasons.
        return values[of] === OPEN ? because(compute(NOT, of, of), [of]) : of;
      }
    }
  };

  const placedRoots = roots.map(place);
  return {
    registers: values.length,
    preset: Uint8Array.from(values, (value) => (value === OPEN ? 0 : value)),
    code: Int32Array.from(code),
    reasons: Int32Array.from([...fixedReasons, ...openReasons]),
    fixedReasons: fixedReasons.length,
    slots,
    open,
    roots: Int32Array.from(placedRoots),
  };
}

/** Whether a register has the same value in every run. */
export function isFixed({ preset }: Program, register: number): boolean {
  return register === FALSE_REGISTER || preset[register] !== FALSE;
}

export function encode(value: Truth): number {
  return value === 'true' ? TRUE : value === 'false' ? FALSE : UNKNOWN;
}

export function decode(value: number): Truth {
  return value === TRUE ? 'true' : value === FALSE ? 'false' : 'unknown';
}

/** The reasons of the registers with fixed values, from which {@link Machine.giveReasons} goes on. */
export function reasonsOfFixed({ registers, preset, reasons: pairs, fixedReasons }: Program): Uint8Array {
  const reasons = new Uint8Array(registers);
  for (let bits = 0; bits < FIXED - REASONS; bits++) reasons[REASONS + bits] = bits;
  for (let i = 0; i < fixedReasons; i += 2) {
    const target = pairs[i] ?? 0;
    if (preset[target] === UNKNOWN)
      reasons[target] = (reasons[target] ?? 0) | (reasons[pairs[i + 1] ?? 0] ?? 0);
  }
  return reasons;
}

/** A program in memory, ready to run: load the slots into `values`, run, read the roots. Never allocates in a run. */
export interface Machine {
  readonly backend: 'bytecode' | 'webassembly';
  readonly values: Uint8Array;
  /** Bits why each register is unknown; valid after {@link giveReasons}. */
  readonly reasons: Uint8Array;
  run(): void;
  /** After a run: fills in why what is unknown is unknown. */
  giveReasons(): void;
}
