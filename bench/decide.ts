import { rego } from '../src/kernel/export/rego.ts';
import {
  cedarAnswer,
  cedarDecider,
  celEvaluator,
  opaBuild,
  opaCommand,
  opaEvaluator,
} from '../src/kernel/export/testdata/engines.ts';
import { Expressions } from '../src/kernel/expression.ts';
import { decode } from '../src/kernel/program.ts';
import { webassembly } from '../src/kernel/webassembly.ts';
import { Interpreter } from '../src/rules/interpreter.ts';
import type { Benchmark, Part, Row } from './bench.ts';
import { notRun, row } from './bench.ts';
import { jsonRules } from './decide-json-rules.ts';
import { ownBenchmark, withServer } from './decide-opa.ts';
import type { Column, Workload } from './decide-workload.ts';
import { workloadOf } from './decide-workload.ts';
import { wholeOf } from './kernel-whole.ts';

const COLUMNS = ['cold', 'specialised'] as const satisfies readonly Column[];
const TITLES: Readonly<Record<Column, string>> = { cold: 'cold facts', specialised: 'specialised' };
const KERNEL = 'kernel';

/** What an engine says of the rules on both rails: their ids. */
interface Answer {
  readonly definitely: Iterable<string>;
  readonly possibly: Iterable<string>;
}

type Decide<T> = (i: number) => T | Promise<T>;

/** An engine with a workload in it. What is measured is `decide`; `answer` reads what it returned, to compare. */
interface Loaded<T> {
  readonly decide: Decide<T>;
  readonly answer: (decided: T) => Answer;
}

/** An engine: how its row is called, and how it is loaded. */
interface Engine {
  readonly title: string;
  readonly run: (workload: Workload, title: string) => Promise<Row>;
}

const ENGINES: Readonly<Record<string, Engine>> = {
  kernel: engine(KERNEL, loadKernel, 20_000),
  interpreter: engine('reference interpreter', loadInterpreter),
  cedar: engine('cedar-wasm, pre-parsed', loadCedar),
  'opa-wasm': withOpa('OPA, WebAssembly', (workload, title, command) =>
    measure(workload, title, async () => {
      const evaluate = await opaEvaluator(opaBuild(command, rego.render(workload.exported)));
      return { decide: (i) => evaluate(at(workload.inputs, i)), answer: (found) => found };
    }),
  ),
  'opa-server': withOpa('OPA, native, server over HTTP', (workload, title, command) =>
    withServer(command, workload.exported, (ask) =>
      measure(workload, title, () => ({
        decide: (i) => ask(at(workload.inputs, i)),
        answer: (found) => found,
      })),
    ),
  ),
  'opa-bench': withOpa('OPA, native, its own bench', async (workload, title, command) => {
    // Its answers are those of the server, which are compared there: this reports times alone, of one input.
    const { median, p99, runs } = await ownBenchmark(command, workload.exported, at(workload.inputs, 0));
    return { ...row(title, 'µs', [median]), p99, runs };
  }),
  cel: engine('cel-js, parsed', async ({ exported, inputs }) => {
    const evaluate = celEvaluator(exported);
    return { decide: (i) => evaluate(at(inputs, i)), answer: (found) => found };
  }),
  'json-rules': engine('json-rules-engine', async ({ exported, inputs }) => {
    const decide = jsonRules(exported);
    return { decide: (i) => decide(at(inputs, i)), answer: cedarAnswer };
  }),
};

function engine<T>(
  title: string,
  load: (workload: Workload) => Promise<Loaded<T>> | Loaded<T>,
  most = 2_000,
): Engine {
  return { title, run: (workload, name) => measure(workload, name, () => load(workload), most) };
}

/** An engine that needs OPA's command, from the environment variable `OPA` or the path. */
function withOpa(
  title: string,
  run: (workload: Workload, title: string, command: string) => Promise<Row>,
): Engine {
  return {
    title,
    run: async (workload, name) => {
      const command = opaCommand();
      return command === undefined ? notRun(name, 'µs', 'no opa') : run(workload, name, command);
    },
  };
}

function at<T>(list: readonly T[], i: number): T {
  const found = list[i % list.length];
  if (found === undefined) throw new RangeError();
  return found;
}

