import { formatValue } from '../../assess/demand.ts';
import type { LeftOver, Neighbour, ReuseAnswer, Service, Subject, Support } from '../../assess/reuse.ts';
import type { End } from '../../rules/crosswalk.ts';
import { nameOf, sideName } from '../../rules/crosswalk.ts';
import type { Io } from '../command.ts';
import { paint, row } from '../style.ts';
import { count, effectOf } from '../words.ts';
import type { Desk } from './crosswalk.ts';

const EXTENTS = { wholly: 'wholly', 'in-part': 'in part' } as const;
const PUBLISHED = { official: 'official', 'third-party': 'third party', analyst: 'ours' } as const;

/** The frameworks and the crosswalks there are. */
export function printRegister({ frameworks, crosswalks }: Desk, io: Io): void {
  const head = (last: string, columns: readonly (readonly [string, number])[]): void =>
    io.out(row(io, columns, last, Array(columns.length + 1).fill('dim')));
  head('title', [
    ['framework', 20],
    ['kind', 10],
    ['state', 13],
    ['refs', 5],
  ]);
  for (const { id, kind, state, references, title, version } of frameworks.values()) {
    const parts = [...references.values()].filter(({ heading }) => !heading).length;
    io.out(
      row(
        io,
        [
          [id, 20],
          [kind, 10],
          [state.is.replaceAll('-', ' '), 13],
          [String(parts), 5],
        ],
        `${title} (${version})`,
        ['bold'],
      ),
    );
  }
  io.out('\n');
  head('crosswalk', [
    ['published', 12],
    ['style', 11],
    ['rows', 5],
  ]);
  for (const { id, published, style, rows, extent, from, to } of crosswalks.values()) {
    const share = extent === 'none' ? '-' : `${rows.length}`;
    io.out(
      row(
        io,
        [
          [PUBLISHED[published], 12],
          [style, 11],
          [share, 5],
        ],
        `${paint(io, 'bold', id)}: ${sideName(from)} to ${to.map(sideName).join(', ')}${extent === 'some' ? ' (some rows)' : ''}`,
      ),
    );
  }
  const rows = [...crosswalks.values()].reduce((sum, one) => sum + one.rows.length, 0);
  const published = [...crosswalks.values()].filter((one) => one.published !== 'analyst').length;
  io.out('\n');
  io.out(
    row(
      io,
      [],
      `${count(frameworks.size, 'framework')}, ${count(crosswalks.size, 'crosswalk')}, ${published} of them published by others, ${count(rows, 'row')}; a dash marks one that is known and of which no row is here`,
    ),
  );
}

/** One answer in full. */
export function printAnswer(desk: Desk, answer: ReuseAnswer, to: string | undefined, io: Io): void {
  const { supports, services, neighbours, accepted, subject } = answer;
  printHead(desk, subject, io);
  for (const support of supports) printSupport(desk, support, io);
  if (supports.length === 0) io.out('  No control is mapped to it.\n');
  const brief = subject.kind === 'reference' && to === undefined;
  io.out(`\n${paint(io, 'bold', 'Engineering reuse')}: the same evidence also serves\n`);
  if (brief) for (const support of supports) printTally(desk, support, services, io);
  else for (const service of arranged(desk, services)) printService(desk, service, io);
  if (services.length === 0) io.out('  nothing else that is encoded or mapped here\n');
  if (neighbours.length > 0) {
    io.out(`\n${paint(io, 'bold', 'Set beside it')} by published crosswalks, engineering reuse too\n`);
    for (const neighbour of neighbours) printNeighbour(desk, neighbour, io);
  }
  if (to !== undefined && accepted.length === 0) return;
  io.out(`\n${paint(io, 'bold', 'Legal recognition')}: what one place accepts of another\n`);
  for (const { agreement, acceptance } of accepted) {
    const { by, of, what, cite, excludes, until, kind } = acceptance;
    const label = kind === 'legal-recognition' ? '' : ' (engineering reuse only)';
    io.out(
      row(
        io,
        [['  ', 2]],
        `${by.join(', ')} of ${of.join(', ')}: ${what} (${cite})${excludes === undefined ? '' : `; not: ${excludes}`}${until === undefined ? '' : `; until ${until}`}; ${agreement.state.is.replaceAll('-', ' ')} as of ${agreement.state.asOf} [${agreement.id}]${label}`,
      ),
    );
  }
  if (accepted.length === 0) io.out('  none: no row here obliges anybody to accept the evidence\n');
}

