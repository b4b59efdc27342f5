import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Law } from '../rules/law.ts';
import { completeFacts, randomRules, rulesBody } from '../rules/testdata/random-law.ts';
import { day, interpret, smallLaw } from '../rules/testdata/small-law.ts';
import { analyzeChange, analyzeLaw } from './analyze.ts';
import { encodeFacts, encodeRules, ruleSymbol } from './encode.ts';
import { SolverSession } from './session.ts';

const moment = { asOf: day('2026-11-25'), knownAt: day('2026-11-25') };
const rule = (id: string, rest: string): string =>
  `  - {id: ${id}, cite: § 1, effective: [{from: 2025-01-01}], ${rest}}\n`;
const act = (...rules: readonly string[]): Law => smallLaw({ 'aa/act': `rules:\n${rules.join('')}` });

let session: SolverSession;
beforeAll(async () => {
  session = await SolverSession.open();
});
afterAll(() => session.close());

const found = async (law: Law): Promise<readonly string[]> =>
  (await analyzeLaw(session, law, { moment, seenTrue: new Set(), seenFalse: new Set() })).map(
    ({ kind, rule: id, other }) =>
      [kind, id.slice(7), other?.slice(7)].filter((part) => part !== undefined).join(' '),
  );

describe('the analysis of a law', () => {
  test('finds nothing in a law that has nothing to mend', async () => {
    expect(
      await found(
        act(
          rule('p', 'prohibit: it, when: {t.a: true}'),
          rule('e', 'defeats: {rules: [p], word: except}, when: {t.c: true}'),
        ),
      ),
    ).toEqual([]);
  });

  test('finds a rule that contradicts itself, and one that the vocabulary makes impossible', async () => {
    expect(
      await found(
        act(
          rule('x', 'prohibit: it, when: {all: [{t.c: true}, {t.c: false}]}'),
          rule('y', 'prohibit: that, when: {all: [{t.a: true}, {t.b: false}]}'),
        ),
      ),
    ).toEqual(['dead x', 'dead y']);
  });

  test('finds numbers that no number meets', async () => {
    expect(
      await found(
        act(
          rule('x', 'prohibit: it, when: {all: [{t.flop: {gt: 1e25}}, {t.flop: {lte: 1e25}}]}'),
          rule('y', 'prohibit: that, when: {t.flop: {gt: 1e25}}'),
        ),
      ),
    ).toEqual(['dead x']);
  });

  test('finds a conclusion that nothing can draw', async () => {
    expect(
      await found(
        act(
          rule('d', 'define: aa.act.d, when: {all: [{t.c: true}, {t.c: false}]}'),
          rule('p', 'prohibit: it, when: {any: [{aa.act.d: true}, {t.a: true}]}'),
        ),
      ),
    ).toEqual(['gap d']);
  });

  test('finds a condition that is no condition, and that three values could have said more', async () => {
    expect(await found(act(rule('x', 'prohibit: it, when: {any: [{t.c: true}, {t.c: false}]}')))).toEqual([
      'always x',
      'incomplete x',
    ]);
  });

  test('finds an exception that another always overtakes', async () => {
    const law = act(
      rule('p', 'prohibit: it'),
      rule('wide', 'defeats: {rules: [p], word: except}, when: {t.b: true}'),
      rule('narrow', 'defeats: {rules: [p], word: except}, when: {t.a: true}'),
    );
    expect(await found(law)).toEqual(['shadowed narrow p']);
  });

  test('finds duties that repeat each other', async () => {
    const duty = 'require: {control: LOG-02}, owed_by: [maker]';
    expect(
      await found(
        act(
          rule('a', `${duty}, when: {t.a: true}`),
          rule('b', `${duty}, when: {t.b: true}`),
          rule('c', `${duty}, when: {t.c: true}`),
        ),
      ),
    ).toEqual(['implied a b']);
  });

  test('finds a permission of what is forbidden', async () => {
    expect(
      await found(
        act(rule('no', 'prohibit: it, when: {t.b: true}'), rule('yes', 'permit: it, when: {t.a: true}')),
      ),
    ).toEqual(['clash yes no']);
  });

  test('proves nothing that hangs on how an unsettled point is settled', async () => {
    expect(await found(act(rule('p', 'prohibit: it, ambiguous: two readings')))).toEqual([]);
  });
});

