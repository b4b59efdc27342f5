import type { Neighbour, ReuseAnswer, Service } from '../../assess/reuse.ts';
import type { JsonSchema } from '../../facts/schema.ts';
import { closed, listOf, text, words } from '../../facts/schema.ts';
import { STANDINGS } from '../../rules/attested.ts';
import type { AnalystRelation, End } from '../../rules/crosswalk.ts';
import { nameOf, PUBLISHERS, RECOGNITIONS, RELATIONS, STYLES, sideName } from '../../rules/crosswalk.ts';
import { FRAMEWORK_KINDS } from '../../rules/framework.ts';
import { CONFIDENCES } from '../../rules/rule.ts';
import type { Moment } from '../../rules/time.ts';
import { ACCEPTANCE, ATTESTATION, acceptanceReport, attestationReport, STATE } from './agreements-report.ts';
import type { Desk } from './crosswalk.ts';

const FORMAT = 'comity.crosswalk/1';

function optional(key: string, value: unknown): { readonly [key: string]: unknown } {
  return value === undefined ? {} : { [key]: value };
}

/** The frameworks and crosswalks there are, as JSON. */
export function registerReport({ loaded, frameworks, crosswalks }: Desk): object {
  return {
    format: FORMAT,
    ruleset: loaded.digest,
    frameworks: [...frameworks.values()].map((framework) => ({
      id: framework.id,
      title: framework.title,
      publisher: framework.publisher,
      kind: framework.kind,
      version: framework.version,
      ...optional('url', framework.url),
      state: {
        is: framework.state.is,
        as_of: framework.state.asOf,
        ...optional('note', framework.state.note),
      },
      licence: framework.licence,
      ...optional('rulebook', framework.rulebook),
      references: [...framework.references.values()].map(({ ref, gist, heading }) => ({
        ref,
        gist,
        heading,
      })),
      source: attestationReport(framework.source),
    })),
    crosswalks: [...crosswalks.values()].map((crosswalk) => ({
      id: crosswalk.id,
      title: crosswalk.title,
      publisher: crosswalk.publisher,
      published: crosswalk.published,
      ...optional('date', crosswalk.date),
      style: crosswalk.style,
      extent: crosswalk.extent,
      from: sideName(crosswalk.from),
      to: crosswalk.to.map(sideName),
      rows: crosswalk.rows.length,
      ...optional('note', crosswalk.note),
      source: attestationReport(crosswalk.source),
    })),
  };
}

/** The answers as JSON: `schema/crosswalk-report.schema.json` describes them. */
export function crosswalkReport(
  desk: Desk,
  answers: readonly ReuseAnswer[],
  moment: Moment,
  to: string | undefined,
): object {
  return {
    format: FORMAT,
    ruleset: desk.loaded.digest,
    as_of: moment.asOf,
    ...optional('to', to),
    answers: answers.map((answer) => ({
      subject: endReport(desk, answer.subject),
      supports: answer.supports.map(({ via, ...support }) => ({
        ...support,
        ...optional('via', via === undefined ? undefined : endReport(desk, via)),
      })),
      services: answer.services.map((service) => serviceReport(desk, service)),
      neighbours: answer.neighbours.map((neighbour) => neighbourReport(desk, neighbour)),
      accepted: answer.accepted.map(({ agreement, acceptance }) => ({
        agreement: agreement.id,
        state: agreement.state.is,
        as_of: agreement.state.asOf,
        ...acceptanceReport(acceptance),
      })),
    })),
  };
}

function endReport({ loaded: { law }, frameworks }: Desk, end: End): object {
  switch (end.kind) {
    case 'control':
      return { kind: end.kind, id: end.id, title: law.controls.get(end.id)?.title ?? '' };
    case 'rule': {
      const rule = law.rules.get(end.id);
      const rulebook = law.rulebooks.get(rule?.rulebook ?? '');
      return {
        kind: end.kind,
        id: end.id,
        law: rulebook?.title ?? '',
        place: rulebook?.jurisdiction ?? '',
        cite: rule?.cite ?? '',
        binding: rulebook?.binding ?? false,
      };
    }
    case 'reference':
      return {
        kind: end.kind,
        id: nameOf(end),
        framework: end.framework,
        ref: end.ref,
        title: frameworks.get(end.framework)?.references.get(end.ref)?.gist ?? '',
      };
    case 'provision':
      return {
        kind: end.kind,
        law: end.law,
        place: end.place,
        cite: end.cite,
        ...optional('rulebook', end.rulebook),
      };
  }
}

function serviceReport(desk: Desk, service: Service): object {
  const { control, end, extent, leftOver, besides, basis, timing } = service;
  const shared = {
    control,
    to: endReport(desk, end),
    extent,
    left_over: leftOver,
    besides,
    basis: basis.kind,
    ...optional('timing', timing?.kind),
    ...optional('from', timing?.from),
  };
  if (basis.kind === 'asked') {
    const { rule } = basis;
    return {
      ...shared,
      recognition: 'engineering-reuse',
      effort: rule.effort,
      confidence: rule.source.confidence,
    };
  }
  const { crosswalk, row } = basis;
  return {
    ...shared,
    recognition: row.recognition,
    crosswalk: crosswalk.id,
    published: crosswalk.published,
    confidence: row.confidence,
    ...optional('note', row.note),
  };
}

