import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FILES } from '../ledger/evidence/manifest.ts';
import { verifyRecordsAside } from '../ledger/evidence/records-aside.ts';
import { doesNotProve, type Findings, type Verdict } from '../ledger/evidence/verdict.ts';
import { readZip } from '../ledger/evidence/zip.ts';
import { nodeHasher } from '../ledger/log/node-hash.ts';
import { nodeSignatures } from '../ledger/log/node-signatures.ts';
import { recordValidator } from '../ledger/record/validate.ts';
import { parseCheckpoint } from '../tlog/checkpoint.ts';
import { decodeUtf8 } from '../tlog/text.ts';
import { type Arguments, type Command, choice, EXIT, type ExitCode, type Io } from './command.ts';
import { fileBytes, mendable, readPolicy, required, sharedFileBytes } from './ledger-input.ts';
import { paint, row } from './style.ts';
import { verifierPage } from './verify-page.ts';

export const command: Command = {
  name: 'verify',
  summary: 'is this evidence what the log signed, the same for everybody, and whole?',
  usage: 'verify <evidence.zip> --policy <your policy> [options] | verify --html <file>',
  details: [
    'The policy is yours: which logs and witnesses you trust. Nothing in the evidence can add to it.',
    'Works offline. With --memory the heads you have seen are kept, and a log that forks is caught',
    'by them even if every witness colludes.',
    '',
    'exit codes:',
    '  0  VERIFIED, or LOG-SIGNED ONLY where your policy asks for no witnesses (quorum none)',
    '  1  anything less: QUORUM NOT MET, LOG-SIGNED ONLY, EQUIVOCATION, INVALID',
    '  2  bad input',
  ].join('\n'),
  options: {
    policy: { type: 'string', value: 'FILE', help: 'your policy (C2SP tlog-policy)' },
    remember: {
      type: 'string',
      multiple: true,
      value: 'FILES',
      help: 'checkpoints that you have seen before',
    },
    memory: {
      type: 'string',
      value: 'DIR',
      help: 'keep the checkpoints you see here, and compare with them',
    },
    records: { type: 'boolean', help: 'every entry must be a valid `comity.audit/1` record' },
    html: { type: 'string', value: 'FILE', help: 'write a page that verifies in a browser, offline' },
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity verify evidence.zip --policy ours.policy',
    'comity verify evidence.zip --policy ours.policy --memory ~/.comity/heads',
    'comity verify --html verify.html',
  ],
  run,
};

async function run(args: Arguments, io: Io): Promise<ExitCode> {
  const page = args.text('html');
  if (page !== undefined) {
    const html = await verifierPage();
    await mendable(() => writeFileSync(page, html));
    const digest = createHash('sha256').update(html).digest('hex');
    io.err(`${page}: ${html.length} bytes, sha256 ${digest}\n`);
    if (args.positionals.length === 0) return EXIT.clean;
  }
  const format = choice(args, 'format', ['table', 'json'], 'table');
  const file = required(
    args.positionals[0],
    'which evidence?',
    '`comity verify evidence.zip --policy ours.policy`',
  );
  const policy = await readPolicy(
    required(
      args.text('policy'),
      'by whose policy?',
      'pass your own with `--policy`: it says which logs and witnesses you trust',
    ),
  );
  const archive = sharedFileBytes(file);
  const memory = args.text('memory');
  const remembered = [
    ...args.texts('remember').map((path) => decodeUtf8(fileBytes(path)) ?? ''),
    ...(memory === undefined ? [] : keptHeads(memory, archive)),
  ];
  io.progress(`verifying ${archive.length} bytes`);
  const { verdict, plain } = await mendable(() =>
    verifyRecordsAside(archive, {
      policy,
      signatures: nodeSignatures,
      hasher: nodeHasher(),
      remembered,
      readRecord: recordValidator().parse,
      demandRecords: args.flag('records'),
      onProgress: (done) => io.progress(`verifying: ${Math.floor(done * 100)} %`),
    }),
  );
  io.progress('');
  const satisfied =
    verdict.kind === 'VERIFIED' || (verdict.kind === 'LOG-SIGNED ONLY' && policy.quorum === 'none');
  if (memory !== undefined && satisfied) keepHead(memory, archive);
  if (format === 'json') {
    io.out(
      `${JSON.stringify({ ...verdict, records: !plain, doesNotProve: doesNotProve(verdict) }, undefined, 2)}\n`,
    );
  } else printVerdict(verdict, plain, io);
  return satisfied ? EXIT.clean : EXIT.findings;
}

