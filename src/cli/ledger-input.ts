import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { LedgerError } from '../ledger/errors.ts';
import { TlogError } from '../tlog/errors.ts';
import { type Policy, parsePolicy } from '../tlog/policy.ts';
import type { Arguments } from './command.ts';
import { mistake } from './command.ts';

/** Runs something on a log or on evidence; what its user can mend comes out as an {@link InputError}. */
export async function mendable<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof LedgerError || error instanceof TlogError) {
      throw Object.assign(mistake(error.message, error.help, 'unreadable'), { cause: error });
    }
    throw error;
  }
}

/** A whole number from `least` on. */
export function countOf(text: string, what: string, least = 0): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least) return value;
  throw mistake(
    `${what} \`${text}\` is not a whole number from ${least} on`,
    'write digits only',
    'bad-number',
  );
}

/** An option that is a whole number. */
export function countOption(args: Arguments, name: string, least = 0): number | undefined {
  const text = args.text(name);
  return text === undefined ? undefined : countOf(text, `\`--${name}\``, least);
}

/** The argument that says which. */
export function required(value: string | undefined, question: string, help: string): string {
  if (value !== undefined && value !== '') return value;
  throw mistake(question, help);
}

/** The bytes of a file that the user named. */
export function fileBytes(path: string): Uint8Array {
  return readable(path, () => readFileSync(path));
}

/** As {@link fileBytes}, in memory that other threads can be given. */
export function sharedFileBytes(path: string): Uint8Array {
  return readable(path, () => {
    const { size } = statSync(path);
    const bytes = Buffer.from(new SharedArrayBuffer(size));
    const file = openSync(path, 'r');
    try {
      let at = 0;
      while (at < size) {
        const read = readSync(file, bytes, at, Math.min(size - at, MOST_READ_BYTES), at);
        if (read === 0) break;
        at += read;
      }
      // What is no file has no size.
      return at === size && size > 0 ? bytes : readFileSync(path);
    } finally {
      closeSync(file);
    }
  });
}

/** One read takes no more than 2 GiB. */
const MOST_READ_BYTES = 2 ** 30;

function readable(path: string, read: () => Uint8Array): Uint8Array {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw mistake(
      `cannot read \`${path}\`${why}`,
      'name a file that exists and that you may read',
      'unreadable',
    );
  }
}

/** Policy files, joined by nothing: one file is one policy. */
export function readPolicy(path: string): Promise<Policy> {
  const bytes = fileBytes(path);
  return mendable(() => parsePolicy(bytes));
}
