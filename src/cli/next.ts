import type { Arguments, Command, ExitCode, Io } from './command.ts';
import { EXIT } from './command.ts';
import { assessAll, QUESTION_OPTIONS } from './input.ts';
import { paint, row } from './style.ts';

const EFFORT = ['', 'a glance', 'some minutes', 'an hour', 'a day', 'a study'] as const;

export const command: Command = {
  name: 'next',
  summary: 'the question that settles most, what it costs, and how many could be left',
  usage: 'next [manifest or directory …] [options]',
  options: {
    ...QUESTION_OPTIONS,
    format: { type: 'string', value: 'table|json', help: 'how to print (default table)' },
  },
  examples: ['comity next examples/support-chatbot'],
  run,
};

function run(args: Arguments, io: Io): ExitCode {
  const { loaded, moment, features } = assessAll(args, args.positionals);
  if (args.text('format') === 'json') {
    const list = features.map(({ manifest, open }) => {
      const [first] = open;
      return {
        name: manifest.name,
        file: manifest.file,
        left_at_most: open.length,
        ...(first === undefined
          ? {}
          : {
              next: {
                fact: first.fact.id,
                question: first.fact.question,
                who: first.fact.who,
                cost: first.fact.cost,
                markets: first.markets,
                findings: first.findings,
              },
            }),
      };
    });
    io.out(
      `${JSON.stringify({ format: 'comity.next/1', ruleset: loaded.digest, as_of: moment.asOf, features: list }, undefined, 2)}\n`,
    );
    return EXIT.clean;
  }
  for (const { manifest, open } of features) {
    const [first] = open;
    io.out(`${paint(io, 'bold', manifest.name)}\n`);
    if (first === undefined) {
      io.out('  nothing left to ask\n');
      continue;
    }
    io.out(row(io, [['  ', 2]], first.fact.question));
    io.out(
      row(
        io,
        [['  ', 2]],
        `${first.fact.id} · answered by: ${first.fact.who} · effort: ${EFFORT[first.fact.cost] ?? first.fact.cost} · bears on ${first.markets.join(', ')} (${first.findings} findings) · at most ${open.length - 1} left after it`,
        ['dim'],
      ),
    );
  }
  return EXIT.clean;
}
