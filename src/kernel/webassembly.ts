import { bytecode } from './bytecode.ts';
import type { Machine, Program } from './program.ts';
import { AND, CAP, NOT, OR, reasonsOfFixed, UNKNOWN } from './program.ts';

/** Instructions of the WebAssembly core specification, §5.4. */
const CALL = 0x10;
const LOAD8 = 0x2d;
const STORE8 = 0x3a;
const CONST = 0x41;
const EQ = 0x46;
const SUB = 0x6b;
const BIT_AND = 0x71;
const BIT_OR = 0x72;
const SHL = 0x74;
const SHR = 0x76;
const END = 0x0b;

const PAGE = 65_536;
/** Operations per function: compilers take more than linear time over long ones. */
const CHUNK = 1_500;
/** The negation of a value, two bits each, at twice its number. */
const NEGATIONS = 0b00_10_00_11;

/** Registers, operations and reasons of one module, by default: a few megabytes, far below the limits of engines. */
const MODULE = 250_000;

/**
 * Runs programs as WebAssembly, as many in one module and one memory as fit; as bytecode where no WebAssembly may be
 * compiled, as under some content security policies, or where one is too large for any module.
 *
 * @param moduleSize registers, operations and reasons of one module, at most; a program larger than that has one to itself.
 */
export function webassembly(programs: readonly Program[], moduleSize = MODULE): readonly Machine[] {
  return modulesOf(programs, moduleSize).flatMap(machinesOf);
}

/** The programs in their order, cut into modules. */
function modulesOf(programs: readonly Program[], moduleSize: number): readonly (readonly Program[])[] {
  const modules: Program[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const program of programs) {
    const own = program.registers + program.code.length / 4 + program.reasons.length / 2;
    if (size + own > moduleSize) {
      modules.push([]);
      size = 0;
    }
    modules.at(-1)?.push(program);
    size += own;
  }
  return modules;
}

function machinesOf(programs: readonly Program[]): readonly Machine[] {
  const bases = basesOf(programs);
  const size = programs.reduce((sum, { registers }) => sum + registers * 2, 0);
  const pages = Math.max(1, Math.ceil(size / PAGE));
  const found = instantiate(encodeModule(programs, bases, pages));
  if (found === undefined) return programs.map(bytecode);
  const { buffer, functionOf } = found;
  return programs.map((program, i) => {
    const { registers, preset } = program;
    const base = bases[i] ?? 0;
    const values = new Uint8Array(buffer, base, registers);
    const reasons = new Uint8Array(buffer, base + registers, registers);
    values.set(preset);
    reasons.set(reasonsOfFixed(program));
    return {
      backend: 'webassembly',
      values,
      reasons,
      run: functionOf(`run${i}`),
      giveReasons: functionOf(`reasons${i}`),
    };
  });
}

function basesOf(programs: readonly Program[]): readonly number[] {
  let next = 0;
  return programs.map(({ registers }) => {
    const base = next;
    next += registers * 2;
    return base;
  });
}

/** The part of the WebAssembly JavaScript interface that is used. */
interface Engine {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
}

interface Instantiated {
  readonly buffer: ArrayBuffer;
  functionOf(name: string): () => void;
}

/** Compiles and starts a module; undefined where that is not possible. */
function instantiate(bytes: Uint8Array<ArrayBuffer>): Instantiated | undefined {
  const { WebAssembly: engine } = globalThis as unknown as { readonly WebAssembly?: Engine };
  if (engine === undefined) return undefined;
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = new engine.Instance(new engine.Module(bytes)).exports;
  } catch {
    // Refused by policy, or past a limit of the engine: the caller has another way to run the same programs.
    return undefined;
  }
  const { memory } = exports as { readonly memory: { readonly buffer: ArrayBuffer } };
  return {
    buffer: memory.buffer,
    functionOf: (name) => {
      const found = exports[name];
      if (typeof found !== 'function') throw new TypeError(`the module exports no \`${name}\``);
      // INVARIANT: the one type of the type section has no parameters and no results.
      return found as () => void;
    },
  };
}

