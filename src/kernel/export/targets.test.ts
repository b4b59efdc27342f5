import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assess } from '../../assess/assess.ts';
import type { FactValue } from '../../facts/domain.ts';
import { gather } from '../../facts/knowledge.ts';
import { InputError } from '../../facts/problem.ts';
import type { Law } from '../../rules/law.ts';
import { day, smallLaw, stated } from '../../rules/testdata/small-law.ts';
import { SolverSession } from '../../solve/session.ts';
import { cedarPolicies } from './cedar.ts';
import type { Exported } from './exported.ts';
import { exportLaw } from './exported.ts';
import type { Subject } from './input.ts';
import { inputOf } from './input.ts';
import { rego } from './rego.ts';
import { smtlib } from './smtlib.ts';
import type { TargetName } from './target.ts';
import { exportFor, TARGETS } from './target.ts';
import { constructs } from './testdata/constructs.ts';
import {
  cedarDecider,
  cedarWasm,
  celEvaluator,
  opaBuild,
  opaCommand,
  opaEngine,
  opaEvaluator,
} from './testdata/engines.ts';
import { randomKnowledge } from './testdata/random-knowledge.ts';

const NOW = day('2026-11-25');
const MOMENT = { asOf: NOW, knownAt: NOW };
const law = constructs();
const exported = exportOf(law);
const targets = Object.keys(TARGETS) as readonly TargetName[];
/** Rules compiled by OPA, so that its engine runs where its compiler is not. */
const COMPILED = join(import.meta.dirname, 'testdata', 'constructs.wasm');
const WRITTEN = join(import.meta.dirname, 'testdata', 'constructs.rego');

function exportOf(of: Law): Exported {
  return exportLaw({ law: of, digest: 'test', moment: MOMENT, wanted: () => true });
}

function subject(facts: Readonly<Record<string, FactValue>>, market = 'AA'): Subject {
  return {
    feature: 'f',
    market,
    knowledge: gather(law.vocabulary, law.jurisdictions, market, stated(facts)).knowledge,
  };
}

/** What the assessment says is forbidden in a market, and what is perhaps. */
function assessed({ market, knowledge }: Subject): {
  readonly forbidden: readonly string[];
  readonly open: readonly string[];
  readonly outcome: string;
  readonly ruled: boolean;
} {
  const probe = (): { readonly kind: 'absent' } => ({ kind: 'absent' });
  const { reasons, outcome } = assess({
    law,
    market,
    moment: MOMENT,
    knowledge,
    declared: new Map(),
    probe,
    horizonMonths: 0,
  });
  const of = (...kinds: readonly string[]): readonly string[] =>
    reasons
      .flatMap((reason) =>
        'finding' in reason && kinds.includes(reason.kind) ? [reason.finding.rule.id] : [],
      )
      .sort();
  return {
    forbidden: of('prohibited'),
    open: of('prohibited', 'prohibition-open', 'per-request'),
    outcome,
    ruled: reasons.every(({ kind }) => kind !== 'no-rulebook'),
  };
}

const SUBJECTS = [
  subject({}),
  subject({
    't.a': true,
    't.flop': '20000000000000000000000000',
    't.uses': ['one'],
    't.b': true,
    't.c': true,
    't.kind': 'blue',
  }),
  subject({
    't.a': true,
    't.flop': '20000000000000000000000000',
    't.uses': ['one'],
    't.c': true,
    't.kind': 'red',
    'market.here': false,
  }),
  subject({ 't.a': false, 't.kind': 'blue', 't.uses': [], 'market.since': '2025-06-01' }),
  subject({ 't.places': ['BB'] }, 'BB'),
  subject({ 't.places': ['NO'] }, 'BB'),
  subject({ 't.a': true }, 'NO'),
];

