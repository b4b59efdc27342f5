import { TlogError } from '../../tlog/errors.ts';
import { parseTilePath, type Tile, tileWidth } from '../../tlog/tile.ts';
import { LedgerError } from '../errors.ts';
import type { LogView } from '../log/log.ts';
import { type Reply, textReply } from './http.ts';

const FOREVER = 'public, max-age=31536000, immutable';

/** Answers `GET` of C2SP tlog-tiles: the checkpoint, tiles and entry bundles; undefined for any other path. */
export async function readReply(log: LogView, path: string): Promise<Reply | undefined> {
  const head = log.published();
  if (path === '/checkpoint') {
    if (head === undefined) return textReply(404, 'nothing was published yet');
    return textReply(200, head.note, { 'cache-control': 'max-age=1' });
  }
  if (!path.startsWith('/tile/')) return undefined;
  const tile = tileOf(path.slice(1));
  if (tile === undefined) return textReply(404, 'not the path of a tile');
  const level = tile.kind === 'hashes' ? tile.level : 0;
  // Any width that a published tree had: those of earlier trees are asked for by whoever holds an earlier checkpoint.
  if (tile.width > tileWidth(level, tile.index, head?.size ?? 0)) return textReply(404, 'not published yet');
  try {
    const body =
      tile.kind === 'hashes'
        ? await log.store.readTile(tile)
        : await log.store.readBundle(tile.index, tile.width);
    const headers = { 'content-type': 'application/octet-stream', 'cache-control': FOREVER };
    return { status: 200, body, headers };
  } catch (error) {
    // C2SP tlog-tiles asks for an error and leaves the status open: 410 tells it from what never was.
    if (error instanceof LedgerError && error.code === 'pruned') return textReply(410, error.message);
    throw error;
  }
}

function tileOf(path: string): Tile | undefined {
  try {
    return parseTilePath(path);
  } catch (error) {
    if (error instanceof TlogError) return undefined;
    throw error;
  }
}