/** The kernel's answer is in its registers: reading all of them is part of the decision. */
function loadKernel({ exported, values, leafValue }: Workload): Loaded<Uint8Array> {
  const { law, moment, rules } = exported;
  const expressions = new Expressions(law, moment);
  const roots = rules.map(({ rule }) => expressions.rule(rule));
  const whole = wholeOf(law, expressions, roots, webassembly, leafValue);
  const registers = whole.program.roots;
  const read = new Uint8Array(registers.length);
  const ids = rules.map(({ rule }) => rule.id);
  return {
    decide: (i) => {
      whole.decide(at(values, i));
      const found = whole.machine.values;
      for (let k = 0; k < registers.length; k++) read[k] = found[registers[k] ?? 0] ?? 0;
      return read;
    },
    answer: (found) => ({
      definitely: ids.filter((_, k) => decode(found[k] ?? 0) === 'true'),
      possibly: ids.filter((_, k) => decode(found[k] ?? 0) !== 'false'),
    }),
  };
}

function loadInterpreter({ exported, knowledge }: Workload): Loaded<readonly string[]> {
  const { law, moment, rules } = exported;
  const ids = rules.map(({ rule }) => rule.id);
  return {
    decide: (i) => {
      const interpreter = new Interpreter({ law, moment, knowledge: at(knowledge, i) });
      return rules.map(({ rule }) => interpreter.holds(rule));
    },
    answer: (found) => ({
      definitely: ids.filter((_, k) => found[k] === 'true'),
      possibly: ids.filter((_, k) => found[k] !== 'false'),
    }),
  };
}

function loadCedar({ exported, inputs }: Workload): Loaded<readonly string[]> {
  const decide = cedarDecider(exported);
  return { decide: (i) => decide(at(inputs, i), 'evaluate').reasons, answer: cedarAnswer };
}

/** Milliseconds that one row may take to measure, after its answers are compared. */
const BUDGET = 3_000;

/** Compares every answer with the interpreter's, then measures single decisions; the clock is in them. */
async function measure<T>(
  { exported, expected }: Workload,
  title: string,
  load: () => Promise<Loaded<T>> | Loaded<T>,
  most = 2_000,
): Promise<Row> {
  const { decide, answer } = await load();
  for (let i = 0; i < expected.length; i++) {
    const { definitely, possibly } = answer(await decide(i));
    const [yes, may] = [new Set(definitely), new Set(possibly)];
    exported.rules.forEach(({ rule: { id } }, k) => {
      const found = yes.has(id) ? 'true' : may.has(id) ? 'unknown' : 'false';
      const wanted = expected[i]?.[k];
      if (found !== wanted) throw new Error(`${title}: ${id} is ${wanted}, not ${found}, in decision ${i}`);
    });
  }
  const warm = performance.now() + BUDGET / 10;
  for (let i = 0; performance.now() < warm; i++) await settled(decide(i));
  const samples: number[] = [];
  const until = performance.now() + BUDGET;
  for (let i = 0; samples.length < most && performance.now() < until; i++) {
    const start = performance.now();
    const decided = decide(i);
    if (decided instanceof Promise) await decided;
    samples.push((performance.now() - start) * 1000);
  }
  return row(title, 'µs', samples);
}

/** Waits only where there is something to wait for: a turn of the event loop costs more than the kernel. */
function settled<T>(decided: T | Promise<T>): T | Promise<T> | undefined {
  return decided instanceof Promise ? decided : undefined;
}

function partOf(column: Column, { title, run }: Engine): Part {
  return async () => {
    const workload = workloadOf(column);
    if (title === KERNEL) {
      const { exported, expected } = workload;
      const count = (truth: string): number => expected.flat().filter((one) => one === truth).length;
      console.error(
        `${TITLES[column]}: ${exported.rules.length} rules, ${exported.facts.size} facts, ${expected.length} decisions: ${count('true')} true, ${count('unknown')} unknown, ${count('false')} false`,
      );
    }
    const measured = await run(workload, `${TITLES[column]}: ${title}`);
    const claim = `${workload.exported.rules.length} rules of one market, ${measured.name}`;
    return [measured.runs === 0 ? measured : { ...measured, claim }];
  };
}

export const benchmark: Benchmark = {
  name: 'decide',
  summary:
    'every rule of one market on the same partial facts, three-valued: kernel, interpreter, Cedar, OPA, CEL, json-rules-engine',
  parts: Object.fromEntries(
    COLUMNS.flatMap((column) =>
      Object.entries(ENGINES).map(([name, one]) => [`${column}-${name}`, partOf(column, one)]),
    ),
  ),
  compare: (rows) =>
    rows.map((one) => {
      const [column = ''] = one.name.split(':');
      const kernel = rows.find(({ name }) => name === `${column}: ${KERNEL}`);
      return kernel === undefined || kernel === one || one.runs === 0
        ? one
        : { ...one, ratio: one.median / kernel.median, peer: 'the time of the kernel' };
    }),
};
