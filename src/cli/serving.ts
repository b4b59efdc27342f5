import type { Running } from '../ledger/server/http.ts';
import { type Arguments, EXIT, type ExitCode, type Io, mistake } from './command.ts';
import { countOf } from './ledger-input.ts';

/** Where a server of ours listens: `--listen 127.0.0.1:8080`, `:8080`, `[::1]:0`. */
export function listenOption(args: Arguments): { readonly host: string; readonly port: number } {
  const text = args.text('listen') ?? '127.0.0.1:0';
  const [, host = '', port = ''] = /^(\[[0-9a-fA-F:]+\]|[^:[\]]*):(\d{1,5})$/.exec(text) ?? [];
  if (port === '' || countOf(port, 'port') > 65_535) {
    throw mistake(`\`--listen ${text}\` is not an address and a port`, 'write for example `127.0.0.1:8080`');
  }
  return { host: host === '' ? '127.0.0.1' : host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** Serves until the process is asked to stop. Prints the address, so that a port of 0 can be used. */
export async function untilStopped(server: Running, io: Io, what: string): Promise<ExitCode> {
  io.out(`${server.url}\n`);
  io.err(`${what} at ${server.url}; stop with Ctrl-C\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await server.close();
  return EXIT.clean;
}

/** An address that cannot be had is a user's mistake. */
export async function started(start: () => Promise<Running>): Promise<Running> {
  try {
    return await start();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!['EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL', 'ENOTFOUND'].includes(code)) throw error;
    throw mistake(`cannot listen there (${code})`, 'choose another `--listen` address', 'unreadable');
  }
}
