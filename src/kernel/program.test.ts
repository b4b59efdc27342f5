import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { FactValue } from '../facts/domain.ts';
import type { Knowledge } from '../facts/knowledge.ts';
import { gather } from '../facts/knowledge.ts';
import type { Truth } from '../facts/truth.ts';
import type { Law } from '../rules/law.ts';
import { learning, randomRules, rulesBody, TESTED_FACTS } from '../rules/testdata/random-law.ts';
import { day, smallLaw } from '../rules/testdata/small-law.ts';
import { bytecode } from './bytecode.ts';
import { Expressions } from './expression.ts';
import type { Machine, Program } from './program.ts';
import { AND, CAP, emit, NOT, OR } from './program.ts';
import type { Answer } from './testdata/answers.ts';
import { compiled, interpreted, valueIn } from './testdata/answers.ts';
import { webassembly } from './webassembly.ts';

const LONG = process.env.COMITY_LONG === '1';
if (LONG) vi.setConfig({ testTimeout: 2_000_000 });
const BUDGET = LONG ? 120_000 : 2_000;
const RUNS = LONG ? 200_000 : 400;

/** `t.a` and `t.uses` are known only by a single call. */
function withRequestFacts(law: Law): Law {
  const facts = new Map(
    [...law.vocabulary.facts].map(([id, fact]) => [
      id,
      id === 't.a' || id === 't.uses' ? { ...fact, scope: 'request' as const } : fact,
    ]),
  );
  return { ...law, vocabulary: { ...law.vocabulary, facts } };
}

const MOMENT = { asOf: day('2026-02-01'), knownAt: day('2026-02-01') };

interface Example {
  readonly law: Law;
  readonly knowledge: Knowledge;
}

function example(
  rules: Parameters<typeof rulesBody>[0],
  facts: Readonly<Record<string, FactValue>>,
): Example {
  const law = withRequestFacts(smallLaw({ 'aa/act': rulesBody(rules) }));
  const statements = Object.entries(facts).map(([fact, value]) => ({ fact, value }));
  return { law, knowledge: gather(law.vocabulary, law.jurisdictions, 'AA', statements).knowledge };
}

/** The answers of the compiled rules, the leaves for which `fixed` holds folded away. */
function answers(
  { law, knowledge }: Example,
  fixed: (fact: string) => boolean,
  change: (program: Program) => Program = (program) => program,
  build: (programs: readonly Program[]) => readonly Machine[] = (programs) => programs.map(bytecode),
): readonly Answer[] {
  const expressions = new Expressions(law, MOMENT);
  const roots = [...law.rules.values()].map((rule) => expressions.rule(rule));
  const isRequest = (id: string): boolean => law.vocabulary.facts.get(id)?.scope === 'request';
  const program = change(emit(expressions, roots, valueIn(law, knowledge, fixed), isRequest));
  // Run beside itself: programs that share a module must not disturb each other.
  const [, machine] = build([program, program]);
  if (machine === undefined) throw new RangeError();
  return compiled(law, knowledge, program, machine);
}

const same = (program: Program): Program => program;

const fixedFacts = fc.subarray(TESTED_FACTS);

