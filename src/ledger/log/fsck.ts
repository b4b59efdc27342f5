import { decodeBundle } from '../../tlog/bundle.ts';
import { type Checkpoint, parseCheckpoint } from '../../tlog/checkpoint.ts';
import { type KeyVerifier, noteVerifier } from '../../tlog/cosignature.ts';
import { TlogError } from '../../tlog/errors.ts';
import { Frontier } from '../../tlog/frontier.ts';
import { HASH_BYTES, sameBytes } from '../../tlog/hash.ts';
import { verifyKnownSignatures } from '../../tlog/note.ts';
import { parseVerifierKey } from '../../tlog/note-key.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { LedgerError } from '../errors.ts';
import { completenessCheck, type Omission } from '../record/completeness.ts';
import type { AuditRecord } from '../record/record.ts';
import { recordValidator } from '../record/validate.ts';
import type { Vault } from '../sealing/vault.ts';
import { nodeHasher } from './node-hash.ts';
import { nodeSignatures } from './node-signatures.ts';
import { KEY_BYTES, type LogStore, type SignedHead } from './store.ts';

/** Something that is wrong with a log. */
export type LogFault =
  /** A part of the store cannot be read; what it holds is missing below. */
  | { readonly kind: 'unreadable'; readonly what: string }
  /** The bytes of an entry are not those that were appended. */
  | { readonly kind: 'entry-altered'; readonly index: number }
  /** The bytes of entries `from` on, before `to`, are gone, and no pruning in effect covers them. */
  | { readonly kind: 'entries-missing'; readonly from: number; readonly to: number }
  /** A pruning is in effect that the log does not announce. */
  | { readonly kind: 'pruning-unannounced'; readonly minimum: number }
  /** Two entries have one idempotency key. */
  | { readonly kind: 'entry-doubled'; readonly index: number; readonly first: number }
  /** Fewer entries than a head that was signed. */
  | { readonly kind: 'truncated'; readonly size: number; readonly signed: number }
  /** The entries lead to another root than a signed head; the difference lies from `from` on, before `to`. */
  | { readonly kind: 'history-rewritten'; readonly from: number; readonly to: number }
  /** A kept head without a valid signature of the log, or whose note says something else than its row. */
  | { readonly kind: 'head-invalid'; readonly size: number; readonly why: string }
  /** Heads that shrink, or that go back in time. */
  | { readonly kind: 'heads-disordered'; readonly size: number }
  /** The log signed two different trees of one size: proved by the two notes. */
  | { readonly kind: 'forked'; readonly size: number; readonly notes: readonly [string, string] }
  /** What readers are shown was never kept: a crash cannot do that. */
  | { readonly kind: 'published-unknown'; readonly size: number }
  /** A sealed part is gone though its key is there, or is not what its record says. */
  | { readonly kind: 'sealed-part-lost' | 'sealed-part-altered'; readonly index: number };

/** In one word, what was most likely done to the log. */
export type Diagnosis =
  | 'sound'
  | 'newest-removed'
  | 'removed'
  | 'reordered'
  | 'rewritten'
  | 'forked'
  | 'damaged';

export interface FsckReport {
  readonly entries: number;
  /** The first of them, whose bytes were pruned: their hashes were taken as they stand, and led to the signed heads. */
  readonly pruned: number;
  /** Root recomputed from the entries, base64. */
  readonly root: string;
  readonly heads: number;
  readonly faults: readonly LogFault[];
  /** What producers numbered and the log does not hold. Not a fault of the log: it may never have been sent. */
  readonly omissions: readonly Omission[];
  /** Entries of an unacknowledged batch at the end, torn by a crash; opening the log removes them. */
  readonly torn: number;
  readonly diagnosis: Diagnosis;
}

/** A log as it lies there, read without trusting any of it. */
export interface FsckSource {
  /** Entries in order. */
  entries(): AsyncIterable<FsckEntry>;
  /** Parts that could not be read, and torn entries at the end; known once `entries` is through. */
  found(): { readonly unreadable: readonly string[]; readonly torn: number };
  heads(): Promise<readonly SignedHead[]>;
  published(): Promise<string | undefined>;
  /** The minimum index that is in effect. */
  minimum(): Promise<number>;
}

