import { decodeBundle } from '../../tlog/bundle.ts';
import { type CheckpointNote, parseCheckpoint } from '../../tlog/checkpoint.ts';
import { type KeyVerifier, noteVerifier } from '../../tlog/cosignature.ts';
import { TlogError } from '../../tlog/errors.ts';
import { HASH_BYTES, sameBytes } from '../../tlog/hash.ts';
import { verifyConsistency } from '../../tlog/merkle.ts';
import { verifyKnownSignatures, verifyNote } from '../../tlog/note.ts';
import { evaluatePolicy, type Policy, type PolicyLog, type PolicyWitness } from '../../tlog/policy.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { TiledTree } from '../../tlog/tiled-tree.ts';
import { LedgerError } from '../errors.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { nodeSignatures } from '../log/node-signatures.ts';
import { recordValidator } from '../record/validate.ts';
import { monitoredCheckpoint, reasonOf } from './client.ts';
import { RemoteLog } from './remote-log.ts';
import { type SplitView, splitView } from './split-view.ts';
import { originHash } from './witness.ts';

/** What a monitor noticed. */
export type MonitorFinding =
  /** The log signed two histories. `proof` shows it to anybody, without this monitor. */
  | { readonly kind: 'split-view'; readonly message: string; readonly proof: SplitView }
  | { readonly kind: 'log-absent'; readonly why: string }
  /** What the log serves is not signed by it, or is of another log. */
  | { readonly kind: 'log-invalid'; readonly why: string }
  /** Its tiles or entries do not lead to the head that it signed. */
  | { readonly kind: 'tiles-wrong'; readonly size: number; readonly why: string }
  /** It still shows less than a head that it had signed at the last look. */
  | { readonly kind: 'log-behind'; readonly size: number; readonly signed: number }
  /** The head that it serves lacks the quorum of the policy. */
  | { readonly kind: 'quorum-not-met'; readonly size: number; readonly witnesses: readonly string[] }
  | { readonly kind: 'witness-absent'; readonly witness: string; readonly why: string }
  /** It serves what it did not cosign, or what the log did not sign. */
  | { readonly kind: 'witness-invalid'; readonly witness: string; readonly why: string };

/** What a monitor remembers of one log. */
export interface MonitorMemory {
  /** The largest head that everything else was consistent with. */
  readonly head: string | undefined;
  /** Signed heads that are larger: compared once the log shows as much. */
  readonly pending: readonly string[];
  /** What was proved once stays proved, whatever the log shows later. */
  readonly proofs: readonly SplitView[];
}

/** The memory of a monitor that has not looked yet. */
export const NEW_MONITOR: MonitorMemory = { head: undefined, pending: [], proofs: [] };

/** One look at a log. */
export interface MonitorReport {
  readonly origin: string;
  /** Of the head that the log serves; undefined if it serves none that is its own. */
  readonly size: number | undefined;
  /** Heads that were compared: of the log, of witnesses, remembered ones. */
  readonly compared: number;
  /** Entries that were read and hashed. */
  readonly entries: number;
  /** New entries that could not be read, because the log has pruned them, as it announces. Only their hashes were. */
  readonly pruned: number;
  readonly findings: readonly MonitorFinding[];
  readonly memory: MonitorMemory;
}

export interface MonitorOptions {
  /** Logs and witnesses, with the addresses that they serve at. */
  readonly policy: Policy;
  /** Also reads every new entry: a log that withholds entries under a good head is found by that only. */
  readonly entries?: boolean;
  /** Given every new entry, in order. */
  readonly onEntries?: (from: number, entries: readonly Uint8Array[]) => void;
  /** How long one request may take, in milliseconds. Default 10 000. */
  readonly patienceMs?: number;
  readonly onProgress?: (entries: number, total: number) => void;
}

/** A signed head, and who has it. */
interface Head extends CheckpointNote {
  readonly text: string;
  readonly seenBy: string;
}