/** Law first, then frameworks; what is served wholly first. */
function arranged(desk: Desk, services: readonly Service[]): readonly Service[] {
  const key = ({ end, extent, control }: Service): string =>
    [
      control,
      end.kind === 'reference' ? 1 : 0,
      extent === 'wholly' ? 0 : 1,
      placeOf(desk, end),
      nameOf(end),
    ].join(' ');
  return services.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

function printHead(desk: Desk, subject: Subject, io: Io): void {
  const name = nameOf(subject);
  io.out(row(io, [[`${name}  `, Math.min(24, name.length + 2)]], describe(desk, subject), ['bold']));
}

/** What an end is, in a few words. */
function describe({ loaded: { law }, frameworks }: Desk, end: End): string {
  switch (end.kind) {
    case 'control':
      return law.controls.get(end.id)?.title ?? '';
    case 'rule': {
      const rule = law.rules.get(end.id);
      if (rule === undefined) return '';
      return `${law.rulebooks.get(rule.rulebook)?.title ?? ''}, ${rule.cite}: ${rule.title ?? effectOf(law, rule)}`;
    }
    case 'reference': {
      const framework = frameworks.get(end.framework);
      return `${framework?.references.get(end.ref)?.gist ?? ''}`;
    }
    case 'provision':
      return `${end.law}, ${end.cite}`;
  }
}

function printSupport({ loaded: { law } }: Desk, { control, basis, extent, via }: Support, io: Io): void {
  const title = law.controls.get(control)?.title ?? '';
  const served = `served ${EXTENTS[extent]} by`;
  const how = { itself: 'evidence of', asked: 'asks for', mapped: served, through: served }[basis];
  const middle = via === undefined ? '' : `, by way of ${nameOf(via)}`;
  io.out(row(io, [[`  ${how} `, how.length + 3]], `${control} ${title}${middle}`));
}

/** For a reference the duties behind each control are counted, not listed. */
function printTally(
  { loaded: { law } }: Desk,
  { control }: Support,
  services: readonly Service[],
  io: Io,
): void {
  const mine = services.filter((service) => service.control === control);
  const rules = mine.flatMap(({ end }) => (end.kind === 'rule' ? [law.rules.get(end.id)] : []));
  const places = new Set(rules.map((rule) => law.rulebooks.get(rule?.rulebook ?? '')?.jurisdiction ?? ''));
  const refs = mine.flatMap(({ end }) => (end.kind === 'reference' ? [end.framework] : []));
  io.out(
    row(
      io,
      [[`  ${control}  `, control.length + 4]],
      `${count(rules.length, 'rule')} in ${count(places.size, 'place')} (${[...places].join(', ')})${refs.length === 0 ? '' : `; ${[...new Set(refs)].join(', ')}`}. Listed by \`comity crosswalk ${control}\``,
    ),
  );
}

function printService(desk: Desk, service: Service, io: Io): void {
  const { end, extent } = service;
  io.out(
    row(
      io,
      [
        [`  ${placeOf(desk, end)}`, 10],
        [EXTENTS[extent], 9],
      ],
      `${serviceWords(desk, service)}${remarks(desk, service)}`,
    ),
  );
}

function placeOf({ loaded: { law } }: Desk, end: End): string {
  switch (end.kind) {
    case 'rule':
      return law.rulebooks.get(law.rules.get(end.id)?.rulebook ?? '')?.jurisdiction ?? '';
    case 'provision':
      return end.place;
    default:
      return '-';
  }
}

function serviceWords(desk: Desk, { end, besides }: Service): string {
  switch (end.kind) {
    case 'rule':
      return `${describe(desk, end)} [${end.id}]`;
    case 'provision':
      return `${describe(desk, end)} (no rule here)`;
    default:
      return `${nameOf(end)} ${describe(desk, end)}${besides.length === 0 ? '' : `; also asks ${besides.join(', ')}`}`;
  }
}

function remarks(desk: Desk, { basis, leftOver, control, timing, end }: Service): string {
  const { law } = desk.loaded;
  const rule = end.kind === 'rule' ? law.rules.get(end.id) : undefined;
  const parts: string[] = [];
  if (leftOver.length > 0) parts.push(`left over: ${leftOverWords(desk, control, leftOver)}`);
  if (timing?.kind === 'later') parts.push(`from ${timing.from ?? ''}`);
  if (timing?.kind === 'bill' || timing?.kind === 'stayed') parts.push(timing.kind);
  if (rule?.effort === true) parts.push('duty of effort');
  if (rule !== undefined && law.rulebooks.get(rule.rulebook)?.binding === false) parts.push('not binding');
  if (basis.kind === 'mapped' && basis.row.note !== undefined) parts.push(basis.row.note);
  if (basis.kind === 'mapped' && basis.row.recognition === 'legal-recognition')
    parts.push('legal recognition');
  return parts.length === 0 ? '' : `; ${parts.join('; ')}`;
}

function leftOverWords({ loaded: { law } }: Desk, control: string, leftOver: readonly LeftOver[]): string {
  const definitions = law.controls.get(control)?.parameters;
  return leftOver
    .map(({ parameter, asked, here }) => {
      const definition = definitions?.get(parameter);
      const show = (value: typeof asked): string =>
        definition === undefined ? String(value) : formatValue(definition, value);
      return `${parameter.replaceAll('_', ' ')} ${show(asked)}${here === undefined ? '' : ` (here ${show(here)})`}`;
    })
    .join(', ');
}

function printNeighbour(
  desk: Desk,
  { crosswalk, row: table, ends, relation, analyst, via }: Neighbour,
  io: Io,
): void {
  const names = ends.map((end) => `${nameOf(end)} ${describe(desk, end)}`).join('; ');
  const stated = relation === null ? 'relation not stated' : `${relation}`;
  const reading =
    analyst === undefined
      ? ''
      : `; our reading: ${analyst.relation}${analyst.to === undefined ? '' : ` of ${analyst.to.map((end) => (end.kind === 'reference' ? end.ref : nameOf(end))).join(' and ')} together`} (${analyst.by}, ${analyst.on})`;
  const middle = via === undefined ? '' : `; meets it only in ${nameOf(via)}, so overlaps at most`;
  const doubt = table.confidence === 'low' ? `; doubtful: ${table.note ?? ''}` : '';
  io.out(
    row(
      io,
      [['  ', 2]],
      `${names}: ${stated}${reading}${middle}${doubt} [${crosswalk.id}, ${PUBLISHED[crosswalk.published]}]`,
    ),
  );
}

/** Everything in an instrument or framework, a line each. */
export function printOverview(
  desk: Desk,
  name: string,
  answers: readonly ReuseAnswer[],
  to: string | undefined,
  io: Io,
): void {
  const { frameworks, loaded } = desk;
  const title = frameworks.get(name)?.title ?? loaded.law.rulebooks.get(name)?.title ?? '';
  io.out(
    row(io, [], `${name} · ${title}${to === undefined ? '' : ` · to ${to}`} · engineering reuse`, ['bold']),
  );
  const framework = frameworks.get(name);
  if (framework !== undefined) {
    io.out(
      row(
        io,
        [],
        `${framework.kind}, ${framework.state.is.replaceAll('-', ' ')} as of ${framework.state.asOf}. ${framework.licence}`,
        ['dim'],
      ),
    );
    if (framework.rulebook !== undefined)
      io.out(`Encoded as rules too: comity law show ${framework.rulebook}\n`);
  }
  io.out('\n');
  const shown = answers.filter(
    ({ supports, services, neighbours }) =>
      (to === undefined ? supports.length : services.length) + neighbours.length > 0,
  );
  for (const answer of shown) {
    const label = nameOf(answer.subject).slice(name.length + 1);
    io.out(row(io, [[`  ${label}  `, Math.max(16, label.length + 4)]], overviewWords(desk, answer, to)));
  }
  io.out(
    `\n${shown.length} of ${answers.length} have a counterpart${to === undefined ? '' : ` in ${to}`} here\n`,
  );
}

function overviewWords(
  desk: Desk,
  { supports, services, neighbours }: ReuseAnswer,
  to: string | undefined,
): string {
  const beside = neighbours.filter(({ via }) => via === undefined).flatMap(({ ends }) => ends.map(shortName));
  if (to === undefined) {
    const controls = supports.map(({ control, basis, extent }) =>
      basis === 'asked' ? `${control} asked` : `${control} ${EXTENTS[extent]}`,
    );
    return [...controls, ...(beside.length === 0 ? [] : [`beside ${beside.join(', ')}`])].join('; ');
  }
  const by = new Map<string, string[]>();
  for (const { control, end, extent } of services) {
    const list = by.get(control) ?? [];
    list.push(`${shortName(end)}${extent === 'wholly' ? '' : ' in part'}`);
    by.set(control, list);
  }
  const served = [...by].map(
    ([control, ends]) =>
      `${control} ${desk.loaded.law.controls.get(control)?.title ?? ''}: ${ends.join(', ')}`,
  );
  return [...(beside.length === 0 ? [] : [`beside ${[...new Set(beside)].join(', ')}`]), ...served].join(
    '; ',
  );
}

function shortName(end: End): string {
  return end.kind === 'reference' ? end.ref : nameOf(end);
}
