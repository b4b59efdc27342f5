import { encodeBase64 } from '../../tlog/base64.ts';
import { type CheckpointNote, parseCheckpoint } from '../../tlog/checkpoint.ts';
import { TlogError } from '../../tlog/errors.ts';
import { sameBytes, type TreeHasher, treeHasher } from '../../tlog/hash.ts';
import { rootFromInclusion, verifyConsistency, verifyInclusion } from '../../tlog/merkle.ts';
import { parseVerifierKey } from '../../tlog/note-key.ts';
import { evaluatePolicy, type Policy, type PolicyEvaluation } from '../../tlog/policy.ts';
import { parseProof } from '../../tlog/proof.ts';
import type { SignatureVerifiers } from '../../tlog/signatures.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import { LedgerError, quoted } from '../errors.ts';
import { completenessCheck, type Omission } from '../record/completeness.ts';
import type { AuditRecord } from '../record/record.ts';
import { type DisclosedField, openDisclosure } from '../sealing/disclosure.ts';
import { digestsOf, Fault, indicesOf, positionOf, rotationOf, splitEntries, startsWith } from './contents.ts';
import { FILES, type Manifest, parseManifest, proofFile, splitHashes } from './manifest.ts';
import { checkRanges, rootFromMultiproof } from './multiproof.ts';
import type { FaultCode, Findings, Verdict } from './verdict.ts';
import { readZip } from './zip.ts';

/** What a verifier brings. Nothing in the evidence can add to it, except keys that a trusted key handed over to. */
export interface VerifierOptions {
  /** Which logs and witnesses the verifier trusts. Never taken from the evidence. */
  readonly policy: Policy;
  readonly signatures: SignatureVerifiers;
  /** The portable hasher unless given. */
  readonly hasher?: TreeHasher;
  /** Heads that the verifier has seen before, as signed notes: the memory that a fork cannot get around. */
  readonly remembered?: readonly string[];
  /** Reads an entry as a record, and throws if it is none. Without it entries may be anything. */
  readonly readRecord?: (bytes: Uint8Array) => AuditRecord;
}

/**
 * Verifies an evidence archive against the verifier's own policy. Runs offline and anywhere; never throws for what is
 * in the archive, whatever it is.
 * @throws {TlogError} `malformed-note` · `malformed-checkpoint` if a remembered head cannot be read
 */
export function verifyEvidence(archive: Uint8Array, options: VerifierOptions): Verdict {
  const remembered = (options.remembered ?? []).map((note) => ({ note, head: parseCheckpoint(note) }));
  try {
    return new Verification(archive, options, remembered).run();
  } catch (error) {
    if (error instanceof Fault) return invalidVerdict(error.code, error.message, error.indices);
    if (error instanceof LedgerError) return invalidVerdict('malformed', error.message);
    if (error instanceof TlogError) return invalidVerdict(faultOf(error), error.message);
    throw error;
  }
}

/** Two signed heads that contradict each other, and how that was seen. */
interface Contradiction {
  readonly notes: readonly [string, string];
  readonly message: string;
}

class Verification {
  readonly #options: VerifierOptions;
  readonly #remembered: readonly SignedNote[];
  readonly #hasher: TreeHasher;
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #manifest: Manifest;
  readonly #note: string;
  readonly #head: CheckpointNote;

  constructor(archive: Uint8Array, options: VerifierOptions, remembered: readonly SignedNote[]) {
    this.#options = options;
    this.#remembered = remembered;
    this.#hasher = options.hasher ?? treeHasher();
    this.#files = readZip(archive);
    this.#manifest = parseManifest(this.#file(FILES.manifest));
    this.#note = decodeUtf8(this.#file(FILES.checkpoint)) ?? '';
    this.#head = parseCheckpoint(this.#note);
  }

