import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sameBytes } from '../../tlog/hash.ts';
import { TiledTree } from '../../tlog/tiled-tree.ts';
import { LedgerError, quoted } from '../errors.ts';
import { nodeHasher } from '../log/node-hash.ts';
import type { LogStore } from '../log/store.ts';
import { AppendingStore } from './appending-store.ts';
import { type Disk, systemDisk } from './disk.ts';
import { lockDirectory } from './lock.ts';
import { openSegments } from './open-segments.ts';
import { OpenSegment } from './segment.ts';
import { openState, type State } from './state.ts';

export interface FilesStoreOptions {
  readonly disk?: Disk;
  /**
   * Called when what is durable is no longer known: fdatasync failed, or a write whose effect cannot be taken back.
   * It must not return; the default prints why and ends the process with status 70. After a failed fsync the kernel
   * may have dropped the data and forgotten, so trying again would lie.
   */
  readonly fatal?: (error: LedgerError) => void;
}

/** A log store that was opened, and what opening it found. */
export interface OpenedFiles {
  readonly store: LogStore;
  /** Entries of an unacknowledged batch that a crash had torn, now removed. */
  readonly torn: number;
}

/** Creates the directory of a log, owned by this user. @throws {LedgerError} `already-exists` */
export async function createFilesStore(directory: string): Promise<void> {
  const segments = join(directory, 'segments');
  if (existsSync(segments)) {
    throw new LedgerError(
      'already-exists',
      `${quoted(directory)} already holds a log`,
      'choose another directory',
    );
  }
  mkdirSync(segments, { recursive: true, mode: 0o750 });
  await OpenSegment.create(systemDisk, segments, 0);
  systemDisk.syncDirectory(directory);
  openState(directory).close();
}

/**
 * Opens a log in a directory for this process alone.
 * @throws {LedgerError} `not-found` · `locked` · `damaged` · `truncated`
 */
export async function openFilesStore(
  directory: string,
  options: FilesStoreOptions = {},
): Promise<OpenedFiles> {
  const disk = options.disk ?? systemDisk;
  const segments = join(directory, 'segments');
  if (!existsSync(segments)) {
    throw new LedgerError(
      'not-found',
      `${quoted(directory)} holds no log`,
      'create one with `comity log init`',
    );
  }
  const lock = lockDirectory(directory);
  let state: State | undefined;
  try {
    state = openState(directory);
    const opened = await openSegments(disk, segments, state.minimum);
    const store = new AppendingStore(directory, disk, lock, state, opened, options.fatal ?? endProcess);
    await checkHead(store, state);
    return { store, torn: opened.torn };
  } catch (error) {
    state?.close();
    lock.release();
    throw error;
  }
}

/** @throws {LedgerError} `truncated` · `damaged` unless the entries are those of the newest signed head */
async function checkHead(store: LogStore, state: State): Promise<void> {
  const head = state.newest();
  if (head === undefined) return;
  const { size } = await store.grow();
  if (head.size > size) {
    throw new LedgerError(
      'truncated',
      `log holds ${size} entries, but a head of ${head.size} was signed`,
      'the segments are older than `state.db` or were cut; restore both from the same moment, or from a mirror',
    );
  }
  const tree = new TiledTree((tile) => store.readTile(tile), size, nodeHasher());
  if (sameBytes(await tree.root(head.size), head.root)) return;
  throw new LedgerError(
    'damaged',
    `entries lead to another root than the head of ${head.size} that was signed`,
    'run fsck to find where history differs',
  );
}

function endProcess(error: LedgerError): never {
  process.stderr.write(`error: ${error.message}\nhelp: ${error.help}\n`);
  process.exit(70);
}