describe('the analysis of a change', () => {
  test('shows facts that the interpreter confirms', async () => {
    const before = act(rule('p', 'prohibit: it, when: {t.count: {gt: 3}}'));
    const after = act(rule('p', 'prohibit: it, when: {t.count: {gte: 3}}'));
    const [change, ...others] = await analyzeChange(session, before, after, moment);
    expect(others).toEqual([]);
    expect(change).toMatchObject({
      kind: 'changed',
      rule: 'aa/act:p',
      message: 'false becomes true',
      witness: [{ fact: 't.count', value: '3' }],
    });
  });

  test('sees through to rules that depend on what changed', async () => {
    const duty = rule('d', 'prohibit: it, when: {aa.act.x: true}');
    const changes = await analyzeChange(
      session,
      act(rule('x', 'define: aa.act.x, when: {t.kind: red}'), duty),
      act(rule('x', 'define: aa.act.x, when: {t.kind: {in: [red, blue]}}'), duty),
      moment,
    );
    expect(changes.map(({ rule: id, witness }) => [id, witness?.[0]?.value])).toEqual([
      ['aa/act:d', 'blue'],
      ['aa/act:x', 'blue'],
    ]);
  });

  test('says nothing where two ways of writing mean the same', async () => {
    const before = act(rule('p', 'prohibit: it, when: {not: {any: [{t.a: true}, {t.c: true}]}}'));
    const after = act(rule('p', 'prohibit: it, when: {all: [{t.a: false}, {t.c: false}]}'));
    expect(await analyzeChange(session, before, after, moment)).toEqual([]);
  });
});

test('the solver and the interpreter agree on random rules and complete facts', async () => {
  await fc.assert(
    fc.asyncProperty(randomRules, completeFacts, async (rules, facts) => {
      const law = smallLaw({ 'aa/act': rulesBody(rules.map(({ ambiguous: _doubt, ...one }) => one)) });
      const interpreter = interpret(law, facts);
      const all = [...law.rules.values()];
      await session.reset();
      const values = Object.entries(facts).flatMap(([id, value]): readonly string[] => {
        const fact = law.vocabulary.facts.get(id);
        if (typeof value === 'boolean') return [value ? `|${id}|` : `(not |${id}|)`];
        if (Array.isArray(value))
          return [...(fact?.values.keys() ?? [])].map((word) =>
            value.includes(word) ? `|${id} = ${word}|` : `(not |${id} = ${word}|)`,
          );
        return fact?.type === 'enum'
          ? [`|${id} = ${value}|`]
          : [`(= |${id}| ${fact?.type === 'date' ? Date.parse(`${value}T00:00:00Z`) / 86_400_000 : value})`];
      });
      const text = encodeFacts(law.vocabulary, all);
      const declared = (formula: string): boolean =>
        [...formula.matchAll(/\|[^|]*\|/g)].every(([symbol]) => text.includes(`(declare-const ${symbol} `));
      await session.assert(`${text}\n${encodeRules(law, interpreter.situation.moment, all)}`);
      const answers = all.map((one) =>
        interpreter.holds(one) === 'true' ? ruleSymbol(one.id) : `(not ${ruleSymbol(one.id)})`,
      );
      expect((await session.check([...values.filter(declared), ...answers])).sat).toBe('sat');
      expect(
        (await session.check([...values.filter(declared), `(not (and ${answers.join(' ')}))`])).sat,
      ).toBe('unsat');
    }),
    { numRuns: 40 },
  );
}, 120_000);
