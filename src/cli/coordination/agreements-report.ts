import type { JsonSchema } from '../../facts/schema.ts';
import { closed, listOf, text, words } from '../../facts/schema.ts';
import type { Acceptance, Agreement, Agreements } from '../../rules/agreement.ts';
import { PILLARS } from '../../rules/agreement.ts';
import type { Attestation } from '../../rules/attested.ts';
import { MARKS, STANDINGS } from '../../rules/attested.ts';
import { RECOGNITIONS } from '../../rules/crosswalk.ts';
import { CONFIDENCES } from '../../rules/rule.ts';

/** What was asked, and what answers it. */
export interface AgreementsAnswer {
  readonly between: readonly string[];
  readonly found: readonly Agreement[];
  /** Agreements whose parties are not all listed, so that the places asked for may be among them. */
  readonly open: readonly Agreement[];
}

function optional<K extends string>(key: K, value: unknown): { readonly [key: string]: unknown } {
  return value === undefined ? {} : { [key]: value };
}

/** A source as JSON. */
export function attestationReport({ mark, confidence, urls, seen, note }: Attestation): object {
  return { mark, confidence, urls, ...optional('seen', seen), ...optional('note', note) };
}

/** An act of recognition as JSON. */
export function acceptanceReport({ kind, by, of, what, cite, serves, excludes, until }: Acceptance): object {
  return { kind, by, of, what, cite, serves, ...optional('excludes', excludes), ...optional('until', until) };
}

function agreementReport(agreement: Agreement): object {
  const { state } = agreement;
  return {
    id: agreement.id,
    title: agreement.title,
    parties: agreement.parties,
    signatories: agreement.signatories,
    concerns: agreement.concerns,
    absent: agreement.absent,
    groups: agreement.groups,
    organisations: agreement.organisations,
    ...optional('unlisted', agreement.unlisted),
    dates: agreement.dates,
    force: agreement.force,
    ...optional('force_note', agreement.forceNote),
    state: { is: state.is, as_of: state.asOf, ...optional('note', state.note) },
    pillars: agreement.pillars,
    commitments: agreement.commitments,
    for_teams: agreement.forTeams,
    recognition: agreement.recognition.map(acceptanceReport),
    ...optional('uncertain', agreement.uncertain),
    source: attestationReport(agreement.source),
  };
}

/** The answer as JSON: `schema/agreements-report.schema.json` describes it. */
export function agreementsReport({ between, found, open }: AgreementsAnswer, { groups }: Agreements): object {
  const named = new Set(found.flatMap((agreement) => agreement.groups));
  return {
    format: 'comity.agreements/1',
    between,
    agreements: found.map(agreementReport),
    open: open.map(({ id, unlisted }) => ({ id, unlisted })),
    groups: [...groups.values()]
      .filter(({ id }) => named.has(id))
      .map(({ id, title, members, asOf }) => ({ id, title, members, as_of: asOf })),
  };
}

const ROUGH_DAY: JsonSchema = { type: 'string', pattern: '^\\d{4}(-\\d{2}(-\\d{2})?)?$' };
const PLACES = listOf(text());

/** The schema of a source. */
export const ATTESTATION: JsonSchema = closed(
  {
    mark: words(MARKS),
    confidence: words(CONFIDENCES),
    urls: listOf(text()),
    seen: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' },
    note: text(),
  },
  ['mark', 'confidence', 'urls'],
);

/** The schema of the state of an agreement or framework. */
export const STATE: JsonSchema = closed({ is: words(STANDINGS), as_of: ROUGH_DAY, note: text() }, [
  'is',
  'as_of',
]);

/** The properties of an act of recognition. */
export const ACCEPTANCE: Readonly<Record<string, JsonSchema>> = {
  kind: words(RECOGNITIONS),
  by: PLACES,
  of: PLACES,
  what: text(),
  cite: text(),
  serves: listOf(text()),
  excludes: text(),
  until: ROUGH_DAY,
};

/** The schema of `comity agreements --format json`. */
export function agreementsReportSchema(): JsonSchema {
  const acceptance = closed(ACCEPTANCE, ['kind', 'by', 'of', 'what', 'cite', 'serves']);
  const agreement = closed(
    {
      id: text(),
      title: text(),
      parties: PLACES,
      signatories: PLACES,
      concerns: PLACES,
      absent: PLACES,
      groups: listOf(text()),
      organisations: listOf(text()),
      unlisted: text(),
      dates: listOf(closed({ on: ROUGH_DAY, what: text() }, ['on', 'what'])),
      force: words(['binding', 'soft']),
      force_note: text(),
      state: STATE,
      pillars: listOf(words(PILLARS)),
      commitments: text(),
      for_teams: text(),
      recognition: listOf(acceptance),
      uncertain: text(),
      source: ATTESTATION,
    },
    ['id', 'title', 'parties', 'dates', 'force', 'state', 'pillars', 'commitments', 'for_teams', 'source'],
  );
  const group = closed({ id: text(), title: text(), members: PLACES, as_of: ROUGH_DAY }, ['id', 'members']);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:comity:schema:agreements-report:1',
    title: 'Result of `comity agreements --format json`',
    ...closed(
      {
        format: { const: 'comity.agreements/1' },
        between: PLACES,
        agreements: listOf(agreement),
        open: listOf(closed({ id: text(), unlisted: text() }, ['id', 'unlisted'])),
        groups: listOf(group),
      },
      ['format', 'between', 'agreements', 'open', 'groups'],
    ),
  };
}