function neighbourReport(desk: Desk, neighbour: Neighbour): object {
  const { crosswalk, row, ends, relation, analyst, via } = neighbour;
  return {
    crosswalk: crosswalk.id,
    published: crosswalk.published,
    to: ends.map((end) => endReport(desk, end)),
    relation,
    ...optional('analyst_relation', analyst === undefined ? undefined : analystReport(desk, analyst)),
    ...optional('via', via === undefined ? undefined : endReport(desk, via)),
    recognition: row.recognition,
    confidence: row.confidence,
    ...optional('note', row.note),
  };
}

function analystReport(desk: Desk, { relation, to, rationale, by, on }: AnalystRelation): object {
  return {
    relation,
    ...optional(
      'to',
      to?.map((end) => endReport(desk, end)),
    ),
    rationale,
    by,
    on,
  };
}

const DAY: JsonSchema = { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' };
const BOOL: JsonSchema = { type: 'boolean' };
const END: JsonSchema = closed(
  {
    kind: words(['control', 'rule', 'reference', 'provision']),
    id: text(),
    title: { type: 'string' },
    law: text(),
    place: text(),
    cite: text(),
    binding: BOOL,
    framework: text(),
    ref: text(),
    rulebook: text(),
  },
  ['kind'],
);

/** The schema of `comity crosswalk --format json`, of the register as of an answer. */
export function crosswalkReportSchema(): JsonSchema {
  const end: JsonSchema = { $ref: '#/$defs/end' };
  const extent = words(['wholly', 'in-part']);
  const recognition = words(RECOGNITIONS);
  const confidence = words(CONFIDENCES);
  const support = closed(
    { control: text(), basis: words(['itself', 'asked', 'mapped', 'through']), extent, via: end },
    ['control', 'basis', 'extent'],
  );
  const service = closed(
    {
      control: text(),
      to: end,
      extent,
      left_over: listOf(closed({ parameter: text(), asked: {}, here: {} }, ['parameter', 'asked'])),
      besides: listOf(text()),
      basis: words(['asked', 'mapped']),
      recognition,
      timing: words(['now', 'later', 'bill', 'stayed']),
      from: DAY,
      effort: BOOL,
      crosswalk: text(),
      published: words(PUBLISHERS),
      confidence,
      note: text(),
    },
    ['control', 'to', 'extent', 'left_over', 'besides', 'basis', 'recognition', 'confidence'],
  );
  const analyst = closed(
    { relation: words(RELATIONS), to: listOf(end), rationale: text(), by: text(), on: DAY },
    ['relation', 'rationale', 'by', 'on'],
  );
  const neighbour = closed(
    {
      crosswalk: text(),
      published: words(PUBLISHERS),
      to: listOf(end),
      relation: { enum: [...RELATIONS, null] },
      analyst_relation: analyst,
      via: end,
      recognition,
      confidence,
      note: text(),
    },
    ['crosswalk', 'published', 'to', 'relation', 'recognition', 'confidence'],
  );
  const accepted = closed({ agreement: text(), state: words(STANDINGS), as_of: text(), ...ACCEPTANCE }, [
    'agreement',
    'state',
    'as_of',
    'kind',
    'by',
    'of',
    'what',
    'cite',
    'serves',
  ]);
  const answer = closed(
    {
      subject: end,
      supports: listOf(support),
      services: listOf(service),
      neighbours: listOf(neighbour),
      accepted: listOf(accepted),
    },
    ['subject', 'supports', 'services', 'neighbours', 'accepted'],
  );
  const framework = closed(
    {
      id: text(),
      title: text(),
      publisher: text(),
      kind: words(FRAMEWORK_KINDS),
      version: text(),
      url: text(),
      state: STATE,
      licence: text(),
      rulebook: text(),
      references: listOf(closed({ ref: text(), gist: text(), heading: BOOL }, ['ref', 'gist', 'heading'])),
      source: ATTESTATION,
    },
    ['id', 'title', 'publisher', 'kind', 'version', 'state', 'licence', 'references', 'source'],
  );
  const crosswalk = closed(
    {
      id: text(),
      title: text(),
      publisher: text(),
      published: words(PUBLISHERS),
      date: text(),
      style: words(STYLES),
      extent: words(['all', 'some', 'none']),
      from: text(),
      to: listOf(text()),
      rows: { type: 'integer', minimum: 0 },
      note: text(),
      source: ATTESTATION,
    },
    ['id', 'title', 'publisher', 'published', 'style', 'extent', 'from', 'to', 'rows', 'source'],
  );
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:comity:schema:crosswalk-report:1',
    title: 'Result of `comity crosswalk --format json`',
    ...closed(
      {
        format: { const: FORMAT },
        ruleset: { type: 'string', pattern: '^[0-9a-f]{64}$' },
        as_of: DAY,
        to: text(),
        answers: listOf(answer),
        frameworks: listOf(framework),
        crosswalks: listOf(crosswalk),
      },
      ['format', 'ruleset'],
    ),
    $defs: { end: END },
  };
}
