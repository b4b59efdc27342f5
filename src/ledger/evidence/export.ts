import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { ENTRY_FRAME_BYTES } from '../../tlog/bundle.ts';
import { type CheckpointNote, parseCheckpoint } from '../../tlog/checkpoint.ts';
import { formatProof } from '../../tlog/proof.ts';
import { encodeUtf8 } from '../../tlog/text.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import { nodeReader, TiledTree, tilesOfNodes } from '../../tlog/tiled-tree.ts';
import { LedgerError } from '../errors.ts';
import { nodeHasher } from '../log/node-hash.ts';
import type { LogStore } from '../log/store.ts';
import type { Disclosure } from '../sealing/disclosure.ts';
import { FILES, formatManifest, type OlderHead, proofFile, type Succession } from './manifest.ts';
import { checkRanges, multiproofNodes, type Range } from './multiproof.ts';
import { type ZipTarget, ZipWriter } from './zip.ts';

export interface ExportOptions {
  readonly store: LogStore;
  /** Which entries: in order, apart ({@link rangesOf} makes such ranges). */
  readonly ranges: readonly Range[];
  /** The head to prove under. Default: the one published last. */
  readonly note?: string;
  /** Fields to show in the clear. */
  readonly disclosures?: readonly { readonly index: number; readonly disclosures: readonly Disclosure[] }[];
  /** Older heads that the verifier may remember, as signed notes; the archive proves that they were extended. */
  readonly olderHeads?: readonly string[];
  /**
   * Hand-overs from one log key to the next, oldest first: index of the `comity.key.rotated` record, and a head that
   * contains it, signed by the older key.
   */
  readonly successions?: readonly { readonly index: number; readonly note: string }[];
  readonly onProgress?: (entries: number, total: number) => void;
}

/** Up to so many entries, each gets a proof of its own beside the common one. */
const MOST_SINGLE_PROOFS = 1000;

/**
 * Writes evidence to a file.
 * @returns the size of the file
 * @throws {LedgerError} `not-found` without a published head · `bundle-invalid` for ranges out of order or beyond it
 */
export async function exportEvidence(path: string, options: ExportOptions): Promise<number> {
  const fd = openSync(path, 'wx', 0o640);
  try {
    return await writeEvidence(
      { write: (bytes, at) => void writeSync(fd, bytes, 0, bytes.length, at) },
      options,
    );
  } finally {
    closeSync(fd);
  }
}

/** Evidence in memory, for small exports. */
export async function evidenceBytes(options: ExportOptions): Promise<Uint8Array> {
  let buffer = Buffer.alloc(64 * 1024);
  const length = await writeEvidence(
    {
      write(bytes, at) {
        if (at + bytes.length > buffer.length) {
          buffer = Buffer.concat([buffer], 2 * (at + bytes.length));
        }
        buffer.set(bytes, at);
      },
    },
    options,
  );
  return new Uint8Array(buffer.subarray(0, length));
}

async function writeEvidence(target: ZipTarget, options: ExportOptions): Promise<number> {
  const { store, ranges } = options;
  const note = options.note ?? (await store.published());
  if (note === undefined) {
    throw new LedgerError(
      'not-found',
      'log has published no checkpoint yet',
      'append something and wait a second',
    );
  }
  const head = parseCheckpoint(note);
  const { origin, size } = head.checkpoint;
  checkRanges(ranges, size);
  const hasher = nodeHasher();
  const tree = new TiledTree((tile) => store.readTile(tile), size, hasher);
  const manifest = formatManifest({
    origin,
    size,
    ranges,
    disclosures: options.disclosures ?? [],
    heads: await Promise.all((options.olderHeads ?? []).map((older) => olderHead(tree, older))),
    successions: await Promise.all((options.successions ?? []).map((item) => succession(store, tree, item))),
  });
  const zip = new ZipWriter(target, crc32);
  await zip.add(FILES.readme, [encodeUtf8(README)]);
  await zip.add(FILES.manifest, [encodeUtf8(manifest)]);
  await zip.add(FILES.checkpoint, [encodeUtf8(note)]);
  await zip.add(FILES.proof, [await multiproof(store, ranges, size)]);
  await zip.add(FILES.entries, framedEntries(options));
  const total = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  if (total <= MOST_SINGLE_PROOFS) {
    for (const { from, to } of ranges) {
      for (let index = from; index < to; index++)
        await zip.add(proofFile(index), [await singleProof(tree, index, head)]);
    }
  }
  return zip.finish();
}

async function multiproof(store: LogStore, ranges: readonly Range[], size: number): Promise<Uint8Array> {
  const nodes = multiproofNodes(ranges, size);
  const tiles = tilesOfNodes(nodes, size);
  const contents = new Map<(typeof tiles)[number], Uint8Array>();
  for (const tile of tiles) contents.set(tile, await store.readTile(tile));
  const read = nodeReader(contents, nodeHasher());
  return Buffer.concat(nodes.map(({ level, index }) => read(level, index)));
}

async function* framedEntries({ store, ranges, onProgress }: ExportOptions): AsyncGenerator<Uint8Array> {
  const total = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  let done = 0;
  for (const { from, to } of ranges) {
    for (let at = from; at < to; ) {
      const index = Math.floor(at / TILE_WIDTH);
      const width = Math.min(TILE_WIDTH, to - index * TILE_WIDTH);
      const bundle = await store.readBundle(index, width);
      yield bundle.subarray(frameOf(bundle, at - index * TILE_WIDTH));
      done += index * TILE_WIDTH + width - at;
      at = index * TILE_WIDTH + width;
      onProgress?.(done, total);
    }
  }
}

/** Where entry `position` of a bundle begins. */
function frameOf(bundle: Uint8Array, position: number): number {
  let at = 0;
  for (let i = 0; i < position; i++)
    at += ENTRY_FRAME_BYTES + (bundle[at] ?? 0) * 256 + (bundle[at + 1] ?? 0);
  return at;
}

async function singleProof(tree: TiledTree, index: number, checkpoint: CheckpointNote): Promise<Uint8Array> {
  const hashes = await tree.inclusionProof(index);
  return encodeUtf8(formatProof({ index, hashes, checkpoint, extra: undefined }));
}

async function olderHead(tree: TiledTree, note: string): Promise<OlderHead> {
  const { checkpoint } = parseCheckpoint(note);
  return { note, consistency: await tree.consistencyProof(checkpoint.size) };
}

async function succession(
  store: LogStore,
  tree: TiledTree,
  { index, note }: { readonly index: number; readonly note: string },
): Promise<Succession> {
  const { checkpoint } = parseCheckpoint(note);
  const bundle = await store.readBundle(Math.floor(index / TILE_WIDTH), (index % TILE_WIDTH) + 1);
  const entry = bundle.slice(frameOf(bundle, index % TILE_WIDTH) + ENTRY_FRAME_BYTES);
  return {
    ...(await olderHead(tree, note)),
    index,
    entry,
    inclusion: await tree.inclusionProof(index, checkpoint.size),
  };
}

const README = `Evidence from an append-only log.

Verify it with your own policy, which names the logs and witnesses that you trust:

    npx comity verify <this file> --policy <your policy>

evidence.json   which entries these are, and what else can be proved from this archive
checkpoint      the head of the log that was signed (C2SP tlog-checkpoint)
entries.bin     the entries, each as its length (16 bits, big-endian) and its bytes
proof.bin       hashes that lead from the entries to the checkpoint
proofs/         the same for single entries, for other tools (C2SP tlog-proof)

Nothing in this archive has to be believed before it is verified, this text included.
`;
