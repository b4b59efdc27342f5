import { indicesOf } from '../../src/ledger/evidence/contents.ts';
import { FILES } from '../../src/ledger/evidence/manifest.ts';
import type { Range } from '../../src/ledger/evidence/multiproof.ts';
import { type RecordsVerdict, verifyRecords } from '../../src/ledger/evidence/records.ts';
import { readZip } from '../../src/ledger/evidence/zip.ts';
import type { RecordValidator } from '../../src/ledger/record/read-record.ts';
import { ENTRY_FRAME_BYTES } from '../../src/tlog/bundle.ts';
import { nobleSignatures } from '../../src/tlog/noble.ts';
import type { Policy } from '../../src/tlog/policy.ts';
import { decodeUtf8 } from '../../src/tlog/text.ts';
import type { PageFile } from './dom.ts';
import type { Work } from './worker.ts';

/** Entries whose content is shown. */
const MOST_SHOWN = 200;

/** What is to be verified, against what. */
export interface Verification {
  readonly evidence: PageFile;
  readonly policy: Policy;
  readonly remembered: readonly string[];
  readonly demandRecords: boolean;
}

/** The verdict, and the first entries as text. */
export interface Verified extends RecordsVerdict {
  readonly entries: readonly { readonly index: number; readonly text: string }[];
  /** Entries beyond those. */
  readonly more: number;
}

/** Verifies as the command does. */
export function verification(records: RecordValidator): Work<Verification, Verified> {
  return async ({ evidence, policy, remembered, demandRecords }, onProgress) => {
    const archive = new Uint8Array(await evidence.arrayBuffer());
    const { verdict, plain } = verifyRecords(archive, {
      policy,
      signatures: nobleSignatures,
      remembered,
      readRecord: records.parse,
      demandRecords,
      onProgress,
    });
    if (!('findings' in verdict)) return { verdict, plain, entries: [], more: 0 };
    const { ranges, records: shown } = verdict.findings;
    const entries = firstEntries(readZip(archive).get(FILES.entries) ?? new Uint8Array(), ranges);
    return { verdict, plain, entries, more: shown - entries.length };
  };
}

/** What the first entries say. They are verified by now. */
function firstEntries(bytes: Uint8Array, ranges: readonly Range[]): Verified['entries'] {
  const entries: { readonly index: number; readonly text: string }[] = [];
  let at = 0;
  for (const index of indicesOf(ranges)) {
    if (entries.length === MOST_SHOWN) break;
    const start = at + ENTRY_FRAME_BYTES;
    at = start + (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
    const text = decodeUtf8(bytes.subarray(start, at));
    entries.push({ index, text: text ?? `${at - start} bytes that are not text` });
  }
  return entries;
}