/** The checkpoint of an archive, whatever it is worth. */
function headOf(
  archive: Uint8Array,
): { readonly note: string; readonly file: string; readonly log: string } | undefined {
  try {
    const note = decodeUtf8(readZip(archive).get(FILES.checkpoint) ?? new Uint8Array()) ?? '';
    const { origin, size, root } = parseCheckpoint(note).checkpoint;
    const hex = Buffer.from(root).toString('hex').slice(0, 16);
    // An origin may be anything, so it is not made part of a path.
    return { note, file: `${size}-${hex}.note`, log: createHash('sha256').update(origin).digest('hex') };
  } catch {
    return undefined;
  }
}

function keptHeads(memory: string, archive: Uint8Array): readonly string[] {
  const head = headOf(archive);
  if (head === undefined) return [];
  const directory = join(memory, head.log);
  let names: readonly string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.note'))
    .map((name) => readFileSync(join(directory, name), 'utf8'));
}

function keepHead(memory: string, archive: Uint8Array): void {
  const head = headOf(archive);
  if (head === undefined) return;
  const directory = join(memory, head.log);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, head.file), head.note);
}

const COLOURS = {
  VERIFIED: 'green',
  'LOG-SIGNED ONLY': 'yellow',
  'QUORUM NOT MET': 'yellow',
  EQUIVOCATION: 'red',
  INVALID: 'red',
} as const;

function printVerdict(verdict: Verdict, plain: boolean, io: Io): void {
  io.out(`${paint(io, COLOURS[verdict.kind], verdict.kind)}\n`);
  const line = (name: string, text: string): void => io.out(row(io, [[`  ${name}`, 16]], text, ['dim']));
  switch (verdict.kind) {
    case 'INVALID':
      line('fault', `${verdict.fault}: ${verdict.message}`);
      break;
    case 'EQUIVOCATION':
      line('fault', verdict.message);
      line('proof', 'these two notes, both signed by the log, prove it to anybody:');
      io.out(`\n${verdict.notes.join('\n')}\n`);
      break;
    default:
      printFindings(verdict.findings, 'quorum' in verdict ? verdict.quorum : 'none', line);
      if (plain) line('entries', 'not all are `comity.audit/1` records; what they say was not read');
  }
  io.out('\ndoes not prove\n');
  for (const text of doesNotProve(verdict)) io.out(row(io, [['  - ', 4]], text));
}

function printFindings(findings: Findings, quorum: string, line: (name: string, text: string) => void): void {
  const { origin, size, root, ranges, records, witnesses, noLaterThan, extended, notCompared } = findings;
  line('log', `${origin}, ${size} entries, root ${root}`);
  const shown = ranges.slice(0, 8).map(({ from, to }) => (to - from === 1 ? `${from}` : `${from}-${to - 1}`));
  line('shown', `${records} entries: ${shown.join(', ')}${ranges.length > 8 ? ', …' : ''}`);
  line('witnesses', `${witnesses.length === 0 ? 'none' : witnesses.join(', ')} (quorum: ${quorum})`);
  if (noLaterThan !== undefined) line('no later than', new Date(noLaterThan * 1000).toISOString());
  if (extended.length > 0) line('extends', `heads seen before, of ${extended.join(', ')} entries`);
  if (notCompared.length > 0)
    line('not compared', `heads seen before, of ${notCompared.join(', ')} entries: no proof in here`);
  for (const { index, fields } of findings.disclosed)
    for (const { name, value } of fields) line(`entry ${index}`, `${name}: ${JSON.stringify(value)}`);
  for (const { kind, ...where } of findings.omissions ?? [])
    line('missing', `${kind} ${JSON.stringify(where)}`);
}
