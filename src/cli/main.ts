#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { formatProblem, InputError } from '../facts/problem.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Command, ExitCode, Io } from './command.ts';
import { EXIT, helpOf, parseArguments } from './command.ts';

/** Commands are loaded when used: a check must not pay for what it does not need. */
const COMMANDS: Readonly<
  Record<string, { readonly summary: string; readonly load: () => Promise<{ readonly command: Command }> }>
> = {
  check: {
    summary: 'what each market allows, asks and leaves open, with the article',
    load: () => import('./check.ts'),
  },
  explain: {
    summary: 'why a rule holds, does not, or is open, as a proof',
    load: () => import('./explain.ts'),
  },
  where: { summary: 'where may this feature ship, one line per market', load: () => import('./where.ts') },
  plan: {
    summary: 'the fewest builds that satisfy all markets, and what stands against one',
    load: () => import('./plan.ts'),
  },
  whatif: {
    summary: 'the least change that turns a no into a yes',
    load: () => import('./whatif.ts'),
  },
  next: { summary: 'the question that settles most', load: () => import('./next.ts') },
  diff: {
    summary: 'what a change of the manifests does to outcomes and duties',
    load: () => import('./diff.ts'),
  },
  agreements: {
    summary: 'how countries coordinate on AI, and what that changes for a team',
    load: () => import('./coordination/agreements.ts'),
  },
  crosswalk: {
    summary: 'which other duties the same evidence serves, and what is left over',
    load: () => import('./coordination/crosswalk.ts'),
  },
  log: {
    summary: 'an append-only, provable record of what happened: make, fill, search, prove, check',
    load: () => import('./log/log.ts'),
  },
  verify: {
    summary: 'is this evidence what the log signed, the same for everybody, and whole?',
    load: () => import('./verify.ts'),
  },
  witness: {
    summary: 'vouch for others’ logs, and decide which witnesses must vouch for ours',
    load: () => import('./witness.ts'),
  },
  monitor: {
    summary: 'follow logs and their witnesses, and prove it when a log shows two histories',
    load: () => import('./monitor.ts'),
  },
  init: {
    summary: 'an interview that asks only what still matters, then writes comity.yaml',
    load: () => import('./init.ts'),
  },
  law: { summary: 'list, show, test and lint the law itself', load: () => import('./law/law.ts') },
};

function overview(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`);
  return [
    'comity: what the law of the world asks of an AI feature, with proof. Not legal advice.\n',
    'usage: comity <command> [options]\n',
    'commands:',
    ...rows,
    '\n`comity <command> --help` shows options and an example. `comity --version` shows the version.\n',
  ].join('\n');
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string;
  };
  return `${manifest.version}\n`;
}

async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.out(overview());
    return EXIT.clean;
  }
  if (name === '--version' || name === '-v') {
    io.out(version());
    return EXIT.clean;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    throw new InputError([
      {
        code: 'usage',
        message: `unknown command \`${name}\``,
        help: didYouMean(name, Object.keys(COMMANDS)),
      },
    ]);
  }
  const { command } = await entry.load();
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(helpOf(command));
    return EXIT.clean;
  }
  return command.run(parseArguments(command, rest), io);
}

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  progress: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  },
  colour: process.stdout.isTTY === true && (process.env.NO_COLOR ?? '') === '' && process.env.TERM !== 'dumb',
  columns: Math.min(process.stdout.columns ?? 80, 100),
};

// A reader that closes the pipe early (`comity … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.clean);
  throw error;
});

try {
  process.exitCode = await run(process.argv.slice(2), io);
} catch (error) {
  process.exitCode = EXIT.badInput;
  if (error instanceof InputError) {
    io.err(`${error.problems.map((problem) => `error: ${formatProblem(problem)}`).join('\n')}\n`);
  } else {
    const debug = process.argv.includes('--debug');
    io.err(`internal error: ${debug && error instanceof Error ? error.stack : String(error)}\n`);
    if (!debug)
      io.err('  help: this is a bug in comity; run again with `--debug` and report what it prints\n');
  }
}
