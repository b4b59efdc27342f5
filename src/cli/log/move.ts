import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { LedgerError } from '../../ledger/errors.ts';
import { createFilesStore, openFilesStore } from '../../ledger/files/files-store.ts';
import { describeLogDirectory, moveLogIdentity } from '../../ledger/log/directory.ts';
import { moveLog } from '../../ledger/log/move.ts';
import type { LogStore, TreeHead } from '../../ledger/log/store.ts';
import { createPostgresStore, openPostgresStore } from '../../ledger/postgres/postgres-store.ts';
import { encodeBase64 } from '../../tlog/base64.ts';
import { type Arguments, EXIT, type ExitCode, type Io } from '../command.ts';
import { mendable, required } from '../ledger-input.ts';
import { directoryOf, withDatabase } from './places.ts';
import { moveVaultKey } from './vault.ts';

/**
 * `comity log move`: the same tree, heads and proofs in another place. What stays behind can no longer be appended to:
 * two places that both go on would be two histories.
 */
export async function runLogMove(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'move');
  return mendable(async () => {
    const { origin } = describeLogDirectory(directory);
    const head = await moved(directory, origin, rest[1], args, io);
    io.progress('');
    renameSync(join(directory, 'segments'), join(directory, 'segments.moved'));
    io.err(`${head.size} entries moved, root ${encodeBase64(head.root)}\n`);
    io.err(
      `entries left behind are in \`${join(directory, 'segments.moved')}\`; remove them when you like\n`,
    );
    return EXIT.clean;
  });
}

async function moved(
  directory: string,
  origin: string,
  target: string | undefined,
  args: Arguments,
  io: Io,
): Promise<TreeHead> {
  const url = args.text('database');
  if (url !== undefined) {
    return withDatabase(url, async (sql) => {
      await unlessThere(() => createPostgresStore(sql, origin));
      return copied(directory, await openPostgresStore(sql, origin), io);
    });
  }
  const into = required(
    target,
    'where to?',
    'name a new directory, or a database: `--database postgres://…`',
  );
  await unlessThere(() => createFilesStore(into));
  const head = await copied(directory, (await openFilesStore(into)).store, io);
  moveVaultKey(directory, into);
  moveLogIdentity(directory, into);
  return head;
}

/** A move that was interrupted goes on where it stopped. */
async function unlessThere(create: () => Promise<void>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!(error instanceof LedgerError && error.code === 'already-exists')) throw error;
  }
}

async function copied(directory: string, to: LogStore, io: Io): Promise<TreeHead> {
  const { store: from } = await openFilesStore(directory);
  try {
    return await moveLog(from, to, (done, total) => io.progress(`${done} of ${total} entries`));
  } finally {
    await from.close();
    await to.close();
  }
}
