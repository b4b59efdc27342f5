import { join } from 'node:path';
import { LedgerError } from '../errors.ts';
import { type Disk, synced } from './disk.ts';
import { BUNDLES_AT, segmentFile } from './layout.ts';

/**
 * Cuts the entries off the first `segments` segments. Rows, tile and key table stay, and with them every proof and every
 * answer to a retry. What is cut off already is left alone, so an interrupted run can be repeated.
 * @returns bytes that were cut off
 * @throws {LedgerError} `io-failed`
 */
export async function cutEntries(
  disk: Disk,
  directory: string,
  segments: number,
  onProgress: (done: number, total: number) => void,
): Promise<number> {
  let removed = 0;
  for (let segment = 0; segment < segments; segment++) {
    const file = segmentFile(segment);
    try {
      removed += await cut(disk, join(directory, file));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new LedgerError(
        'io-failed',
        `entries could not be cut off \`${file}\`: ${why}`,
        'check the disk and prune again: nothing is lost that was to be kept',
        { cause },
      );
    }
    onProgress(segment + 1, segments);
  }
  return removed;
}

async function cut(disk: Disk, path: string): Promise<number> {
  const fd = disk.open(path, 'r+');
  try {
    const excess = disk.size(fd) - BUNDLES_AT;
    if (excess <= 0) return 0;
    disk.truncate(fd, BUNDLES_AT);
    await synced(disk, fd);
    return excess;
  } finally {
    disk.close(fd);
  }
}
