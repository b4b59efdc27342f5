import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LedgerError, quoted } from '../../ledger/errors.ts';
import { openFilesHolds } from '../../ledger/files/holds.ts';
import { openFilesVault } from '../../ledger/files/vault.ts';
import { type Ledger, openLedger, type Resumed } from '../../ledger/ledger.ts';
import type { Log, LogView } from '../../ledger/log/log.ts';
import type { Sql } from '../../ledger/postgres/connection.ts';
import { openPostgresHolds } from '../../ledger/postgres/holds.ts';
import { hasPostgresVault, openPostgresVault } from '../../ledger/postgres/postgres-vault.ts';
import { startProducer } from '../../ledger/record/producer.ts';
import type { Holds } from '../../ledger/sealing/holds.ts';
import { createKeyFile, readKeyFile } from '../../ledger/sealing/key-file.ts';
import { replaySteps } from '../../ledger/sealing/replay.ts';
import type { Vault } from '../../ledger/sealing/vault.ts';
import { fileWrapper } from '../../ledger/sealing/wrapping.ts';
import type { Arguments, Io } from '../command.ts';
import { mistake } from '../command.ts';
import { mendable } from '../ledger-input.ts';
import { count } from '../words.ts';
import { answering, databaseAddress, type LogPlace, withLog } from './places.ts';

/** The key that locks the keys of people, beside the log's own key and apart from what it locks. */
const KEY_FILE = 'vault.key';
/** Where the vault was made: a vault that is elsewhere by mistake would be an empty one, in which everybody is erased. */
const PLACE_FILE = 'vault.json';

type VaultPlace =
  | { readonly in: 'directory'; readonly directory: string }
  /** Its address is not kept, because it may hold a password. */
  | { readonly in: 'database' };

/** A vault as it was opened, with the connection that it lives on. */
interface Opened {
  readonly vault: Vault;
  close(): Promise<void>;
}

/** Seals into the vault of a log, which is made when something is to be sealed first. */
export interface Sealing {
  /** The log with its vault; what is open in it is gone on with when it is opened. */
  ledger(): Promise<Ledger>;
  /** Goes on with holds, erasures and orphaned parts, if there is a vault. */
  resume(): Promise<void>;
}

/** Opens a log for appending, and its vault too if there is one. */
export async function withSealing<T>(
  directory: string,
  args: Arguments,
  io: Io,
  options: Parameters<typeof withLog>[2],
  run: (log: Log, sealing: Sealing) => Promise<T>,
): Promise<T> {
  return withLog(directory, args, options, async (log, place) => {
    let opened: Promise<{ readonly ledger: Ledger; readonly close: () => Promise<void> }> | undefined;
    const tell = ({ erasures, swept }: Resumed): void => {
      for (const { request, kind } of erasures)
        if (kind === 'executed') io.err(`erasure ${request} is executed\n`);
      if (swept > 0) io.err(sweptText(swept));
    };
    const open = async () => {
      const { vault, close } = await openedVault(place, args, io);
      try {
        const ledger = await openLedger({ log, vault, producer: ledgerProducer() });
        tell(ledger.resumed);
        return { ledger, close };
      } catch (error) {
        await close();
        throw error;
      }
    };
    const ledger = async (): Promise<Ledger> => {
      opened ??= open();
      return (await opened).ledger;
    };
    try {
      if (await isThere(place, args)) await ledger();
      return await run(log, {
        ledger,
        async resume() {
          if (opened !== undefined) tell(await (await ledger()).resume());
        },
      });
    } finally {
      // Should it not have opened, that was told where it was asked for.
      await opened?.then(({ close }) => close()).catch(() => undefined);
    }
  });
}

/** Goes on with everything that waits in the vault of a log; opening both does. */
export async function resumed(
  directory: string,
  args: Arguments,
  io: Io,
): Promise<Resumed | 'open elsewhere'> {
  try {
    return await withLog(directory, args, { publishEveryMs: 0 }, async (log, place) =>
      withVault(place, args, io, async (vault) => {
        const ledger = await openLedger({ log, vault, producer: ledgerProducer() });
        await log.publish();
        return ledger.resumed;
      }),
    );
  } catch (error) {
    const { cause } = error instanceof Error ? error : {};
    if (cause instanceof LedgerError && cause.code === 'locked') return 'open elsewhere';
    throw error;
  }
}

