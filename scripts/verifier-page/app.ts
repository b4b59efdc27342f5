// What runs in the page. Its only input are files that its user drops; it has no network and keeps nothing.
import { splitEntries } from '../../src/ledger/evidence/contents.ts';
import { FILES } from '../../src/ledger/evidence/manifest.ts';
import type { Range } from '../../src/ledger/evidence/multiproof.ts';
import { doesNotProve, type Findings, type Verdict } from '../../src/ledger/evidence/verdict.ts';
import { verifyEvidence } from '../../src/ledger/evidence/verify.ts';
import { readZip } from '../../src/ledger/evidence/zip.ts';
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { TlogError } from '../../src/tlog/errors.ts';
import { nobleSignatures } from '../../src/tlog/noble.ts';
import { type Policy, parsePolicy } from '../../src/tlog/policy.ts';
import { decodeUtf8 } from '../../src/tlog/text.ts';
import { element, make, type PageElement, type PageFile, page } from './dom.ts';

/** Entries whose content is shown. */
const MOST_SHOWN = 200;

/** What its user has given to the page so far. */
interface Given {
  readonly evidence: { readonly name: string; readonly bytes: Uint8Array } | undefined;
  readonly policy: { readonly name: string; readonly policy: Policy } | undefined;
  readonly heads: readonly { readonly name: string; readonly note: string }[];
  readonly refused: readonly string[];
}

const NOTHING: Given = { evidence: undefined, policy: undefined, heads: [], refused: [] };

/** Files say what they are by their content: an archive, a policy, or a checkpoint. */
async function take(given: Given, file: PageFile): Promise<Given> {
  const { name } = file;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const text = decodeUtf8(bytes);
  if (text !== undefined && !name.endsWith('.zip')) {
    if (isCheckpoint(text)) return { ...given, heads: [...given.heads, { name, note: text }] };
    try {
      return { ...given, policy: { name, policy: parsePolicy(bytes) } };
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
      return {
        ...given,
        refused: [...given.refused, `${name} is no policy and no checkpoint: ${error.message}`],
      };
    }
  }
  return { ...given, evidence: { name, bytes } };
}

function isCheckpoint(text: string): boolean {
  try {
    parseCheckpoint(text);
    return true;
  } catch {
    return false;
  }
}

function line(name: string, text: string): PageElement {
  return make('div', 'line', make('dt', '', name), make('dd', '', text));
}

function showGiven(given: Given): void {
  element('given').replaceChildren(
    line('evidence', given.evidence?.name ?? 'none yet: drop the .zip that you were given'),
    line('policy', given.policy?.name ?? 'none yet: drop your own, not one that came with the evidence'),
    line(
      'seen before',
      given.heads.length === 0
        ? 'none: drop checkpoints that you kept, to catch a log that shows you two histories'
        : given.heads.map(({ name }) => name).join(', '),
    ),
    ...given.refused.map((why) => line('refused', why)),
  );
}

function showVerdict(verdict: Verdict, archive: Uint8Array): void {
  const heading = make('h2', 'verdict', verdict.kind);
  heading.dataset.kind = verdict.kind;
  if (verdict.kind === 'INVALID') heading.dataset.fault = verdict.fault;
  const details = make('dl', '');
  const entries: PageElement[] = [];
  switch (verdict.kind) {
    case 'INVALID':
      details.append(line('fault', verdict.fault), line('because', verdict.message));
      break;
    case 'EQUIVOCATION':
      details.append(
        line('because', verdict.message),
        line('proof', 'two notes that the log signed; keep both:'),
      );
      entries.push(...verdict.notes.map((note) => make('pre', '', note)));
      break;
    default:
      details.append(...findingLines(verdict.findings, 'quorum' in verdict ? verdict.quorum : 'none'));
      entries.push(...entryParts(archive, verdict.findings.ranges));
  }
  const not = make('ul', '', ...doesNotProve(verdict).map((text) => make('li', '', text)));
  element('result').replaceChildren(
    heading,
    details,
    make('h3', '', 'What this does not prove'),
    not,
    ...entries,
  );
}

