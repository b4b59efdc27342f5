import { InputError } from '../../facts/problem.ts';
import { LedgerError } from '../../ledger/errors.ts';
import type { Appended } from '../../ledger/log/appender.ts';
import type { Log } from '../../ledger/log/log.ts';
import { type RecordValidator, recordValidator } from '../../ledger/record/validate.ts';
import { readyEntries, type Submitted, submittedValue } from '../../ledger/submitted.ts';
import type { WitnessProblem } from '../../ledger/witness/gather.ts';
import { encodeBase64 } from '../../tlog/base64.ts';
import { MAX_ENTRY_BYTES } from '../../tlog/bundle.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io } from '../command.ts';
import { count } from '../words.ts';
import { directoryOf, witnessProblemText } from './places.ts';
import { type Sealing, withSealing } from './vault.ts';

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
  return withSealing(directory, args, io, { onWitness }, async (log, sealing) => {
    const counts = { entries: 0, duplicates: 0 };
    const print = (appended: readonly Appended[]): void => {
      counts.entries += appended.length;
      counts.duplicates += appended.filter(({ duplicate }) => duplicate).length;
      io.out(appended.map((one) => (json ? asJson(one) : `${one.index}\n`)).join(''));
      io.progress(`${counts.entries} entries`);
    };
    await appendLines(log, sealing, input, print);
    const head = await log.publish();
    io.progress('');
    const known = counts.duplicates === 0 ? '' : `, ${counts.duplicates} of them there already`;
    io.err(
      `${count(counts.entries, 'entry')}${known}; the log has ${head.size}, root ${encodeBase64(head.root)}\n`,
    );
    return EXIT.clean;
  });
}

/** Appends what can be read; a line that cannot be ends it, after everything before it is durable and printed. */
async function appendLines(
  log: Log,
  sealing: Sealing,
  input: AsyncIterable<Uint8Array>,
  print: (appended: readonly Appended[]) => void,
): Promise<void> {
  const { check } = recordValidator();
  const underWay = new Set<Promise<unknown>>();
  let printed: Promise<unknown> = Promise.resolve();
  /** Sealing takes its time, and must not let later lines pass. */
  let accepted: Promise<unknown> = Promise.resolve();
  const begin = (lines: readonly Submitted[]): void => {
    const before = printed;
    const accepting = accepted.then(async () => {
      const entries = await readyEntries(lines, sealing.ledger);
      const appending = log.appendAll(entries);
      appending.catch(() => undefined);
      // In an object, because nobody waits here until they are durable.
      return { appending };
    });
    accepted = accepting;
    const turn = before.then(async () => print(await (await accepting).appending));
    // A failure is seen when the line of prints is waited for; everybody after it fails with it.
    accepting.catch(() => undefined);
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
): AsyncGenerator<readonly Submitted[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  let line = 0;
  let pending = '';
  const entriesOf = function* (lines: readonly string[]): Generator<Submitted> {
    for (const text of lines) {
      line += 1;
      if (text.trim() !== '') yield entryOf(text, line, check);
    }
  };
  for await (const chunk of input) {
    pending += decoded(decoder, chunk, line + 1);
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    if (pending.length > 2 * MAX_ENTRY_BYTES)
      throw problemAt(
        line + lines.length + 1,
        `line is longer than ${2 * MAX_ENTRY_BYTES} characters`,
        'send one JSON value on each line',
      );
    yield* all(entriesOf(lines));
  }
  pending += decoded(decoder, undefined, line + 1);
  yield* all(entriesOf([pending]));
}

/** What was read, and only then the error that ended it: lines before a wrong one are kept. */
function* all(entries: Generator<Submitted>): Generator<readonly Submitted[]> {
  const read: Submitted[] = [];
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

function entryOf(text: string, line: number, check: RecordValidator['check']): Submitted {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw problemAt(line, 'line is not JSON', 'send one JSON value on each line');
  }
  try {
    return submittedValue(Buffer.from(text.trim(), 'utf8'), value, check);
  } catch (error) {
    if (error instanceof LedgerError) throw problemAt(line, error.message, error.help);
    throw error;
  }
}

function problemAt(line: number, message: string, help: string): InputError {
  const at = { file: '<standard input>', line, column: 1 };
  return new InputError([{ code: 'syntax', message, at, help }]);
}

function asJson({ index, leaf, duplicate }: Appended): string {
  return `${JSON.stringify({ index, leaf: encodeBase64(leaf), duplicate })}\n`;
}
