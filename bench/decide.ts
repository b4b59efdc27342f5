import { createRequire } from 'node:module';
import type { RuleProperties } from 'json-rules-engine';
import { Engine } from 'json-rules-engine';
import type { Condition } from '../src/facts/condition.ts';
import { mentions } from '../src/facts/condition.ts';
import type { FactValue } from '../src/facts/domain.ts';
import { gather } from '../src/facts/knowledge.ts';
import type { Fact } from '../src/facts/vocabulary.ts';
import { Expressions } from '../src/kernel/expression.ts';
import { TRUE } from '../src/kernel/program.ts';
import { webassembly } from '../src/kernel/webassembly.ts';
import { Interpreter } from '../src/rules/interpreter.ts';
import { loadLaw } from '../src/rules/load.ts';
import type { Rule } from '../src/rules/rule.ts';
import type { Benchmark } from './bench.ts';
import { row, time } from './bench.ts';
import { wholeOf } from './kernel-whole.ts';

/** The part of cedar-wasm that is used: policies parsed once, requests decided against them. */
interface Cedar {
  preparsePolicySet(name: string, policies: { staticPolicies: Record<string, string> }): { type: string };
  statefulIsAuthorized(call: unknown): {
    type: string;
    response?: { decision: string; diagnostics: { reason: string[]; errors: unknown[] } };
  };
}

const { law } = loadLaw();
const factOf = (id: string): Fact => {
  const fact = law.vocabulary.facts.get(id);
  if (fact === undefined) throw new RangeError(id);
  return fact;
};

/** Peers cannot say *unknown*, have no exceptions and no dates: only bare conditions on words, sets and flags are compared. */
function isPlain(condition: Condition): boolean {
  switch (condition.kind) {
    case 'fact':
      return (
        condition.test.kind === 'is' ||
        condition.test.kind === 'in' ||
        condition.test.kind === 'has' ||
        condition.test.kind === 'only'
      );
    case 'derived':
    case 'at-least':
      return false;
    case 'not':
      return isPlain(condition.of);
    default:
      return condition.of.every(isPlain);
  }
}

const name = (id: string): string => id.replaceAll('.', '_');
const quote = (word: string): string => JSON.stringify(word);

function toCedar(condition: Condition): string {
  switch (condition.kind) {
    case 'fact': {
      const fact = `context.${name(condition.fact)}`;
      const { test } = condition;
      if (test.kind === 'is')
        return `${fact} == ${typeof test.value === 'boolean' ? test.value : quote(test.value)}`;
      if (test.kind === 'in') return `[${test.values.map(quote).join(', ')}].contains(${fact})`;
      if (test.kind === 'has') return `${fact}.containsAny([${test.values.map(quote).join(', ')}])`;
      if (test.kind === 'only') return `[${test.values.map(quote).join(', ')}].containsAll(${fact})`;
      throw new TypeError(test.kind);
    }
    case 'not':
      return `!(${toCedar(condition.of)})`;
    case 'all':
      return condition.of.map((child) => `(${toCedar(child)})`).join(' && ');
    case 'any':
      return condition.of.map((child) => `(${toCedar(child)})`).join(' || ');
    default:
      throw new TypeError(condition.kind);
  }
}

type JsonRule = RuleProperties['conditions'];

function toJsonRules(condition: Condition): JsonRule {
  const nested = (child: Condition): never => toJsonRules(child) as never;
  switch (condition.kind) {
    case 'fact': {
      const { test } = condition;
      const leaf = (operator: string, value: unknown): JsonRule => ({
        all: [{ fact: name(condition.fact), operator, value }],
      });
      if (test.kind === 'is') return leaf('equal', test.value);
      if (test.kind === 'in' || test.kind === 'has' || test.kind === 'only')
        return leaf({ in: 'in', has: 'containsAny', only: 'containsOnly' }[test.kind], test.values);
      throw new TypeError(test.kind);
    }
    case 'not':
      return { not: nested(condition.of) };
    case 'all':
      return { all: condition.of.map(nested) };
    case 'any':
      return { any: condition.of.map(nested) };
    default:
      throw new TypeError(condition.kind);
  }
}

/** A value for every fact that the rules test; which one depends on `i` alone. */
function feature(facts: readonly Fact[], i: number): Readonly<Record<string, FactValue>> {
  return Object.fromEntries(
    facts.map((fact, k) => {
      const words = [...fact.values.keys()];
      const pick = (i * 7 + k * 13) % 11;
      const value: FactValue =
        fact.type === 'bool'
          ? pick % 2 === 0
          : fact.type === 'enum'
            ? (words[pick % words.length] ?? '')
            : words.filter((_, n) => (n * 5 + pick) % 9 === 0).sort();
      return [fact.id, value];
    }),
  );
}

const FEATURES = 20;

