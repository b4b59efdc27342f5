import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TlogError } from './errors.ts';
import {
  isTileOf,
  parseTilePath,
  sliceOfNode,
  type Tile,
  tilePath,
  tilesOfGrowth,
  tileWidth,
} from './tile.ts';

const anyTile: fc.Arbitrary<Tile> = fc.oneof(
  fc.record({
    kind: fc.constant('hashes' as const),
    level: fc.integer({ min: 0, max: 63 }),
    index: fc.oneof(fc.nat(2000), fc.maxSafeNat()),
    width: fc.integer({ min: 1, max: 256 }),
  }),
  fc.record({
    kind: fc.constant('entries' as const),
    index: fc.oneof(fc.nat(2000), fc.maxSafeNat()),
    width: fc.integer({ min: 1, max: 256 }),
  }),
);

function paths(tiles: Iterable<Tile>): string[] {
  return [...tiles].map(tilePath);
}

describe('tile paths', () => {
  test.each<[Tile, string]>([
    [{ kind: 'hashes', level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ kind: 'hashes', level: 0, index: 1234067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ kind: 'hashes', level: 63, index: 1000, width: 1 }, 'tile/63/x001/000.p/1'],
    [{ kind: 'entries', index: 273, width: 112 }, 'tile/entries/273.p/112'],
    [
      { kind: 'entries', index: Number.MAX_SAFE_INTEGER, width: 255 },
      'tile/entries/x009/x007/x199/x254/x740/991.p/255',
    ],
  ])('of %o is %s', (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  test('read back as what was written', () => {
    fc.assert(
      fc.property(anyTile, (tile) => {
        expect(parseTilePath(tilePath(tile))).toEqual(tile);
      }),
    );
  });

  test.each([
    '',
    'tile',
    'tile/0',
    'tile/0/',
    '/tile/0/000',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/0',
    'tile/0/0000',
    'tile/0/x000/000',
    'tile/0/x001/x000',
    'tile/0/001/000',
    'tile/0/x001/../000',
    'tile/0/000/',
    'tile/0/000\n',
    'tile/0/000.p',
    'tile/0/000.p/0',
    'tile/0/000.p/00',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/999',
    'tile/0/000.p/1/',
    'tile/0/٠٠٠',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x001/x009/x007/x199/x254/x740/991',
    'tile/data/000',
    'tile/entries/000.p/-1',
    'TILE/0/000',
    '../tile/0/000',
  ])('such as %j are refused', (path) => {
    expect(() => parseTilePath(path)).toThrow(TlogError);
  });

  test('of any text are refused or are the one spelling of their tile', () => {
    const pieces = fc.array(
      fc.constantFrom('tile/', 'entries/', '0', '/', 'x', '000', '123', '.p/', '255', '256', '..', '\0', 'é'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          pieces.map((parts) => parts.join('')),
        ),
        (path) => {
          const tile = parsed(path);
          if (tile !== undefined) expect(tilePath(tile)).toBe(path);
        },
      ),
      { numRuns: 5000 },
    );
  });

  test('that are very long are refused at once', () => {
    expect(() => parseTilePath(`tile/0/${'x000/'.repeat(1_000_000)}000`)).toThrow(TlogError);
  });

  test('of tiles that cannot be are not written', () => {
    expect(() => tilePath({ kind: 'hashes', level: 64, index: 0, width: 1 })).toThrow(/tile level/);
    expect(() => tilePath({ kind: 'hashes', level: 0, index: -1, width: 1 })).toThrow(/tile index/);
    expect(() => tilePath({ kind: 'entries', index: 0, width: 0 })).toThrow(/tile width/);
    expect(() => tilePath({ kind: 'entries', index: 0, width: 257 })).toThrow(/tile width/);
  });
});

describe('tiles of a tree', () => {
  test('of 70 000 entries are those that the specification counts', () => {
    const tiles = paths(tilesOfGrowth(0, 70_000));
    expect(tiles.filter((path) => path.startsWith('tile/entries/'))).toHaveLength(274);
    expect(tiles.filter((path) => path.startsWith('tile/0/'))).toHaveLength(274);
    expect(tiles).toContain('tile/entries/273.p/112');
    expect(tiles.filter((path) => /^tile\/[1-9]/.test(path))).toEqual([
      'tile/1/000',
      'tile/1/001.p/17',
      'tile/2/000.p/1',
    ]);
    expect(tiles).toContain('tile/0/273.p/112');
  });

  test('of 256 entries are a full one and a partial one above it', () => {
    expect(paths(tilesOfGrowth(0, 256))).toEqual(['tile/entries/000', 'tile/0/000', 'tile/1/000.p/1']);
  });

  test('are none when nothing grows', () => {
    expect(paths(tilesOfGrowth(0, 0))).toEqual([]);
    expect(paths(tilesOfGrowth(300, 300))).toEqual([]);
    expect(() => paths(tilesOfGrowth(2, 1))).toThrow(TlogError);
  });

  test('that change from 255 to 257 entries are the one filled up and those begun', () => {
    expect(paths(tilesOfGrowth(255, 257))).toEqual([
      'tile/entries/000',
      'tile/entries/001.p/1',
      'tile/0/000',
      'tile/0/001.p/1',
      'tile/1/000.p/1',
    ]);
  });

  test('however it grew are, in the end, exactly the tiles of its size', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(600), { maxLength: 8 }), fc.nat(200_000), (steps, start) => {
        const written = new Map<string, number>();
        let size = 0;
        for (const step of [start, ...steps]) {
          for (const tile of tilesOfGrowth(size, size + step)) {
            const key = tilePath({ ...tile, width: 256 });
            expect(tile.width).toBeGreaterThan(written.get(key) ?? 0);
            expect(isTileOf(tile, size + step)).toBe(true);
            expect(isTileOf(tile, size)).toBe(false);
            written.set(key, tile.width);
          }
          size += step;
        }
        const fresh = [...tilesOfGrowth(0, size)].map((tile) => [
          tilePath({ ...tile, width: 256 }),
          tile.width,
        ]);
        expect(Object.fromEntries(written)).toEqual(Object.fromEntries(fresh));
      }),
      { numRuns: 50 },
    );
  });

  test('have no width beyond the tree', () => {
    expect(tileWidth(0, 1, 256)).toBe(0);
    expect(tileWidth(63, 0, Number.MAX_SAFE_INTEGER)).toBe(0);
    expect(isTileOf({ kind: 'hashes', level: 0, index: 1, width: 0 }, 256)).toBe(false);
  });
});

test('nodes between two tile levels come from the hashes below them', () => {
  expect(sliceOfNode({ level: 0, index: 257 })).toEqual({ level: 0, index: 1, offset: 1, count: 1 });
  expect(sliceOfNode({ level: 7, index: 3 })).toEqual({ level: 0, index: 1, offset: 128, count: 128 });
  expect(sliceOfNode({ level: 8, index: 256 })).toEqual({ level: 1, index: 1, offset: 0, count: 1 });
});

function parsed(path: string): Tile | undefined {
  try {
    return parseTilePath(path);
  } catch (error) {
    expect(error).toBeInstanceOf(TlogError);
    return undefined;
  }
}