/**
 * Looks once at a log and its witnesses, and compares all heads with each other and with what is remembered. Never
 * throws for what the log or a witness does.
 * @throws {LedgerError} `key-invalid` for an address that may not be asked
 */
export async function monitorLog(
  log: PolicyLog & { readonly url: string },
  memory: MonitorMemory,
  options: MonitorOptions,
): Promise<MonitorReport> {
  const remote = new RemoteLog(log.key.name, log.url, options.patienceMs ?? 10_000);
  return new Look(log, remote, memory, options).run();
}

class Look {
  readonly #origin: string;
  readonly #remote: RemoteLog;
  readonly #memory: MonitorMemory;
  readonly #options: MonitorOptions;
  readonly #verifiers: readonly KeyVerifier[];
  readonly #findings: MonitorFinding[] = [];
  #compared = 0;
  #entries = 0;
  #pruned = 0;

  constructor(log: PolicyLog, remote: RemoteLog, memory: MonitorMemory, options: MonitorOptions) {
    this.#origin = log.key.name;
    this.#remote = remote;
    this.#memory = memory;
    this.#options = options;
    this.#verifiers = options.policy.logs
      .filter(({ key }) => key.name === this.#origin)
      .map(({ key }) => noteVerifier(key, nodeSignatures));
  }

  async run(): Promise<MonitorReport> {
    const [published, ...witnessed] = await Promise.all([
      this.#publishedHead(),
      ...this.#options.policy.witnesses.map((witness) => this.#witnessHead(witness)),
    ]);
    const remembered = [
      ...(this.#memory.head === undefined ? [] : [this.#memory.head]),
      ...this.#memory.pending,
    ].map((text): Head => ({ ...parseCheckpoint(text), text, seenBy: MONITOR }));
    const heads = [...(published === undefined ? [] : [published]), ...witnessed, ...remembered].filter(
      (head) => head !== undefined,
    );
    this.#compared = heads.length;
    for (const proof of this.#memory.proofs) {
      this.#findings.push({
        kind: 'split-view',
        message: 'log signed two histories, as was proved before',
        proof,
      });
    }
    this.#compareSizes(heads);
    if (published !== undefined) {
      this.#checkQuorum(published);
      await this.#compareWith(published, heads);
    }
    return {
      origin: this.#origin,
      size: published?.checkpoint.size,
      compared: this.#compared,
      entries: this.#entries,
      pruned: this.#pruned,
      findings: this.#findings,
      memory: this.#remember(published, heads),
    };
  }

