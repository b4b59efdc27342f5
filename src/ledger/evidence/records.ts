import { ENTRY_FRAME_BYTES } from '../../tlog/bundle.ts';
import { type TreeHasher, treeHasher } from '../../tlog/hash.ts';
import { LedgerError } from '../errors.ts';
import type { AuditRecord } from '../record/record.ts';
import { FILES } from './manifest.ts';
import type { Verdict } from './verdict.ts';
import { type VerifierOptions, verifyEvidence } from './verify.ts';
import { readZip } from './zip.ts';

export interface RecordsOptions extends Omit<VerifierOptions, 'readRecord'> {
  readonly readRecord: (bytes: Uint8Array) => AuditRecord;
  /** Every entry must be a record. Otherwise entries that are none are verified like any others. */
  readonly demandRecords: boolean;
  /** Told now and then how much of the work is done, from 0 to 1. */
  readonly onProgress?: (done: number) => void;
}

export interface RecordsVerdict {
  readonly verdict: Verdict;
  /** Not all entries are records; what they say was not read. */
  readonly plain: boolean;
}

/**
 * Verifies evidence, and reads its entries as records where they are: what `comity verify` does, and the page.
 * @throws {TlogError} `malformed-note` · `malformed-checkpoint` if a remembered head cannot be read
 */
export function verifyRecords(archive: Uint8Array, options: RecordsOptions): RecordsVerdict {
  const { readRecord, demandRecords, onProgress, ...given } = options;
  const entries = entriesOf(archive);
  const reads = demandRecords || beginsWithRecord(entries, readRecord);
  const work = progressOf(entries.length * (reads ? 2 : 1), onProgress);
  const hasher = given.hasher ?? treeHasher();
  const plainly: VerifierOptions = { ...given, hasher: watchedHasher(hasher, work) };
  if (!reads) return { verdict: verifyEvidence(archive, plainly), plain: true };
  const watched = (bytes: Uint8Array): AuditRecord => {
    work(bytes.length + ENTRY_FRAME_BYTES);
    return readRecord(bytes);
  };
  const verdict = verifyEvidence(archive, { ...plainly, readRecord: watched });
  const plain = !demandRecords && verdict.kind === 'INVALID' && verdict.fault === 'record-invalid';
  return plain ? { verdict: verifyEvidence(archive, { ...given, hasher }), plain } : { verdict, plain };
}

/** How often somebody is told, for the whole of the work. */
const STEPS = 200;

/** Counts bytes of work against a total. */
function progressOf(
  total: number,
  onProgress: ((done: number) => void) | undefined,
): (bytes: number) => void {
  if (onProgress === undefined) return () => undefined;
  let [done, next] = [0, 0];
  return (bytes) => {
    done += bytes;
    if (done < next) return;
    next = done + total / STEPS;
    onProgress(Math.min(1, total === 0 ? 1 : done / total));
  };
}

function watchedHasher(hasher: TreeHasher, work: (bytes: number) => void): TreeHasher {
  return {
    ...hasher,
    leaf(entry) {
      work(entry.length + ENTRY_FRAME_BYTES);
      return hasher.leaf(entry);
    },
  };
}

/** The framed entries of an archive; none of one that cannot be read. */
function entriesOf(archive: Uint8Array): Uint8Array {
  try {
    return readZip(archive).get(FILES.entries) ?? new Uint8Array();
  } catch (error) {
    if (error instanceof LedgerError) return new Uint8Array();
    throw error;
  }
}

/** Whether reading entries as records is worth a try: a large archive would be verified twice otherwise. */
export function beginsWithRecord(entries: Uint8Array, readRecord: (bytes: Uint8Array) => unknown): boolean {
  try {
    const length = (entries[0] ?? 0) * 256 + (entries[1] ?? 0);
    readRecord(entries.subarray(ENTRY_FRAME_BYTES, ENTRY_FRAME_BYTES + length));
    return true;
  } catch {
    return false;
  }
}
