// A thread that reads part of an archive as records: started by records-aside.ts, never imported.
import { parentPort, workerData } from 'node:worker_threads';
import { recordValidator } from '../record/validate.ts';
import { type PartTask, readPart } from './records-part.ts';

// INVARIANT: records-aside.ts starts this thread with a task.
parentPort?.postMessage(readPart(workerData as PartTask, recordValidator().parse));