function findingLines(findings: Findings, quorum: string): readonly PageElement[] {
  const { origin, size, root, records, witnesses, noLaterThan, extended, notCompared, disclosed } = findings;
  return [
    line('log', `${origin}, ${size} entries, root ${root}`),
    line('shown', `${records} entries`),
    line('witnesses', `${witnesses.length === 0 ? 'none' : witnesses.join(', ')} (quorum: ${quorum})`),
    ...(noLaterThan === undefined ? [] : [line('no later than', new Date(noLaterThan * 1000).toISOString())]),
    ...(extended.length === 0
      ? []
      : [line('extends', `heads you had seen, of ${extended.join(', ')} entries`)]),
    ...(notCompared.length === 0
      ? []
      : [line('not compared', `heads of ${notCompared.join(', ')} entries: no proof in this evidence`)]),
    ...disclosed.flatMap(({ index, fields }) =>
      fields.map(({ name, value }) => line(`entry ${index}`, `${name}: ${JSON.stringify(value)}`)),
    ),
  ];
}

/** What the entries say. They are verified by now; their form as records is not looked at here. */
function entryParts(archive: Uint8Array, ranges: readonly Range[]): readonly PageElement[] {
  const entries = splitEntries(readZip(archive).get(FILES.entries) ?? new Uint8Array(), ranges);
  const indices = ranges.flatMap(({ from, to }) =>
    Array.from({ length: Math.min(to - from, MOST_SHOWN) }, (_, i) => from + i),
  );
  let at = 0;
  const positions = new Map<number, number>();
  for (const { from, to } of ranges) {
    positions.set(from, at);
    at += to - from;
  }
  const shown = indices.slice(0, MOST_SHOWN).map((index) => {
    const range = ranges.find(({ from, to }) => index >= from && index < to);
    const position = (positions.get(range?.from ?? 0) ?? 0) + index - (range?.from ?? 0);
    const bytes = entries[position] ?? new Uint8Array();
    return make(
      'details',
      '',
      make('summary', '', `entry ${index}`),
      make('pre', '', readable(decodeUtf8(bytes) ?? `${bytes.length} bytes that are not text`)),
    );
  });
  const rest = entries.length - shown.length;
  return [
    make('h3', '', 'Entries'),
    ...shown,
    ...(rest > 0 ? [make('p', '', `and ${rest} more: \`comity verify\` prints what it finds in all`)] : []),
  ];
}

function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

function verify({ evidence, policy, heads }: Given): void {
  if (evidence === undefined || policy === undefined) return;
  const remembered = heads.map(({ note }) => note);
  showVerdict(
    verifyEvidence(evidence.bytes, { policy: policy.policy, signatures: nobleSignatures, remembered }),
    evidence.bytes,
  );
}

function start(): void {
  let given = NOTHING;
  let turn: Promise<unknown> = Promise.resolve();
  const takeAll = (files: ArrayLike<PageFile>): void => {
    turn = turn.then(async () => {
      given = { ...given, refused: [] };
      element('result').replaceChildren(make('p', '', 'verifying …'));
      for (const file of Array.from(files)) given = await take(given, file);
      showGiven(given);
      element('result').replaceChildren();
      verify(given);
    });
    turn.catch((error: unknown) => {
      const heading = make('h2', 'verdict', 'ERROR IN THIS PAGE');
      heading.dataset.kind = 'ERROR';
      element('result').replaceChildren(heading, make('pre', '', String(error)));
    });
  };
  showGiven(given);
  page().addEventListener('dragover', (event) => event.preventDefault());
  page().addEventListener('drop', (event) => {
    event.preventDefault();
    if (event.dataTransfer !== undefined) takeAll(event.dataTransfer.files);
  });
  const input = element('files');
  input.addEventListener('change', () => {
    if (input.files !== null) takeAll(input.files);
  });
}

start();
