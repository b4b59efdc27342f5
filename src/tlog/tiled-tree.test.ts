import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TlogError } from './errors.ts';
import { treeHasher } from './hash.ts';
import { MemoryTree } from './memory-tree.ts';
import { verifyConsistency, verifyInclusion } from './merkle.ts';
import { type HashTile, tilePath, tilesOfGrowth } from './tile.ts';
import { TiledTree } from './tiled-tree.ts';

const hasher = treeHasher();
const encoder = new TextEncoder();

function memoryTree(size: number): MemoryTree {
  const tree = new MemoryTree(hasher);
  for (let i = 0; i < size; i++) tree.append(encoder.encode(`record ${i}`));
  return tree;
}

/** Lays a tree out in tiles, straight from the definition: hash `i` of a tile is a node 8 levels up per tile level. */
function tilesOf(tree: MemoryTree): Map<string, Uint8Array> {
  const tiles = new Map<string, Uint8Array>();
  for (const tile of tilesOfGrowth(0, tree.size)) {
    if (tile.kind === 'entries') continue;
    const bytes = new Uint8Array(tile.width * 32);
    for (let i = 0; i < tile.width; i++) bytes.set(tree.read(8 * tile.level, 256 * tile.index + i), 32 * i);
    tiles.set(tilePath(tile), bytes);
  }
  return tiles;
}

function readerOf(tiles: ReadonlyMap<string, Uint8Array>): (tile: HashTile) => Promise<Uint8Array> {
  return async (tile) => {
    const bytes = tiles.get(tilePath(tile));
    if (bytes === undefined) throw new Error(`asked for ${tilePath(tile)}, which does not exist`);
    return bytes;
  };
}

describe('a tree read from tiles', () => {
  test.each([0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_000])(
    'of %d entries proves what the tree in memory proves',
    async (size) => {
      const memory = memoryTree(size);
      const tiled = new TiledTree(readerOf(tilesOf(memory)), size, hasher);
      expect(await tiled.root()).toEqual(memory.root());
      expect((await tiled.frontier()).root()).toEqual(memory.root());
      const sizes = [1, 2, 3, 127, 256, 300, 65_536, size].filter(
        (earlier) => earlier > 0 && earlier <= size,
      );
      for (const earlier of sizes) {
        expect(await tiled.root(earlier)).toEqual(memory.root(earlier));
        expect(await tiled.consistencyProof(earlier)).toEqual(memory.consistencyProof(earlier));
        for (const index of [0, earlier - 1, Math.floor(earlier / 2)]) {
          expect(await tiled.inclusionProof(index, earlier)).toEqual(memory.inclusionProof(index, earlier));
        }
      }
    },
  );

  test('refuses a size, an index or a growth that it does not have', async () => {
    const tiled = new TiledTree(readerOf(new Map()), 10, hasher);
    await expect(tiled.root(11)).rejects.toThrow(TlogError);
    await expect(tiled.inclusionProof(10)).rejects.toThrow(TlogError);
    await expect(tiled.inclusionProof(3, 11)).rejects.toThrow(TlogError);
    await expect(tiled.consistencyProof(3, 11)).rejects.toThrow(TlogError);
    expect(() => new TiledTree(readerOf(new Map()), -1)).toThrow(TlogError);
  });

  test('refuses a tile that is shorter or longer than its path says', async () => {
    for (const length of [0, 31, 32 * 9, 32 * 11]) {
      const tiled = new TiledTree(() => new Uint8Array(length), 10, hasher);
      await expect(tiled.root()).rejects.toThrow(/has \d+ bytes, not 320/);
    }
  });

  test('keeps its proofs when the reader reuses its buffer', async () => {
    const memory = memoryTree(200);
    const buffer = Buffer.from(tilesOf(memory).get('tile/0/000.p/200') ?? []);
    const tiled = new TiledTree(() => buffer, 200, hasher);
    const proof = await tiled.inclusionProof(7);
    buffer.fill(0);
    expect(proof.map((hash) => Uint8Array.from(hash))).toEqual(memory.inclusionProof(7));
  });

  test('gives a proof that fails when a tile was tampered with', async () => {
    const memory = memoryTree(300);
    const tiles = tilesOf(memory);
    const tile = tiles.get('tile/0/000') ?? new Uint8Array(0);
    tile.set(new Uint8Array(32), 32 * 7);
    const tiled = new TiledTree(readerOf(tiles), 300, hasher);
    const claim = { index: 6, size: 300, leaf: memory.read(0, 6), root: memory.root() };
    const proof = await tiled.inclusionProof(6);
    expect(() => verifyInclusion(claim, proof, hasher)).toThrow(/another root/);
  });
});

describe("Sunlight's mirror of 300 entries", () => {
  const read = (tile: HashTile) =>
    Uint8Array.from(readFileSync(new URL(`./testdata/sunlight/mirror/${tilePath(tile)}`, import.meta.url)));
  const memory = memoryTree(300);

  test('has the tiles that its entries have here', () => {
    for (const [path, bytes] of tilesOf(memory)) {
      expect(
        Uint8Array.from(readFileSync(new URL(`./testdata/sunlight/mirror/${path}`, import.meta.url))),
      ).toEqual(bytes);
    }
  });

  test('has the root that its checkpoint states', async () => {
    const root = await new TiledTree(read, 300).root();
    expect(Buffer.from(root).toString('base64')).toBe('gw31yQrqZZCcEOPrzX+bpy3nJ6QgngTKn8G1m0i62uU=');
  });

  test('proves each of its entries', async () => {
    const tree = new TiledTree(read, 300, hasher);
    const root = await tree.root();
    for (let index = 0; index < 300; index += 13) {
      const leaf = hasher.leaf(encoder.encode(`record ${index}`));
      verifyInclusion({ index, size: 300, leaf, root }, await tree.inclusionProof(index), hasher);
    }
  });
});

describe('the first tiles of a real Certificate Transparency log', () => {
  const read = (tile: HashTile) =>
    Uint8Array.from(
      readFileSync(new URL(`./testdata/sunlight/navigli2025h2/${tilePath(tile)}`, import.meta.url)),
    );

  test('give the same tree whether the last one is read partial or full', async () => {
    // Level 1 was not published with them; its four hashes are the roots of the four full tiles.
    const upper = new Uint8Array(4 * 32);
    for (let index = 0; index < 4; index++) {
      const tile = new MemoryTree(hasher);
      const hashes = read({ kind: 'hashes', level: 0, index, width: 256 });
      for (let i = 0; i < 256; i++) tile.appendLeaf(hashes.slice(32 * i, 32 * i + 32));
      upper.set(tile.root(), 32 * index);
    }
    const readBoth = (tile: HashTile) => (tile.level === 0 ? read(tile) : upper.subarray(0, tile.width * 32));
    const early = new TiledTree(readBoth, 778, hasher);
    const late = new TiledTree(readBoth, 1024, hasher);
    expect(await early.root()).toEqual(await late.root(778));
    const claim = { oldSize: 778, newSize: 1024, oldRoot: await early.root(), newRoot: await late.root() };
    verifyConsistency(claim, await late.consistencyProof(778), hasher);
  });
});
