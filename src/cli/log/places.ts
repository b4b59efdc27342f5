import { openFilesStore } from '../../ledger/files/files-store.ts';
import { describeLogDirectory, readLogDirectory, readLogKey } from '../../ledger/log/directory.ts';
import { type Log, type LogOptions, type LogView, openLog, viewOf } from '../../ledger/log/log.ts';
import { logSigner, verifierKeyOf } from '../../ledger/log/node-signatures.ts';
import type { LogStore } from '../../ledger/log/store.ts';
import { connect, type Sql } from '../../ledger/postgres/connection.ts';
import { openPostgresStore } from '../../ledger/postgres/postgres-store.ts';
import { gatherCosignatures, type WitnessProblem } from '../../ledger/witness/gather.ts';
import { parseQuorum, quorumPolicy } from '../../ledger/witness/quorum.ts';
import type { VerifierKey } from '../../tlog/note-key.ts';
import type { Policy } from '../../tlog/policy.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import type { Arguments } from '../command.ts';
import { mistake } from '../command.ts';
import { fileBytes, mendable, required } from '../ledger-input.ts';

/** Where a log is, for what else is kept there: its index, its vault. */
export interface LogPlace {
  /** Where its keys are and, without `sql`, its entries. */
  readonly directory: string;
  readonly origin: string;
  /** The database that its entries are in. */
  readonly sql: Sql | undefined;
}

/** The directory that a verb of `comity log` was given. */
export function directoryOf([directory]: readonly string[], verb: string): string {
  return required(directory, 'which log?', `name its directory: \`comity log ${verb} <directory>\``);
}

/** Opens a log for appending: its entries in the directory, or in the database of `--database`. */
export async function withLog<T>(
  directory: string,
  args: Arguments,
  options: Omit<LogOptions, 'origin' | 'store' | 'signers' | 'cosign'> & {
    readonly onWitness?: (problem: WitnessProblem) => void;
  },
  run: (log: Log, place: LogPlace) => Promise<T>,
): Promise<T> {
  return mendable(async () => {
    const { origin } = describeLogDirectory(directory);
    const key = readLogKey(directory);
    const signers = [logSigner(key)];
    const policy = witnessPolicy(args, verifierKeyOf(key));
    return withStore(directory, origin, args, async (store, place) => {
      const { onWitness, ...more } = options;
      const onProblem = onWitness === undefined ? {} : { onProblem: onWitness };
      const cosign =
        policy === undefined ? {} : { cosign: gatherCosignatures({ policy, store, ...onProblem }) };
      const log = await openLog({ ...more, ...cosign, origin, store, signers });
      try {
        return await run(log, place);
      } finally {
        await log.close();
      }
    });
  });
}

/** Whom a log asks to cosign: a quorum of countries, checked to be sound. */
function witnessPolicy(args: Arguments, log: VerifierKey): Policy | undefined {
  const file = args.text('quorum');
  if (file === undefined) return undefined;
  return quorumPolicy(parseQuorum(decodeUtf8(fileBytes(file)) ?? ''), [log]);
}

/** Opens what a log has published, for reading. */
export async function withView<T>(
  directory: string,
  args: Arguments,
  run: (log: LogView, place: LogPlace) => Promise<T>,
): Promise<T> {
  return mendable(async () => {
    const { origin } = describeLogDirectory(directory);
    if (args.text('database') !== undefined) {
      return withStore(directory, origin, args, async (store, place) => {
        await store.grow();
        return run(await viewOf(origin, store), place);
      });
    }
    const view = await readLogDirectory(directory);
    try {
      return await run(view, { directory, origin, sql: undefined });
    } finally {
      await view.close();
    }
  });
}

/** Finds what belongs to a log without opening its entries. */
export async function withPlace<T>(
  directory: string,
  args: Arguments,
  run: (place: LogPlace) => Promise<T>,
): Promise<T> {
  return mendable(async () => {
    const { origin } = describeLogDirectory(directory);
    const url = args.text('database');
    if (url === undefined) return run({ directory, origin, sql: undefined });
    return withDatabase(url, (sql) => run({ directory, origin, sql }));
  });
}

async function withStore<T>(
  directory: string,
  origin: string,
  args: Arguments,
  run: (store: LogStore, place: LogPlace) => Promise<T>,
): Promise<T> {
  const url = args.text('database');
  if (url === undefined)
    return run((await openFilesStore(directory)).store, { directory, origin, sql: undefined });
  return withDatabase(url, async (sql) => {
    const store = await openPostgresStore(sql, origin);
    try {
      return await run(store, { directory, origin, sql });
    } finally {
      await store.close();
    }
  });
}

/** Connects to PostgreSQL for as long as `run` takes. `env`: the address is in `DATABASE_URL`. */
export async function withDatabase<T>(address: string, run: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = await answering(databaseAddress('database', address, 'DATABASE_URL'));
  try {
    return await run(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** A connection to a database that answers. End it. */
export async function answering(url: string): Promise<Sql> {
  const sql = await connect(url);
  try {
    await sql`SELECT 1`;
    return sql;
  } catch (error) {
    await sql.end({ timeout: 0 });
    const why = error instanceof Error ? error.message : String(error);
    throw mistake(
      `database does not answer: ${why}`,
      'check the address and that the server runs',
      'unreadable',
    );
  }
}

/** The address that an option names. `env`: it is in a variable of the environment. */
export function databaseAddress(option: string, address: string, variable: string): string {
  const url = address === 'env' ? process.env[variable] : address;
  if (url !== undefined && /^postgres(ql)?:\/\//.test(url)) return url;
  throw mistake(
    'no address of a PostgreSQL database',
    `write \`--${option} postgres://…\`, or \`--${option} env\` with \`${variable}\` set, which keeps the password off the screen`,
  );
}

/** What a log's operator is told about a witness. */
export function witnessProblemText(problem: WitnessProblem): string {
  const who = `witness \`${problem.witness}\``;
  switch (problem.kind) {
    case 'absent':
      return `${who} is absent: ${problem.why}`;
    case 'refused':
      return `${who} did not cosign: ${problem.why}`;
    case 'rolled-back':
      return `${who} was rolled back: it cosigned ${problem.from} entries and remembers ${problem.to}`;
    case 'ahead':
      return `${who} cosigned ${problem.size} entries, but this log has ${problem.ours}: it was restored from a backup, or somebody else has its key`;
  }
}
