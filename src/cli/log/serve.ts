import { describeLogDirectory } from '../../ledger/log/directory.ts';
import { serveLog } from '../../ledger/server/serve.ts';
import { addWriter, authenticator, readWriters, removeWriter } from '../../ledger/server/writers.ts';
import type { WitnessProblem } from '../../ledger/witness/gather.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io, mistake } from '../command.ts';
import { mendable, required } from '../ledger-input.ts';
import { listenOption, started, untilStopped } from '../serving.ts';
import { directoryOf, witnessProblemText } from './places.ts';
import { withSealing } from './vault.ts';

/** How long a request to be erased waits that another process put into the vault, or whose time has come. */
const RESUME_EVERY_MS = 30_000;

/** `comity log serve`: reads for everybody, appends for writers, until it is stopped. */
export async function runLogServe(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'serve');
  const listen = listenOption(args);
  const reads = choice(args, 'reads', ['public', 'authenticated'], 'public');
  const writers = await mendable(() => readWriters(directory));
  const anybody = args.flag('anybody-writes');
  if (anybody && !/^(127\.|::1$|localhost$)/.test(listen.host)) {
    throw mistake(
      '`--anybody-writes` is for this machine only',
      'listen on 127.0.0.1, or give writers tokens with `comity log writer`',
    );
  }
  /** What was said of each witness last: it is asked every second, and need not be complained of as often. */
  const said = new Map<string, string>();
  const onWitness = (problem: WitnessProblem): void => {
    const text = witnessProblemText(problem);
    if (said.get(problem.witness) !== text) io.err(`${text}\n`);
    said.set(problem.witness, text);
  };
  const tell = (problem: unknown): void =>
    io.err(`error: ${problem instanceof Error ? problem.message : String(problem)}\n`);
  return withSealing(directory, args, io, { onWitness, onProblem: tell }, async (log, sealing) => {
    const server = await started(() =>
      serveLog({
        ...listen,
        log,
        reads,
        writers: anybody ? 'anybody' : authenticator(writers),
        sealing: sealing.ledger,
        onError: tell,
      }),
    );
    if (!anybody && writers.length === 0)
      io.err('nobody may append yet: `comity log writer` makes a token\n');
    const erasing = setInterval(() => void sealing.resume().catch(tell), RESUME_EVERY_MS);
    try {
      return await untilStopped(server, io, `log \`${log.origin}\``);
    } finally {
      clearInterval(erasing);
    }
  });
}

/** `comity log writer`: gives a producer a token, or takes it away. */
export async function runLogWriter(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'writer');
  const id = required(
    rest[1],
    'which producer?',
    'name it: `comity log writer <directory> <producer>`; its records must carry that id',
  );
  return mendable(() => {
    describeLogDirectory(directory);
    if (args.flag('remove')) {
      removeWriter(directory, id);
      io.err(`\`${id}\` may no longer append once the server is started again\n`);
    } else {
      io.out(`${addWriter(directory, id)}\n`);
      io.err('this token is kept nowhere; servers know it once they are started again\n');
    }
    return EXIT.clean;
  });
}