/** Opens the vault that was made for a log, to read what was sealed. What the log says of it is done first. */
export async function withVaultOf<T>(
  place: LogPlace,
  log: LogView,
  args: Arguments,
  io: Io,
  run: (vault: Vault) => Promise<T>,
): Promise<T> {
  return withVault(place, args, io, async (vault) => {
    await replaySteps(log, vault);
    return run(vault);
  });
}

/** Opens the vault that was made for a log, beside whoever has the log open. */
export async function withVault<T>(
  place: LogPlace,
  args: Arguments,
  io: Io,
  run: (vault: Vault) => Promise<T>,
): Promise<T> {
  return mendable(async () => {
    if (!(await isThere(place, args))) throw noVault(place, args);
    const { vault, close } = await openedVault(place, args, io);
    try {
      return await run(vault);
    } finally {
      await close();
    }
  });
}

/** Opens the vault of a log to prune, and what it holds, once it knows of every hold in the log; undefined if none was made. */
export async function withHoldsOf<T>(
  place: LogPlace,
  log: LogView,
  args: Arguments,
  io: Io,
  run: (opened: { readonly vault: Vault; readonly holds: Holds } | undefined) => Promise<T>,
): Promise<T> {
  if (!(await isThere(place, args))) {
    if (readPlace(place.directory) !== undefined || args.text('vault') !== undefined)
      throw noVault(place, args);
    return run(undefined);
  }
  return withVaultOf(place, log, args, io, async (vault) => {
    const { holds, end } = await openedHolds(place, args);
    try {
      return await run({ vault, holds });
    } finally {
      await holds.close();
      await end();
    }
  });
}

/** What is said of parts that a sweep deleted. */
export function sweptText(parts: number): string {
  return `${count(parts, 'sealed part')} of no record deleted\n`;
}

async function openedHolds(
  place: LogPlace,
  args: Arguments,
): Promise<{ readonly holds: Holds; readonly end: () => Promise<void> }> {
  const where = placeOf(place, args);
  if (where.in === 'directory') return { holds: openFilesHolds(where.directory), end: async () => undefined };
  const { sql, end } = await vaultDatabase(place, args);
  return { holds: await openPostgresHolds(sql, place.origin), end };
}

/** Brings what leads to the vault to the directory that its log was moved to. The vault stays where it is. */
export function moveVaultKey(from: string, to: string): void {
  if (readPlace(from) === undefined) return;
  createKeyFile(join(to, KEY_FILE), readKeyFile(join(from, KEY_FILE)));
  copyFileSync(join(from, PLACE_FILE), join(to, PLACE_FILE));
  rmSync(join(from, KEY_FILE));
}

/** Makes the records about erasures and holds. */
function ledgerProducer() {
  return startProducer({
    id: 'comity-log',
    resource: { 'comity.system.id': 'comity-log', 'comity.tenant': 'comity', 'service.name': 'comity' },
    retain: { class: 'logs', hold: false, min: 'P0D' },
    jur: [],
  });
}

/** Opens the vault, or makes it where none was made before. */
async function openedVault(place: LogPlace, args: Arguments, io: Io): Promise<Opened> {
  const there = await isThere(place, args);
  const recorded = readPlace(place.directory);
  if (!there && recorded !== undefined) throw noVault(place, args);
  const key = join(place.directory, KEY_FILE);
  if (there && !existsSync(key)) {
    throw new LedgerError(
      'key-invalid',
      `${quoted(key)}, which opens the vault, is missing`,
      'restore it from your key backup, or copy it from the machine that made the vault',
    );
  }
  const wrapper = fileWrapper(key);
  const where = placeOf(place, args);
  const opened = await openAt(where, place, args, wrapper).catch((error: unknown) => {
    if (!(error instanceof LedgerError && error.code === 'blob-invalid')) throw error;
    throw new LedgerError(
      'key-invalid',
      `${quoted(key)} does not open ${nameOf(where)}`,
      'this vault belongs to another log, or the key was replaced: restore the right one',
    );
  });
  writeFileSync(
    join(place.directory, PLACE_FILE),
    `${JSON.stringify({ v: 'comity.vault/1', ...where }, undefined, 2)}\n`,
  );
  if (!there) {
    io.err(`made vault ${nameOf(where)}: keep its backups for days, not years\n`);
    io.err(`${quoted(key)} opens it: back it up apart from the vault, show it to nobody\n`);
  }
  return opened;
}

