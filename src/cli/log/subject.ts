import { readFileSync } from 'node:fs';
import type { Arguments, Option } from '../command.ts';
import { required } from '../ledger-input.ts';

/** Whom a verb is about. */
export const SUBJECT_OPTIONS: Readonly<Record<string, Option>> = {
  subject: {
    type: 'string',
    value: 'NAME',
    help: 'erase, hold, query, export: this person of --tenant; `-` reads it from standard input',
  },
};

/** A person, in the form in which the application gave them when it sealed. */
export interface Person {
  readonly tenant: string;
  readonly subject: string;
}

/** The tenant of `--tenant`. */
export function tenantOf(args: Arguments): string {
  return required(args.text('tenant'), 'of which tenant?', 'name it: `--tenant acme`');
}

/** The person of `--subject`, if any. Standard input keeps the name out of the history of the shell. */
export function personOf(args: Arguments): Person | undefined {
  const text = args.text('subject');
  if (text === undefined) return undefined;
  const subject = text === '-' ? readFileSync(0, 'utf8').replace(/\r?\n$/, '') : text;
  return {
    tenant: tenantOf(args),
    subject: required(subject, 'who?', 'name the person as the application did when it sealed'),
  };
}