describe.each(targets)('an export to %s', (name) => {
  const target = TARGETS[name];

  test('is the same bytes each time, and says first of which law it is and what it leaves out', () => {
    const text = target.render(exported);
    expect(target.render(exportOf(constructs()))).toBe(text);
    const head = text.slice(0, 4_000);
    for (const wanted of [
      'ruleset test',
      '2026-11-25',
      'Left out:',
      'Not legal advice',
      'aa/act:late (§ 11): from 2030-01-01',
      'aa/act:bill (§ 12): a bill',
    ])
      expect(head).toContain(wanted);
  });

  test('cites every rule with its place in the law', () => {
    const text = target.render(exported);
    for (const { rule } of exported.rules) expect(text).toContain(`${rule.at.file}:${rule.at.line}`);
  });

  test('of no rules is still well-formed', async () => {
    const none = exportLaw({ law, digest: 'test', moment: MOMENT, wanted: () => false });
    expect(target.render(none)).toContain('0 rules');
  });
});

describe('Cedar', () => {
  test('finds the policies, the schema and the requests valid', () => {
    const schema = TARGETS.cedar.beside(exported).get('law.cedarschema');
    const answer = cedarWasm().validate({
      schema,
      policies: { staticPolicies: cedarPolicies(exported) },
      validationSettings: { mode: 'strict' },
    });
    expect(answer).toMatchObject({ type: 'success', validationErrors: [] });
  });

  test('reads as many policies in the text, each with its id', () => {
    const text = TARGETS.cedar.render(exported);
    const { policies } = cedarWasm().policySetTextToParts(text);
    const ids = (policies ?? []).map((policy) => /@id\("([^"]*)"\)/.exec(policy)?.[1]);
    expect(ids.sort()).toEqual(Object.keys(cedarPolicies(exported)).sort());
  });

  test('denies release exactly where a prohibition possibly applies in the market', () => {
    const decide = cedarDecider(exported);
    for (const one of SUBJECTS) {
      const { open, ruled } = assessed(one);
      const { decision, reasons } = decide(inputOf(exported, one), 'release');
      expect(decision).toBe(open.length > 0 || !ruled ? 'deny' : 'allow');
      if (open.length > 0) expect([...reasons].sort()).toEqual(open.map((id) => `forbid ${id}`));
    }
  });

  test('denies release where no law is exported, and for a prohibition that is skipped', () => {
    const [ban] = exported.rules.filter(({ prohibits }) => prohibits);
    if (ban === undefined) throw new RangeError();
    const clear = subject({
      't.a': false,
      't.kind': 'blue',
      't.uses': ['three'],
      't.count': '0',
      'market.since': '2030-01-01',
    });
    const decision = (of: Exported, one: Subject): string =>
      cedarDecider(of)(inputOf(of, one), 'release').decision;
    expect(decision(exported, clear)).toBe('allow');
    expect(decision(exported, subject({}, 'NO'))).toBe('deny');
    const why = { code: 'too-large', message: 'too large' } as const;
    const without = exportLaw(
      { law, digest: 'test', moment: MOMENT, wanted: () => true },
      new Map([[ban.rule.id, why]]),
    );
    expect(without.skipped.map(({ rule }) => rule.id)).toEqual([ban.rule.id]);
    expect(decision(without, clear)).toBe('deny');
    expect(smtlib.render(without)).toContain('(define-fun |not allowed possibly AA| () Bool true)');
  });

  test('is told of a rule too large for one policy, or leaves it out with all that depends on it', () => {
    // Each of these names the one before twice: what is written out doubles each time.
    const rules = Array.from({ length: 16 }, (_, i) => {
      const test =
        i === 0 ? '{t.a: true}' : `{all: [{aa.act.d${i - 1}: true}, {not: {aa.act.d${i - 1}: false}}]}`;
      return `  - {id: d${i}, cite: § ${i}, effective: [{from: 2024-01-01}], when: ${test}, define: aa.act.d${i}}`;
    });
    const selection = {
      law: smallLaw({ 'aa/act': `rules:\n${rules.join('\n')}\n` }),
      digest: 'test',
      moment: MOMENT,
      wanted: () => true,
    };
    expect(() => exportFor(TARGETS.cedar, selection)).toThrow(InputError);
    expect(() => exportFor(TARGETS.cedar, selection)).toThrow(
      /aa\/act\.yaml:\d+:\d+: rule `aa\/act:d14` rests on 16384 tests/,
    );
    const skipping = exportFor(TARGETS.cedar, selection, true);
    expect(skipping.skipped.map(({ why }) => why.message.slice(0, 20))).toEqual([
      'rule `aa/act:d14` re',
      'rule `aa/act:d15` re',
    ]);
    expect(skipping.rules).toHaveLength(14);
    expect(TARGETS.cedar.render(skipping)).toContain('rule `aa/act:d15` rests');
    expect(exportFor(TARGETS.rego, selection).rules).toHaveLength(16);
  });
});

