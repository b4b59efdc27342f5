import { randomUUID } from 'node:crypto';
import type { HoldState, Vault } from '../../ledger/sealing/vault.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io, mistake } from '../command.ts';
import { row } from '../style.ts';
import { directoryOf, withPlace, withView } from './places.ts';
import { personOf, tenantOf } from './subject.ts';
import { resumed, withVault, withVaultOf } from './vault.ts';

/** `comity log hold`: what is held is not erased until the hold is released. */
export async function runLogHold(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'hold');
  const json = choice(args, 'format', ['table', 'json'], 'table') === 'json';
  const atVault = <T>(run: (vault: Vault) => Promise<T>): Promise<T> =>
    withPlace(directory, args, (place) => withVault(place, args, io, run));
  /** With what the log says of holds, in case the vault was restored from a backup. */
  const upToDate = <T>(run: (vault: Vault) => Promise<T>): Promise<T> =>
    withView(directory, args, (log, place) => withVaultOf(place, log, args, io, run));
  if (args.flag('list')) return list(await upToDate((vault) => vault.holds()), io, json);
  const release = args.text('release');
  if (release !== undefined) {
    const known = await upToDate(
      async (vault) => (await vault.release(release)) || (await vault.releaseRecord(release)),
    );
    if (!known) {
      throw mistake(
        `no hold \`${release}\``,
        '`--list` shows holds; the id of a record releases the hold that it asked for itself',
        'unknown-name',
      );
    }
    const index = await announced(release, directory, args, io);
    if (json) io.out(`${JSON.stringify({ id: release, index })}\n`);
    if (index !== undefined) io.err(`entry ${index}: released\n`);
    return EXIT.clean;
  }
  const id = randomUUID();
  const tenant = tenantOf(args);
  const person = personOf(args);
  // It is in force from here on, whatever becomes of its entry. Whoever has the log open already announces it.
  await atVault((vault) => vault.hold({ id, tenant, ...person }));
  const index = await announced(id, directory, args, io);
  io.out(json ? `${JSON.stringify({ id, tenant, index })}\n` : `${id}\n`);
  if (index !== undefined)
    io.err(`entry ${index}: held until it is released: \`--release\` with the id above\n`);
  return EXIT.clean;
}

/** Brings what is open in the vault into the log. @returns the entry of a hold's step, if it was taken here */
async function announced(
  hold: string,
  directory: string,
  args: Arguments,
  io: Io,
): Promise<number | undefined> {
  const progress = await resumed(directory, args, io);
  if (progress === 'open elsewhere') {
    io.err('this is kept in the vault, but another process has the log open\n');
    io.err(
      '`comity log serve` brings it into the log within a minute; else `comity log erase --resume` later\n',
    );
    return undefined;
  }
  // What only the hold stood in the way of happens at once, as at every opening.
  for (const { kind, request } of progress.erasures)
    if (kind === 'executed') io.err(`erasure ${request} is executed\n`);
  const step = progress.holds.find((one) => one.hold === hold);
  if (step === undefined) io.err('another process has brought this into the log\n');
  return step?.index;
}

function list(holds: readonly HoldState[], io: Io, json: boolean): ExitCode {
  const shown = holds.map(({ id, tenant, covers, state, release }) => {
    const now = release ? 'to be released' : state === 'new' ? 'not in the log yet' : 'held';
    return { id, tenant, covers, state: now };
  });
  if (json) io.out(`${JSON.stringify(shown, undefined, 2)}\n`);
  else
    for (const { id, tenant, covers, state } of shown)
      io.out(
        row(
          io,
          [
            [id, 38],
            [tenant, 14],
          ],
          state === 'held' ? COVERS[covers] : `${COVERS[covers]} (${state})`,
          ['bold'],
        ),
      );
  io.err(`${holds.length} holds\n`);
  return EXIT.clean;
}

const COVERS: Readonly<Record<HoldState['covers'], string>> = {
  tenant: 'everybody',
  subject: 'one person',
  record: 'one record',
  unknown: 'one person, of whom this vault has nothing: place it again for what comes later',
};