  /** The way of an auditor: whose log, which head, signed by whom, the same for everybody, then the records. */
  run(): Verdict {
    this.#checkIdentity();
    const policy = this.#followSuccessions();
    const evaluation = this.#trusted(policy, this.#head);
    const { heads: remembered, unusable } = this.#rememberedHeads(policy);
    const current: SignedNote = { note: this.#note, head: this.#head };
    const contradiction = firstContradiction([current, ...this.#olderHeads(policy), ...remembered]);
    if (contradiction !== undefined) return equivocation(contradiction);

    const entries = splitEntries(this.#file(FILES.entries), this.#manifest.ranges);
    this.#checkEntries(entries);
    const forked = this.#recomputed(remembered, entries);
    if (forked !== undefined) return equivocation(forked);

    const { extended, notCompared } = this.#compare(remembered);
    const findings: Findings = {
      origin: this.#manifest.origin,
      size: this.#manifest.size,
      root: encodeBase64(this.#head.checkpoint.root),
      ranges: this.#manifest.ranges,
      records: entries.length,
      disclosed: this.#checkDisclosures(entries),
      witnesses: evaluation.cosignatures.map(({ witness }) => witness.name),
      noLaterThan: medianTime(evaluation),
      extended,
      notCompared: [...notCompared, ...unusable],
      omissions: this.#checkRecords(entries),
    };
    return verdictOf(evaluation, policy, findings);
  }

  #checkIdentity(): void {
    const { origin, size, ranges } = this.#manifest;
    const { checkpoint } = this.#head;
    if (checkpoint.origin !== origin) {
      throw new Fault(
        'malformed',
        `checkpoint is of ${quoted(checkpoint.origin)}, the evidence of ${quoted(origin)}`,
      );
    }
    if (checkpoint.size !== size) {
      throw new Fault('malformed', `checkpoint covers ${checkpoint.size} entries, the evidence says ${size}`);
    }
    checkRanges(ranges, size);
  }

  /** A key is trusted if a trusted key's head contains the record by which it takes over. */
  #followSuccessions(): Policy {
    let policy = this.#options.policy;
    for (const { note, index, entry, inclusion } of this.#manifest.successions) {
      const head = parseCheckpoint(note);
      this.#trusted(policy, head);
      const { size, root } = head.checkpoint;
      verifyInclusion({ index, size, leaf: this.#hasher.leaf(entry), root }, inclusion, this.#hasher);
      const { vkey, previous } = rotationOf(entry);
      const key = parseVerifierKey(vkey);
      const older = parseVerifierKey(previous);
      const known = policy.logs.some(
        (log) => log.key.keyId === older.keyId && sameBytes(log.key.publicKey, older.publicKey),
      );
      if (!known || key.name !== this.#manifest.origin) {
        throw new Fault(
          'log-not-trusted',
          `key ${quoted(key.name)} does not take over from a key that you trust`,
        );
      }
      policy = { ...policy, logs: [...policy.logs, { key, url: undefined }] };
    }
    return policy;
  }

  #trusted(policy: Policy, head: CheckpointNote): PolicyEvaluation {
    const evaluation = evaluatePolicy(policy, head, this.#options.signatures);
    if (head.checkpoint.origin === this.#manifest.origin && evaluation.logs.length > 0) return evaluation;
    throw new Fault(
      'log-not-trusted',
      `checkpoint of ${quoted(head.checkpoint.origin)} is not signed by a log that your policy trusts`,
    );
  }

  #rememberedHeads(policy: Policy): {
    readonly heads: readonly SignedNote[];
    readonly unusable: readonly number[];
  } {
    const heads: SignedNote[] = [];
    const unusable: number[] = [];
    for (const remembered of this.#remembered) {
      const { checkpoint } = remembered.head;
      if (isTrusted(policy, remembered.head, this.#manifest.origin, this.#options.signatures))
        heads.push(remembered);
      else unusable.push(checkpoint.size);
    }
    return { heads, unusable };
  }

  #olderHeads(policy: Policy): readonly SignedNote[] {
    return [...this.#manifest.heads, ...this.#manifest.successions].map(({ note, consistency }) => {
      const head = parseCheckpoint(note);
      this.#trusted(policy, head);
      if (head.checkpoint.size !== this.#manifest.size) this.#checkExtends(head, consistency);
      return { note, head };
    });
  }

  /** Where the archive holds the log from its beginning, older roots can be recomputed rather than believed. */
  #recomputed(heads: readonly SignedNote[], entries: readonly Uint8Array[]): Contradiction | undefined {
    for (const { note, head } of heads) {
      const { size, root } = head.checkpoint;
      if (size === 0 || size > this.#manifest.size || !startsWith(this.#manifest.ranges, size)) continue;
      let next = 0;
      const leaf = (): Uint8Array => this.#hasher.leaf(entries[next++] ?? EMPTY);
      const recomputed = rootFromMultiproof([{ from: 0, to: size }], size, leaf, [], this.#hasher);
      if (!sameBytes(recomputed, root)) {
        return {
          notes: [note, this.#note],
          message: `log signed a head of ${size} entries and later a history that does not contain it`,
        };
      }
    }
    return undefined;
  }

  #compare(heads: readonly SignedNote[]) {
    const extended: number[] = [];
    const notCompared: number[] = [];
    // Heads of one size have one root by now, or this would be an equivocation.
    const shown = new Set(this.#manifest.heads.map(({ note }) => parseCheckpoint(note).checkpoint.size));
    for (const { head } of heads) {
      const { size } = head.checkpoint;
      const same = size === this.#manifest.size || size === 0 || shown.has(size);
      const recomputed = size <= this.#manifest.size && startsWith(this.#manifest.ranges, size);
      (same || recomputed ? extended : notCompared).push(size);
    }
    return { extended, notCompared };
  }

  #checkExtends(older: CheckpointNote, consistency: readonly Uint8Array[]): void {
    const { size, root } = this.#head.checkpoint;
    verifyConsistency(
      { oldSize: older.checkpoint.size, oldRoot: older.checkpoint.root, newSize: size, newRoot: root },
      consistency,
      this.#hasher,
    );
  }

  #checkEntries(entries: readonly Uint8Array[]): void {
    const { ranges, size } = this.#manifest;
    const { root } = this.#head.checkpoint;
    let next = 0;
    const leaf = (): Uint8Array => this.#hasher.leaf(entries[next++] ?? EMPTY);
    const proof = splitHashes(this.#file(FILES.proof));
    const recomputed = rootFromMultiproof(ranges, size, leaf, proof, this.#hasher);
    if (sameBytes(recomputed, root)) {
      this.#checkSingleProofs(entries);
      return;
    }
    const altered = this.#alteredEntries(entries);
    const which = altered.length === 0 ? '' : `, among them ${altered.slice(0, 10).join(', ')}`;
    throw new Fault('entries-altered', `entries are not those that the log signed${which}`, altered);
  }

  /** Which entries their own proofs disown, where the archive has such proofs. */
  #alteredEntries(entries: readonly Uint8Array[]): readonly number[] {
    return this.#singleProofs(entries).flatMap(({ index, entry, file }) => {
      try {
        const { hashes } = parseProof(file);
        const { size, root } = this.#head.checkpoint;
        const leaf = this.#hasher.leaf(entry);
        return sameBytes(rootFromInclusion({ index, size, leaf }, hashes, this.#hasher), root) ? [] : [index];
      } catch {
        return [];
      }
    });
  }

  /** Proofs for other tools must not say something else than this archive. */
  #checkSingleProofs(entries: readonly Uint8Array[]): void {
    for (const { index, entry, file } of this.#singleProofs(entries)) {
      const proof = parseProof(file);
      const { size, root, origin } = proof.checkpoint.checkpoint;
      if (origin !== this.#manifest.origin || proof.index !== index || size !== this.#manifest.size) {
        throw new Fault('proof-rejected', `proof of entry ${index} is of another entry or tree`, [index]);
      }
      if (!sameBytes(root, this.#head.checkpoint.root)) {
        throw new Fault('proof-rejected', `proof of entry ${index} leads to another root`, [index]);
      }
      verifyInclusion({ index, size, leaf: this.#hasher.leaf(entry), root }, proof.hashes, this.#hasher);
    }
  }

  #singleProofs(entries: readonly Uint8Array[]) {
    const any = [...this.#files.keys()].some((name) => name.startsWith('proofs/'));
    if (!any) return [];
    return [...indicesOf(this.#manifest.ranges)].flatMap((index, i) => {
      const file = this.#files.get(proofFile(index));
      const entry = entries[i];
      return file === undefined || entry === undefined ? [] : [{ index, entry, file }];
    });
  }

  #checkDisclosures(entries: readonly Uint8Array[]) {
    return this.#manifest.disclosures.map(({ index, disclosures }) => {
      const entry = entries[positionOf(this.#manifest.ranges, index)];
      if (entry === undefined) throw new Fault('disclosure-rejected', `entry ${index} is not shown`, [index]);
      const sd = digestsOf(entry);
      return {
        index,
        fields: disclosures.map((text): DisclosedField => {
          try {
            return openDisclosure(text, sd, this.#hasher.sha256);
          } catch (error) {
            const why = error instanceof Error ? error.message : String(error);
            throw new Fault('disclosure-rejected', `entry ${index}: ${why}`, [index]);
          }
        }),
      };
    });
  }

  /** Every entry is a record; if the whole log is shown, the producers' sequences tell what is missing. */
  #checkRecords(entries: readonly Uint8Array[]): readonly Omission[] | undefined {
    const { readRecord } = this.#options;
    if (readRecord === undefined) return undefined;
    const check = completenessCheck();
    let i = 0;
    for (const index of indicesOf(this.#manifest.ranges)) {
      const entry = entries[i++] ?? EMPTY;
      try {
        check.see(index, readRecord(entry));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Fault('record-invalid', `entry ${index}: ${why}`, [index]);
      }
    }
    const whole = startsWith(this.#manifest.ranges, this.#manifest.size);
    return whole ? check.omissions({ inOrder: false }) : undefined;
  }

  #file(name: string): Uint8Array {
    const bytes = this.#files.get(name);
    if (bytes !== undefined) return bytes;
    throw new Fault('malformed', `archive has no file ${quoted(name)}`);
  }
}

interface SignedNote {
  readonly note: string;
  readonly head: CheckpointNote;
}

/** Two heads of one size with two roots need no proof. */
function firstContradiction(heads: readonly SignedNote[]): Contradiction | undefined {
  const bySize = new Map<number, SignedNote>();
  for (const signed of heads) {
    const { size, root } = signed.head.checkpoint;
    const other = bySize.get(size);
    if (other === undefined) bySize.set(size, signed);
    else if (!sameBytes(other.head.checkpoint.root, root)) {
      return {
        notes: [signed.note, other.note],
        message: `log signed two different trees of ${size} entries`,
      };
    }
  }
  return undefined;
}

function equivocation({ notes, message }: Contradiction): Verdict {
  return { kind: 'EQUIVOCATION', message, notes };
}

function isTrusted(
  policy: Policy,
  head: CheckpointNote,
  origin: string,
  signatures: SignatureVerifiers,
): boolean {
  if (head.checkpoint.origin !== origin) return false;
  try {
    return evaluatePolicy(policy, head, signatures).logs.length > 0;
  } catch (error) {
    if (error instanceof TlogError) return false;
    throw error;
  }
}

const EMPTY = new Uint8Array(0);

function verdictOf(evaluation: PolicyEvaluation, policy: Policy, findings: Findings): Verdict {
  const { quorum } = policy;
  if (quorum === 'none' || evaluation.cosignatures.length === 0) return { kind: 'LOG-SIGNED ONLY', findings };
  return { kind: evaluation.quorum ? 'VERIFIED' : 'QUORUM NOT MET', findings, quorum };
}

/** No later than: half of the witnesses that stated a time had seen the head by then. */
function medianTime(evaluation: PolicyEvaluation): number | undefined {
  const times = evaluation.cosignatures.map(({ time }) => time).filter((time) => time > 0);
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}

function invalidVerdict(fault: FaultCode, message: string, indices: readonly number[] = []): Verdict {
  return { kind: 'INVALID', fault, message, indices };
}

function faultOf(error: TlogError): FaultCode {
  switch (error.code) {
    case 'signature-rejected':
      return 'signature-rejected';
    case 'signature-missing':
    case 'wrong-origin':
      return 'log-not-trusted';
    case 'proof-rejected':
    case 'out-of-range':
    case 'malformed-hash':
      return 'proof-rejected';
    default:
      return 'malformed';
  }
}
