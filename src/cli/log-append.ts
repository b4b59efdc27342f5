import { InputError } from '../facts/problem.ts';
import type { Appended } from '../ledger/appender.ts';
import { canonicalBytes } from '../ledger/canonical.ts';
import { LedgerError } from '../ledger/errors.ts';
import { checkNotReserved } from '../ledger/ledger.ts';
import type { Log } from '../ledger/log.ts';
import { RECORD_VERSION } from '../ledger/record.ts';
import { uuidBytes } from '../ledger/uuidv7.ts';
import { type RecordValidator, recordValidator } from '../ledger/validate.ts';
import type { WitnessProblem } from '../ledger/witness/gather.ts';
import { encodeBase64 } from '../tlog/base64.ts';
import { MAX_ENTRY_BYTES } from '../tlog/bundle.ts';
import { type Arguments, EXIT, type ExitCode, type Io } from './command.ts';
import { choice } from './ledger-input.ts';
import { directoryOf, withLog, witnessProblemText } from './log-places.ts';

/** An entry on its way into the log. */
interface Entry {
  readonly bytes: Uint8Array;
  readonly key?: Uint8Array;
}

/** Parts of the input that may be on their way to the disk at a time. */
const MOST_UNDER_WAY = 16;

/** `comity log append`: one entry for each line of standard input; prints the index of each once it is durable. */
export async function runLogAppend(
  rest: readonly string[],
  args: Arguments,
  io: Io,
  input: AsyncIterable<Uint8Array> = process.stdin,
): Promise<ExitCode> {
  const directory = directoryOf(rest, 'append');
  const json = choice(args, 'format', ['table', 'json'], 'table') === 'json';
  const onWitness = (problem: WitnessProblem): void => io.err(`${witnessProblemText(problem)}\n`);
  return withLog(directory, args, { onWitness }, async (log) => {
    const counts = { entries: 0, duplicates: 0 };
    const print = (appended: readonly Appended[]): void => {
      counts.entries += appended.length;
      counts.duplicates += appended.filter(({ duplicate }) => duplicate).length;
      io.out(appended.map((one) => (json ? asJson(one) : `${one.index}\n`)).join(''));
      io.progress(`${counts.entries} entries`);
    };
    await appendLines(log, input, print);
    const head = await log.publish();
    io.progress('');
    const known = counts.duplicates === 0 ? '' : `, ${counts.duplicates} of them there already`;
    io.err(`${counts.entries} entries${known}; the log has ${head.size}, root ${encodeBase64(head.root)}\n`);
    return EXIT.clean;
  });
}

/** Appends what can be read; a line that cannot be ends it, after everything before it is durable and printed. */
async function appendLines(
  log: Log,
  input: AsyncIterable<Uint8Array>,
  print: (appended: readonly Appended[]) => void,
): Promise<void> {
  const { check } = recordValidator();
  const underWay = new Set<Promise<unknown>>();
  let printed: Promise<unknown> = Promise.resolve();
  const begin = (entries: readonly Entry[]): void => {
    const before = printed;
    const appending = log.appendAll(entries);
    const turn = Promise.all([before, appending]).then(([, appended]) => print(appended));
    // A failure is seen when the line of prints is waited for; everybody after it fails with it.
    turn.catch(() => undefined).finally(() => underWay.delete(turn));
    underWay.add(turn);
    printed = turn;
  };
  let problem: unknown;
  try {
    for await (const entries of readEntries(input, check)) {
      begin(entries);
      if (underWay.size >= MOST_UNDER_WAY) await Promise.race(underWay);
    }
  } catch (error) {
    problem = error;
  }
  await printed;
  if (problem !== undefined) throw problem;
}

/** The entries of the lines that came in together. */
async function* readEntries(
  input: AsyncIterable<Uint8Array>,
  check: RecordValidator['check'],
): AsyncGenerator<readonly Entry[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  let line = 0;
  let pending = '';
  const entriesOf = function* (lines: readonly string[]): Generator<Entry> {
    for (const text of lines) {
      line += 1;
      if (text.trim() !== '') yield entryOf(text, line, check);
    }
  };
  for await (const chunk of input) {
    pending += decoded(decoder, chunk, line + 1);
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    if (pending.length > 2 * MAX_ENTRY_BYTES) throw tooLong(line + lines.length + 1);
    yield* all(entriesOf(lines));
  }
  pending += decoded(decoder, undefined, line + 1);
  yield* all(entriesOf([pending]));
}

/** What was read, and only then the error that ended it: lines before a wrong one are kept. */
function* all(entries: Generator<Entry>): Generator<readonly Entry[]> {
  const read: Entry[] = [];
  let problem: unknown;
  try {
    for (const entry of entries) read.push(entry);
  } catch (error) {
    problem = error;
  }
  if (read.length > 0) yield read;
  if (problem !== undefined) throw problem;
}

function decoded(
  decoder: InstanceType<typeof TextDecoder>,
  chunk: Uint8Array | undefined,
  line: number,
): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined });
  } catch {
    throw problemAt(line, 'input is not UTF-8', 'send JSON in UTF-8, one value on each line');
  }
}

function entryOf(text: string, line: number, check: RecordValidator['check']): Entry {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw problemAt(line, 'line is not JSON', 'send one JSON value on each line');
  }
  const isRecord = typeof value === 'object' && value !== null && 'v' in value && value.v === RECORD_VERSION;
  if (!isRecord) {
    const bytes = Buffer.from(text.trim(), 'utf8');
    if (bytes.length > MAX_ENTRY_BYTES) throw tooLong(line);
    return { bytes };
  }
  try {
    const record = check(value);
    checkNotReserved(record);
    return { bytes: canonicalBytes(record), key: uuidBytes(record.id) };
  } catch (error) {
    if (error instanceof LedgerError) throw problemAt(line, error.message, error.help);
    throw error;
  }
}

function tooLong(line: number): InputError {
  return problemAt(
    line,
    `entry has more than ${MAX_ENTRY_BYTES} bytes`,
    'append the digest of a large text, and keep the text elsewhere',
  );
}

function problemAt(line: number, message: string, help: string): InputError {
  const at = { file: '<standard input>', line, column: 1 };
  return new InputError([{ code: 'syntax', message, at, help }]);
}

function asJson({ index, leaf, duplicate }: Appended): string {
  return `${JSON.stringify({ index, leaf: encodeBase64(leaf), duplicate })}\n`;
}
