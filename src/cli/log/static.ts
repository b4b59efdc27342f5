import { exportStatic } from '../../ledger/log/static-tree.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io } from '../command.ts';
import { withView } from './places.ts';

/** `comity log export --static`: the log as files that any web server can serve (C2SP tlog-tiles). */
export async function runLogStatic(
  directory: string,
  out: string,
  args: Arguments,
  io: Io,
): Promise<ExitCode> {
  const format = choice(args, 'format', ['table', 'json'], 'table');
  const report = await withView(directory, args, (log) =>
    exportStatic(log, out, (done, total) => io.progress(`${done} of ${total} tiles`)),
  );
  io.progress('');
  if (format === 'json') io.out(`${JSON.stringify(report, undefined, 2)}\n`);
  else {
    const { size, written, removed } = report;
    io.err(`${out}: ${size} entries, ${written} tiles written, ${removed} removed\n`);
  }
  return EXIT.clean;
}
