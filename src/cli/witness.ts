import { writeFileSync } from 'node:fs';
import {
  createWitnessDirectory,
  describeWitness,
  distrustKeys,
  openWitnessDirectory,
  trustLogs,
  type WitnessDescription,
  watchedLogs,
} from '../ledger/witness/keys.ts';
import { parseQuorum, quorumPolicy, quorumProblems } from '../ledger/witness/quorum.ts';
import { serveWitness } from '../ledger/witness/serve.ts';
import { openWitness } from '../ledger/witness/witness.ts';
import { parseVerifierKey } from '../tlog/note-key.ts';
import { formatPolicy } from '../tlog/policy.ts';
import { decodeUtf8 } from '../tlog/text.ts';
import {
  type Arguments,
  type Command,
  choice,
  EXIT,
  type ExitCode,
  type Io,
  mistake,
  verbOf,
} from './command.ts';
import { fileBytes, mendable, required } from './ledger-input.ts';
import { listenOption, started, untilStopped } from './serving.ts';
import { row } from './style.ts';

const VERBS: Readonly<
  Record<string, (rest: readonly string[], args: Arguments, io: Io) => Promise<ExitCode>>
> = { init: runInit, trust: runTrust, distrust: runDistrust, serve: runServe, policy: runPolicy };

export const command: Command = {
  name: 'witness',
  summary: 'vouch for others’ logs, and decide which witnesses must vouch for ours',
  usage: 'witness init|trust|distrust|serve <directory> | policy <quorum.json>   [options]',
  details: [
    '  init    make a witness: two keys and an empty memory. Lose neither: one that forgets is worse than none',
    '  trust   <directory> <verifier key …>: watch these logs. A log is known by its origin, and its key by this',
    '          decision alone: a second key of a log needs --another-key, as whoever holds it can go on with the log',
    '  distrust <directory> <verifier key …>: cosign nothing more that these keys sign, and forget nothing',
    '  serve   cosign what extends what was cosigned before (C2SP tlog-witness)',
    '  policy  check that no fork can go unseen under a quorum of countries, and write it for other tools',
    '',
    'a quorum file:',
    '  {"v": "comity.quorum/1", "required": 3, "rogue": 1, "log_operator": "acme", "witnesses": [',
    '    {"name": "w1", "key": "<verifier key>", "url": "https://w1.example/", "country": "de",',
    '     "operator": "university-1", "cloud": "own-machines"}, …]}',
    '  Each country has one vote: its witness, or a majority of its witnesses. With C countries of which',
    '  `rogue` may be dishonest, `required` is refused unless 2 × required − C ≥ rogue + 1. The same holds',
    '  for each operator and each cloud by itself. Countries are ISO 3166-1 codes of two letters.',
    '',
    'exit codes: 0 done · 1 the quorum is unsound · 2 bad input',
  ].join('\n'),
  options: {
    name: {
      type: 'string',
      value: 'NAME',
      help: 'init: name of the witness, like an address without https://',
    },
    origin: {
      type: 'string',
      value: 'ORIGIN',
      help: 'trust: first line of the log’s checkpoints, if its key has another name',
    },
    'another-key': { type: 'boolean', help: 'trust: the log changed its key, or has two' },
    listen: { type: 'string', value: 'HOST:PORT', help: 'serve: where to listen (default 127.0.0.1:0)' },
    log: { type: 'string', multiple: true, value: 'KEYS', help: 'policy: verifier keys of the logs' },
    out: { type: 'string', value: 'FILE', help: 'policy: write the policy here' },
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity witness init w --name witness.example/w',
    'comity witness trust w example.com/ledger+6d9a…+AZ…',
    'comity witness serve w --listen 127.0.0.1:8081',
    'comity witness policy quorum.json --log example.com/ledger+6d9a…+AZ… --out ours.policy',
  ],
  run,
};

async function run(args: Arguments, io: Io): Promise<ExitCode> {
  const [verb = '', ...rest] = args.positionals;
  return verbOf(VERBS, verb, 'witness', 'what shall be done with which witness?')(rest, args, io);
}

function directoryOf([directory]: readonly string[], verb: string): string {
  return required(directory, 'which witness?', `name its directory: \`comity witness ${verb} <directory>\``);
}

async function runInit(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'init');
  const name = required(args.text('name'), 'what is it called?', 'pass `--name witness.example/w`');
  const about = await mendable(() => createWitnessDirectory(directory, name));
  if (choice(args, 'format', ['table', 'json'], 'table') === 'json')
    io.out(`${JSON.stringify(about, undefined, 2)}\n`);
  else io.out(`${about.keys.join('\n')}\n`);
  io.err('give the first line to logs; the second is the same witness after quantum computers\n');
  return EXIT.clean;
}

async function runTrust(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'trust');
  required(rest[1], 'which log?', 'pass the verifier key that `comity log init` printed');
  const origin = args.text('origin');
  const anotherKey = args.flag('another-key');
  const options = { anotherKey, ...(origin === undefined ? {} : { origin }) };
  return saidLogs(await mendable(() => trustLogs(directory, rest.slice(1), options)), io);
}

async function runDistrust(rest: readonly string[], _args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'distrust');
  required(rest[1], 'which key?', 'pass the verifier key; `witness.json` lists those that are trusted');
  return saidLogs(await mendable(() => distrustKeys(directory, rest.slice(1))), io);
}

function saidLogs({ name, logs }: WitnessDescription, io: Io): ExitCode {
  const keys = logs.reduce((sum, log) => sum + log.keys.length, 0);
  io.err(
    `${name} watches ${logs.length} ${logs.length === 1 ? 'log' : 'logs'} with ${keys} ${keys === 1 ? 'key' : 'keys'}; start it again if it runs\n`,
  );
  return EXIT.clean;
}

async function runServe(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'serve');
  const listen = listenOption(args);
  return mendable(async () => {
    const about = describeWitness(directory);
    if (about.logs.length === 0)
      throw mistake('witness watches no log yet', 'name one with `comity witness trust`');
    const { keys, state } = openWitnessDirectory(directory);
    try {
      const witness = openWitness({ keys, logs: watchedLogs(about), state });
      const onError = (error: unknown): void => io.err(`error: ${String(error)}\n`);
      const server = await started(() => serveWitness(witness, { ...listen, onError }));
      return await untilStopped(server, io, `witness \`${about.name}\``);
    } finally {
      state.close();
    }
  });
}

async function runPolicy(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const file = required(rest[0], 'which quorum?', 'name its file: `comity witness policy quorum.json`');
  const text = decodeUtf8(fileBytes(file)) ?? '';
  const json = choice(args, 'format', ['table', 'json'], 'table') === 'json';
  return mendable(() => {
    const quorum = parseQuorum(text);
    const problems = quorumProblems(quorum);
    if (json) io.out(`${JSON.stringify({ sound: problems.length === 0, problems }, undefined, 2)}\n`);
    if (problems.length > 0) {
      if (!json) for (const { kind, message } of problems) io.out(row(io, [[kind, 16]], message, ['red']));
      return EXIT.findings;
    }
    const logs = args.texts('log').map((key) => parseVerifierKey(key));
    const policy = Buffer.from(formatPolicy(quorumPolicy(quorum, logs))).toString('utf8');
    const out = args.text('out');
    if (out !== undefined) writeFileSync(out, policy);
    else if (!json) io.out(policy);
    return EXIT.clean;
  });
}
