import { randomUUID } from 'node:crypto';
import { rfc3339 } from '../../ledger/record/time.ts';
import { type ErasureProgress, type ErasureStep, obstacleOf } from '../../ledger/sealing/erasure.ts';
import type { ErasureRequest, Vault } from '../../ledger/sealing/vault.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io, mistake } from '../command.ts';
import { row } from '../style.ts';
import { directoryOf, withPlace, withView } from './places.ts';
import { personOf } from './subject.ts';
import { resumed, sweptText, withVault, withVaultOf } from './vault.ts';

/** `comity log erase`: erases a person, or goes on with requests, or lists those that wait. */
export async function runLogErase(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'erase');
  const json = choice(args, 'format', ['table', 'json'], 'table') === 'json';
  if (args.flag('list')) return list(directory, args, io, json);
  if (args.flag('resume')) return resume(directory, args, io, json);
  const person = personOf(args);
  if (person === undefined) {
    throw mistake(
      'erase whom?',
      'name a person with `--tenant` and `--subject` (`-` reads the name from standard input), or `--resume`, or `--list`',
    );
  }
  const [reasonCode, actorRole] = [code(args, 'reason'), code(args, 'role')];
  const id = randomUUID();
  // The wish is kept first. Opening the log goes on with it; so does whoever has the log open already.
  await withPlace(directory, args, (place) =>
    withVault(place, args, io, (vault) => vault.request({ id, ...person, reasonCode, actorRole })),
  );
  const progress = await resumed(directory, args, io);
  if (progress === 'open elsewhere') {
    io.err(`request ${id} is kept, but another process has the log open\n`);
    io.err('`comity log serve` carries it out within a minute; else run this with `--resume` later\n');
    if (json)
      io.out(`${JSON.stringify([{ kind: 'requested', request: id, tenant: person.tenant, steps: [] }])}\n`);
    return EXIT.clean;
  }
  const own = progress.erasures.filter(({ request }) => request === id);
  print(own, io, json);
  if (own.every(({ steps }) => steps.every(({ parts }) => parts === 0)))
    io.err('nothing was sealed about this person under that name\n');
  return EXIT.clean;
}

async function resume(directory: string, args: Arguments, io: Io, json: boolean): Promise<ExitCode> {
  const progress = await resumed(directory, args, io);
  if (progress === 'open elsewhere') {
    throw mistake('another process has the log open', '`comity log serve` goes on with requests by itself');
  }
  print(progress.erasures, io, json);
  if (progress.swept > 0) io.err(sweptText(progress.swept));
  if (!json) io.err(`${progress.erasures.length} requests were open\n`);
  return EXIT.clean;
}

async function list(directory: string, args: Arguments, io: Io, json: boolean): Promise<ExitCode> {
  const requests = await withView(directory, args, (log, place) =>
    withVaultOf(place, log, args, io, async (vault) => {
      const open = await vault.openRequests();
      return Promise.all(open.map((request) => waiting(vault, request)));
    }),
  );
  if (json) io.out(`${JSON.stringify(requests, undefined, 2)}\n`);
  else {
    for (const { request, tenant, state, parts, why, until } of requests) {
      const text = state === 'deferred' ? reasonText(parts, until, why) : `${partsText(parts)}, not begun`;
      io.out(
        row(
          io,
          [
            [request, 38],
            [tenant, 14],
          ],
          text,
          ['bold', 'dim'],
        ),
      );
    }
    io.err(`${requests.length} requests are open\n`);
  }
  return EXIT.clean;
}

async function waiting(vault: Vault, { id, tenant, state, reasonCode, actorRole }: ErasureRequest) {
  const keys = await vault.requestKeys(id);
  const parts = keys.reduce((sum, key) => sum + key.parts, 0);
  const { until, why } = obstacleOf(keys);
  const time = until === undefined || state !== 'deferred' ? undefined : rfc3339(until);
  return { request: id, tenant, state, parts, why, until: time, reason: reasonCode, role: actorRole };
}

function print(progress: readonly ErasureProgress[], io: Io, json: boolean): void {
  if (json) {
    const timed = progress.map((one) => ({ ...withTime(one), steps: one.steps.map(withTime) }));
    io.out(`${JSON.stringify(timed, undefined, 2)}\n`);
    return;
  }
  for (const { request, tenant, steps, ...now } of progress) {
    io.out(`request ${request} of ${tenant}\n`);
    for (const step of steps)
      io.out(
        row(
          io,
          [
            [`  ${step.kind}`, 13],
            [`entry ${step.index}`, 14],
          ],
          stepText(step),
          ['bold', 'dim'],
        ),
      );
    if (now.kind === 'deferred' && steps.length === 0)
      io.out(row(io, [['  deferred', 27]], `still ${waitText(withTime(now).until, now.why)}`, ['bold']));
  }
}

function stepText(step: ErasureStep): string {
  if (step.kind === 'deferred') return reasonText(step.parts, withTime(step).until, step.why);
  return step.kind === 'executed'
    ? `${partsText(step.parts)} and what opens them are gone`
    : partsText(step.parts);
}

function reasonText(parts: number, until: string | undefined, why: string): string {
  return `${partsText(parts)}: ${waitText(until, why)}`;
}

function waitText(until: string | undefined, why: string): string {
  const held = 'a legal hold is released (`comity log hold --release`)';
  if (until === undefined) return `kept until ${held}`;
  return why === 'legal-hold'
    ? `kept until ${until} at least, some until ${held}`
    : `kept until ${until} (${why})`;
}

function partsText(parts: number): string {
  return parts === 1 ? '1 sealed part' : `${parts} sealed parts`;
}

/** Times as text. */
function withTime<T extends { readonly kind: string; readonly until?: number | undefined }>(one: T) {
  const { until, ...more } = one;
  return { ...more, until: until === undefined ? undefined : rfc3339(until) };
}

/** A code that may stand in the log for ever; no text, which might be about somebody. */
function code(args: Arguments, option: string): string | undefined {
  const text = args.text(option);
  if (text === undefined || /^[A-Za-z0-9][A-Za-z0-9._:/+*-]{0,255}$/.test(text)) return text;
  throw mistake(
    `\`--${option}\` is not a code`,
    'it stands in the log for good: write for example `art17-1-b`, `dpo`',
  );
}
