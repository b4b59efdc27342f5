import { ENTRY_FRAME_BYTES, MAX_ENTRY_BYTES } from '../../tlog/bundle.ts';
import { HASH_BYTES } from '../../tlog/hash.ts';
import { type HashTile, TILE_WIDTH, type Tile, tilePath } from '../../tlog/tile.ts';
import { LedgerError } from '../errors.ts';
import { limitedBytes, submissionUrl } from './client.ts';

const MAX_CHECKPOINT_BYTES = 1_000_000;

/** A log that somebody serves by C2SP tlog-tiles. What it says is not believed until it is verified. */
export class RemoteLog {
  readonly #name: string;
  readonly #url: string;
  readonly #patienceMs: number;

  /** @throws {LedgerError} `key-invalid` for an address that may not be asked */
  constructor(name: string, url: string, patienceMs: number) {
    this.#name = name;
    this.#url = url;
    this.#patienceMs = patienceMs;
    submissionUrl({ name, url }, 'checkpoint');
  }

  /** The checkpoint as it is served. Throws if there is none. */
  async checkpoint(): Promise<string> {
    const bytes = await this.#get('checkpoint', MAX_CHECKPOINT_BYTES);
    if (bytes === undefined) throw new Error('log has no checkpoint');
    return Buffer.from(bytes).toString('utf8');
  }

  /**
   * A tile, cut out of the full one where the log keeps no partial tiles any more. Throws if there is none.
   * @throws {LedgerError} `pruned` for a bundle that the log says it has pruned
   */
  async tile(tile: HashTile | Tile): Promise<Uint8Array> {
    const limit =
      tile.kind === 'hashes' ? TILE_WIDTH * HASH_BYTES : TILE_WIDTH * (MAX_ENTRY_BYTES + ENTRY_FRAME_BYTES);
    const bytes = await this.#get(tilePath(tile), limit);
    if (bytes !== undefined) return bytes;
    const full =
      tile.width === TILE_WIDTH
        ? undefined
        : await this.#get(tilePath({ ...tile, width: TILE_WIDTH }), limit);
    if (full === undefined) throw new Error(`log does not serve ${tilePath(tile)}`);
    return tile.kind === 'hashes' ? full.slice(0, tile.width * HASH_BYTES) : firstEntries(full, tile.width);
  }

  /** What is at a path; undefined for 404. Throws for any other failure. */
  async #get(path: string, limit: number): Promise<Uint8Array | undefined> {
    const url = submissionUrl({ name: this.#name, url: this.#url }, path);
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(this.#patienceMs) });
    const bytes = await limitedBytes(response, limit);
    if (response.status === 404) return undefined;
    if (response.status === 410) {
      throw new LedgerError('pruned', `log says that ${path} was pruned`, 'ask whoever kept its entries');
    }
    if (response.status !== 200) throw new Error(`log answered ${response.status} for ${path}`);
    return bytes;
  }
}

function firstEntries(bundle: Uint8Array, width: number): Uint8Array {
  let at = 0;
  for (let i = 0; i < width; i++) at += ENTRY_FRAME_BYTES + (bundle[at] ?? 0) * 256 + (bundle[at + 1] ?? 0);
  return bundle.slice(0, at);
}
