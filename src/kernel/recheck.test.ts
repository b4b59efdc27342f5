import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, test } from 'vitest';
import { day, smallLaw, stated } from '../rules/testdata/small-law.ts';
import { bytecode } from './bytecode.ts';
import type { Policy } from './policy.ts';
import { specialise } from './policy.ts';
import type { PolicyOptions } from './policy-options.ts';
import type { Machine, Program } from './program.ts';
import { AND, OR } from './program.ts';
import type { Mismatch } from './recheck.ts';
import { MISMATCH_CHANNEL, Recheck } from './recheck.ts';

const MOMENT = { asOf: day('2026-02-01'), knownAt: day('2026-02-01') };
const LAW = smallLaw({
  'aa/act': `
rules:
  - {id: minors, cite: § 1, effective: [{from: 2025-01-01}], when: {all: [{t.kind: red}, {user.young: true}]}, prohibit: serving the young}
`,
});

/** Machines in which the first AND has become an OR. */
function wrong(programs: readonly Program[]): readonly Machine[] {
  return programs.map((program) => {
    const code = program.code.slice();
    const at = code.findIndex((operation, i) => i % 4 === 0 && operation === AND);
    if (at >= 0) code[at] = OR;
    return bytecode({ ...program, code });
  });
}

function policyWith(recheck: Recheck, more: Partial<PolicyOptions> = {}): Policy {
  return specialise({
    law: LAW,
    digest: 'd',
    manifest: {
      name: 'assistant',
      markets: ['AA', 'BB'],
      statements: () => stated({ 't.c': true }),
      controls: new Map(),
    },
    moment: MOMENT,
    probe: () => ({ kind: 'absent' }),
    callFacts: ['t.kind', 'user.young'],
    recheck,
    ...more,
  });
}

/** Until the queue, one market a turn, has had its time. */
async function idle(): Promise<void> {
  for (let turn = 0; turn < 400; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const CALLS = [
  {},
  { 'user.young': true },
  { 't.kind': 'red', 'user.young': true },
  { 't.kind': 'red', 'user.young': false },
];

describe('the re-check', () => {
  test('confirms right decisions, first and repeated, and reports nothing', async () => {
    const found: Mismatch[] = [];
    const recheck = new Recheck({ every: 1, onMismatch: (mismatch) => found.push(mismatch) });
    const policy = policyWith(recheck);
    for (const call of [...CALLS, ...CALLS]) policy.decide(call);
    expect(recheck.counts).toMatchObject({ sampled: 8, checked: 0 });
    await idle();
    expect(recheck.counts).toEqual({ sampled: 8, checked: 8, dropped: 0, mismatched: 0 });
    expect(found).toEqual([]);
  });

  test('catches a wrong decision, and says all that is needed to make it again', async () => {
    const found: Mismatch[] = [];
    const published: unknown[] = [];
    const listen = (message: unknown): number => published.push(message);
    subscribe(MISMATCH_CHANNEL, listen);
    const recheck = new Recheck({ every: 1, onMismatch: (mismatch) => found.push(mismatch) });
    const policy = policyWith(recheck, { build: wrong });
    const facts = { 't.kind': 'red', 'user.young': false };
    const decision = policy.decide(facts);
    // The caller goes on with its own object.
    facts['user.young'] = true;
    await idle();
    unsubscribe(MISMATCH_CHANNEL, listen);
    expect(recheck.counts).toEqual({ sampled: 1, checked: 1, dropped: 0, mismatched: 1 });
    expect(published).toEqual(found);
    const [mismatch] = found;
    expect(found).toHaveLength(1);
    expect(mismatch).toMatchObject({
      feature: 'assistant',
      digest: 'd',
      moment: MOMENT,
      facts: { 't.kind': 'red', 'user.young': false },
      decisionId: decision.id,
      market: 'AA',
      decided: { outcome: 'not-allowed', reasons: [{ kind: 'prohibited', id: 'aa/act:minors' }] },
      interpreted: { outcome: 'allowed', reasons: [] },
    });
    const replayed = policyWith(recheck).decide(mismatch?.facts ?? {});
    expect(replayed.id).toBe(mismatch?.decisionId);
    expect(replayed.in('AA').outcome).toBe('allowed');
  });

  test('warns where nobody listens', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): number => warnings.push(warning);
    process.on('warning', listen);
    policyWith(new Recheck({ every: 1 }), { build: wrong }).decide({ 't.kind': 'red', 'user.young': false });
    await idle();
    process.off('warning', listen);
    expect(warnings.map(({ message }) => message)).toEqual([
      expect.stringMatching(/does not confirm .* in AA$/),
    ]);
  });

  test('takes one in so many on average, also of calls that repeat', async () => {
    const recheck = new Recheck({ every: 100, queue: 1 });
    const policy = policyWith(recheck);
    for (let i = 0; i < 100_000; i++) policy.decide(CALLS[i % CALLS.length] ?? {});
    expect(recheck.counts.sampled).toBeGreaterThan(800);
    expect(recheck.counts.sampled).toBeLessThan(1_250);
  });

  test('takes every call of a rhythm in its turn', async () => {
    const sampled = new Set<string>();
    const recheck = new Recheck({ every: 4 });
    const add = recheck.add.bind(recheck);
    recheck.add = (sample) => {
      sampled.add(sample.decision.id);
      add(sample);
    };
    const policy = policyWith(recheck);
    for (let i = 0; i < 4_000; i++) policy.decide(CALLS[i % CALLS.length] ?? {});
    expect(sampled.size).toBe(new Set(CALLS.map((call) => policy.decide(call).id)).size);
  });

  test('drops and counts what finds no room, and goes on', async () => {
    const recheck = new Recheck({ every: 1, queue: 3 });
    const policy = policyWith(recheck);
    for (let i = 0; i < 10; i++) policy.decide({});
    await idle();
    expect(recheck.counts).toEqual({ sampled: 10, checked: 3, dropped: 7, mismatched: 0 });
    policy.decide({});
    await idle();
    expect(recheck.counts).toMatchObject({ sampled: 11, checked: 4 });
  });

  test('has nothing to check of a call that was refused', async () => {
    const recheck = new Recheck({ every: 1 });
    expect(policyWith(recheck).decide({ 't.kind': 'rde' }).problems).toHaveLength(1);
    expect(recheck.counts.sampled).toBe(0);
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('is not made for one in %s', (every) => {
    expect(() => new Recheck({ every })).toThrow(/`every` must be a whole number/);
  });
});
