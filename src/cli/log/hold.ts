import { randomUUID } from 'node:crypto';
import { type Arguments, choice, EXIT, type ExitCode, type Io, mistake } from '../command.ts';
import { row } from '../style.ts';
import { directoryOf, withPlace } from './places.ts';
import { personOf, tenantOf } from './subject.ts';
import { withVault } from './vault.ts';

/** `comity log hold`: what is held is not erased until the hold is released. */
export async function runLogHold(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'hold');
  const json = choice(args, 'format', ['table', 'json'], 'table') === 'json';
  const release = args.text('release');
  return withPlace(directory, args, (place) =>
    withVault(place, args, io, async (vault) => {
      if (args.flag('list')) {
        const holds = await vault.holds();
        if (json) io.out(`${JSON.stringify(holds, undefined, 2)}\n`);
        else
          for (const { id, tenant, covers } of holds)
            io.out(
              row(
                io,
                [
                  [id, 38],
                  [tenant, 14],
                ],
                covers === 'tenant' ? 'everybody' : 'one person',
                ['bold'],
              ),
            );
        io.err(`${holds.length} holds\n`);
        return EXIT.clean;
      }
      if (release !== undefined) {
        const released = (await vault.release(release)) || (await vault.releaseRecord(release));
        if (!released) {
          throw mistake(
            `no hold \`${release}\``,
            '`--list` shows holds; the id of a record releases the hold that it asked for itself',
            'unknown-name',
          );
        }
        io.err(`released; \`comity log erase ${directory} --resume\` goes on with requests that waited\n`);
        return EXIT.clean;
      }
      const id = randomUUID();
      const tenant = tenantOf(args);
      await vault.hold({ id, tenant, ...personOf(args) });
      io.out(json ? `${JSON.stringify({ id, tenant })}\n` : `${id}\n`);
      io.err('held until it is released: `--release` with the id above\n');
      return EXIT.clean;
    }),
  );
}
