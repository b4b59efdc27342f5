import { OUTCOMES } from '../assess/assessment.ts';
import { casesSchema } from '../assess/schema.ts';
import { RUNGS } from '../facts/control.ts';
import type { JsonSchema } from '../facts/schema.ts';
import { closed, listOf, manifestSchema, text, words } from '../facts/schema.ts';
import { agreementsSchema } from '../rules/agreement-schema.ts';
import { crosswalksSchema } from '../rules/crosswalk-schema.ts';
import { frameworkSchema } from '../rules/framework-schema.ts';
import type { Law } from '../rules/law.ts';
import { CONFIDENCES, DEPTHS, KINDS, REVIEWS, STATES } from '../rules/rule.ts';
import {
  conflictsSchema,
  controlsSchema,
  factsSchema,
  jurisdictionsSchema,
  rulebookSchema,
} from '../rules/schema.ts';
import { agreementsReportSchema } from './coordination/agreements-report.ts';
import { crosswalkReportSchema } from './coordination/crosswalk-report.ts';
import { answerSchemas } from './schemas-answers.ts';

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';
const DAY: JsonSchema = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' };
const HEX: JsonSchema = { type: 'string', pattern: '^[0-9a-f]{64}$' };
const BOOL: JsonSchema = { type: 'boolean' };
const COUNT: JsonSchema = { type: 'integer', minimum: 0 };
const WEIGHTS = ['counts', 'effort', 'voluntary', 'theirs', 'shown'];
const TRUTHS = ['true', 'false', 'unknown'];
const REASONS = [
  'no-rulebook',
  'prohibited',
  'prohibition-open',
  'scope-open',
  'outstanding',
  'undecided',
  'per-request',
];

const RULE: Readonly<Record<string, JsonSchema>> = {
  rule: text(),
  rulebook: text(),
  cite: text(),
  title: text(),
  effect: closed(
    {
      kind: words(['prohibit', 'classify', 'require', 'grant', 'permit']),
      text: text(),
      control: text(),
      parameters: { type: 'object' },
    },
    ['kind', 'text'],
  ),
  confidence: words(CONFIDENCES),
  review: words(REVIEWS),
  source: text(),
};
const COVERAGE = closed(
  {
    control: text(),
    covered: BOOL,
    strength: words(RUNGS),
    gaps: listOf(closed({ parameter: text(), asked: {}, in_place: {} }, ['parameter', 'asked'])),
    remarks: listOf(text()),
  },
  ['control', 'covered', 'strength', 'gaps', 'remarks'],
);

/** Why a condition has its value; see `comity explain`. */
const WHY: JsonSchema = {
  type: 'object',
  properties: {
    truth: words(TRUTHS),
    fact: text(),
    test: text(),
    value: text(),
    origin: words(['stated', 'implied', 'computed', 'nothing']),
    at: text(),
    because: text(),
    concluded: text(),
    is: BOOL,
    by: listOf({ $ref: '#/$defs/proof' }),
    all: listOf({ $ref: '#/$defs/why' }),
    any: listOf({ $ref: '#/$defs/why' }),
    at_least: listOf({ $ref: '#/$defs/why' }),
    not: { $ref: '#/$defs/why' },
  },
  required: ['truth'],
  additionalProperties: false,
};
const PROOF = closed(
  {
    rule: text(),
    truth: words(TRUTHS),
    in_force: BOOL,
    scope: { $ref: '#/$defs/why' },
    when: { $ref: '#/$defs/why' },
    defeated_by: listOf({ $ref: '#/$defs/proof' }),
    overcame: listOf({ $ref: '#/$defs/proof' }),
    ambiguous: text(),
  },
  ['rule', 'truth', 'in_force'],
);
const PROOF_DEFINITIONS = { proof: PROOF, why: WHY };

