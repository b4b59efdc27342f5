import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { assess } from '../assess/assess.ts';
import type { Case } from '../assess/case.ts';
import { readCases } from '../assess/case.ts';
import { gather } from '../facts/knowledge.ts';
import { parseSource } from '../facts/source.ts';
import { BUNDLED_LAW, loadLaw } from '../rules/load.ts';
import type { Rule } from '../rules/rule.ts';
import type { Moment } from '../rules/time.ts';
import { bytecode } from './bytecode.ts';
import { Expressions } from './expression.ts';
import { specialise } from './policy.ts';
import type { Machine, Program } from './program.ts';
import { emit } from './program.ts';
import { referenceDecision } from './reference.ts';
import { compiled, interpreted, valueIn } from './testdata/answers.ts';
import { webassembly } from './webassembly.ts';

const { law, digest } = loadLaw();
const folder = join(BUNDLED_LAW, 'cases');
const cases = readCases(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => parseSource(readFileSync(join(folder, name), 'utf8'), name)),
  law,
);
/** A prime step through the cases, so that every part of the law gets its turn before time is up. */
const STEP = 1009;
const BUDGET = process.env.COMITY_LONG === '1' ? Number.POSITIVE_INFINITY : 4_000;
const TIMEOUT = process.env.COMITY_LONG === '1' ? 1_800_000 : 60_000;

/** What is wrong with the cases, as many as there is time for. */
function mismatchesOf(check: (one: Case, i: number) => readonly string[]): readonly string[] {
  const until = performance.now() + BUDGET;
  const found: string[] = [];
  let checked = 0;
  for (; checked < cases.length && performance.now() < until; checked++) {
    const one = cases[(checked * STEP) % cases.length];
    if (one !== undefined) found.push(...check(one, checked));
  }
  expect(cases.length % STEP).toBeGreaterThan(0);
  expect(checked).toBeGreaterThan(20);
  return found;
}

interface Whole {
  readonly expressions: Expressions;
  readonly rules: readonly Rule[];
  readonly program: Program;
  readonly machine: Machine;
  readonly wasm: Machine;
}

const wholes = new Map<string, Whole>();
const isRequest = (id: string): boolean => law.vocabulary.facts.get(id)?.scope === 'request';

/** All rules of a market, nothing folded: compiled once for each market and day. */
function whole(market: string, moment: Moment): Whole {
  const key = `${market} ${moment.asOf} ${moment.knownAt}`;
  const known = wholes.get(key);
  if (known !== undefined) return known;
  const chain = law.jurisdictions.chain(market);
  const rules = [...law.rulebooks.values()]
    .filter(({ jurisdiction }) => chain.includes(jurisdiction))
    .flatMap((rulebook) => rulebook.rules);
  const expressions = new Expressions(law, moment);
  const roots = rules.map((rule) => expressions.rule(rule));
  const program = emit(expressions, roots, () => undefined, isRequest);
  const [wasm] = webassembly([program]);
  if (wasm?.backend !== 'webassembly') throw new Error('no WebAssembly');
  const built = { expressions, rules, program, machine: bytecode(program), wasm };
  wholes.set(key, built);
  return built;
}

test(
  'every worked case has the same rules holding, open and failing, whole and with facts folded away',
  () => {
    const mismatches = mismatchesOf((one, i) => {
      const moment = { asOf: one.asOf, knownAt: one.knownAt ?? one.asOf };
      const { knowledge } = gather(law.vocabulary, law.jurisdictions, one.market, one.statements);
      const { expressions, rules, program, machine, wasm } = whole(one.market, moment);
      const expected = interpreted(law, knowledge, moment, rules);
      const fixed = new Set([...law.vocabulary.facts.keys()].filter((_fact, k) => (k * 7 + i) % 3 > 0));
      const roots = rules.map((rule) => expressions.rule(rule));
      const residual = emit(
        expressions,
        roots,
        valueIn(law, knowledge, (fact) => fixed.has(fact)),
        isRequest,
      );
      const same = (answers: unknown): boolean => JSON.stringify(answers) === JSON.stringify(expected);
      return [
        ...(same(compiled(law, knowledge, program, machine)) ? [] : [`${one.id}, whole`]),
        ...(same(compiled(law, knowledge, program, wasm)) ? [] : [`${one.id}, WebAssembly`]),
        ...(same(compiled(law, knowledge, residual, bytecode(residual))) ? [] : [`${one.id}, specialised`]),
      ];
    });
    expect(mismatches).toEqual([]);
  },
  TIMEOUT,
);

test(
  'every worked case is decided as it is assessed, some of its facts stated by the call',
  () => {
    const mismatches = mismatchesOf((one, i) => {
      const moment = { asOf: one.asOf, knownAt: one.knownAt ?? one.asOf };
      const byCall = one.statements.filter(({ fact }, k) => isRequest(fact) || (i + k) % 9 === 0);
      const policy = specialise({
        law,
        digest,
        manifest: {
          name: one.id,
          markets: [one.market],
          statements: () => one.statements.filter((statement) => !byCall.includes(statement)),
          controls: new Map(),
        },
        moment,
        probe: () => ({ kind: 'absent' }),
        callFacts: [
          ...new Set([
            ...[...law.vocabulary.facts.keys()].filter(isRequest),
            ...byCall.map(({ fact }) => fact),
          ]),
        ],
      });
      const decision = policy.decide(Object.fromEntries(byCall.map(({ fact, value }) => [fact, value])));
      const { knowledge } = gather(law.vocabulary, law.jurisdictions, one.market, one.statements);
      const expected = referenceDecision(
        assess({
          law,
          market: one.market,
          moment,
          knowledge,
          declared: new Map(),
          probe: () => ({ kind: 'absent' }),
          horizonMonths: 0,
        }),
      );
      return JSON.stringify(decision.markets) === JSON.stringify([expected]) ? [] : [one.id];
    });
    expect(mismatches).toEqual([]);
  },
  TIMEOUT,
);
