import { decodeBase64, encodeBase64 } from '../../tlog/base64.ts';
import { HASH_BYTES } from '../../tlog/hash.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import { LedgerError, quoted } from '../errors.ts';
import type { Disclosure } from '../sealing/disclosure.ts';
import type { Range } from './multiproof.ts';

/** Names of the files in an evidence archive. */
export const FILES = {
  manifest: 'evidence.json',
  /** Signed note of the head that everything is proved under. */
  checkpoint: 'checkpoint',
  /** Entries in order, framed as in a bundle of C2SP tlog-tiles. */
  entries: 'entries.bin',
  /** Hashes of the multiproof, 32 bytes each. */
  proof: 'proof.bin',
  readme: 'README.txt',
} as const;

/** Path of the C2SP tlog-proof of one entry, for other tools. */
export function proofFile(index: number): string {
  return `proofs/${index}.tlog-proof`;
}

/** An older head, and the proof that the checkpoint extends it. */
export interface OlderHead {
  readonly note: string;
  readonly consistency: readonly Uint8Array[];
}

/** A key that took over from another: where the log says so, under a head that the older key signed. */
export interface Succession extends OlderHead {
  readonly index: number;
  /** The `comity.key.rotated` record. */
  readonly entry: Uint8Array;
  readonly inclusion: readonly Uint8Array[];
}

/** What an evidence archive says about itself. All of it is claims until it is verified. */
export interface Manifest {
  readonly origin: string;
  readonly size: number;
  readonly ranges: readonly Range[];
  readonly disclosures: readonly { readonly index: number; readonly disclosures: readonly Disclosure[] }[];
  readonly heads: readonly OlderHead[];
  readonly successions: readonly Succession[];
}

const VERSION = 'comity.evidence/1';

export function formatManifest(manifest: Manifest): string {
  const { origin, size, ranges, disclosures, heads, successions } = manifest;
  return `${JSON.stringify(
    {
      v: VERSION,
      origin,
      size,
      ranges: ranges.map(({ from, to }) => [from, to]),
      disclosures,
      heads: heads.map(plainHead),
      successions: successions.map((succession) => ({
        ...plainHead(succession),
        index: succession.index,
        entry: encodeBase64(succession.entry),
        inclusion: succession.inclusion.map(encodeBase64),
      })),
    },
    null,
    1,
  )}\n`;
}

/** @throws {LedgerError} `bundle-invalid` */
export function parseManifest(bytes: Uint8Array): Manifest {
  const text = decodeUtf8(bytes);
  if (text === undefined) throw invalid('not UTF-8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalid('not JSON');
  }
  const top = object(json, 'evidence');
  if (top.v !== VERSION) throw invalid(`of version ${quoted(String(top.v))}, not ${quoted(VERSION)}`);
  return {
    origin: string(top.origin, 'origin'),
    size: count(top.size, 'size'),
    ranges: array(top.ranges, 'ranges').map((pair) => {
      const [from, to] = array(pair, 'range');
      return { from: count(from, 'range'), to: count(to, 'range') };
    }),
    disclosures: array(top.disclosures, 'disclosures').map((item) => {
      const { index, disclosures } = object(item, 'disclosures');
      return {
        index: count(index, 'index'),
        disclosures: array(disclosures, 'disclosures').map((text) => string(text, 'disclosure')),
      };
    }),
    heads: array(top.heads, 'heads').map((item) => headOf(object(item, 'head'))),
    successions: array(top.successions, 'successions').map((item) => {
      const succession = object(item, 'succession');
      return {
        ...headOf(succession),
        index: count(succession.index, 'index'),
        entry: base64(succession.entry, 'entry'),
        inclusion: hashes(succession.inclusion, 'inclusion'),
      };
    }),
  };
}

/** Hashes laid end to end. @throws {LedgerError} `bundle-invalid` */
export function splitHashes(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length % HASH_BYTES !== 0) throw invalid('proof is not a whole number of hashes');
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, i) =>
    bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES),
  );
}

function plainHead({ note, consistency }: OlderHead) {
  return { note, consistency: consistency.map(encodeBase64) };
}

function headOf(item: Readonly<Record<string, unknown>>): OlderHead {
  return { note: string(item.note, 'note'), consistency: hashes(item.consistency, 'consistency') };
}

function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw invalid(`without a valid ${quoted(what)}`);
}

function array(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(`without a list of ${quoted(what)}`);
}

function string(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw invalid(`without a text ${quoted(what)}`);
}

function count(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`without a whole number ${quoted(what)}`);
}

function base64(value: unknown, what: string): Uint8Array {
  const bytes = decodeBase64(string(value, what));
  if (bytes !== undefined) return bytes;
  throw invalid(`with ${quoted(what)} that is not base64`);
}

function hashes(value: unknown, what: string): Uint8Array[] {
  return array(value, what).map((hash) => base64(hash, what));
}

function invalid(message: string): LedgerError {
  return new LedgerError('bundle-invalid', `evidence is ${message}`, 'ask for the evidence file again');
}