export const benchmark: Benchmark = {
  name: 'decide',
  summary:
    'the same conditions of the law on the same complete facts: kernel, reference interpreter, cedar-wasm, json-rules-engine',
  parts: {
    all: async () => {
      const rules = [...law.rules.values()]
        .filter((rule): rule is Rule & { when: Condition } => rule.when !== undefined && isPlain(rule.when))
        .slice(0, 100);
      const facts = [...new Set(rules.flatMap((rule) => [...mentions(rule.when).facts]))].map(factOf);
      const features = Array.from({ length: FEATURES }, (_, i) => feature(facts, i));
      const vocabulary = { ...law.vocabulary, constraints: [] };
      const known = features.map(
        (one) =>
          gather(
            vocabulary,
            law.jurisdictions,
            'EU',
            Object.entries(one).map(([fact, value]) => ({ fact, value })),
          ).knowledge,
      );
      const day = [...law.rulebooks.values()].map(({ status }) => status.asOf)[0];
      if (day === undefined) throw new Error('no law');

      const ours = (i: number): string => {
        const knowledge = known[i % FEATURES];
        if (knowledge === undefined) throw new RangeError();
        const interpreter = new Interpreter({ law, moment: { asOf: day, knownAt: day }, knowledge });
        return rules
          .filter((rule) => interpreter.evaluate(rule.when) === 'true')
          .map(({ id }) => id)
          .sort()
          .join();
      };

      const expressions = new Expressions(law, { asOf: day, knownAt: day });
      const kernel = wholeOf(
        law,
        expressions,
        rules.map((rule) => expressions.condition(rule.when)),
        webassembly,
      );
      const byKernel = (i: number): string => {
        kernel.decide(features[i % FEATURES] ?? {});
        const { values } = kernel.machine;
        return rules
          .filter((_, k) => values[kernel.program.roots[k] ?? 0] === TRUE)
          .map(({ id }) => id)
          .sort()
          .join();
      };

      const cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as Cedar;
      const policies = Object.fromEntries(
        rules.map((rule) => [rule.id, `permit(principal, action, resource) when { ${toCedar(rule.when)} };`]),
      );
      const parsed = cedar.preparsePolicySet('law', { staticPolicies: policies });
      if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed));
      const byCedar = (i: number): string => {
        const context = Object.fromEntries(
          Object.entries(features[i % FEATURES] ?? {}).map(([id, value]) => [name(id), value]),
        );
        const answer = cedar.statefulIsAuthorized({
          principal: { type: 'U', id: 'u' },
          action: { type: 'Action', id: 'a' },
          resource: { type: 'R', id: 'r' },
          context,
          preparsedPolicySetId: 'law',
          entities: [],
        });
        if (answer.response === undefined || answer.response.diagnostics.errors.length > 0)
          throw new Error(JSON.stringify(answer));
        return [...answer.response.diagnostics.reason].sort().join();
      };

      const engine = new Engine();
      engine.addOperator('containsAny', (have: string[], wanted: string[]) =>
        wanted.some((word) => have.includes(word)),
      );
      engine.addOperator('containsOnly', (have: string[], allowed: string[]) =>
        have.every((word) => allowed.includes(word)),
      );
      for (const rule of rules)
        engine.addRule({ conditions: toJsonRules(rule.when), event: { type: rule.id } });
      const byEngine = async (i: number): Promise<string> => {
        const { events } = await engine.run(
          Object.fromEntries(
            Object.entries(features[i % FEATURES] ?? {}).map(([id, value]) => [name(id), value]),
          ),
        );
        return events
          .map(({ type }) => type)
          .sort()
          .join();
      };

      let held = 0;
      for (let i = 0; i < FEATURES; i++) {
        const answer = ours(i);
        held += answer.split(',').length;
        if (byKernel(i) !== answer) throw new Error(`the kernel differs on feature ${i}`);
        if (byCedar(i) !== answer) throw new Error(`cedar-wasm differs on feature ${i}`);
        if ((await byEngine(i)) !== answer) throw new Error(`json-rules-engine differs on feature ${i}`);
      }
      console.error(`${rules.length} conditions, ${FEATURES} features, ${held} holding: all four agree`);

      let i = 0;
      const comity = row(
        `reference interpreter, ${rules.length} conditions`,
        'ms',
        await time(300, () => ours(i++)),
      );
      const kernelRow = row(
        `kernel, ${kernel.machine.backend}, fresh facts`,
        'ms',
        await time(5_000, () => byKernel(i++), 2_000),
      );
      const cedarRow = row('cedar-wasm, pre-parsed', 'ms', await time(100, () => byCedar(i++)));
      const engineRow = row('json-rules-engine', 'ms', await time(60, () => byEngine(i++)));
      return [
        kernelRow,
        ...[comity, cedarRow, engineRow].map((peer) => ({
          ...peer,
          ratio: peer.median / kernelRow.median,
          peer: 'the time of the kernel',
        })),
      ];
    },
  },
};
