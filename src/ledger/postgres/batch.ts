import { ENTRY_FRAME_BYTES, writeEntry } from '../../tlog/bundle.ts';
import { LedgerError } from '../errors.ts';
import type { NewEntry } from '../log/store.ts';

/** The columns of a batch. */
export function encoded(entries: readonly NewEntry[]): { body: Buffer; leaves: Buffer; keys: Buffer } {
  const bytes = entries.reduce((sum, entry) => sum + ENTRY_FRAME_BYTES + entry.bytes.length, 0);
  const body = Buffer.allocUnsafe(bytes);
  entries.reduce((end, entry) => writeEntry(body, end, entry.bytes), 0);
  return {
    body,
    leaves: Buffer.concat(entries.map((entry) => entry.leaf)),
    keys: Buffer.concat(entries.map((entry) => entry.key)),
  };
}

/** Framed entries `from` to `to` of the body of a batch. */
export function framedEntries(body: Uint8Array, from: number, to: number): Uint8Array {
  let [end, start] = [0, 0];
  for (let i = 0; i < to; i++) {
    if (i === from) start = end;
    end += ENTRY_FRAME_BYTES + (body[end] ?? 0) * 256 + (body[end + 1] ?? 0);
  }
  return body.subarray(start, end);
}

/** Pieces of a column, which must add up. @throws {LedgerError} `damaged` */
export function joined(pieces: readonly Uint8Array[], length: number, what: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.concat(pieces));
  if (bytes.length === length) return bytes;
  throw new LedgerError(
    'damaged',
    `database holds ${bytes.length} bytes of ${what}, not ${length}`,
    'run fsck',
  );
}
