import type { Day } from '../facts/date.ts';
import { parseDay } from '../facts/date.ts';
import type { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import type { Confidence } from './rule.ts';
import { CONFIDENCES } from './rule.ts';

export const MARKS = ['verified', 'recalled'] as const;
/** `verified`: read in a source named here. `recalled`: known, and still to be checked at the address given. */
type Mark = (typeof MARKS)[number];

/** Where a statement about agreements, frameworks and crosswalks comes from, and how sure we are of it. */
export interface Attestation {
  readonly mark: Mark;
  readonly confidence: Confidence;
  readonly urls: readonly string[];
  /** The day the source was read; only what was read has one. */
  readonly seen?: Day;
  readonly note?: string;
}

/** A day, a month or a year: history is not always known to the day. These compare as strings. */
export type RoughDay = string & { readonly roughDay: unique symbol };

export const STANDINGS = [
  'in-force',
  'active',
  'not-in-force',
  'negotiated',
  'planned',
  'paused',
  'dormant',
  'historic',
  'superseded',
  'unverified',
] as const;
/**
 * Where an agreement or a framework stands. `in-force` is said of what binds, `active` of what does not and is being
 * carried out; `not-in-force` is signed or adopted, `negotiated` is agreed but not signed.
 */
type Standing = (typeof STANDINGS)[number];

export interface State {
  readonly is: Standing;
  /** The latest day for which the state is attested: it may have changed since. */
  readonly asOf: RoughDay;
  readonly note?: string;
}

/** Reads YYYY, YYYY-MM or YYYY-MM-DD. */
export function readRoughDay(
  reader: Reader,
  node: SourceNode | undefined,
  what: string,
): RoughDay | undefined {
  if (node === undefined) return undefined;
  const text = node.kind === 'scalar' ? node.text : '';
  const first = /^\d{4}$/.test(text) ? `${text}-01-01` : /^\d{4}-\d{2}$/.test(text) ? `${text}-01` : text;
  if (parseDay(first) !== undefined) return text as RoughDay;
  return reader.report(
    'bad-date',
    `${what} \`${text}\` is no day, month or year`,
    node.at,
    'write YYYY-MM-DD, YYYY-MM or YYYY, as exactly as it is known',
  );
}

/** Reads `{is, as_of, note}`. */
export function readState(reader: Reader, node: SourceNode | undefined): State | undefined {
  const map = node && reader.map(node, '`state`', ['is', 'as_of', 'note']);
  if (map === undefined) return undefined;
  const is = reader.oneOf(reader.need(map, 'is', '`state`'), 'state', STANDINGS);
  const asOf = readRoughDay(reader, reader.need(map, 'as_of', '`state`'), '`as_of`');
  const note = reader.text(reader.entry(map, 'note')?.value, '`note`');
  if (is === undefined || asOf === undefined) return undefined;
  return { is, asOf, ...(note === undefined ? {} : { note }) };
}

/** Reads `{mark, confidence, urls, seen, note}`. What was read says when; what is recalled was not seen. */
export function readAttestation(reader: Reader, node: SourceNode | undefined): Attestation | undefined {
  const map = node && reader.map(node, '`source`', ['mark', 'confidence', 'urls', 'seen', 'note']);
  if (map === undefined) return undefined;
  const mark = reader.oneOf(reader.need(map, 'mark', '`source`'), 'mark', MARKS);
  const confidence = reader.oneOf(reader.need(map, 'confidence', '`source`'), 'confidence', CONFIDENCES);
  const urls = readUrls(reader, map);
  const seenEntry = reader.entry(map, 'seen');
  const seen = reader.day(seenEntry?.value, '`seen`');
  const note = reader.text(reader.entry(map, 'note')?.value, '`note`');
  if (mark === 'verified' && seenEntry === undefined)
    reader.report(
      'missing',
      'a verified source needs `seen`, the day it was read',
      map.at,
      'add `seen: YYYY-MM-DD`',
    );
  if (mark === 'recalled' && seenEntry !== undefined)
    reader.report('contradiction', 'a source that was seen is not `recalled`', seenEntry.keyAt);
  if (confidence === 'low' && note === undefined)
    reader.report('missing', 'low confidence needs a `note` that says why', map.at);
  if (mark === undefined || confidence === undefined) return undefined;
  return {
    mark,
    confidence,
    urls,
    ...(seen === undefined ? {} : { seen }),
    ...(note === undefined ? {} : { note }),
  };
}

function readUrls(reader: Reader, source: MapNode): readonly string[] {
  return reader.list(reader.need(source, 'urls', '`source`'), '`urls`').flatMap((item) => {
    const url = reader.text(item, 'an address');
    if (url === undefined || /^https?:\/\/\S+$/.test(url)) return url ?? [];
    reader.report(
      'unknown-value',
      `\`${url}\` is no address`,
      item.at,
      'write it in full, beginning with https://',
    );
    return [];
  });
}
