import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assess } from '../src/assess/assess.ts';
import type { FactValue } from '../src/facts/domain.ts';
import { gather } from '../src/facts/knowledge.ts';
import { readManifest } from '../src/facts/manifest.ts';
import { bytecode } from '../src/kernel/bytecode.ts';
import type { CallFacts } from '../src/kernel/decision.ts';
import { Expressions } from '../src/kernel/expression.ts';
import type { Policy } from '../src/kernel/policy.ts';
import { specialise } from '../src/kernel/policy.ts';
import type { PolicyOptions } from '../src/kernel/policy-options.ts';
import type { Machine, Program } from '../src/kernel/program.ts';
import { decode } from '../src/kernel/program.ts';
import { encodeModule, webassembly } from '../src/kernel/webassembly.ts';
import { Interpreter } from '../src/rules/interpreter.ts';
import { loadLaw } from '../src/rules/load.ts';
import type { Benchmark, Row } from './bench.ts';
import { row, time } from './bench.ts';
import type { Whole } from './kernel-whole.ts';
import { wholeOf } from './kernel-whole.ts';
import { statedOf } from './stated.ts';

const { law, digest } = loadLaw();
const asOf = [...law.rulebooks.values()].map((rulebook) => rulebook.status.asOf).sort()[0];
if (asOf === undefined) throw new Error('no law');
const moment = { asOf, knownAt: asOf };
const file = new URL('../examples/support-chatbot/comity.yaml', import.meta.url);
const manifest = readManifest(readFileSync(file, 'utf8'), 'comity.yaml', law);
const OPTIONS = { law, digest, manifest, moment, probe: () => ({ kind: 'absent' }) as const };
const rules = [...law.rules.values()];
const everywhere = [...new Set([...law.rulebooks.values()].map(({ jurisdiction }) => jurisdiction))].sort();
const build = (backend: Machine['backend']): ((programs: readonly Program[]) => readonly Machine[]) =>
  backend === 'bytecode' ? (programs) => programs.map(bytecode) : webassembly;

/** Random features for the whole law. */
const FEATURES = 200;
/** Features held at once. */
const HELD = 1000;

/** The calls: every one other facts. */
const callFacts = [...law.vocabulary.facts.values()].filter(({ scope }) => scope === 'request');
const calls = Array.from({ length: 4096 }, (_, i) => statedOf(callFacts, i));
const callAt = (i: number): CallFacts => calls[i % calls.length] ?? {};

/** The policies decide as the assessment does, on some of the calls. */
function checkCalls(manifest: PolicyOptions['manifest'], policies: readonly Policy[]): void {
  for (let i = 0; i < calls.length; i += 128) {
    const stated = Object.entries(callAt(i)).map(([fact, value]) => ({ fact, value: value as FactValue }));
    for (const market of manifest.markets) {
      const { knowledge } = gather(law.vocabulary, law.jurisdictions, market, [
        ...manifest.statements(market),
        ...stated,
      ]);
      const { outcome } = assess({
        ...OPTIONS,
        market,
        knowledge,
        declared: manifest.controls,
        horizonMonths: 0,
      });
      for (const policy of policies)
        if (policy.decide(callAt(i)).in(market).outcome !== outcome)
          throw new Error(`call ${i} is decided otherwise in ${market}`);
    }
  }
}

/** Microseconds of single decisions; the clock is in them. */
function single(runs: number, work: (i: number) => unknown): readonly number[] {
  for (let i = 0; i < 20_000; i++) work(i);
  return Array.from({ length: runs }, (_, i) => {
    const start = performance.now();
    work(i);
    return (performance.now() - start) * 1000;
  });
}

/** Nanoseconds per decision, in batches: shorter than the clock can tell. */
function batched(work: (i: number) => unknown): readonly number[] {
  for (let i = 0; i < 50_000; i++) work(i);
  return Array.from({ length: 300 }, () => {
    const start = performance.now();
    for (let i = 0; i < 2_000; i++) work(i);
    return ((performance.now() - start) * 1e6) / 2_000;
  });
}