/**
 * One entry. `altered`: it is not what the store's own hash says. `gone`: its bytes are not there, and only below the
 * minimum index is that as it should be.
 */
export type FsckEntry =
  | { readonly kind: 'whole' | 'altered'; readonly bytes: Uint8Array; readonly key: Uint8Array }
  | { readonly kind: 'gone'; readonly leaf: Uint8Array; readonly key: Uint8Array };

export interface FsckOptions {
  readonly source: FsckSource;
  readonly origin: string;
  /** Verifier keys of the log. */
  readonly keys: readonly string[];
  /** Signed notes that somebody outside kept: witnesses, auditors, partners. Without them a log that was rewritten and signed again looks sound. */
  readonly remembered?: readonly string[];
  /** Also checks sealed parts. */
  readonly vault?: Vault;
  readonly onProgress?: (entries: number) => void;
}

/** Recomputes everything from the entries and compares it with everything that was signed. Changes nothing. */
export async function fsck(options: FsckOptions): Promise<FsckReport> {
  const { source } = options;
  const faults: LogFault[] = [];
  const heads = await source.heads();
  const verifiers = options.keys.map((key) => noteVerifier(parseVerifierKey(key), nodeSignatures));
  const signed = [
    ...heads.flatMap((head) => checkedHead(head, options.origin, verifiers, faults)),
    ...rememberedHeads(options, verifiers),
  ];
  faults.push(...disordered(heads), ...forks(signed));
  faults.push(...(await publishedFault(source, heads)));

  const walk = await walkEntries(options, signed, faults);
  const { unreadable, torn } = source.found();
  faults.push(...unreadable.map((what): LogFault => ({ kind: 'unreadable', what })));
  return {
    entries: walk.size,
    pruned: walk.pruned,
    root: walk.root,
    heads: heads.length,
    faults,
    omissions: walk.omissions,
    torn,
    diagnosis: diagnose(faults, walk.omissions),
  };
}

/** A log in a store that can be opened, whatever it is made of. */
export function storeSource(store: LogStore): FsckSource {
  async function* entries(): AsyncGenerator<FsckEntry> {
    const hasher = nodeHasher();
    const { size } = await store.grow();
    for (let from = 0; from < size; from += TILE_WIDTH) {
      const [index, width] = [from / TILE_WIDTH, Math.min(TILE_WIDTH, size - from)];
      const bundle = await bundleIfThere(store, index, width);
      const leaves = await store.readTile({ kind: 'hashes', level: 0, index, width });
      const keys = await store.readKeys(from, from + width);
      for (let i = 0; i < width; i++) {
        const leaf = leaves.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES);
        const key = keys.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES);
        const bytes = bundle?.[i];
        if (bytes === undefined) yield { kind: 'gone', leaf, key };
        else yield { kind: sameBytes(hasher.leaf(bytes), leaf) ? 'whole' : 'altered', bytes, key };
      }
    }
  }
  return {
    entries,
    found: () => ({ unreadable: [], torn: 0 }),
    heads: () => store.heads(),
    published: () => store.published(),
    minimum: () => store.minimum(),
  };
}

async function bundleIfThere(
  store: LogStore,
  index: number,
  width: number,
): Promise<readonly Uint8Array[] | undefined> {
  try {
    return decodeBundle(await store.readBundle(index, width), width);
  } catch (error) {
    if (error instanceof LedgerError && (error.code === 'pruned' || error.code === 'damaged'))
      return undefined;
    throw error;
  }
}

interface SignedTree {
  readonly size: number;
  readonly root: Uint8Array;
  readonly note: string;
}

