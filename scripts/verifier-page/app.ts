// What runs in the page. Its only input are files that its user drops; it has no network and keeps nothing.

import { doesNotProve, type Findings } from '../../src/ledger/evidence/verdict.ts';
import type { EventName } from '../../src/ledger/record/events.ts';
import { recordReader, type SchemaCheck } from '../../src/ledger/record/read-record.ts';
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { TlogError } from '../../src/tlog/errors.ts';
import { MAX_POLICY_BYTES, type Policy, parsePolicy } from '../../src/tlog/policy.ts';
import { decodeUtf8 } from '../../src/tlog/text.ts';
import { element, inPage, make, type PageElement, type PageFile, page, scriptText } from './dom.ts';
import { type Verification, type Verified, verification } from './verification.ts';
import { NoWorker, serveWork, type Work, workElsewhere } from './worker.ts';

/** What its user has given to the page so far. */
interface Given {
  readonly evidence: PageFile | undefined;
  readonly policy: { readonly name: string; readonly policy: Policy } | undefined;
  readonly heads: readonly { readonly name: string; readonly note: string }[];
  readonly refused: readonly string[];
}

const NOTHING: Given = { evidence: undefined, policy: undefined, heads: [], refused: [] };

/** Files say what they are by their content: an archive, a policy, or a checkpoint. */
async function take(given: Given, file: PageFile): Promise<Given> {
  const { name } = file;
  if (name.endsWith('.zip') || file.size > MAX_POLICY_BYTES) return { ...given, evidence: file };
  const bytes = new Uint8Array(await file.arrayBuffer());
  const text = decodeUtf8(bytes);
  if (text === undefined || text.startsWith('PK\u0003\u0004')) return { ...given, evidence: file };
  if (isCheckpoint(text)) return { ...given, heads: [...given.heads, { name, note: text }] };
  try {
    return { ...given, policy: { name, policy: parsePolicy(bytes) } };
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    const why = `${name} is no policy and no checkpoint: ${error.message}`;
    return { ...given, refused: [...given.refused, why] };
  }
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

function showVerified({ verdict, plain, entries, more }: Verified): void {
  const heading = make('h2', 'verdict', verdict.kind);
  heading.dataset.kind = verdict.kind;
  if (verdict.kind === 'INVALID') heading.dataset.fault = verdict.fault;
  const details = make('dl', '');
  const parts: PageElement[] = [];
  switch (verdict.kind) {
    case 'INVALID':
      details.append(line('fault', verdict.fault), line('because', verdict.message));
      break;
    case 'EQUIVOCATION':
      details.append(
        line('because', verdict.message),
        line('proof', 'two notes that the log signed; keep both:'),
      );
      parts.push(...verdict.notes.map((note) => make('pre', '', note)));
      break;
    default:
      details.append(...findingLines(verdict.findings, 'quorum' in verdict ? verdict.quorum : 'none'));
      if (plain)
        details.append(line('entries', 'not all are comity.audit/1 records; what they say was not read'));
      parts.push(...entryParts(entries, more));
  }
  const not = make('ul', '', ...doesNotProve(verdict).map((text) => make('li', '', text)));
  element('result').replaceChildren(
    heading,
    details,
    make('h3', '', 'What this does not prove'),
    not,
    ...parts,
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
    ...(findings.omissions ?? []).map(({ kind, ...where }) =>
      line('missing', `${kind} ${JSON.stringify(where)}`),
    ),
  ];
}

function entryParts(entries: Verified['entries'], more: number): readonly PageElement[] {
  return [
    make('h3', '', 'Entries'),
    ...entries.map(({ index, text }) =>
      make('details', '', make('summary', '', `entry ${index}`), make('pre', '', readable(text))),
    ),
    ...(more > 0 ? [make('p', '', `and ${more} more: \`comity verify\` prints what it finds in all`)] : []),
  ];
}

function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

/** A bar that says how much is done. */
function showProgress(done: number): void {
  const bar = make('progress', '');
  bar.setAttribute('max', '1');
  bar.setAttribute('value', String(done));
  bar.setAttribute('aria-label', 'verifying');
  element('result').replaceChildren(make('p', '', `verifying … ${Math.floor(done * 100)} %`), bar);
}

function showError(error: unknown): void {
  const heading = make('h2', 'verdict', 'ERROR IN THIS PAGE');
  heading.dataset.kind = 'ERROR';
  element('result').replaceChildren(heading, make('pre', '', String(error)));
}

/** Verifies beside the page if it can, and else in it. */
function workSomewhere(
  script: string,
  work: Work<Verification, Verified>,
): (task: Verification, stop: AbortSignal) => Promise<Verified> {
  return async (task, stop) => {
    try {
      return await workElsewhere<Verification, Verified>(script, stop)(task, showProgress);
    } catch (error) {
      if (!(error instanceof NoWorker)) throw error;
      return work(task, () => undefined);
    }
  };
}

function startPage(work: Work<Verification, Verified>): void {
  const verify = workSomewhere(scriptText(), work);
  let given = NOTHING;
  let turn: Promise<unknown> = Promise.resolve();
  let stop = new AbortController();

  const verifyGiven = async (): Promise<void> => {
    stop.abort();
    stop = new AbortController();
    const { signal } = stop;
    element('result').replaceChildren();
    const { evidence, policy, heads } = given;
    if (evidence === undefined || policy === undefined) return;
    showProgress(0);
    const task: Verification = {
      evidence,
      policy: policy.policy,
      remembered: heads.map(({ note }) => note),
      demandRecords: element('records').checked,
    };
    // Not waited for: files that are dropped meanwhile begin anew.
    verify(task, signal).then(
      (verified) => (signal.aborted ? undefined : showVerified(verified)),
      (error: unknown) => (signal.aborted ? undefined : showError(error)),
    );
  };
  const inTurn = (next: () => Promise<void>): void => {
    turn = turn.then(next);
    turn.catch(showError);
  };
  const takeAll = (files: ArrayLike<PageFile>): void =>
    inTurn(async () => {
      given = { ...given, refused: [] };
      for (const file of Array.from(files)) given = await take(given, file);
      showGiven(given);
      await verifyGiven();
    });

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
  element('records').addEventListener('change', () => inTurn(verifyGiven));
}

/** Starts the page, or the worker that it has made of this same script. */
export function start(checks: Readonly<Record<EventName, SchemaCheck>>): void {
  const work = verification(recordReader((event) => checks[event]));
  if (inPage()) startPage(work);
  else serveWork(work);
}
