import { throwIfAny } from '../facts/problem.ts';
import { Reader } from '../facts/reader.ts';
import type { MapNode, SourceNode } from '../facts/source.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Acceptance, Agreement, Agreements, Group } from './agreement.ts';
import { PILLARS } from './agreement.ts';
import { readAttestation, readRoughDay, readState } from './attested.ts';
import { RECOGNITIONS } from './crosswalk.ts';
import type { Law, LawFile } from './law.ts';
import { parseFolder } from './law-folder.ts';

/** What an agreement may name. */
export type AgreementNames = Pick<Law, 'jurisdictions' | 'controls'>;

const KEYS = [
  'id',
  'title',
  'parties',
  'signatories',
  'concerns',
  'absent',
  'groups',
  'organisations',
  'unlisted',
  'dates',
  'force',
  'force_note',
  'state',
  'pillars',
  'commitments',
  'for_teams',
  'recognition',
  'uncertain',
  'source',
] as const;

/**
 * Reads `law/agreements/`: files with `agreements`, and files with the `groups` they name.
 *
 * @throws InputError with every mistake in every file.
 */
export function readAgreements(
  files: readonly LawFile[],
  names: AgreementNames,
  prefix = 'law/',
): Agreements {
  const reader = new Reader();
  const groups = new Map<string, Group>();
  const agreements: SourceNode[] = [];
  for (const { root } of parseFolder(reader, files, 'agreements', prefix)) {
    const top = reader.map(root, 'a file of agreements', ['agreements', 'groups']);
    if (top === undefined) continue;
    for (const node of reader.list(reader.entry(top, 'groups')?.value, '`groups`'))
      addGroup(reader, node, names, groups);
    agreements.push(...reader.list(reader.entry(top, 'agreements')?.value, '`agreements`'));
  }
  const byId = new Map<string, Agreement>();
  for (const node of agreements) {
    const agreement = readAgreement(reader, node, names, groups);
    if (agreement === undefined) continue;
    const twin = byId.get(agreement.id);
    if (twin !== undefined)
      reader.report(
        'duplicate',
        `agreement \`${agreement.id}\` is already defined in ${twin.at.file}:${twin.at.line}`,
        node.at,
      );
    byId.set(agreement.id, agreement);
  }
  throwIfAny(reader.problems);
  return { byId, groups };
}

function addGroup(reader: Reader, node: SourceNode, names: AgreementNames, groups: Map<string, Group>): void {
  const map = reader.map(node, 'a group', ['id', 'title', 'members', 'as_of', 'source']);
  if (map === undefined) return;
  const id = reader.text(reader.need(map, 'id', 'a group'), '`id`');
  const title = reader.text(reader.need(map, 'title', 'a group'), '`title`');
  const members = readPlaces(reader, reader.need(map, 'members', 'a group'), '`members`', names);
  const asOf = readRoughDay(reader, reader.need(map, 'as_of', 'a group'), '`as_of`');
  const source = readAttestation(reader, reader.need(map, 'source', 'a group'));
  if (!id || !title || !asOf || !source) return;
  if (groups.has(id)) reader.report('duplicate', `group \`${id}\` is listed twice`, node.at);
  groups.set(id, { id, title, members, asOf, source });
}

function readPlaces(
  reader: Reader,
  node: SourceNode | undefined,
  what: string,
  { jurisdictions }: AgreementNames,
): readonly string[] {
  const seen = new Set<string>();
  return reader.list(node, what).flatMap((item) => {
    const place = reader.text(item, `an item of ${what}`);
    if (place === undefined) return [];
    if (!jurisdictions.byId.has(place))
      reader.report(
        'dangling',
        `unknown place \`${place}\``,
        item.at,
        didYouMean(place, [...jurisdictions.byId.keys()]),
      );
    if (seen.has(place)) reader.report('duplicate', `\`${place}\` is listed twice`, item.at);
    seen.add(place);
    return [place];
  });
}

