import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeHasher } from '../ledger/log/node-hash.ts';
import { nodeSignatures } from '../ledger/log/node-signatures.ts';
import {
  type MonitorFinding,
  type MonitorMemory,
  type MonitorReport,
  monitorLog,
  NEW_MONITOR,
} from '../ledger/witness/monitor.ts';
import { parseSplitView, verifySplitView } from '../ledger/witness/split-view.ts';
import { originHash } from '../ledger/witness/witness.ts';
import type { Policy, PolicyLog } from '../tlog/policy.ts';
import { decodeUtf8 } from '../tlog/text.ts';
import { type Arguments, type Command, choice, EXIT, type ExitCode, type Io, mistake } from './command.ts';
import { countOption, fileBytes, mendable, readPolicy, required } from './ledger-input.ts';
import { paint, row } from './style.ts';

export const command: Command = {
  name: 'monitor',
  summary: 'follow logs and their witnesses, and prove it to anybody when a log shows two histories',
  usage: 'monitor --policy <file> [options] | monitor proof <proof.json> --policy <file>',
  details: [
    'Fetches the checkpoint of every log in the policy and of every witness, checks that all of them are of',
    'one history, also with what was seen before (--memory), and says what is not as it should be. A split',
    'view is written as a file that convinces anybody who has the log’s key; `monitor proof` checks one.',
    'Addresses stand in the policy: `log <key> <url>`, `witness <name> <key> <url>`.',
    '',
    'exit codes: 0 nothing found (proof: it does prove two histories) · 1 something found (proof: it does not) ·',
    '2 bad input',
  ].join('\n'),
  options: {
    policy: { type: 'string', value: 'FILE', help: 'logs and witnesses, with addresses (C2SP tlog-policy)' },
    log: { type: 'string', value: 'URL', help: 'address of the log, if the policy names one log without it' },
    memory: { type: 'string', value: 'DIR', help: 'remember heads here, and compare with them' },
    proofs: {
      type: 'string',
      value: 'DIR',
      help: 'write proofs of split views here (default: the current directory)',
    },
    entries: { type: 'boolean', help: 'also read every new entry, and recompute the root from them' },
    every: { type: 'string', value: 'SECONDS', help: 'look again and again, until stopped' },
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: [
    'comity monitor --policy ours.policy --memory ~/.comity/monitor',
    'comity monitor --policy ours.policy --memory m --entries --every 60',
    'comity monitor proof split-view-1.json --policy ours.policy',
  ],
  run,
};

async function run(args: Arguments, io: Io): Promise<ExitCode> {
  const [verb, file] = args.positionals;
  const policy = await readPolicy(
    required(args.text('policy'), 'which logs and witnesses?', 'pass their policy with `--policy`'),
  );
  if (verb === 'proof') return checkProof(required(file, 'which proof?', 'name its file'), policy, io);
  if (verb !== undefined) throw mistake(`unknown verb \`monitor ${verb}\``, 'did you mean `monitor proof`?');
  const logs = logsOf(policy, args.text('log'));
  const every = countOption(args, 'every', 1);
  if (every === undefined) return (await lookOnce(logs, policy, args, io)) === 0 ? EXIT.clean : EXIT.findings;
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());
  let found = 0;
  while (!stopped.signal.aborted) {
    found += await lookOnce(logs, policy, args, io);
    await sleep(every * 1000, undefined, { signal: stopped.signal }).catch(() => undefined);
  }
  return found === 0 ? EXIT.clean : EXIT.findings;
}

type Reachable = PolicyLog & { readonly url: string };

function logsOf(policy: Policy, given: string | undefined): readonly Reachable[] {
  // One log may have several keys; it is one log all the same.
  const byOrigin = new Map(policy.logs.map((log) => [log.key.name, log]));
  const logs = [...byOrigin.values()].map((log) => ({
    ...log,
    url: log.url ?? (byOrigin.size === 1 ? given : undefined),
  }));
  const missing = logs.find(({ url }) => url === undefined);
  if (missing !== undefined) {
    throw mistake(
      `policy has no address of log \`${missing.key.name}\``,
      'write it after the key, `log <key> <url>`, or pass `--log <url>`',
    );
  }
  if (logs.length === 0) throw mistake('policy names no log', 'add one: `log <key> <url>`');
  return logs.map(({ key, url }) => ({ key, url: url ?? '' }));
}