/** All rules of the law, on random features whose every fact is loaded anew. Checked against the interpreter first. */
function whole(backend: Machine['backend']): Whole {
  const expressions = new Expressions(law, moment);
  const engine = wholeOf(
    law,
    expressions,
    rules.map((rule) => expressions.rule(rule)),
    build(backend),
  );
  const features = featuresOf(engine);
  const { program, machine } = engine;
  for (let i = 0; i < FEATURES; i += 10) {
    const interpreter = new Interpreter({ law, moment, knowledge: knowledgeOf(features, i) });
    engine.decide(features[i] ?? {});
    rules.forEach((rule, k) => {
      const value = decode(machine.values[program.roots[k] ?? 0] ?? 0);
      if (value !== interpreter.holds(rule)) throw new Error(`${rule.id} differs on feature ${i}`);
    });
  }
  return engine;
}

function featuresOf({ facts }: Pick<Whole, 'facts'>): readonly Readonly<Record<string, FactValue>>[] {
  const known = facts.flatMap((id) => law.vocabulary.facts.get(id) ?? []);
  return Array.from({ length: FEATURES }, (_, i) => statedOf(known, i));
}

/** Facts computed from places are stated here, or unknown: the places themselves are not what is measured. */
function knowledgeOf(
  features: readonly Readonly<Record<string, FactValue>>[],
  i: number,
): ReturnType<typeof gather>['knowledge'] {
  const stated = Object.entries(features[i % FEATURES] ?? {}).map(([fact, value]) => ({ fact, value }));
  const plain = new Map([...law.vocabulary.facts].map(([id, { derive: _, ...fact }]) => [id, fact]));
  const vocabulary = { ...law.vocabulary, constraints: [], facts: plain };
  return gather(vocabulary, law.jurisdictions, everywhere[0] ?? '', stated).knowledge;
}

function wholeRows(backend: Machine['backend']): readonly Row[] {
  const { program, machine, facts, decide } = whole(backend);
  const features = featuresOf({ facts });
  const bytes = encodeModule([program], [0], 1).length;
  console.error(
    `all rules: ${rules.length} rules, ${facts.length} facts, ${program.slots.length} tests, ${program.code.length / 4} operations, ${program.registers} registers, ${(bytes / 1024).toFixed(0)} KiB of WebAssembly`,
  );
  return [
    row(
      `all rules of all markets, fresh facts, ${backend}`,
      'µs',
      single(4_000, (i) => decide(features[i % FEATURES] ?? {})),
      {
        goal: '≤ 50 µs',
        ...(backend === 'webassembly' ? { claim: 'all rules of all markets, all facts fresh' } : {}),
      },
    ),
    row(
      `  of that, running the rules, ${backend}`,
      'µs',
      single(4_000, () => machine.run()),
    ),
  ];
}

async function interpreterRows(): Promise<readonly Row[]> {
  const features = featuresOf(whole('bytecode'));
  const known = features.map((_, i) => knowledgeOf(features, i));
  let next = 0;
  const samples = await time(60, () => {
    const knowledge = known[next++ % FEATURES];
    if (knowledge === undefined) throw new RangeError();
    const interpreter = new Interpreter({ law, moment, knowledge });
    for (const rule of rules) interpreter.holds(rule);
  });
  return [
    row(
      REFERENCE,
      'µs',
      samples.map((ms) => ms * 1000),
    ),
  ];
}

/** Features held at once: what each costs, and whether they still decide as a fresh one does. */
function memoryRows(): readonly Row[] {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, arrayBuffers, external } = process.memoryUsage();
    return heapUsed + Math.max(arrayBuffers, external);
  };
  const expressions = new Expressions(law, moment);
  const first = specialise({ ...OPTIONS, expressions });
  const before = used();
  const held = Array.from({ length: HELD }, () => specialise({ ...OPTIONS, expressions }));
  const each = (used() - before) / HELD;
  const few = held.slice(0, 20);
  const empty = used();
  for (const policy of few) for (const call of calls) policy.decide(call);
  const kept = (used() - empty) / few.length;
  const { rss } = process.memoryUsage();
  for (const policy of held)
    for (let i = 0; i < calls.length; i += 512)
      if (
        JSON.stringify(policy.decide(callAt(i)).markets) !== JSON.stringify(first.decide(callAt(i)).markets)
      )
        throw new Error(`one of ${HELD} features decides call ${i} otherwise`);
  return [
    row('memory of one more feature, rules shared', 'KiB', [each / 1024], { goal: '≤ 10 MB' }),
    row(`  and of its decisions on ${calls.length} calls in ${manifest.markets.length} markets`, 'KiB', [
      kept / 1024,
    ]),
    row(`process with ${HELD} features held, decisions unchanged`, 'MiB', [rss / 2 ** 20], {
      goal: '≤ 1 GB',
      claim: `${HELD} features held at once`,
    }),
  ];
}