function readAgreement(
  reader: Reader,
  node: SourceNode,
  names: AgreementNames,
  groups: Agreements['groups'],
): Agreement | undefined {
  const what = 'an agreement';
  const map = reader.map(node, what, KEYS);
  if (map === undefined) return undefined;
  const need = (key: string): SourceNode | undefined => reader.need(map, key, what);
  const may = (key: string): SourceNode | undefined => reader.entry(map, key)?.value;
  const id = reader.text(need('id'), '`id`');
  const title = reader.text(need('title'), '`title`');
  const force = reader.oneOf(need('force'), 'force', ['binding', 'soft']);
  const state = readState(reader, need('state'));
  const commitments = reader.text(need('commitments'), '`commitments`');
  const forTeams = reader.text(need('for_teams'), '`for_teams`');
  const source = readAttestation(reader, need('source'));
  const unlisted = reader.text(may('unlisted'), '`unlisted`');
  const forceNote = reader.text(may('force_note'), '`force_note`');
  const uncertain = reader.text(may('uncertain'), '`uncertain`');
  const who = {
    parties: readPlaces(reader, may('parties'), '`parties`', names),
    signatories: readPlaces(reader, may('signatories'), '`signatories`', names),
    concerns: readPlaces(reader, may('concerns'), '`concerns`', names),
    absent: readPlaces(reader, may('absent'), '`absent`', names),
    groups: readGroupNames(reader, may('groups'), groups),
    organisations: reader.texts(may('organisations'), '`organisations`'),
  };
  const dates = readDates(reader, need('dates'));
  const pillars = reader
    .list(need('pillars'), '`pillars`')
    .flatMap((item) => reader.oneOf(item, 'pillar', PILLARS) ?? []);
  const recognition = reader
    .list(may('recognition'), '`recognition`')
    .flatMap((item) => readAcceptance(reader, item, names) ?? []);
  const { absent: _, ...present } = who;
  if (unlisted === undefined && Object.values(present).every((list) => list.length === 0))
    reader.report('missing', 'an agreement has parties', map.at, 'add `parties`, `groups`, `organisations`');
  if (!id || !title || !force || !state || !commitments || !forTeams || !source) return undefined;
  const agreement: Agreement = {
    id,
    title,
    ...who,
    dates,
    force,
    state,
    pillars,
    commitments,
    forTeams,
    recognition,
    source,
    at: node.at,
    ...(unlisted === undefined ? {} : { unlisted }),
    ...(forceNote === undefined ? {} : { forceNote }),
    ...(uncertain === undefined ? {} : { uncertain }),
  };
  checkSense(reader, map, agreement);
  return agreement;
}

function readGroupNames(
  reader: Reader,
  node: SourceNode | undefined,
  groups: Agreements['groups'],
): readonly string[] {
  return reader.list(node, '`groups`').flatMap((item) => {
    const id = reader.text(item, 'an item of `groups`');
    if (id === undefined) return [];
    if (!groups.has(id))
      reader.report('dangling', `no group \`${id}\``, item.at, didYouMean(id, [...groups.keys()]));
    return [id];
  });
}

function readDates(reader: Reader, node: SourceNode | undefined): Agreement['dates'] {
  const dates = reader.list(node, '`dates`').flatMap((item) => {
    const map = reader.map(item, 'a date', ['on', 'what']);
    const on = map && readRoughDay(reader, reader.need(map, 'on', 'a date'), '`on`');
    const what = map && reader.text(reader.need(map, 'what', 'a date'), '`what`');
    return on && what ? [{ on, what }] : [];
  });
  if (node?.kind === 'list' && node.items.length === 0)
    reader.report('empty', 'an agreement has at least one date', node.at);
  return dates;
}

function readAcceptance(reader: Reader, node: SourceNode, names: AgreementNames): Acceptance | undefined {
  const what = 'an act of recognition';
  const keys = ['kind', 'by', 'of', 'what', 'cite', 'serves', 'excludes', 'until'];
  const map = reader.map(node, what, keys);
  if (map === undefined) return undefined;
  const need = (key: string): SourceNode | undefined => reader.need(map, key, what);
  const kind = reader.oneOf(need('kind'), 'kind', RECOGNITIONS);
  const by = readPlaces(reader, need('by'), '`by`', names);
  const of = readPlaces(reader, need('of'), '`of`', names);
  if (by.length === 0 || of.length === 0)
    reader.report('empty', 'an act of recognition is of somebody, by somebody', map.at);
  const text = reader.text(need('what'), '`what`');
  const cite = reader.text(need('cite'), '`cite`');
  const serves = reader.list(need('serves'), '`serves`').flatMap((item) => {
    const control = reader.text(item, 'an item of `serves`');
    if (control !== undefined && !names.controls.has(control))
      reader.report(
        'dangling',
        `no control \`${control}\``,
        item.at,
        didYouMean(control, [...names.controls.keys()]),
      );
    return control ?? [];
  });
  const excludes = reader.text(reader.entry(map, 'excludes')?.value, '`excludes`');
  const until = readRoughDay(reader, reader.entry(map, 'until')?.value, '`until`');
  if (!kind || !text || !cite) return undefined;
  return {
    kind,
    by,
    of,
    what: text,
    cite,
    serves,
    ...(excludes === undefined ? {} : { excludes }),
    ...(until === undefined ? {} : { until }),
  };
}

/** What no reader of the file should have to ask. */
function checkSense(reader: Reader, map: MapNode, { force, state, source, uncertain }: Agreement): void {
  const at = reader.entry(map, 'state')?.value.at ?? map.at;
  if (force === 'soft' && state.is === 'in-force')
    reader.report('contradiction', 'what does not bind is not in force', at, 'say `active`');
  if (force === 'binding' && state.is === 'active')
    reader.report(
      'contradiction',
      'what binds is in force or it is not',
      at,
      'say `in-force` or `not-in-force`',
    );
  if ((state.is === 'unverified' || source.confidence === 'low') && uncertain === undefined)
    reader.report(
      'missing',
      'what is unverified, or of low confidence, needs `uncertain`: what is not known',
      map.at,
    );
}
