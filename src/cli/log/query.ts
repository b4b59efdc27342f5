import { rfc3339 } from '../../ledger/record/time.ts';
import { decodeUtf8 } from '../../tlog/text.ts';
import { type Arguments, choice, EXIT, type ExitCode, type Io } from '../command.ts';
import { countOption } from '../ledger-input.ts';
import { row } from '../style.ts';
import { count } from '../words.ts';
import { directoryOf, withView } from './places.ts';
import { findRecords, queryOf } from './records.ts';

/** `comity log query`: records that meet all conditions, with the index by which each is proved. */
export async function runLogQuery(rest: readonly string[], args: Arguments, io: Io): Promise<ExitCode> {
  const directory = directoryOf(rest, 'query');
  const format = choice(args, 'format', ['table', 'json'], 'table');
  const limit = countOption(args, 'limit', 1) ?? 100;
  const after = countOption(args, 'after');
  return withView(directory, args, async (log, place) => {
    const query = { ...(await queryOf(place, log, args, io)), ...(after === undefined ? {} : { after }) };
    const rows = await findRecords(place, log, query, limit, io);
    if (format === 'json') {
      const minimum = await log.store.minimum();
      const found = await Promise.all(
        rows.map(async ({ index, time, ...more }) => {
          if (index < minimum) return { index, time: rfc3339(time), ...more, pruned: true };
          const record: unknown = JSON.parse(decodeUtf8(await log.read(index)) ?? 'null');
          return { index, time: rfc3339(time), ...more, record };
        }),
      );
      io.out(`${JSON.stringify(found, undefined, 2)}\n`);
      return EXIT.clean;
    }
    for (const { index, time, event, system, outcome } of rows) {
      const what = `${event} ${system}${outcome === undefined ? '' : ` ${outcome}`}`;
      io.out(
        row(
          io,
          [
            [String(index), 9],
            [rfc3339(time), 26],
          ],
          what,
          ['bold', 'dim'],
        ),
      );
    }
    const more = rows.length === limit ? `; more may follow: --after ${rows.at(-1)?.index ?? 0}` : '';
    io.err(`${count(rows.length, 'record')} of ${log.published()?.size ?? 0} entries${more}\n`);
    return EXIT.clean;
  });
}
