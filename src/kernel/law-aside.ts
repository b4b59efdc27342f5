import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Jurisdiction } from '../facts/jurisdictions.ts';
import { jurisdictionsOf } from '../facts/jurisdictions.ts';
import type { Problem } from '../facts/problem.ts';
import { InputError } from '../facts/problem.ts';
import type { Law } from '../rules/law.ts';
import type { LoadedLaw } from '../rules/load.ts';

/** What the thread that reads a law answers. Functions do not travel between threads: places travel as a list. */
export type LawReply =
  | {
      readonly kind: 'law';
      readonly digest: string;
      readonly places: readonly Jurisdiction[];
      readonly parts: Omit<Law, 'jurisdictions'>;
    }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] };

/**
 * Reads and validates a body of law in a thread of its own: a changed law takes the better part of a second to parse,
 * and decisions go on meanwhile.
 *
 * @throws InputError with every mistake in every file.
 */
export async function loadLawAside(directory: string): Promise<LoadedLaw> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(fileURLToPath(new URL(`./law-worker.${extension}`, import.meta.url)), {
    workerData: directory,
    // Flags of the program are not meant for this file: some, such as `--input-type`, would refuse it.
    execArgv: [],
  });
  const reply = await new Promise<LawReply>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread that reads the law ended with code ${code}`)));
  });
  if (reply.kind === 'problems') throw new InputError(reply.problems);
  const { digest, places, parts } = reply;
  return { law: { ...parts, jurisdictions: jurisdictionsOf(places) }, digest, directory };
}