/** Looks at every log once. @returns how much was found */
async function lookOnce(
  logs: readonly Reachable[],
  policy: Policy,
  args: Arguments,
  io: Io,
): Promise<number> {
  const json = choice(args, 'format', ['table', 'json'], 'table') === 'json';
  const directory = args.text('memory');
  let found = 0;
  for (const log of logs) {
    const report = await mendable(() =>
      monitorLog(log, directory === undefined ? NEW_MONITOR : remembered(directory, log.key.name), {
        policy,
        entries: args.flag('entries'),
        onProgress: (entries, total) => io.progress(`${entries} of ${total} entries`),
      }),
    );
    io.progress('');
    if (directory !== undefined) keep(directory, report);
    const files = report.findings.map((finding) =>
      proofFile(finding, report.origin, args.text('proofs') ?? '.'),
    );
    if (json) {
      const { memory, ...shown } = report;
      io.out(
        `${JSON.stringify({ time: new Date().toISOString(), ...shown, pending: memory.pending.length })}\n`,
      );
    } else printReport(report, files, io);
    found += report.findings.length;
  }
  return found;
}

function printReport(report: MonitorReport, files: readonly (string | undefined)[], io: Io): void {
  const { origin, size, compared, entries, pruned, findings } = report;
  const good = findings.length === 0;
  const what = size === undefined ? 'no head of it' : `${size} entries`;
  const gone = pruned === 0 ? '' : `, ${pruned} were pruned before they were read`;
  const read = entries === 0 ? '' : `, ${entries} new entries read`;
  io.out(
    `${paint(io, good ? 'green' : 'red', good ? 'consistent' : 'FOUND')}: ${origin}, ${what}, ${compared} heads compared${read}${gone}\n`,
  );
  for (const [i, finding] of findings.entries()) {
    io.out(row(io, [[`  ${finding.kind}`, 20]], findingText(finding), ['red']));
    if (files[i] !== undefined) io.out(row(io, [['', 20]], `proof for anybody: ${files[i]}`));
  }
}

function findingText(finding: MonitorFinding): string {
  switch (finding.kind) {
    case 'split-view':
      return finding.message;
    case 'log-absent':
    case 'log-invalid':
      return finding.why;
    case 'tiles-wrong':
      return `head of ${finding.size} entries is not what the log serves: ${finding.why}`;
    case 'log-behind':
      return `log shows ${finding.size} entries, but signed ${finding.signed} before`;
    case 'quorum-not-met':
      return `head of ${finding.size} entries is cosigned by ${finding.witnesses.length === 0 ? 'nobody' : finding.witnesses.join(', ')} only`;
    case 'witness-absent':
    case 'witness-invalid':
      return `\`${finding.witness}\`: ${finding.why}`;
  }
}

/** Writes the proof of a split view, under a name that is the same for the same proof. */
function proofFile(finding: MonitorFinding, origin: string, directory: string): string | undefined {
  if (finding.kind !== 'split-view') return undefined;
  const text = `${JSON.stringify(finding.proof, undefined, 2)}\n`;
  const hash = Buffer.from(nodeHasher().sha256(Buffer.from(origin + text)))
    .toString('hex')
    .slice(0, 12);
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `split-view-${hash}.json`);
  writeFileSync(path, text);
  return path;
}

async function checkProof(file: string, policy: Policy, io: Io): Promise<ExitCode> {
  const text = decodeUtf8(fileBytes(file)) ?? '';
  const proof = await mendable(() => parseSplitView(text));
  const keys = policy.logs.map(({ key }) => key);
  try {
    const { origin, sizes } = verifySplitView(proof, keys, nodeSignatures, nodeHasher());
    io.out(
      `${paint(io, 'red', 'PROVED')}: log \`${origin}\` signed two histories, seen at ${sizes.join(' and ')} entries\n`,
    );
    return EXIT.clean;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'bundle-invalid')) throw error;
    io.out(`NOT PROVED: ${error.message}\n`);
    return EXIT.findings;
  }
}

function memoryFile(directory: string, origin: string): string {
  // An origin may be anything, so it is not made part of a path.
  return join(directory, `${originHash(origin)}.json`);
}

function remembered(directory: string, origin: string): MonitorMemory {
  const path = memoryFile(directory, origin);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return NEW_MONITOR;
  }
  try {
    const json = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const { head, pending, proofs } = json;
    if ((head === null || typeof head === 'string') && Array.isArray(pending) && Array.isArray(proofs)) {
      return {
        head: head ?? undefined,
        pending: pending.map(String),
        proofs: proofs.map((proof) => parseSplitView(JSON.stringify(proof))),
      };
    }
  } catch {
    // Told below: a memory that cannot be read must not be taken for an empty one.
  }
  throw mistake(
    `\`${path}\` is not what a monitor remembered`,
    'restore it, or move it away to begin anew',
    'unreadable',
  );
}

function keep(directory: string, { origin, memory }: MonitorReport): void {
  mkdirSync(directory, { recursive: true });
  const path = memoryFile(directory, origin);
  writeFileSync(`${path}.new`, `${JSON.stringify({ ...memory, head: memory.head ?? null }, undefined, 1)}\n`);
  renameSync(`${path}.new`, path);
}