async function openAt(
  where: VaultPlace,
  place: LogPlace,
  args: Arguments,
  wrapper: ReturnType<typeof fileWrapper>,
): Promise<Opened> {
  if (where.in === 'directory') {
    const vault = await openFilesVault(where.directory, { wrapper });
    return { vault, close: () => vault.close() };
  }
  const { sql, end } = await vaultDatabase(place, args);
  try {
    const vault = await openPostgresVault(sql, { name: place.origin, wrapper });
    return {
      vault,
      async close() {
        await vault.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function isThere(place: LogPlace, args: Arguments): Promise<boolean> {
  const where = placeOf(place, args);
  if (where.in === 'directory') return existsSync(join(where.directory, 'keys.db'));
  const { sql, end } = await vaultDatabase(place, args);
  try {
    return await hasPostgresVault(sql, place.origin);
  } finally {
    await end();
  }
}

/** Where `--vault` says, or where it was before; else beside the entries. */
function placeOf(place: LogPlace, args: Arguments): VaultPlace {
  const text = args.text('vault');
  if (text !== undefined) {
    return isDatabase(text) ? { in: 'database' } : { in: 'directory', directory: resolve(text) };
  }
  const recorded = readPlace(place.directory);
  if (recorded !== undefined) return recorded;
  if (place.sql !== undefined) return { in: 'database' };
  return { in: 'directory', directory: `${resolve(place.directory)}.vault` };
}

function isDatabase(text: string): boolean {
  return text === 'env' || /^postgres(ql)?:\/\//.test(text);
}

/** The database of `--vault`, or else that of the entries. */
async function vaultDatabase(
  { sql }: LogPlace,
  args: Arguments,
): Promise<{ readonly sql: Sql; readonly end: () => Promise<void> }> {
  const text = args.text('vault');
  if (text !== undefined) {
    const own = await answering(databaseAddress('vault', text, 'VAULT_DATABASE_URL'));
    return { sql: own, end: () => own.end({ timeout: 5 }) };
  }
  if (sql !== undefined) return { sql, end: async () => undefined };
  throw mistake(
    'the vault of this log is in a database',
    'name it: `--vault postgres://…`, or `--vault env` with `VAULT_DATABASE_URL` set',
  );
}

/** Whether a vault was made for a log from the command line. */
export function hasVault(directory: string): boolean {
  return readPlace(directory) !== undefined;
}

function readPlace(directory: string): VaultPlace | undefined {
  const path = join(directory, PLACE_FILE);
  if (!existsSync(path)) return undefined;
  const json: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (isPlace(json))
    return json.in === 'database' ? { in: 'database' } : { in: 'directory', directory: json.directory };
  throw new LedgerError('damaged', `${quoted(path)} does not say where the vault is`, 'restore the file');
}

function isPlace(value: unknown): value is VaultPlace {
  if (typeof value !== 'object' || value === null) return false;
  const { v, in: kind, directory } = value as Readonly<Record<string, unknown>>;
  if (v !== 'comity.vault/1') return false;
  return kind === 'database' || (kind === 'directory' && typeof directory === 'string');
}

function noVault(place: LogPlace, args: Arguments): LedgerError {
  const where = nameOf(placeOf(place, args));
  return readPlace(place.directory) === undefined && args.text('vault') === undefined
    ? new LedgerError(
        'not-found',
        'log has no vault: nothing was ever sealed for it',
        'name the vault with `--vault` if it was made by another program',
      )
    : new LedgerError(
        'not-found',
        `vault of this log is not in ${where}`,
        'say where it is now with `--vault`, or restore it from its backup',
      );
}

function nameOf(where: VaultPlace): string {
  return where.in === 'database' ? 'the database' : quoted(where.directory);
}