async function walkEntries(options: FsckOptions, signed: readonly SignedTree[], faults: LogFault[]) {
  const hasher = nodeHasher();
  const frontier = new Frontier(hasher);
  const validator = recordValidator();
  // Of what a producer wrote before the minimum index nobody can tell whether it was whole.
  const completeness = completenessCheck({ beginningIsGone: (await options.source.minimum()) > 0 });
  const doubled = doubleCheck();
  const due = [...signed].sort((a, b) => a.size - b.size);
  let sound = 0;
  let announced = 0;
  const gone: { from: number; to: number }[] = [];
  const compare = (): void => {
    for (let head = due[0]; head !== undefined && head.size === frontier.size; head = due[0]) {
      due.shift();
      if (sameBytes(head.root, frontier.root())) sound = head.size;
      else {
        faults.push({ kind: 'history-rewritten', from: sound, to: head.size });
        sound = head.size;
      }
    }
  };
  compare();
  for await (const entry of options.source.entries()) {
    const index = frontier.size;
    if (entry.kind === 'altered') faults.push({ kind: 'entry-altered', index });
    const first = doubled(entry.key, index);
    if (first !== undefined) faults.push({ kind: 'entry-doubled', index, first });
    frontier.append(entry.kind === 'gone' ? entry.leaf : hasher.leaf(entry.bytes));
    compare();
    if (frontier.size % 4096 === 0) options.onProgress?.(frontier.size);
    if (entry.kind === 'gone') {
      extend(gone, index);
      continue;
    }
    const record = recordOf(validator.parse, entry.bytes);
    if (record !== undefined) {
      completeness.see(index, record);
      if (record.event_name === 'comity.log.pruned') {
        announced = Math.max(announced, record.attributes['comity.prune.minimum']);
      }
      if (options.vault !== undefined) faults.push(...(await sealedFaults(options.vault, record, index)));
    }
  }
  // Asked for again: the process that appends may have pruned meanwhile.
  const minimum = await options.source.minimum();
  faults.push(...missingFrom(gone, minimum));
  if (minimum > announced) faults.push({ kind: 'pruning-unannounced', minimum });
  const largest = due.at(-1);
  if (largest !== undefined) faults.push({ kind: 'truncated', size: frontier.size, signed: largest.size });
  return {
    size: frontier.size,
    pruned: gone.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, minimum) - from), 0),
    root: Buffer.from(frontier.root()).toString('base64'),
    omissions: completeness.omissions(),
  };
}

/** Adds an entry to the runs of those whose bytes are gone. */
function extend(runs: { from: number; to: number }[], index: number): void {
  const last = runs.at(-1);
  if (last?.to === index) last.to = index + 1;
  else runs.push({ from: index, to: index + 1 });
}

function missingFrom(
  gone: readonly { readonly from: number; readonly to: number }[],
  minimum: number,
): readonly LogFault[] {
  return gone
    .filter(({ to }) => to > minimum)
    .map(({ from, to }) => ({ kind: 'entries-missing', from: Math.max(from, minimum), to }));
}

/** A kept head as a tree to compare with, or the fault that keeps it from being one. */
function checkedHead(
  head: SignedHead,
  origin: string,
  verifiers: readonly KeyVerifier[],
  faults: LogFault[],
): readonly SignedTree[] {
  const why = headProblem(head, origin, verifiers);
  if (why === undefined) return [head];
  faults.push({ kind: 'head-invalid', size: head.size, why });
  return [];
}

function headProblem(
  head: SignedHead,
  origin: string,
  verifiers: readonly KeyVerifier[],
): string | undefined {
  const checkpoint = signedCheckpoint(head.note, verifiers);
  if (typeof checkpoint === 'string') return checkpoint;
  if (checkpoint.origin !== origin) return 'note is of another log';
  if (checkpoint.size !== head.size || !sameBytes(checkpoint.root, head.root))
    return 'note is of another tree';
  return undefined;
}

