import { decodeBundle } from '../../tlog/bundle.ts';
import { sameBytes } from '../../tlog/hash.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { LedgerError } from '../errors.ts';
import { nodeHasher } from './node-hash.ts';
import { KEY_BYTES, type LogStore, type NewEntry, PRUNE_STEP, type TreeHead } from './store.ts';

/** Bundles that are copied at once: 2,048 entries. */
const STEP_BUNDLES = 8;

/**
 * Copies a log into an empty store: entries, keys, signed heads, prunings; of entries that were pruned the hashes and
 * keys. Its tree, and so every proof, stays what it was; the
 * signing key is the caller's to bring. Nobody may append to `from` meanwhile. After an interruption it can be run
 * again: what is there already is not copied twice.
 * @param onProgress told how many entries have been copied
 * @throws {LedgerError} `damaged` if the copy does not lead to the heads that were signed
 */
export async function moveLog(
  from: LogStore,
  to: LogStore,
  onProgress: (copied: number, total: number) => void = () => undefined,
): Promise<TreeHead> {
  const source = await from.grow();
  const hasher = nodeHasher();
  const step = STEP_BUNDLES * TILE_WIDTH;
  const minimum = await copyPruned(from, to, source.size, onProgress);
  for (let at = minimum; at < source.size; at += step) {
    const end = Math.min(at + step, source.size);
    const keys = await from.readKeys(at, end);
    const entries: NewEntry[] = [];
    for (let start = at; start < end; start += TILE_WIDTH) {
      const width = Math.min(TILE_WIDTH, end - start);
      for (const bytes of decodeBundle(await from.readBundle(start / TILE_WIDTH, width), width)) {
        const key = keys.subarray(entries.length * KEY_BYTES, (entries.length + 1) * KEY_BYTES);
        entries.push({ bytes, leaf: hasher.leaf(bytes), key });
      }
    }
    const places = await to.append(entries);
    const wrong = places.findIndex((place, i) => place.index !== at + i || place.kind === 'conflict');
    if (wrong !== -1) throw notEmpty();
    onProgress(end, source.size);
  }
  const copy = await to.grow();
  if (copy.size !== source.size || !sameBytes(copy.root, source.root)) throw notEmpty();
  await copyHeads(from, to);
  return copy;
}

/** Copies the prunings, and then what is left of the entries that they are about. @returns the minimum index */
async function copyPruned(
  from: LogStore,
  to: LogStore,
  total: number,
  onProgress: (copied: number, total: number) => void,
): Promise<number> {
  const minimum = await from.minimum();
  if ((await to.minimum()) > minimum) throw notEmpty();
  // First: without a minimum index in effect the target would hold its missing bytes to be damage.
  const there = await to.prunings();
  for (const pruning of (await from.prunings()).slice(there.length)) await to.keepPruning(pruning);
  for (let { size } = await to.grow(); size < minimum; size += PRUNE_STEP) {
    const leaves: Uint8Array[] = [];
    for (let index = size / TILE_WIDTH; index < (size + PRUNE_STEP) / TILE_WIDTH; index++) {
      leaves.push(await from.readTile({ kind: 'hashes', level: 0, index, width: TILE_WIDTH }));
    }
    await to.adoptPruned(Buffer.concat(leaves), await from.readKeys(size, size + PRUNE_STEP));
    onProgress(size + PRUNE_STEP, total);
  }
  return minimum;
}

async function copyHeads(from: LogStore, to: LogStore): Promise<void> {
  const there = await to.heads();
  const heads = await from.heads();
  let previous = there.at(-1);
  if (there.some((head, i) => head.note !== heads[i]?.note)) throw notEmpty();
  for (const head of heads.slice(there.length)) {
    if (!(await to.swapHead(previous, head))) throw notEmpty();
    previous = head;
  }
  if (previous !== undefined) await to.publish(previous);
}

function notEmpty(): LedgerError {
  return new LedgerError(
    'damaged',
    'the target holds something else than the log that is being moved',
    'move into an empty store',
  );
}
