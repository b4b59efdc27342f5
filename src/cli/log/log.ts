import { writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { createLogDirectory } from '../../ledger/log/directory.ts';
import { type Arguments, type Command, choice, EXIT, type ExitCode, type Io, verbOf } from '../command.ts';
import { mendable } from '../ledger-input.ts';
import { runLogAppend } from './append.ts';
import { runLogErase } from './erase.ts';
import { runLogFsck } from './fsck.ts';
import { runLogHold } from './hold.ts';
import { runLogMove } from './move.ts';
import { runLogOpen } from './open.ts';
import { directoryOf } from './places.ts';
import { runLogExport, runLogProve } from './prove.ts';
import { runLogPrune } from './prune.ts';
import { runLogQuery } from './query.ts';
import { RECORD_OPTIONS } from './records.ts';
import { runLogServe, runLogWriter } from './serve.ts';

const VERBS: Readonly<
  Record<string, (rest: readonly string[], args: Arguments, io: Io) => Promise<ExitCode>>
> = {
  init: runLogInit,
  append: (rest, args, io) => runLogAppend(rest, args, io),
  open: runLogOpen,
  query: runLogQuery,
  prove: runLogProve,
  export: runLogExport,
  erase: runLogErase,
  hold: runLogHold,
  fsck: runLogFsck,
  move: runLogMove,
  prune: runLogPrune,
  serve: runLogServe,
  writer: runLogWriter,
};

export const command: Command = {
  name: 'log',
  summary: 'an append-only, provable record of what happened: make, fill, search, prove, check',
  usage:
    'log init|append|open|query|prove|export|erase|hold|fsck|move|prune|serve|writer <directory> [options]',
  details: [
    '  init    make a log: its key (keep it), its description, and a policy for those who verify',
    '  append  one JSON value on each line of standard input; prints the index of each once it is durable',
    '          (`comity.audit/1` records are checked; other JSON is kept as it is, in the clear and for good:',
    '          no personal data in it)',
    '          {"record": {…}, "seal": [{"subjects": ["whom"], "fields": {"name": "value"}}]} seals what is about',
    '          people into a vault beside the log, made at first use; the log holds only digests of it',
    '  open    <directory> <index>: one record, and what was sealed in it as far as it can still be opened',
    '  query   find records; every row carries the index by which it can be proved',
    '  prove   <directory> <index>: the proof of one entry (C2SP tlog-proof; --receipt for COSE, RFC 9942)',
    '  export  evidence that anybody verifies offline with `comity verify`',
    '          (--disclose age,city shows these sealed fields in it, and nothing of the others)',
    '          (with --static the log itself, as tiles for any web server; run again it adds what is new)',
    '  erase   --tenant, --subject: destroy what opens everything sealed about a person; every proof stays.',
    '          What retention or a hold still protects is deferred; --resume goes on, --list shows what waits',
    '  hold    --tenant, --subject: erase and prune nothing of a person, or of a whole tenant, until --release;',
    '          --list. Both steps are entries, so that a vault from an older backup learns of them',
    '  fsck    recompute everything from the entries; names every fault',
    '  move    <directory> <new directory>, or --database: the same tree and proofs in another place',
    '  prune   remove the bytes of the oldest entries, once all have outlived their retention and none is held;',
    '          hashes and proofs stay, and the log says so first; sealed parts go from the vault too',
    '  serve   over HTTP: tiles for everybody; /add, /v1/append and OTLP for writers',
    '  writer  <directory> <producer>: a token to append with; --remove takes it away',
    '',
    'exit codes: 0 done · 1 fsck found a fault · 2 bad input',
  ].join('\n'),
  options: {
    origin: {
      type: 'string',
      value: 'NAME',
      help: 'init: name of the log, like an address without https://',
    },
    database: {
      type: 'string',
      value: 'URL',
      help: 'entries are in this PostgreSQL database, not in the directory; `env` reads DATABASE_URL',
    },
    quorum: {
      type: 'string',
      value: 'FILE',
      help: 'append, serve: publish only what these witnesses cosigned (see `comity witness --help`)',
    },
    records: {
      type: 'string',
      multiple: true,
      value: 'INDICES',
      help: 'export: these entries, for example 3,7-9',
    },
    static: {
      type: 'string',
      value: 'DIR',
      help: 'export: write the published log there, as the files of C2SP tlog-tiles',
    },
    policy: {
      type: 'string',
      value: 'POLICY',
      help: 'prune: file with the written retention policy that permits it, or its text; its digest goes into the log',
    },
    below: { type: 'string', value: 'INDEX', help: 'prune: nothing from this entry on' },
    before: { type: 'string', value: 'TIME', help: 'prune: nothing from this time on' },
    'opaque-after': {
      type: 'string',
      value: 'DURATION',
      help: 'prune: how long entries are kept that are no records, for example P1Y (default: for good)',
    },
    vault: {
      type: 'string',
      value: 'PLACE',
      help: 'directory or database of what is sealed (default: where it was made; at first <directory>.vault, or --database); `env` reads VAULT_DATABASE_URL; prune: `none` for no vault',
    },
    disclose: {
      type: 'string',
      multiple: true,
      value: 'FIELDS',
      help: 'export: show these sealed fields of the entries in the clear',
    },
    reason: { type: 'string', value: 'CODE', help: 'erase: why, as a code that stands in the log' },
    role: { type: 'string', value: 'ROLE', help: 'erase: who asks, for example data-subject, dpo' },
    resume: { type: 'boolean', help: 'erase: go on with requests whose time has come; run it daily' },
    list: { type: 'boolean', help: 'erase: requests that wait; hold: what is held' },
    release: { type: 'string', value: 'ID', help: 'hold: release this hold, or that of this record' },
    'dry-run': { type: 'boolean', help: 'prune: only say what could go, and what keeps the rest' },
    all: { type: 'boolean', help: 'export: every entry' },
    ...RECORD_OPTIONS,
    after: { type: 'string', value: 'INDEX', help: 'query: only records after this one' },
    limit: { type: 'string', value: 'N', help: 'query, export: at most so many (query: default 100)' },
    out: { type: 'string', value: 'FILE', help: 'export, prove: write here' },
    receipt: {
      type: 'string',
      value: 'FILE',
      help: 'prove: write a COSE receipt here, signed with the key of the log',
    },
    older: {
      type: 'string',
      multiple: true,
      value: 'FILES',
      help: 'export: older checkpoints; the evidence proves that they were extended',
    },
    remember: {
      type: 'string',
      multiple: true,
      value: 'FILES',
      help: 'fsck: checkpoints that somebody else kept; a rewritten log is caught by them only',
    },
    listen: { type: 'string', value: 'HOST:PORT', help: 'serve: where to listen (default 127.0.0.1:0)' },
    reads: {
      type: 'string',
      value: 'public|authenticated',
      help: 'serve: who may read (default public)',
    },
    'anybody-writes': { type: 'boolean', help: 'serve: no tokens; on this machine only' },
    remove: { type: 'boolean', help: 'writer: take the right to append away' },
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity log init ledger --origin example.com/ledger',
    'echo \'{"model":"m-3","answer":"no"}\' | comity log append ledger',
    'comity log query ledger --market KR --from 2026-11-01',
    'comity log export ledger --all --out evidence.zip',
    'echo maria | comity log erase ledger --tenant acme --subject - --reason art17-1-b',
  ],
  run,
};

async function run(args: Arguments, io: Io): Promise<ExitCode> {
  const [verb = '', ...rest] = args.positionals;
  return verbOf(VERBS, verb, 'log', 'what shall be done with which log?')(rest, args, io);
}

async function runLogInit(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'init');
  const format = choice(args, 'format', ['table', 'json'], 'table');
  const origin = args.text('origin') ?? `log.local/${basename(resolve(directory))}`;
  const about = await mendable(() => createLogDirectory(directory, origin));
  const policy = join(directory, 'log.policy');
  writeFileSync(
    policy,
    `# Whose checkpoints to believe. Add witnesses, and a quorum of them.\nlog ${about.keys[0]}\nquorum none\n`,
  );
  if (format === 'json') io.out(`${JSON.stringify({ ...about, directory, policy }, undefined, 2)}\n`);
  else io.out(`${about.keys[0]}\n`);
  io.err(
    `made log \`${origin}\`; \`${join(directory, 'log.key')}\` signs it: back it up, show it to nobody\n`,
  );
  io.err(`give the line above, or \`${policy}\`, to those who will verify\n`);
  return EXIT.clean;
}
