import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { assess } from '../src/assess/assess.ts';
import type { FactValue } from '../src/facts/domain.ts';
import { gather } from '../src/facts/knowledge.ts';
import { readManifest } from '../src/facts/manifest.ts';
import type { Fact } from '../src/facts/vocabulary.ts';
import { bytecode } from '../src/kernel/bytecode.ts';
import type { CallFacts } from '../src/kernel/decision.ts';
import { Expressions } from '../src/kernel/expression.ts';
import type { Policy } from '../src/kernel/policy.ts';
import { compile } from '../src/kernel/policy.ts';
import type { PolicyOptions } from '../src/kernel/policy-options.ts';
import type { Machine, Program } from '../src/kernel/program.ts';
import { decode } from '../src/kernel/program.ts';
import { encodeModule, webassembly } from '../src/kernel/webassembly.ts';
import { Interpreter } from '../src/rules/interpreter.ts';
import { loadLaw } from '../src/rules/load.ts';
import type { Benchmark, Row } from './bench.ts';
import { row, time } from './bench.ts';
import { wholeOf } from './kernel-whole.ts';

const { law, digest } = loadLaw();
const asOf = [...law.rulebooks.values()].map((rulebook) => rulebook.status.asOf).sort()[0];
if (asOf === undefined) throw new Error('no law');
const moment = { asOf, knownAt: asOf };
const file = new URL('../examples/support-chatbot/comity.yaml', import.meta.url);
const manifest = readManifest(readFileSync(file, 'utf8'), 'comity.yaml', law);
const OPTIONS = { law, digest, manifest, moment, probe: () => ({ kind: 'absent' }) as const };
const everywhere = [...new Set([...law.rulebooks.values()].map(({ jurisdiction }) => jurisdiction))].sort();
const build = (backend: Machine['backend']): ((programs: readonly Program[]) => readonly Machine[]) =>
  backend === 'bytecode' ? (programs) => programs.map(bytecode) : webassembly;

/** A value that depends on `i` alone; now and then none. */
function pickValue(fact: Fact, i: number): FactValue | undefined {
  const pick = Math.imul(i ^ 0x9e3779b9, 0x85ebca6b) >>> 8;
  if (pick % 7 === 0) return undefined;
  const words = [...fact.values.keys()];
  switch (fact.type) {
    case 'bool':
      return pick % 2 === 0;
    case 'enum':
      return words[pick % words.length];
    case 'set':
      return words.filter((_, n) => (n * 5 + pick) % 9 === 0).sort();
    case 'date':
      return ['2024-05-01', '2026-08-02', '2027-12-02'][pick % 3];
    default:
      return String(pick % 1000);
  }
}

function statedOf(facts: readonly Fact[], i: number): Readonly<Record<string, FactValue>> {
  return Object.fromEntries(
    facts.flatMap((fact, k) => {
      const value = pickValue(fact, i * 131 + k);
      return value === undefined ? [] : [[fact.id, value]];
    }),
  );
}

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

async function wholeRows(): Promise<readonly Row[]> {
  const expressions = new Expressions(law, moment);
  const rules = [...law.rules.values()];
  const roots = rules.map((rule) => expressions.rule(rule));
  const engines = (['bytecode', 'webassembly'] as const).map((backend) =>
    wholeOf(law, expressions, roots, build(backend)),
  );
  const facts = (engines[0]?.facts ?? []).flatMap((id) => law.vocabulary.facts.get(id) ?? []);
  const features = Array.from({ length: 200 }, (_, i) => statedOf(facts, i));
  const vocabulary = { ...law.vocabulary, constraints: [] };
  const knowledgeOf = (i: number): ReturnType<typeof gather>['knowledge'] => {
    const stated = Object.entries(features[i % 200] ?? {}).map(([fact, value]) => ({ fact, value }));
    // Facts computed from places are stated here, or unknown: the places themselves are not what is measured.
    const plain = new Map([...vocabulary.facts].map(([id, { derive: _, ...fact }]) => [id, fact]));
    return gather({ ...vocabulary, facts: plain }, law.jurisdictions, everywhere[0] ?? '', stated).knowledge;
  };
  for (let i = 0; i < 200; i += 10) {
    const interpreter = new Interpreter({ law, moment, knowledge: knowledgeOf(i) });
    for (const engine of engines) {
      engine.decide(features[i] ?? {});
      rules.forEach((rule, k) => {
        const value = decode(engine.machine.values[engine.program.roots[k] ?? 0] ?? 0);
        if (value !== interpreter.holds(rule)) throw new Error(`${rule.id} differs on feature ${i}`);
      });
    }
  }
  const known = features.map((_, i) => knowledgeOf(i));
  let next = 0;
  const interpreted = await time(60, () => {
    const knowledge = known[next++ % 200];
    if (knowledge === undefined) throw new RangeError();
    const interpreter = new Interpreter({ law, moment, knowledge });
    for (const rule of rules) interpreter.holds(rule);
  });
  const reference = row(
    'reference interpreter, the same',
    'µs',
    interpreted.map((ms) => ms * 1000),
  );
  const [first] = engines;
  if (first === undefined) throw new RangeError();
  const bytes = encodeModule([first.program], [0], 1).length;
  console.error(
    `all rules: ${rules.length} rules, ${first.facts.length} facts, ${first.program.slots.length} tests, ${first.program.code.length / 4} operations, ${first.program.registers} registers, ${(bytes / 1024).toFixed(0)} KiB of WebAssembly`,
  );
  return engines
    .flatMap(({ machine, decide }) => {
      const all = row(
        `all rules of all markets, fresh facts, ${machine.backend}`,
        'µs',
        single(4_000, (i) => decide(features[i % 200] ?? {})),
      );
      const run = row(
        `  of that, running the rules, ${machine.backend}`,
        'µs',
        single(4_000, () => machine.run()),
      );
      return [{ ...all, ratio: reference.median / all.median, peer: 'faster than the interpreter' }, run];
    })
    .concat(reference);
}

