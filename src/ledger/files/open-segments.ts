import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LedgerError, quoted } from '../errors.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { type Disk, synced } from './disk.ts';
import { segmentFile } from './layout.ts';
import { clearTail, inspectSegment } from './recovery.ts';
import { SealedSegments, sealOf } from './sealed-segments.ts';
import { OpenSegment, SegmentReader } from './segment.ts';
import { SegmentTree } from './tree.ts';

/** Numbers of the segments in a directory. @throws {LedgerError} `damaged` if one is missing */
function listSegments(segments: string): readonly number[] {
  const numbers = readdirSync(segments)
    .filter((name) => /^\d{10}\.seg$/.test(name))
    .map((name) => Number(name.slice(0, 10)))
    .sort((a, b) => a - b);
  const missing = numbers.findIndex((number, i) => number !== i);
  if (missing === -1 && numbers.length > 0) return numbers;
  throw new LedgerError(
    'damaged',
    `segment file ${quoted(segmentFile(Math.max(missing, 0)))} is missing`,
    'restore it from a mirror or a backup',
  );
}

/** The segments of a log, ready to be appended to. */
export interface OpenedSegments {
  readonly open: OpenSegment;
  readonly sealed: SealedSegments;
  readonly tree: SegmentTree;
  readonly torn: number;
}

/**
 * Opens the segments of a log and removes what a crash had torn.
 * @param minimum tells the minimum index that is in effect
 * @throws {LedgerError} `damaged`
 */
export async function openSegments(
  disk: Disk,
  segments: string,
  minimum: () => number,
): Promise<OpenedSegments> {
  const hasher = nodeHasher();
  const numbers = listSegments(segments);
  const last = numbers.length - 1;
  const seals = numbers.slice(0, last).map((number) => sealOf(disk, segments, number, minimum));
  const tree = new SegmentTree(
    hasher,
    seals.map(({ root }) => root),
  );
  const reader = new SegmentReader(disk, join(segments, segmentFile(last)), last, 'r+');
  const recovered = inspectSegment(reader, hasher);
  clearTail(disk, reader, recovered);
  // What survived a killed process may be in the page cache only.
  await synced(disk, reader.fd);
  const open = new OpenSegment(disk, reader, recovered.rows, recovered.count);
  for (let position = 0; position < recovered.count; position++) tree.append(open.leaf(position));
  return { open, sealed: new SealedSegments(disk, segments, seals), tree, torn: recovered.torn };
}
