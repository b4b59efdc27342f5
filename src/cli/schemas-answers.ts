import { OUTCOMES } from '../assess/assessment.ts';
import type { JsonSchema } from '../facts/schema.ts';
import { closed, listOf, text, words } from '../facts/schema.ts';
import { CONFLICT_KINDS } from '../rules/opposition.ts';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const DAY: JsonSchema = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' };
const HEX: JsonSchema = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const COUNT: JsonSchema = { type: 'integer', minimum: 0 };
const TEXTS = listOf(text());
/** What a fact is stated to be, or a parameter of a control is. */
const VALUE: JsonSchema = { type: ['boolean', 'number', 'string', 'array'], items: { type: 'string' } };

function answer(
  id: string,
  format: string,
  title: string,
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[],
): JsonSchema {
  return {
    $schema: DRAFT,
    $id: `urn:comity:schema:${id}:1`,
    title,
    ...closed({ format: { const: format }, ...properties }, ['format', ...required]),
  };
}

function changeSchema(): JsonSchema {
  return closed({ fact: text(), from: VALUE, to: VALUE, cost: COUNT, kind: words(['change', 'state']) }, [
    'fact',
    'to',
    'cost',
    'kind',
  ]);
}

function planSchema(): JsonSchema {
  const change = changeSchema();
  const from = closed({ rule: text(), market: text() }, ['rule', 'market']);
  const parameter = closed({ parameter: text(), value: VALUE, from: listOf(from) }, [
    'parameter',
    'value',
    'from',
  ]);
  const control = closed({ control: text(), title: text(), parameters: listOf(parameter), rules: TEXTS }, [
    'control',
    'title',
    'parameters',
    'rules',
  ]);
  const variant = closed({ markets: TEXTS, controls: listOf(control), outstanding: TEXTS }, [
    'markets',
    'controls',
    'outstanding',
  ]);
  const side = closed({ market: text(), rule: text(), cite: text(), parameters: { type: 'object' } }, [
    'market',
    'rule',
    'cite',
    'parameters',
  ]);
  const resolution = closed({ id: text(), title: text(), how: text(), controls: TEXTS }, [
    'id',
    'title',
    'how',
    'controls',
  ]);
  const conflict = closed(
    {
      id: text(),
      title: text(),
      kind: words(CONFLICT_KINDS),
      why: text(),
      left: side,
      right: side,
      resolutions: listOf(resolution),
    },
    ['id', 'title', 'kind', 'why', 'left', 'right', 'resolutions'],
  );
  const blocked = closed(
    { market: text(), outcome: words(OUTCOMES), reasons: TEXTS, least_change: listOf(change) },
    ['market', 'outcome', 'reasons'],
  );
  const feature = closed(
    {
      name: text(),
      file: text(),
      variants: listOf(variant),
      conflicts: listOf(conflict),
      blocked: listOf(blocked),
    },
    ['name', 'file', 'variants', 'conflicts', 'blocked'],
  );
  return answer(
    'plan',
    'comity.plan/1',
    'Result of `comity plan --format json`',
    { ruleset: HEX, as_of: DAY, features: listOf(feature) },
    ['ruleset', 'as_of', 'features'],
  );
}

function whatifSchema(): JsonSchema {
  const change = changeSchema();
  const one = closed({ changes: listOf(change), cost: COUNT, outcome: words(OUTCOMES), controls: TEXTS }, [
    'changes',
    'cost',
    'outcome',
    'controls',
  ]);
  const core = closed({ rule: text(), cite: text() }, ['rule', 'cite']);
  const result = closed(
    {
      name: text(),
      file: text(),
      market: text(),
      result: words(['reached', 'impossible', 'gave-up']),
      complete: { type: 'boolean' },
      answers: listOf(one),
      core: listOf(core),
      tried: COUNT,
    },
    ['name', 'file', 'market', 'result'],
  );
  return answer(
    'whatif',
    'comity.whatif/1',
    'Result of `comity whatif --format json`',
    { ruleset: HEX, as_of: DAY, goal: words(['allowed', 'allowed-if']), results: listOf(result) },
    ['ruleset', 'as_of', 'goal', 'results'],
  );
}

function nextSchema(): JsonSchema {
  const next = closed(
    {
      fact: text(),
      question: text(),
      who: words(['engineer', 'lawyer', 'measurement']),
      cost: COUNT,
      markets: TEXTS,
      findings: COUNT,
    },
    ['fact', 'question', 'who', 'cost', 'markets', 'findings'],
  );
  const feature = closed({ name: text(), file: text(), left_at_most: COUNT, next }, [
    'name',
    'file',
    'left_at_most',
  ]);
  return answer(
    'next',
    'comity.next/1',
    'Result of `comity next --format json`',
    { ruleset: HEX, as_of: DAY, features: listOf(feature) },
    ['ruleset', 'as_of', 'features'],
  );
}

function diffSchema(): JsonSchema {
  const market = closed(
    {
      market: text(),
      before: words(OUTCOMES),
      after: words(OUTCOMES),
      gained: TEXTS,
      lost: TEXTS,
      outstanding: TEXTS,
      settled: TEXTS,
    },
    ['market', 'gained', 'lost', 'outstanding', 'settled'],
  );
  const feature = closed({ file: text(), name: text(), markets: listOf(market) }, [
    'file',
    'name',
    'markets',
  ]);
  return answer(
    'diff',
    'comity.diff/1',
    'Result of `comity diff --format json`',
    { ruleset: HEX, as_of: DAY, before: text(), after: text(), features: listOf(feature) },
    ['ruleset', 'as_of', 'before', 'after', 'features'],
  );
}

function lawDiffSchema(): JsonSchema {
  const change = closed(
    {
      kind: words(['added', 'removed', 're-dated', 'meaning', 'editorial']),
      what: words(['rule', 'rulebook', 'fact', 'constraint', 'control', 'jurisdiction']),
      id: text(),
      fields: TEXTS,
      before: { type: 'object' },
      after: { type: 'object' },
    },
    ['kind', 'what', 'id', 'fields'],
  );
  const outcome = closed(
    { name: text(), file: text(), market: text(), before: words(OUTCOMES), after: words(OUTCOMES) },
    ['name', 'file', 'market', 'before', 'after'],
  );
  return answer(
    'law-diff',
    'comity.law-diff/1',
    'Result of `comity law diff --format json`',
    { before: text(), after: text(), changes: listOf(change), outcomes: listOf(outcome) },
    ['before', 'after', 'changes', 'outcomes'],
  );
}

function lawAnalyzeSchema(): JsonSchema {
  const statement = { ...closed({ fact: text(), value: VALUE }, ['fact', 'value']) };
  const finding = closed(
    { kind: text(), rule: text(), other: text(), message: text(), witness: listOf(statement) },
    ['kind', 'rule', 'message'],
  );
  return answer(
    'law-analyze',
    'comity.law-analyze/1',
    'Result of `comity law analyze --format json`',
    { ruleset: HEX, findings: listOf(finding) },
    ['ruleset', 'findings'],
  );
}

/** Schemas of what plan, whatif, next, diff and the law verbs print. */
export function answerSchemas(): Readonly<Record<string, JsonSchema>> {
  return {
    plan: planSchema(),
    whatif: whatifSchema(),
    next: nextSchema(),
    diff: diffSchema(),
    'law-diff': lawDiffSchema(),
    'law-analyze': lawAnalyzeSchema(),
  };
}
