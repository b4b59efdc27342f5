import { describeLogDirectory, readLogDirectory, readLogKey } from '../ledger/directory.ts';
import { openFilesStore } from '../ledger/files/files-store.ts';
import { type Log, type LogOptions, type LogView, openLog, viewOf } from '../ledger/log.ts';
import { logSigner } from '../ledger/node-signatures.ts';
import { connect } from '../ledger/postgres/connection.ts';
import { openPostgresStore } from '../ledger/postgres/postgres-store.ts';
import type { LogStore } from '../ledger/store.ts';
import type { Arguments } from './command.ts';
import { mendable, mistake, required } from './ledger-input.ts';

/** The directory that a verb of `comity log` was given. */
export function directoryOf([directory]: readonly string[], verb: string): string {
  return required(directory, 'which log?', `name its directory: \`comity log ${verb} <directory>\``);
}

/** Opens a log for appending: its entries in the directory, or in the database of `--database`. */
export async function withLog<T>(
  directory: string,
  args: Arguments,
  options: Omit<LogOptions, 'origin' | 'store' | 'signers'>,
  run: (log: Log) => Promise<T>,
): Promise<T> {
  return mendable(async () => {
    const { origin } = describeLogDirectory(directory);
    const signers = [logSigner(readLogKey(directory))];
    return withStore(directory, origin, args, async (store) => {
      const log = await openLog({ ...options, origin, store, signers });
      try {
        return await run(log);
      } finally {
        await log.close();
      }
    });
  });
}

/** Opens what a log has published, for reading. */
export async function withView<T>(
  directory: string,
  args: Arguments,
  run: (log: LogView) => Promise<T>,
): Promise<T> {
  return mendable(async () => {
    if (args.text('database') !== undefined) {
      const { origin } = describeLogDirectory(directory);
      return withStore(directory, origin, args, async (store) => {
        await store.grow();
        return run(await viewOf(origin, store));
      });
    }
    const view = await readLogDirectory(directory);
    try {
      return await run(view);
    } finally {
      await view.close();
    }
  });
}

async function withStore<T>(
  directory: string,
  origin: string,
  args: Arguments,
  run: (store: LogStore) => Promise<T>,
): Promise<T> {
  const url = args.text('database');
  if (url === undefined) return run((await openFilesStore(directory)).store);
  return withDatabase(url, async (sql) => {
    const store = await openPostgresStore(sql, origin);
    try {
      return await run(store);
    } finally {
      await store.close();
    }
  });
}

/** Connects to PostgreSQL for as long as `run` takes. `env`: the address is in `DATABASE_URL`. */
export async function withDatabase<T>(
  address: string,
  run: (sql: Awaited<ReturnType<typeof connect>>) => Promise<T>,
): Promise<T> {
  const url = address === 'env' ? process.env.DATABASE_URL : address;
  if (url === undefined || !/^postgres(ql)?:\/\//.test(url)) {
    throw mistake(
      'no address of a PostgreSQL database',
      'write `--database postgres://…`, or `--database env` with `DATABASE_URL` set, which keeps the password off the screen',
    );
  }
  const sql = await connect(url);
  try {
    await sql`SELECT 1`;
  } catch (error) {
    await sql.end({ timeout: 0 });
    const why = error instanceof Error ? error.message : String(error);
    throw mistake(
      `database does not answer: ${why}`,
      'check the address and that the server runs',
      'unreadable',
    );
  }
  try {
    return await run(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