function repeatedRows(): readonly Row[] {
  const policy = specialise(OPTIONS);
  checkCalls(manifest, [policy]);
  const [first, repeated] = [callAt(0), callAt(1)];
  policy.decide(first);
  return [
    row(
      'repeated key, the same facts',
      'ns',
      batched(() => policy.decide(repeated)),
      { goal: '≤ 100 ns', claim: 'decision on facts seen before' },
    ),
    row(
      `repeated keys, ${calls.length} calls in turn`,
      'ns',
      batched((i) => policy.decide(callAt(i))),
    ),
  ];
}

function specialisedRows(backend: Machine['backend']): readonly Row[] {
  const policy = specialise({ ...OPTIONS, keep: 0, build: build(backend) });
  checkCalls(manifest, [policy]);
  const { operations, registers } = policy.size;
  console.error(
    `${calls.length} calls, ${manifest.markets.length} markets: decided as assessed; residual: ${operations} operations, ${registers} registers`,
  );
  return [
    row(
      `specialised, any facts, ${manifest.markets.length} markets, ${backend}`,
      'µs',
      single(20_000, (i) => policy.decide(callAt(i))),
      {
        goal: '≤ 1 µs, p99 ≤ 3 µs',
        ...(backend === 'webassembly' ? { claim: 'decision specialised to a feature, any facts' } : {}),
      },
    ),
  ];
}

/** The hardest case for folding: a feature that states nothing, so that everything is open. */
function silentRows(backend: Machine['backend']): readonly Row[] {
  const silent = { ...manifest, statements: () => [] };
  const policy = specialise({ ...OPTIONS, manifest: silent, keep: 0, build: build(backend) });
  checkCalls(silent, [policy]);
  const { operations, registers } = policy.size;
  console.error(`stating nothing: ${operations} operations, ${registers} registers`);
  return [
    row(
      `  of a feature that states nothing, ${backend}`,
      'µs',
      single(20_000, (i) => policy.decide(callAt(i))),
    ),
  ];
}

async function compileRows(): Promise<readonly Row[]> {
  return [
    row(
      `compile and specialise, ${manifest.markets.length} markets`,
      'ms',
      await time(25, () => specialise(OPTIONS)),
      {
        goal: '≤ 100 ms',
      },
    ),
    row(
      `compile and specialise, ${everywhere.length} markets`,
      'ms',
      await time(10, () => specialise({ ...OPTIONS, markets: everywhere })),
      { goal: '≤ 100 ms', claim: 'compile and specialise one feature, all markets' },
    ),
  ];
}

const REFERENCE = 'reference interpreter, the same';

export const benchmark: Benchmark = {
  name: 'kernel',
  summary: 'decisions on single calls: kept, specialised, and by all rules of all markets; compiling; memory',
  parts: {
    repeated: repeatedRows,
    'specialised-webassembly': () => specialisedRows('webassembly'),
    'specialised-bytecode': () => specialisedRows('bytecode'),
    'silent-webassembly': () => silentRows('webassembly'),
    'silent-bytecode': () => silentRows('bytecode'),
    'whole-webassembly': () => wholeRows('webassembly'),
    'whole-bytecode': () => wholeRows('bytecode'),
    interpreter: interpreterRows,
    compile: compileRows,
    memory: memoryRows,
  },
  compare: (rows) => {
    const reference = rows.find(({ name }) => name === REFERENCE);
    return rows.map((one) =>
      reference !== undefined && one.name.startsWith('all rules')
        ? { ...one, ratio: reference.median / one.median, peer: 'faster than the interpreter' }
        : one,
    );
  },
};
