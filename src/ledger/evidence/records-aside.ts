import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ENTRY_FRAME_BYTES } from '../../tlog/bundle.ts';
import { LedgerError } from '../errors.ts';
import { FILES, parseManifest } from './manifest.ts';
import { checkRanges, type Range } from './multiproof.ts';
import { beginsWithRecord, type RecordsOptions, type RecordsVerdict, verifyRecords } from './records.ts';
import { joinParts, type PartReading, type PartTask } from './records-part.ts';
import type { Verdict } from './verdict.ts';
import { readZip } from './zip.ts';

/** Smaller archives are read before a thread has started. */
const LEAST_BYTES = 64 * 2 ** 20;
const MOST_THREADS = 4;

/**
 * As {@link verifyRecords}, with the same verdict: records of a large archive are read by other threads while this one
 * checks hashes and signatures.
 * @param archive in shared memory ({@link SharedArrayBuffer}); anything else is verified by this thread alone
 * @throws {TlogError} `malformed-note` · `malformed-checkpoint` if a remembered head cannot be read
 */
export async function verifyRecordsAside(
  archive: Uint8Array,
  options: RecordsOptions,
  leastBytes: number = LEAST_BYTES,
): Promise<RecordsVerdict> {
  const claimed = archive.length < leastBytes ? undefined : claimsOf(archive);
  const threads = Math.min(availableParallelism(), MOST_THREADS);
  if (
    claimed === undefined ||
    threads < 2 ||
    !(archive.buffer instanceof SharedArrayBuffer) ||
    !(options.demandRecords || beginsWithRecord(claimed.entries, options.readRecord))
  ) {
    return verifyRecords(archive, options);
  }
  const { entries, ranges, size } = claimed;
  const count = countOf(ranges);
  const tasks = Array.from({ length: threads }, (_, i): PartTask => {
    return { entries, from: Math.floor((count * i) / threads), to: Math.floor((count * (i + 1)) / threads) };
  });
  const reading = tasks.map(startReading);
  try {
    const { readRecord: _, demandRecords, ...given } = options;
    const { verdict } = verifyRecords(archive, { ...given, readRecord: unread, demandRecords: false });
    if (!('findings' in verdict)) return { verdict, plain: false };
    const parts = await Promise.all(reading.map(({ done }) => done));
    const joined = joinParts(parts, { ranges, size });
    if (joined.kind === 'read') {
      return {
        verdict: { ...verdict, findings: { ...verdict.findings, omissions: joined.omissions } },
        plain: false,
      };
    }
    return demandRecords ? { verdict: notARecord(joined), plain: false } : { verdict, plain: true };
  } finally {
    for (const { stop } of reading) stop();
  }
}

interface Claims {
  readonly entries: Uint8Array;
  readonly ranges: readonly Range[];
  readonly size: number;
}

/** What an archive says it holds, if that can be so; whatever is wrong with it is found by who verifies it. */
function claimsOf(archive: Uint8Array): Claims | undefined {
  try {
    const files = readZip(archive);
    const { ranges, size } = parseManifest(files.get(FILES.manifest) ?? new Uint8Array());
    const entries = files.get(FILES.entries) ?? new Uint8Array();
    checkRanges(ranges, size);
    const count = countOf(ranges);
    return count * ENTRY_FRAME_BYTES <= entries.length ? { entries, ranges, size } : undefined;
  } catch {
    return undefined;
  }
}

function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** Keeps this thread from reading entries as records. */
function unread(): never {
  throw new LedgerError('record-invalid', 'entry is read by another thread', 'wait for it');
}

function notARecord({ index, why }: { readonly index: number; readonly why: string }): Verdict {
  return {
    kind: 'INVALID',
    fault: 'record-invalid',
    message: `entry ${index}: ${why}`,
    indices: [index],
  };
}

function startReading(task: PartTask): { readonly done: Promise<PartReading>; stop(): void } {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(fileURLToPath(new URL(`./records-worker.${extension}`, import.meta.url)), {
    workerData: task,
    // Flags of the program are not meant for this file: some, such as `--input-type`, would refuse it.
    execArgv: [],
  });
  const done = new Promise<PartReading>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a thread that reads records ended with code ${code}`)));
  });
  // Nobody waits for it where the archive turns out to be worth nothing.
  done.catch(() => undefined);
  return { done, stop: () => void worker.terminate() };
}