/** The bytes of a module that exports `memory`, and `run` and `reasons` with the number of each program. */
export function encodeModule(
  programs: readonly Program[],
  bases: readonly number[],
  pages: number,
): Uint8Array<ArrayBuffer> {
  const bodies: (readonly number[])[] = [];
  const names: (readonly [string, number])[] = [];
  const add = (name: string, chunks: readonly (readonly number[])[]): void => {
    const first = bodies.length;
    bodies.push(...chunks);
    names.push([name, bodies.length]);
    bodies.push(chunks.flatMap((_, i) => [CALL, ...unsigned(first + i)]));
  };
  programs.forEach((program, i) => {
    const base = bases[i] ?? 0;
    add(`run${i}`, runChunks(program, base));
    add(`reasons${i}`, reasonChunks(program, base));
  });
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([[0x60, 0x00, 0x00]])),
    ...section(3, vector(bodies.map(() => [0x00]))),
    ...section(5, vector([[0x01, ...unsigned(pages), ...unsigned(pages)]])),
    ...section(
      7,
      vector([
        [...text('memory'), 0x02, 0x00],
        ...names.map(([name, index]) => [...text(name), 0x00, ...unsigned(index)]),
      ]),
    ),
  ];
  return Uint8Array.from(concatenate([bytes, section(10, codeVector(bodies))]));
}

/** One function body per so many operations. Operands that an operation hands to the next stay on the stack. */
function runChunks({ code }: Program, base: number): readonly (readonly number[])[] {
  const chunks: number[][] = [];
  for (let at = 0; at < code.length; ) {
    const body: number[] = [];
    for (const end = at + CHUNK * 4; at < code.length && at < end; ) at = operation(body, code, at, base);
    chunks.push(body);
  }
  return chunks;
}

/** Appends the operation at an index, and those that only add an operand to it; returns the index after them. */
function operation(body: number[], code: Int32Array, at: number, base: number): number {
  const [kind = 0, target = 0, left = 0, right = 0] = code.subarray(at, at + 4);
  body.push(CONST, 0);
  switch (kind) {
    case NOT:
      body.push(CONST, ...signed(NEGATIONS));
      load(body, base + left);
      body.push(CONST, 1, SHL, SHR, CONST, 3, BIT_AND);
      store(body, base + target);
      return at + 4;
    case CAP:
      load(body, base + left);
      body.push(CONST, UNKNOWN, BIT_AND);
      store(body, base + target);
      return at + 4;
    case AND:
    case OR: {
      const bits = kind === AND ? BIT_AND : BIT_OR;
      load(body, base + left);
      load(body, base + right);
      body.push(bits);
      let next = at + 4;
      while (code[next] === kind && code[next + 1] === target && code[next + 3] === target) {
        load(body, base + (code[next + 2] ?? 0));
        body.push(bits);
        next += 4;
      }
      store(body, base + target);
      return next;
    }
    default:
      throw new RangeError(`no operation ${kind}`);
  }
}

/** Reasons of an expression: those of its operands where it is unknown, else none. */
function reasonChunks(
  { reasons: pairs, fixedReasons, registers }: Program,
  base: number,
): readonly (readonly number[])[] {
  const chunks: number[][] = [];
  const reasonsBase = base + registers;
  for (let at = fixedReasons; at < pairs.length; ) {
    const body: number[] = [];
    for (const end = at + CHUNK * 2; at < pairs.length && at < end; ) {
      const target = pairs[at] ?? 0;
      body.push(CONST, 0);
      load(body, reasonsBase + (pairs[at + 1] ?? 0));
      for (at += 2; at < pairs.length && pairs[at] === target; at += 2) {
        load(body, reasonsBase + (pairs[at + 1] ?? 0));
        body.push(BIT_OR);
      }
      body.push(CONST, 0);
      load(body, base + target);
      body.push(CONST, UNKNOWN, EQ, SUB, BIT_AND);
      store(body, reasonsBase + target);
    }
    chunks.push(body);
  }
  return chunks;
}

function load(body: number[], address: number): void {
  body.push(CONST, 0, LOAD8, 0, ...unsigned(address));
}

function store(body: number[], address: number): void {
  body.push(STORE8, 0, ...unsigned(address));
}

/** LEB128, core specification §5.2.2. */
function unsigned(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** LEB128 of a small positive number, with room for the sign. */
function signed(value: number): readonly number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}

function text(value: string): readonly number[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [...unsigned(bytes.length), ...bytes];
}

function vector(items: readonly (readonly number[])[]): readonly number[] {
  return [...unsigned(items.length), ...items.flat()];
}

/** Function bodies: no locals, code, end. */
function codeVector(bodies: readonly (readonly number[])[]): readonly number[] {
  return concatenate([
    unsigned(bodies.length),
    ...bodies.map((body) => concatenate([unsigned(body.length + 2), [0x00], body, [END]])),
  ]);
}

function section(id: number, content: readonly number[]): readonly number[] {
  return concatenate([[id], unsigned(content.length), content]);
}

/** Without spreading: bodies are longer than a call may have arguments. */
function concatenate(parts: readonly (readonly number[])[]): readonly number[] {
  const bytes: number[] = [];
  for (const part of parts) for (const byte of part) bytes.push(byte);
  return bytes;
}