/** The checkpoint of a note, or why it is none that the log signed. */
function signedCheckpoint(note: string, verifiers: readonly KeyVerifier[]): Checkpoint | string {
  try {
    const parsed = parseCheckpoint(note);
    if (verifyKnownSignatures(parsed.note, verifiers).length > 0) return parsed.checkpoint;
    return 'no signature by a key of the log';
  } catch (error) {
    if (error instanceof TlogError) return error.message;
    throw error;
  }
}

function rememberedHeads(options: FsckOptions, verifiers: readonly KeyVerifier[]): readonly SignedTree[] {
  return (options.remembered ?? []).flatMap((note) => {
    const checkpoint = signedCheckpoint(note, verifiers);
    if (typeof checkpoint === 'string' || checkpoint.origin !== options.origin) return [];
    return [{ size: checkpoint.size, root: checkpoint.root, note }];
  });
}

function disordered(heads: readonly SignedHead[]): readonly LogFault[] {
  return heads.flatMap((head, i): readonly LogFault[] => {
    const before = heads[i - 1];
    const goesBack = before !== undefined && (head.size < before.size || head.at < before.at);
    return goesBack ? [{ kind: 'heads-disordered', size: head.size }] : [];
  });
}

function forks(signed: readonly SignedTree[]): readonly LogFault[] {
  const bySize = new Map<number, SignedTree>();
  return signed.flatMap((head): readonly LogFault[] => {
    const other = bySize.get(head.size);
    if (other === undefined) {
      bySize.set(head.size, head);
      return [];
    }
    if (sameBytes(other.root, head.root)) return [];
    return [{ kind: 'forked', size: head.size, notes: [other.note, head.note] }];
  });
}

async function publishedFault(
  source: FsckSource,
  heads: readonly SignedHead[],
): Promise<readonly LogFault[]> {
  const note = await source.published();
  if (note === undefined || heads.some((head) => head.note === note)) return [];
  let size = -1;
  try {
    size = parseCheckpoint(note).checkpoint.size;
  } catch {
    // A note that cannot even be read is unknown all the same.
  }
  return [{ kind: 'published-unknown', size }];
}

async function sealedFaults(vault: Vault, record: AuditRecord, index: number): Promise<readonly LogFault[]> {
  const faults: LogFault[] = [];
  for (const { h, k } of record.sealed ?? []) {
    if ((await vault.key(k)) === undefined) continue;
    const bytes = await vault.get({ k, h });
    if (bytes === undefined) faults.push({ kind: 'sealed-part-lost', index });
    else if (Buffer.from(nodeHasher().sha256(bytes)).toString('base64url') !== h) {
      faults.push({ kind: 'sealed-part-altered', index });
    }
  }
  return faults;
}

function diagnose(faults: readonly LogFault[], omissions: readonly Omission[]): Diagnosis {
  const has = (kind: LogFault['kind']): boolean => faults.some((fault) => fault.kind === kind);
  if (faults.length === 0) return 'sound';
  if (has('forked')) return 'forked';
  if (has('entry-altered') || has('unreadable') || has('entries-missing')) return 'damaged';
  if (has('pruning-unannounced')) return 'removed';
  if (has('history-rewritten')) {
    if (omissions.some(({ kind }) => kind === 'sequence-disorder')) return 'reordered';
    const gap = omissions.some(({ kind }) => kind === 'sequence-gap');
    return gap || has('truncated') ? 'removed' : 'rewritten';
  }
  if (has('truncated')) return 'newest-removed';
  return 'damaged';
}

/** Tells whether a key was seen before, and where. Memory: some 50 bytes for each entry. */
function doubleCheck(): (key: Uint8Array, index: number) => number | undefined {
  const seen = new Map<bigint, number>();
  return (key, index) => {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    const name = (view.getBigUint64(0) << 64n) | view.getBigUint64(8);
    const first = seen.get(name);
    if (first === undefined) seen.set(name, index);
    return first;
  };
}

/** An entry as a record; undefined if it is something else, which a log may hold. */
function recordOf(parse: (bytes: Uint8Array) => AuditRecord, bytes: Uint8Array): AuditRecord | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  try {
    return parse(bytes);
  } catch {
    return undefined;
  }
}