describe('CEL', () => {
  test('forbids a market as the assessment does', () => {
    const evaluate = celEvaluator(exported);
    for (const one of SUBJECTS) {
      const { definitely } = evaluate(inputOf(exported, one));
      const prohibitions = exported.rules
        .filter(({ prohibits, rule }) => prohibits && definitely.has(rule.id))
        .map(({ rule }) => rule.id);
      expect(prohibitions).toEqual(assessed(one).forbidden);
    }
  });
});

describe('Rego', () => {
  test('as compiled is what the exporter writes now', () => {
    const opa = opaCommand();
    if (process.env.COMITY_COMPILE === '1' && opa !== undefined) {
      writeFileSync(WRITTEN, rego.render(exported));
      writeFileSync(COMPILED, opaBuild(opa, rego.render(exported)));
    }
    // Where it is not: COMITY_COMPILE=1 with OPA at hand writes both anew.
    expect(rego.render(exported)).toBe(readFileSync(WRITTEN, 'utf8'));
  });

  test('answers in the engine of OPA as the interpreter does, whatever is known', async () => {
    const engine = await opaEngine(exported, readFileSync(COMPILED));
    for (let seed = 1; seed <= 500; seed++) {
      const knowledge = randomKnowledge(exported, seed);
      expect(await engine.differences({ feature: 'f', market: 'AA', knowledge })).toEqual([]);
    }
  });

  test('forbids a market as the assessment does', async () => {
    const evaluate = await opaEvaluator(readFileSync(COMPILED));
    for (const one of SUBJECTS) {
      const answer = evaluate(inputOf(exported, one));
      const { forbidden, open, outcome, ruled } = assessed(one);
      expect([...answer.not_allowed].sort()).toEqual(forbidden);
      expect([...answer.not_allowed_possibly].sort()).toEqual(open);
      expect(answer.ruled).toBe(ruled);
      expect(answer.not_allowed.length > 0).toBe(outcome === 'not-allowed');
    }
  });
});

describe('SMT-LIB', () => {
  test('has no world in which everything is known and a settled rule is not', async () => {
    const session = await SolverSession.open();
    try {
      await session.assert(smtlib.render(exported));
      const open = (id: string): string => `(distinct |definitely ${id}| |possibly ${id}|)`;
      for (const { rule } of exported.rules) {
        const { sat } = await session.check(['|complete|', open(rule.id)], [], 60_000);
        expect([rule.id, sat]).toEqual([rule.id, rule.ambiguous === undefined ? 'unsat' : 'sat']);
        expect((await session.check([open(rule.id)], [], 60_000)).sat).toBe(
          rule.when === undefined ? 'unsat' : 'sat',
        );
      }
    } finally {
      session.close();
    }
  });

  test('knows the constraints of the vocabulary', async () => {
    const session = await SolverSession.open();
    try {
      await session.assert(smtlib.render(exported));
      const a = '(not |t.a may be false|)';
      expect((await session.check([a, '(not |t.b may be true|)'])).sat).toBe('unsat');
      expect((await session.check([a, '(not |t.b may be false|)'])).sat).toBe('sat');
    } finally {
      session.close();
    }
  });

  test('refuses a name that it cannot quote, with the place', () => {
    const rule = law.rules.get('aa/act:always');
    const [first] = exported.rules;
    if (rule === undefined || first === undefined) throw new RangeError();
    const odd = { ...exported, rules: [{ ...first, rule: { ...rule, id: 'aa/act:a|b' } }] };
    expect([...smtlib.refuse(odd).values()].map(({ message, at }) => [message, at?.line])).toEqual([
      ['rule `aa/act:a|b` names `aa/act:a|b`, which is no symbol of SMT-LIB', rule.at.line],
    ]);
  });
});
