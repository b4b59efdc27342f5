import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LogView } from '../../ledger/log/log.ts';
import { type KeptBack, type PruneConditions, prunable } from '../../ledger/log/prunable.ts';
import { type PruneProgress, type PruneReport, prune } from '../../ledger/log/prune.ts';
import { PRUNE_STEP } from '../../ledger/log/store.ts';
import { rfc3339 } from '../../ledger/record/time.ts';
import { type Holds, holdsOfRecords } from '../../ledger/sealing/holds.ts';
import type { Vault } from '../../ledger/sealing/vault.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io, mistake } from '../command.ts';
import { countOption, fileBytes, required } from '../ledger-input.ts';
import { count } from '../words.ts';
import { directoryOf, type LogPlace, withLog, withView, witnessProblemText } from './places.ts';
import { openIndex, timeOption } from './records.ts';
import { hasVault, withHoldsOf } from './vault.ts';

/** `comity log prune`: removes the bytes of entries that have outlived their retention. */
export async function runLogPrune(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'prune');
  const format = choice(args, 'format', ['table', 'json'], 'table');
  const conditions = conditionsOf(args);
  const told = args.flag('dry-run')
    ? await withView(directory, args, (log, place) =>
        withHolds(place, log, args, io, async ({ holds }) => {
          const { previous, minimum, kept } = await prunable(
            log,
            { ...conditions, ...(holds === undefined ? {} : { holds }) },
            Date.now(),
            (done, total) => io.progress(progressText({ step: 'reading', done, total })),
          );
          return { previous, minimum, announcement: undefined, removed: 0, parts: 0, kept };
        }),
      )
    : await pruned(directory, args, conditions, io);
  io.progress('');
  if (format === 'json') io.out(`${JSON.stringify(told, undefined, 2)}\n`);
  else printReport(told, args.flag('dry-run'), io);
  return EXIT.clean;
}

function pruned(
  directory: string,
  args: Arguments,
  conditions: PruneConditions,
  io: Io,
): Promise<PruneReport> {
  const policy = policyText(args);
  const onWitness = (problem: Parameters<typeof witnessProblemText>[0]): void =>
    io.err(`${witnessProblemText(problem)}\n`);
  return withLog(directory, args, { publishEveryMs: 0, onWitness }, (log, place) =>
    withHolds(place, log, args, io, async (vault) => {
      const onProgress = (state: PruneProgress): void => io.progress(progressText(state));
      const report = await prune({ log, policy, ...conditions, ...vault, onProgress });
      await clearIndex(place, log.origin, report.minimum);
      return report;
    }),
  );
}

function conditionsOf(args: Arguments): PruneConditions {
  const [below, before, opaqueAfter] = [
    countOption(args, 'below'),
    timeOption(args, 'before'),
    args.text('opaque-after'),
  ];
  return {
    ...(below === undefined ? {} : { below }),
    ...(before === undefined ? {} : { before }),
    ...(opaqueAfter === undefined ? {} : { opaqueAfter }),
  };
}

/** The written policy: a file, or the text itself. */
function policyText(args: Arguments): string {
  const given = required(
    args.text('policy'),
    'which retention policy permits it?',
    'name the file that it is written in, or write it: `--policy "kept for six months after use"`',
  );
  return existsSync(given) ? (decodeUtf8(fileBytes(given)) ?? '') : given;
}

/** Asks the vault of the log, if there is one, which records are held. */
async function withHolds<T>(
  place: LogPlace,
  log: LogView,
  args: Arguments,
  io: Io,
  run: (opened: { readonly vault?: Vault; readonly holds?: Holds }) => Promise<T>,
): Promise<T> {
  if (args.text('vault') === 'none') {
    if (!hasVault(place.directory)) return run({ holds: holdsOfRecords });
    throw mistake('`--vault none`, but this log has a vault', 'leave it out: its holds are respected then');
  }
  return withHoldsOf(place, log, args, io, (opened) => run(opened ?? {}));
}

/** The index can be made again from what is left; rows about what is gone must not outlive it. */
async function clearIndex(place: LogPlace, origin: string, minimum: number): Promise<void> {
  if (place.sql === undefined && !existsSync(join(place.directory, 'index.db'))) return;
  const index = await openIndex(place, origin);
  try {
    const stale = await index.query({ before: minimum, limit: 1 });
    if (stale.length > 0) await index.clear(await index.mark());
  } finally {
    await index.close();
  }
}

function progressText({ step, done, total }: PruneProgress): string {
  switch (step) {
    case 'reading':
      return `looked at ${done} of ${total} entries`;
    case 'planned':
    case 'announcing':
    case 'announced':
      return `announcing that entries before ${total} go`;
    case 'removing':
    case 'removed':
      return `removed ${done} of ${total} steps of entries`;
  }
}

function printReport(report: PruneReport, dryRun: boolean, io: Io): void {
  const { previous, minimum, announcement, removed, parts, kept } = report;
  const what = `entries ${previous} to ${minimum - 1}`;
  if (minimum === previous)
    io.out(`nothing to prune${removed > 0 ? `; ${removed} bytes were left over` : ''}\n`);
  else if (dryRun) io.out(`${what} could be pruned\n`);
  else io.out(`${what} pruned: ${removed} bytes removed; entry ${announcement ?? '?'} announces it\n`);
  if (parts > 0) io.out(`${count(parts, 'sealed part')} went from the vault with their records\n`);
  const together = kept.index === minimum ? '' : `, and with it the entries from ${minimum} on`;
  io.out(`kept: ${keptText(kept)}${together}\n`);
}

function keptText(kept: KeptBack): string {
  const entry = `entry ${kept.index}`;
  switch (kept.kind) {
    case 'retention':
      return `${entry}, record ${kept.record}, whose retention ends ${rfc3339(kept.until)}`;
    case 'hold':
      return `${entry}, record ${kept.record}, which is held`;
    case 'vault-unknown':
      return `${entry}, record ${kept.record}, whose sealed parts are in a vault that may hold it: name it with --vault, or write \`--vault none\``;
    case 'too-new':
      return `${entry}, which is not from before the time that was given`;
    case 'opaque':
      return kept.until === undefined
        ? `${entry}, which is no record and states no retention: say with --opaque-after how long such entries are kept`
        : `${entry}, which is no record, until ${rfc3339(kept.until)}`;
    case 'unreadable':
      return `${entry}, a record that this version cannot read`;
    case 'step-not-full':
      return `everything from ${entry} on: ${PRUNE_STEP} entries go together, and no more such steps are published or were asked for`;
  }
}
