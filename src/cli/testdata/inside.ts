import { InputError } from '../../facts/problem.ts';
import type { Command } from '../command.ts';
import { EXIT, parseArguments } from '../command.ts';

/** What a command printed and how it ended, run inside this process. */
export interface Printed {
  readonly code: number;
  readonly out: string;
  readonly problems: readonly string[];
}

/** Runs one command without starting a process: for commands whose law is already loaded. */
export async function runInside(command: Command, argv: readonly string[]): Promise<Printed> {
  const written: string[] = [];
  const io = {
    out: (text: string) => void written.push(text),
    err: () => undefined,
    progress: () => undefined,
    colour: false,
    columns: 80,
  };
  try {
    const code = await command.run(parseArguments(command, argv), io);
    return { code, out: written.join(''), problems: [] };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { code: EXIT.badInput, out: '', problems: error.problems.map(({ message, help }) => `${message}: ${help}`) };
  }
}
