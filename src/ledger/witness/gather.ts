import { TlogError } from '../../tlog/errors.ts';
import { formatNote, type NoteSignature, parseNote } from '../../tlog/note.ts';
import { type Policy, witnessedNames } from '../../tlog/policy.ts';
import { TiledTree } from '../../tlog/tiled-tree.ts';
import type { Cosign } from '../log/log.ts';
import { nodeHasher } from '../log/node-hash.ts';
import type { LogStore, SignedHead } from '../log/store.ts';
import { addCheckpoint, submissionUrl, type WitnessAddress } from './client.ts';

/** Something about a witness that its log’s operator should know. */
export type WitnessProblem =
  | { readonly kind: 'absent' | 'refused'; readonly witness: string; readonly why: string }
  /** It remembers less than it cosigned for us before: it was restored from a backup, and may cosign a fork. */
  | { readonly kind: 'rolled-back'; readonly witness: string; readonly from: number; readonly to: number }
  /** It cosigned more than we have: our log was restored from a backup, or somebody else signs with its key. */
  | { readonly kind: 'ahead'; readonly witness: string; readonly size: number; readonly ours: number };

export interface GatherOptions {
  /** The witnesses with addresses are asked; its quorum decides what is published. */
  readonly policy: Policy;
  readonly store: LogStore;
  /** How long a witness may take, in milliseconds. Default 1000. */
  readonly patienceMs?: number;
  /** How long others may still take once the quorum is there, in milliseconds. Default 50. */
  readonly graceMs?: number;
  readonly onProblem?: (problem: WitnessProblem) => void;
}

/** Requests to one witness for one head: the first may only learn its size, and somebody may come in between. */
const MOST_TRIES = 3;

/**
 * Makes the hook that asks all witnesses at once and returns as soon as the quorum is there. It throws
 * {@link TlogError} `quorum-not-met` if it is not: the head is then kept and tried again, and the one before stays
 * published.
 * @throws {LedgerError} `key-invalid` for an address that may not be asked
 */
export function gatherCosignatures(options: GatherOptions): Cosign {
  const { policy, store, patienceMs = 1000, graceMs = 50, onProblem = warn } = options;
  const addresses = policy.witnesses.flatMap(({ name, key, url }): readonly WitnessAddress[] =>
    url === undefined ? [] : [{ name, key, url }],
  );
  for (const address of addresses) submissionUrl(address, 'add-checkpoint');
  /** What each witness cosigned last, as far as we know. */
  const sizes = new Map<string, number>();

  return async (head, previous) => {
    if (previous !== undefined) remember(sizes, addresses, previous);
    const tree = new TiledTree((tile) => store.readTile(tile), head.size, nodeHasher());
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(patienceMs)]);
    const cosigned = new Map<string, readonly NoteSignature[]>();
    let enough = (): void => undefined;
    const quorum = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const asked = addresses.map(async (address) => {
      const signatures = await ask(address, head, tree, sizes, signal, (problem) => {
        // Who is merely slower than the quorum has done nothing wrong.
        if (!stop.signal.aborted) onProblem(problem);
      });
      if (signatures === undefined) return;
      cosigned.set(address.name, signatures);
      if (quorumMet(policy, cosigned)) enough();
    });
    const all = Promise.all(asked);
    await Promise.race([all, quorum.then(() => delay(graceMs, all))]);
    stop.abort();
    if (!quorumMet(policy, cosigned)) throw notMet(policy, cosigned);
    return withSignatures(head.note, [...cosigned.values()].flat());
  };
}

/** Whoever signed the head before had seen it: also after a restart of the log. */
function remember(
  sizes: Map<string, number>,
  addresses: readonly WitnessAddress[],
  previous: SignedHead,
): void {
  const { signatures } = parseNote(previous.note);
  for (const { name, key } of addresses) {
    const signed = signatures.some((line) => line.name === key.name && line.keyId === key.keyId);
    if (signed && !sizes.has(name)) sizes.set(name, previous.size);
  }
}

async function ask(
  address: WitnessAddress,
  head: SignedHead,
  tree: TiledTree,
  sizes: Map<string, number>,
  signal: AbortSignal,
  onProblem: (problem: WitnessProblem) => void,
): Promise<readonly NoteSignature[] | undefined> {
  const { name } = address;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    // Of a witness that we do not know, size 0 asks what it remembers.
    const old = Math.min(sizes.get(name) ?? 0, head.size);
    const proof = await tree.consistencyProof(old);
    const answer = await addCheckpoint(address, { old, proof, note: head.note }, signal);
    switch (answer.kind) {
      case 'cosigned':
        sizes.set(name, head.size);
        return answer.signatures;
      case 'conflict': {
        const before = sizes.get(name);
        if (answer.size > head.size) {
          onProblem({ kind: 'ahead', witness: name, size: answer.size, ours: head.size });
          return undefined;
        }
        if (before !== undefined && answer.size < before) {
          onProblem({ kind: 'rolled-back', witness: name, from: before, to: answer.size });
        }
        sizes.set(name, answer.size);
        break;
      }
      default:
        onProblem({ kind: answer.kind, witness: name, why: answer.why });
        return undefined;
    }
  }
  onProblem({ kind: 'refused', witness: name, why: `changed its mind ${MOST_TRIES} times` });
  return undefined;
}

function quorumMet(policy: Policy, cosigned: ReadonlyMap<string, unknown>): boolean {
  return policy.quorum === 'none' || witnessedNames(policy, new Set(cosigned.keys())).has(policy.quorum);
}

function notMet(policy: Policy, cosigned: ReadonlyMap<string, unknown>): TlogError {
  const names = [...cosigned.keys()].join(', ');
  return new TlogError(
    'quorum-not-met',
    `too few witnesses cosigned for quorum \`${policy.quorum}\`: ${names === '' ? 'none' : names}`,
    'the checkpoint before stays published and appending goes on; see which witnesses are absent',
  );
}

/** The note with more signatures, none of them twice. */
function withSignatures(text: string, more: readonly NoteSignature[]): string {
  const note = parseNote(text);
  const others = note.signatures.filter(
    (old) => !more.some(({ name, keyId }) => name === old.name && keyId === old.keyId),
  );
  return formatNote({ text: note.text, signatures: [...others, ...more] });
}

/** Resolves after a time, or as soon as there is nothing left to wait for. */
async function delay(ms: number, sooner: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    sooner,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}

function warn(problem: WitnessProblem): void {
  process.emitWarning(`witness: ${JSON.stringify(problem)}`);
}