/** Bytes kept per policy, of many held at once with the rules shared. */
function memoryRow(): Row {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, arrayBuffers, external } = process.memoryUsage();
    return heapUsed + Math.max(arrayBuffers, external);
  };
  const expressions = new Expressions(law, moment);
  const held: Policy[] = [compile({ ...OPTIONS, expressions })];
  const before = used();
  const count = 200;
  for (let i = 0; i < count; i++) held.push(compile({ ...OPTIONS, expressions }));
  const each = (used() - before) / count / 1024;
  const empty = used();
  for (const policy of held.slice(0, 20)) for (const call of calls) policy.decide(call);
  const kept = (used() - empty) / 20 / 1024;
  console.error(
    `memory: ${each.toFixed(0)} KiB per feature of ${held.length} held, and ${kept.toFixed(0)} KiB for the decisions of ${calls.length} calls in ${manifest.markets.length} markets`,
  );
  return row('memory of one more feature, rules shared', 'KiB', [each]);
}

export const benchmark: Benchmark = {
  name: 'kernel',
  summary: 'decisions on single calls: kept, specialised, and by all rules of all markets; compiling; memory',
  run: async () => {
    const policies = (['bytecode', 'webassembly'] as const).map((backend) =>
      compile({ ...OPTIONS, keep: 0, build: build(backend) }),
    );
    const kept = compile(OPTIONS);
    checkCalls(manifest, [...policies, kept]);
    // The hardest case for folding: a feature that states nothing, so that everything is open.
    const silent = { ...manifest, statements: () => [] };
    const opens = (['bytecode', 'webassembly'] as const).map((backend) =>
      compile({ ...OPTIONS, manifest: silent, keep: 0, build: build(backend) }),
    );
    checkCalls(silent, opens);
    console.error(
      `${calls.length} calls, ${manifest.markets.length} markets: decided as assessed; residual: ${kept.size.operations} operations, ${kept.size.registers} registers; stating nothing: ${opens[0]?.size.operations} operations, ${opens[0]?.size.registers} registers`,
    );
    const repeated = callAt(1);
    const [cold, one] = [callAt(0), manifest.markets.length];
    kept.decide(cold);
    return [
      row(
        'repeated key, the same facts',
        'ns',
        batched(() => kept.decide(repeated)),
      ),
      row(
        `repeated keys, ${calls.length} calls in turn`,
        'ns',
        batched((i) => kept.decide(callAt(i))),
      ),
      ...policies.map((policy) =>
        row(
          `specialised, any facts, ${one} markets, ${policy.size.backend}`,
          'µs',
          single(20_000, (i) => policy.decide(callAt(i))),
        ),
      ),
      ...opens.map((policy) =>
        row(
          `  of a feature that states nothing, ${policy.size.backend}`,
          'µs',
          single(20_000, (i) => policy.decide(callAt(i))),
        ),
      ),
      ...(await wholeRows()),
      row(`compile and specialise, ${one} markets`, 'ms', await time(25, () => compile(OPTIONS))),
      row(
        `compile and specialise, ${everywhere.length} markets`,
        'ms',
        await time(10, () => compile({ ...OPTIONS, markets: everywhere })),
      ),
      memoryRow(),
    ];
  },
};
