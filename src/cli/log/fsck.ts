import { filesSource } from '../../ledger/files/fsck-source.ts';
import { describeLogDirectory } from '../../ledger/log/directory.ts';
import { type FsckReport, fsck, type LogFault, storeSource } from '../../ledger/log/fsck.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io } from '../command.ts';
import { fileBytes, mendable } from '../ledger-input.ts';
import { paint, row } from '../style.ts';
import { directoryOf, withView } from './places.ts';

/** `comity log fsck`: recomputes everything from the entries; every fault by its name. */
export async function runLogFsck(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'fsck');
  const format = choice(args, 'format', ['table', 'json'], 'table');
  const remembered = args.texts('remember').map((path) => decodeUtf8(fileBytes(path)) ?? '');
  const { origin, keys } = await mendable(() => describeLogDirectory(directory));
  const onProgress = (entries: number): void => io.progress(`${entries} entries`);
  const report = await (args.text('database') === undefined
    ? mendable(() => fsck({ source: filesSource(directory), origin, keys, remembered, onProgress }))
    : withView(directory, args, (log) =>
        fsck({ source: storeSource(log.store), origin, keys, remembered, onProgress }),
      ));
  io.progress('');
  if (format === 'json') io.out(`${JSON.stringify(report, undefined, 2)}\n`);
  else printReport(report, io);
  return report.faults.length === 0 ? EXIT.clean : EXIT.findings;
}

function printReport(report: FsckReport, io: Io): void {
  const { entries, pruned, heads, root, faults, omissions, torn, diagnosis } = report;
  const colour = diagnosis === 'sound' ? 'green' : 'red';
  io.out(`${paint(io, colour, diagnosis)}: ${entries} entries, ${heads} signed heads, root ${root}\n`);
  if (pruned > 0) io.out(`  entries 0 to ${pruned - 1} pruned: tree checked, bytes gone\n`);
  for (const fault of faults) io.out(row(io, [[`  ${fault.kind}`, 24]], faultText(fault), ['red']));
  for (const omission of omissions) {
    const { kind, ...where } = omission;
    io.out(row(io, [[`  ${kind}`, 24]], JSON.stringify(where), ['yellow']));
  }
  if (torn > 0) io.out(`  ${torn} entries at the end were torn by a crash before anybody was told of them\n`);
}

function faultText(fault: LogFault): string {
  switch (fault.kind) {
    case 'unreadable':
      return `${fault.what} cannot be read`;
    case 'entry-altered':
      return `entry ${fault.index} has other bytes than were appended`;
    case 'entries-missing':
      return `bytes of entries ${fault.from} to ${fault.to - 1} are gone, and no pruning covers them`;
    case 'pruning-unannounced':
      return `entries before ${fault.minimum} were pruned, and the log does not say so`;
    case 'entry-doubled':
      return `entry ${fault.index} has the idempotency key of entry ${fault.first}`;
    case 'truncated':
      return `${fault.size} entries are left of the ${fault.signed} that were signed`;
    case 'history-rewritten':
      return `entries from ${fault.from} on, before ${fault.to}, are not those that were signed`;
    case 'head-invalid':
      return `kept head of ${fault.size} entries: ${fault.why}`;
    case 'heads-disordered':
      return `head of ${fault.size} entries comes after a later one`;
    case 'forked':
      return `two different trees of ${fault.size} entries were signed`;
    case 'published-unknown':
      return `checkpoint of ${fault.size} entries was never kept`;
    case 'sealed-part-lost':
    case 'sealed-part-altered':
      return `of entry ${fault.index}`;
  }
}
