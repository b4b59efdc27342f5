// The thread that reads a law: started by law-aside.ts, never imported.
import { parentPort, workerData } from 'node:worker_threads';
import { InputError } from '../facts/problem.ts';
import { loadLaw } from '../rules/load.ts';
import type { LawReply } from './law-aside.ts';

function read(directory: string): LawReply {
  try {
    const { law, digest } = loadLaw(directory);
    const { jurisdictions, ...parts } = law;
    return { kind: 'law', digest, places: [...jurisdictions.byId.values()], parts };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { kind: 'problems', problems: error.problems };
  }
}

// INVARIANT: law-aside.ts starts this thread with a directory.
parentPort?.postMessage(read(String(workerData)));