function checkSchema(): JsonSchema {
  const finding = closed(
    {
      ...RULE,
      truth: words(['true', 'unknown']),
      weight: words(WEIGHTS),
      per_request: BOOL,
      owed_by: listOf(text()),
      from: DAY,
      to: DAY,
      state: words(STATES),
      coverage: COVERAGE,
      open: listOf(text()),
      unsettled: listOf(closed({ rule: text(), why: text() }, ['rule', 'why'])),
      proof: { $ref: '#/$defs/proof' },
    },
    ['rule', 'rulebook', 'cite', 'effect', 'truth', 'weight', 'confidence', 'review', 'proof'],
  );
  const coming = closed(
    {
      ...RULE,
      kind: words(['enacted', 'bill', 'stayed']),
      truth: words(['true', 'unknown']),
      weight: words(WEIGHTS),
      owed_by: listOf(text()),
      from: DAY,
      coverage: COVERAGE,
    },
    ['rule', 'kind', 'truth', 'weight'],
  );
  const reason = closed(
    { kind: words(REASONS), text: text(), rule: text(), rulebook: text(), open: listOf(text()) },
    ['kind', 'text'],
  );
  const market = closed(
    {
      market: text(),
      outcome: words(OUTCOMES),
      reasons: listOf(reason),
      rulebooks: listOf(text()),
      uncovered: listOf(text()),
      findings: listOf(finding),
      coming: listOf(coming),
    },
    ['market', 'outcome', 'reasons', 'rulebooks', 'uncovered'],
  );
  const open = closed(
    {
      fact: text(),
      question: text(),
      who: words(['engineer', 'lawyer', 'measurement']),
      cost: COUNT,
      markets: listOf(text()),
      findings: COUNT,
    },
    ['fact', 'question', 'markets', 'findings'],
  );
  const feature = closed({ name: text(), file: text(), markets: listOf(market), open: listOf(open) }, [
    'name',
    'file',
    'markets',
    'open',
  ]);
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:check:1',
    title: 'Result of `comity check --format json` and `comity where --format json`',
    ...closed(
      {
        format: { const: 'comity.check/1' },
        ruleset: HEX,
        as_of: DAY,
        known_at: DAY,
        features: listOf(feature),
      },
      ['format', 'ruleset', 'as_of', 'known_at', 'features'],
    ),
    $defs: PROOF_DEFINITIONS,
  };
}

function explainSchema(): JsonSchema {
  const one = closed({ name: text(), file: text(), market: text(), proof: { $ref: '#/$defs/proof' } }, [
    'name',
    'file',
    'market',
    'proof',
  ]);
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:explain:1',
    title: 'Result of `comity explain --format json`',
    ...closed(
      { format: { const: 'comity.explain/1' }, ruleset: HEX, as_of: DAY, known_at: DAY, proofs: listOf(one) },
      ['format', 'ruleset', 'as_of', 'known_at', 'proofs'],
    ),
    $defs: PROOF_DEFINITIONS,
  };
}

function lawListSchema(): JsonSchema {
  const counts = (keys: readonly string[]): JsonSchema =>
    closed(Object.fromEntries(keys.map((key) => [key, COUNT])), keys);
  return {
    $schema: DRAFT,
    $id: 'urn:comity:schema:law-list:1',
    title: 'Result of `comity law list --format json`',
    ...listOf(
      closed(
        {
          id: text(),
          jurisdiction: text(),
          title: text(),
          kind: words(KINDS),
          binding: BOOL,
          state: words(STATES),
          depth: words(DEPTHS),
          rules: COUNT,
          cases: COUNT,
          confidence: counts(CONFIDENCES),
          review: counts(REVIEWS),
        },
        ['id', 'jurisdiction', 'kind', 'state', 'depth', 'rules', 'cases', 'confidence', 'review'],
      ),
    ),
  };
}

/** Every schema of the public surface, by the name of its file. */
export function allSchemas(law: Law): Readonly<Record<string, JsonSchema>> {
  return {
    comity: manifestSchema(law),
    facts: factsSchema(law),
    controls: controlsSchema(),
    jurisdictions: jurisdictionsSchema(),
    rulebook: rulebookSchema(law),
    conflicts: conflictsSchema(law),
    cases: casesSchema(law),
    agreements: agreementsSchema(law),
    framework: frameworkSchema(law),
    crosswalks: crosswalksSchema(law),
    'agreements-report': agreementsReportSchema(),
    'crosswalk-report': crosswalkReportSchema(),
    check: checkSchema(),
    explain: explainSchema(),
    'law-list': lawListSchema(),
    ...answerSchemas(),
  };
}
