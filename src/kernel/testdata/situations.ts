import fc from 'fast-check';
import type { Probe } from '../../assess/evidence.ts';
import type { FactValue } from '../../facts/domain.ts';
import type { DeclaredControl } from '../../facts/manifest.ts';
import type { Law } from '../../rules/law.ts';
import { completeFacts, randomRules, rulesBody, TESTED_FACTS } from '../../rules/testdata/random-law.ts';
import { day, smallLaw } from '../../rules/testdata/small-law.ts';
import { bytecode } from '../bytecode.ts';
import type { CallFacts, Decision } from '../decision.ts';
import type { Policy } from '../policy.ts';
import { specialise } from '../policy.ts';
import type { PolicyOptions } from '../policy-options.ts';
import { assessCall, referenceDecision } from '../reference.ts';
import { webassembly } from '../webassembly.ts';

export const MOMENT = { asOf: day('2026-02-01'), knownAt: day('2026-02-01') };
export const probe: Probe = () => ({ kind: 'file', sha256: '' });
const at = { file: 'f', line: 1, column: 1 };

/** The law with some facts known only by a single call. */
export function requestScoped(law: Law, ids: readonly string[]): Law {
  const facts = new Map(
    [...law.vocabulary.facts].map(([id, fact]) => [
      id,
      ids.includes(id) ? { ...fact, scope: 'request' as const } : fact,
    ]),
  );
  return { ...law, vocabulary: { ...law.vocabulary, facts } };
}

export function declared(retention: string | undefined): ReadonlyMap<string, DeclaredControl> {
  return new Map(
    retention === undefined
      ? []
      : [
          [
            'LOG-02',
            {
              id: 'LOG-02',
              at,
              parameters: { retention },
              evidence: [{ kind: 'document' as const, ref: 'schedule', at }],
            },
          ],
        ],
  );
}

export function feature(
  facts: Readonly<Record<string, FactValue>>,
  controls = declared(undefined),
): PolicyOptions['manifest'] {
  const statements = Object.entries(facts).map(([fact, value]) => ({ fact, value }));
  return { name: 'f', markets: ['AA', 'AA-X', 'NO'], statements: () => statements, controls };
}

const FACTS = [...TESTED_FACTS, 'market.role'];

/** A law, a feature and calls to it. */
export interface SituationOfCalls {
  readonly options: PolicyOptions;
  readonly calls: readonly CallFacts[];
}

/** Laws, features and up to so many calls to each: what is stated when, and what never, is up to chance. */
export function situations(maxCalls: number): fc.Arbitrary<SituationOfCalls> {
  return fc.record({
    rules: randomRules,
    scoped: fc.boolean(),
    fixed: completeFacts,
    calls: fc.array(completeFacts, { minLength: 1, maxLength: maxCalls, size: 'max' }),
    callFacts: fc.subarray(FACTS, { minLength: 1, maxLength: 4 }),
    request: fc.subarray(FACTS),
    stated: fc.subarray(FACTS),
    left: fc.array(fc.subarray(FACTS), { minLength: maxCalls, maxLength: maxCalls, size: 'max' }),
    retention: fc.constantFrom(undefined, 'P1M', 'P6M'),
  })
  .map(({ rules, scoped, fixed, calls, callFacts, request, stated, left, retention }) => {
    // Conclusions and exceptions stand outside the scope, or it would depend on itself.
    const outside = (rule: (typeof rules)[number]): boolean => 'define' in rule || 'defeats' in rule;
    const body = scoped
      ? `scope: aa.act.d0\n${rulesBody(rules.map((rule) => (outside(rule) ? { ...rule, scope: 'none' } : rule)))}`
      : rulesBody(rules);
    const law = requestScoped(smallLaw({ 'aa/act': body }), request);
    const pick = (
      from: Readonly<Record<string, FactValue>>,
      wanted: (id: string) => boolean,
    ): Readonly<Record<string, FactValue>> =>
      Object.fromEntries(Object.entries(from).filter(([id]) => wanted(id)));
    // Statements that exclude each other are tested apart: here what the call says follows the same facts.
    const entangled = ['t.a', 't.b', 't.uses', 't.count'];
    const manifest = feature(
      pick(fixed, (id) => stated.includes(id) && !callFacts.includes(id)),
      declared(retention),
    );
    const options: PolicyOptions = {
      law,
      digest: 'd',
      manifest,
      moment: MOMENT,
      probe,
      callFacts,
    };
    return {
      options,
      calls: calls.map((call, i) =>
        pick(
          { ...call, ...pick(fixed, (id) => entangled.includes(id)) },
          (id) => callFacts.includes(id) && left[i]?.includes(id) !== true,
        ),
      ),
    };
  });
}

/**
 * Every way to decide a call, against the reference interpreter: bytecode and WebAssembly, with what the feature
 * states folded away and with nothing folded, afresh and from the table of kept decisions.
 *
 * @returns what differs, of the first call that is decided otherwise.
 */
export function mismatchOf({ options, calls }: SituationOfCalls): string | undefined {
  const { manifest } = options;
  const [market = ''] = manifest.markets;
  const statements = manifest.statements(market);
  const stated = Object.fromEntries(statements.map(({ fact, value }) => [fact, value as FactValue]));
  const unfolded = {
    ...options,
    manifest: { ...manifest, statements: () => [] },
    callFacts: [...(options.callFacts ?? []), ...Object.keys(stated)],
  };
  const kept = specialise(options);
  const ways: readonly (readonly [string, Policy, (call: CallFacts) => CallFacts])[] = [
    ['the table', kept, (call) => call],
    ['the table again', kept, (call) => call],
    ['WebAssembly', specialise({ ...options, keep: 0, build: webassembly }), (call) => call],
    ['bytecode', specialise({ ...options, keep: 0, build: (all) => all.map(bytecode) }), (call) => call],
    ['nothing folded', specialise({ ...unfolded, keep: 0 }), (call) => ({ ...stated, ...call })],
  ];
  for (const call of calls) {
    const expected = JSON.stringify(
      manifest.markets.map((one) => referenceDecision(assessCall(options, one, call))),
    );
    for (const [name, policy, facts] of ways) {
      const { markets }: Decision = policy.decide(facts(call));
      if (JSON.stringify(markets) !== expected)
        return `${name} decides ${JSON.stringify(call)} as ${JSON.stringify(markets)}, the interpreter as ${expected}`;
    }
  }
  return undefined;
}