  async #publishedHead(): Promise<Head | undefined> {
    let text: string;
    try {
      text = await this.#remote.checkpoint();
    } catch (error) {
      this.#findings.push({ kind: 'log-absent', why: reasonOf(error) });
      return undefined;
    }
    const why = this.#problemOf(text);
    if (why === undefined) return { ...parseCheckpoint(text), text, seenBy: 'the log' };
    this.#findings.push({ kind: 'log-invalid', why });
    return undefined;
  }

  /** The newest head that a witness cosigned. It counts if the log signed it: then the log has to stand by it. */
  async #witnessHead({ name, key, url }: PolicyWitness): Promise<Head | undefined> {
    if (url === undefined) return undefined;
    let text: string | undefined;
    try {
      const signal = AbortSignal.timeout(this.#options.patienceMs ?? 10_000);
      text = await monitoredCheckpoint({ name, url }, originHash(this.#origin), signal);
    } catch (error) {
      this.#findings.push({ kind: 'witness-absent', witness: name, why: reasonOf(error) });
      return undefined;
    }
    if (text === undefined) return undefined;
    const invalid = (why: string): undefined => {
      this.#findings.push({ kind: 'witness-invalid', witness: name, why });
      return undefined;
    };
    const why = this.#problemOf(text);
    if (why !== undefined) return invalid(why);
    const parsed = parseCheckpoint(text);
    try {
      verifyNote(parsed.note, [noteVerifier(key, nodeSignatures)]);
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
      return invalid(error.message);
    }
    return { ...parsed, text, seenBy: `witness ${name}` };
  }

  /** Why a note is no head of this log; undefined if it is. */
  #problemOf(text: string): string | undefined {
    try {
      const { checkpoint, note } = parseCheckpoint(text);
      if (checkpoint.origin !== this.#origin) return 'checkpoint is of another log';
      return verifyKnownSignatures(note, this.#verifiers).length > 0 ? undefined : 'not signed by the log';
    } catch (error) {
      if (error instanceof TlogError) return error.message;
      throw error;
    }
  }

  /** Two heads of one size need nothing but their notes. */
  #compareSizes(heads: readonly Head[]): void {
    const bySize = new Map<number, Head>();
    for (const head of heads) {
      const other = bySize.get(head.checkpoint.size);
      if (other === undefined) bySize.set(head.checkpoint.size, head);
      else if (!sameBytes(other.checkpoint.root, head.checkpoint.root)) this.#split(other, head);
    }
  }

  #split(
    a: Head,
    b: Head,
    link?: { readonly root: Uint8Array; readonly consistency: readonly Uint8Array[] },
  ): void {
    const [smaller, larger] = a.checkpoint.size <= b.checkpoint.size ? [a, b] : [b, a];
    const notes = [smaller.text, larger.text];
    if (this.#memory.proofs.some((proof) => proof.notes.every((note, i) => note === notes[i]))) return;
    this.#findings.push({
      kind: 'split-view',
      message: `log signed a head of ${smaller.checkpoint.size} entries (${smaller.seenBy}) and one of ${larger.checkpoint.size} (${larger.seenBy}) that contradict each other`,
      proof: splitView(smaller.text, larger.text, link),
    });
  }

  #checkQuorum(published: Head): void {
    try {
      const { quorum, cosignatures } = evaluatePolicy(this.#options.policy, published, nodeSignatures);
      if (quorum) return;
      const witnesses = cosignatures.map(({ witness }) => witness.name);
      this.#findings.push({ kind: 'quorum-not-met', size: published.checkpoint.size, witnesses });
    } catch (error) {
      if (!(error instanceof TlogError)) throw error;
      this.#findings.push({ kind: 'log-invalid', why: error.message });
    }
  }

  /** Every other head must be a beginning of the one that is served. */
  async #compareWith(published: Head, heads: readonly Head[]): Promise<void> {
    const { size, root } = published.checkpoint;
    const tree = new TiledTree((tile) => this.#remote.tile(tile), size, nodeHasher());
    try {
      if (!sameBytes(await tree.root(), root)) throw new Error('they lead to another root');
      for (const head of heads) await this.#compare(tree, published, head);
      if (this.#options.entries === true) await this.#readEntries(tree, published);
    } catch (error) {
      this.#findings.push({ kind: 'tiles-wrong', size, why: reasonOf(error) });
    }
  }

  async #compare(tree: TiledTree, published: Head, head: Head): Promise<void> {
    const { size, root } = published.checkpoint;
    const { size: oldSize, root: signedRoot } = head.checkpoint;
    if (oldSize > size) {
      // Witnesses see a head a moment before it is published: only one that was there at the last look is late.
      if (head.seenBy === MONITOR) this.#findings.push({ kind: 'log-behind', size, signed: oldSize });
      return;
    }
    if (oldSize === 0 || oldSize === size) return;
    const oldRoot = await tree.root(oldSize);
    const consistency = await tree.consistencyProof(oldSize);
    // Whatever the tiles say: this ties the root of the beginning to the head that the log signed.
    verifyConsistency({ oldSize, oldRoot, newSize: size, newRoot: root }, consistency, nodeHasher());
    if (!sameBytes(oldRoot, signedRoot)) this.#split(head, published, { root: oldRoot, consistency });
  }

  /** Reads what is new and recomputes the root from it. */
  async #readEntries(tree: TiledTree, published: Head): Promise<void> {
    const { size, root } = published.checkpoint;
    const from = Math.min(size, headSize(this.#memory.head));
    const hasher = nodeHasher();
    const frontier = await tree.frontier(from);
    let withheld = 0;
    let announced = 0;
    for (let at = from; at < size; ) {
      const index = Math.floor(at / TILE_WIDTH);
      const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
      const offset = at - index * TILE_WIDTH;
      const tile = await this.#remote.tile({ kind: 'hashes', level: 0, index, width });
      const bundle = await this.#bundle(index, width);
      if (bundle === undefined) {
        withheld = index * TILE_WIDTH + width;
        this.#pruned += width - offset;
      } else {
        // Proofs are made from the tiles, so they must say the same as the entries.
        if (!sameBytes(tile, Buffer.concat(bundle.map((entry) => hasher.leaf(entry)))))
          throw new Error(`entries and hashes from ${index * TILE_WIDTH} on differ`);
        const fresh = bundle.slice(offset);
        announced = Math.max(announced, ...fresh.map(announcedMinimum));
        this.#options.onEntries?.(at, fresh);
        this.#entries += fresh.length;
      }
      for (let i = offset; i < width; i++) frontier.append(tile.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES));
      at = index * TILE_WIDTH + width;
      this.#options.onProgress?.(at, size);
    }
    if (!sameBytes(frontier.root(), root)) throw new Error('entries lead to another root');
    // An announcement stands above what it is about, so whoever reads on from there must meet it.
    if (withheld > announced)
      throw new Error(`entries before ${withheld} are withheld as pruned, and the log does not announce it`);
  }

  /** The entries of a bundle; undefined if the log says that they were pruned. */
  async #bundle(index: number, width: number): Promise<readonly Uint8Array[] | undefined> {
    try {
      return decodeBundle(await this.#remote.tile({ kind: 'entries', index, width }), width);
    } catch (error) {
      if (error instanceof LedgerError && error.code === 'pruned') return undefined;
      throw error;
    }
  }

  #remember(published: Head | undefined, heads: readonly Head[]): MonitorMemory {
    const broken = this.#findings.some(({ kind }) => kind === 'split-view' || kind === 'tiles-wrong');
    // After a contradiction nothing is forgotten: both sides stay to be shown again.
    const kept = headSize(this.#memory.head);
    const advance = published !== undefined && !broken && published.checkpoint.size >= kept;
    const head = advance ? published.text : this.#memory.head;
    const size = headSize(head);
    const pending = heads.filter(
      ({ checkpoint, text }) => text !== head && (broken || checkpoint.size > size) && checkpoint.size > 0,
    );
    const proofs = this.#findings.flatMap((finding) =>
      finding.kind === 'split-view' ? [finding.proof] : [],
    );
    return {
      head,
      pending: [...new Set(pending.map(({ text }) => text))].slice(0, MOST_PENDING),
      proofs: proofs.slice(0, MOST_PENDING),
    };
  }
}

const MONITOR = 'this monitor';

/** Heads that are remembered beside the one that all agree on. */
const MOST_PENDING = 64;

const PRUNED = Buffer.from('"comity.log.pruned"');

/** The minimum index that an entry announces; 0 if it is no such announcement. */
function announcedMinimum(entry: Uint8Array): number {
  if (!Buffer.from(entry.buffer, entry.byteOffset, entry.length).includes(PRUNED)) return 0;
  try {
    const record = recordValidator().parse(entry);
    return record.event_name === 'comity.log.pruned' ? record.attributes['comity.prune.minimum'] : 0;
  } catch {
    return 0;
  }
}

function headSize(note: string | undefined): number {
  return note === undefined ? 0 : parseCheckpoint(note).checkpoint.size;
}