describe('compiled rules', () => {
  test('say what the interpreter says of every rule, and why it is unknown', () => {
    fc.assert(
      fc.property(randomRules, learning, (rules, { before }) => {
        const one = example(rules, before);
        expect(answers(one, () => false)).toEqual(interpreted(one.law, one.knowledge, MOMENT));
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: BUDGET, markInterruptAsFailure: false },
    );
  });

  test('say the same when any of the facts are folded away', () => {
    fc.assert(
      fc.property(randomRules, learning, fixedFacts, (rules, { before }, fixed) => {
        const one = example(rules, before);
        expect(answers(one, (fact) => fixed.includes(fact))).toEqual(
          interpreted(one.law, one.knowledge, MOMENT),
        );
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: BUDGET, markInterruptAsFailure: false },
    );
  });

  test('say the same as WebAssembly', () => {
    fc.assert(
      fc.property(randomRules, learning, fixedFacts, (rules, { before }, fixed) => {
        const one = example(rules, before);
        expect(answers(one, (fact) => fixed.includes(fact), same, webassembly)).toEqual(
          interpreted(one.law, one.knowledge, MOMENT),
        );
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: BUDGET, markInterruptAsFailure: false },
    );
  });

  test.each([
    ['AND', AND, OR],
    ['OR', OR, AND],
    ['NOT', NOT, AND],
    ['CAP', CAP, OR],
  ])('would be caught with one %s compiled to something else', (_name, from, to) => {
    const swapped = (program: Program): Program => {
      const code = program.code.slice();
      for (let i = 0; i < code.length; i += 4) {
        if (code[i] !== from) continue;
        code[i] = to;
        break;
      }
      return { ...program, code };
    };
    const run = fc.check(
      fc.property(randomRules, learning, (rules, { facts }) => {
        const one = example(rules, facts);
        expect(answers(one, () => false, swapped)).toEqual(interpreted(one.law, one.knowledge, MOMENT));
      }),
      { numRuns: 300, endOnFailure: true },
    );
    expect(run.failed).toBe(true);
  });
});

describe('WebAssembly', () => {
  const [program] = [
    emit(
      new Expressions(smallLaw({}), MOMENT),
      [],
      () => undefined,
      () => false,
    ),
  ];

  test('is what runs where it can be compiled', () => {
    expect(webassembly([program])[0]?.backend).toBe('webassembly');
  });

  test('runs the same in as many modules as it takes', () => {
    const law = smallLaw({
      'aa/act': `rules:\n${[3, 1, 2].map((n) => `  - {id: r${n}, cite: § ${n}, effective: [{from: 2025-01-01}], when: {all: [{t.a: true}, {t.count: {gte: ${n}}}]}, prohibit: it}\n`).join('')}`,
    });
    const expressions = new Expressions(law, MOMENT);
    const programs = [...law.rules.values()].map((rule) =>
      emit(
        expressions,
        [expressions.rule(rule)],
        () => undefined,
        () => false,
      ),
    );
    const { knowledge } = gather(law.vocabulary, law.jurisdictions, 'AA', [
      { fact: 't.a', value: true },
      { fact: 't.count', value: '2' },
    ]);
    const buffersAt = (moduleSize: number): number => {
      const machines = webassembly(programs, moduleSize);
      expect(
        programs.map((one, i) => {
          const machine = machines[i];
          if (machine?.backend !== 'webassembly') throw new Error('no WebAssembly');
          return compiled(law, knowledge, one, machine)[0]?.value;
        }),
      ).toEqual(['true', 'true', 'false']);
      return new Set(machines.map(({ values }) => values.buffer)).size;
    };
    const sizes = programs.map((one) => one.registers + one.code.length / 4 + one.reasons.length / 2);
    const two = (sizes[0] ?? 0) + (sizes[1] ?? 0);
    expect([two + (sizes[2] ?? 0), two, 1].map(buffersAt)).toEqual([1, 2, 3]);
  });

  test('gives way to bytecode where a program is too large for the engine, and only there', () => {
    const { WebAssembly: real } = globalThis as unknown as {
      readonly WebAssembly: {
        readonly Module: new (bytes: Uint8Array) => object;
        readonly Instance: unknown;
      };
    };
    vi.stubGlobal('WebAssembly', {
      Instance: real.Instance,
      Module: class extends real.Module {
        constructor(bytes: Uint8Array) {
          if (bytes.length > 1_000) throw new RangeError('WebAssembly.Module(): size exceeds the maximum');
          super(bytes);
        }
      },
    });
    const code = Int32Array.from({ length: 4_000 }, (_, i) => [AND, 2, 0, 1][i % 4] ?? 0);
    const machines = webassembly([program, { ...program, code }, program], program.registers);
    vi.unstubAllGlobals();
    expect(machines.map(({ backend }) => backend)).toEqual(['webassembly', 'bytecode', 'webassembly']);
  });

  test('gives way to bytecode where it cannot', () => {
    vi.stubGlobal('WebAssembly', {
      Module: class {
        constructor() {
          throw new Error('refused to compile or instantiate WebAssembly module');
        }
      },
    });
    expect(webassembly([program])[0]?.backend).toBe('bytecode');
    vi.unstubAllGlobals();
  });
});

describe('exact counting', () => {
  test('at least two of three is settled by two, and ruled out by two', () => {
    const law = smallLaw({
      'aa/act':
        'rules: [{id: two, cite: § 1, effective: [{from: 2025-01-01}], when: {at_least: {n: 2, of: [{t.a: true}, {t.b: true}, {t.c: true}]}}, prohibit: it}]',
    });
    const of = (facts: Readonly<Record<string, FactValue>>): Truth | undefined => {
      const { knowledge } = gather(
        { ...law.vocabulary, constraints: [] },
        law.jurisdictions,
        'AA',
        Object.entries(facts).map(([fact, value]) => ({ fact, value })),
      );
      return answers({ law, knowledge }, () => false)[0]?.value;
    };
    expect(of({ 't.a': true, 't.c': true })).toBe('true');
    expect(of({ 't.a': false, 't.c': false })).toBe('false');
    expect(of({ 't.a': false, 't.c': true })).toBe('unknown');
  });
});
