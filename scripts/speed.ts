// The speed section of the README, from what `npm run bench -- <name> --save` kept.
import { readdirSync, readFileSync } from 'node:fs';
import { number, type Row } from '../bench/bench.ts';

const RESULTS = new URL('../bench/results/', import.meta.url);

/** What was kept of one benchmark. */
interface Saved {
  readonly name: string;
  readonly on: string;
  readonly machine: string;
  readonly rows: readonly Row[];
}

/** The figures that were measured last: what was promised, and the peers of the kernel. */
export function speed(): string {
  const saved = readdirSync(RESULTS)
    .sort()
    .map((file) => ({
      ...(JSON.parse(readFileSync(new URL(file, RESULTS), 'utf8')) as Omit<Saved, 'name'>),
      name: file.replace(/\.json$/, ''),
    }));
  const machines = [
    ...new Set(saved.map(({ machine, on }) => `${machine.replace(/, load .*$/, '')}, ${on}`)),
  ];
  return [
    ...peers(saved.find(({ name }) => name === 'decide')?.rows ?? []),
    '',
    '| | median | p99 | goal | `npm run bench --` |',
    '|---|---|---|---|---|',
    ...saved.filter(({ name }) => name !== 'decide').flatMap(claims),
    '',
    `${machines.join('; ')}. Each part of a benchmark is a process of its own, and its results are checked before it is measured.`,
  ].join('\n');
}

/** The rows that claim something. */
function claims({ name, rows }: Saved): readonly string[] {
  return rows.flatMap(({ claim, median, p99, unit, goal, ratio, peer }) =>
    claim === undefined
      ? []
      : [
          `| ${claim} | ${number(median)} ${unit}${ratio === undefined ? '' : `, ${number(ratio)} × ${peer ?? ''}`} | ${p99 === undefined ? '' : `${number(p99)} ${unit}`} | ${goal ?? ''} | \`${name}\` |`,
        ],
  );
}

/** Engines beside each other, whose rows claim `<work>, <kind of facts>: <engine>`. */
function peers(rows: readonly Row[]): readonly string[] {
  const found = rows.flatMap((row) => {
    const [, work = '', facts = '', engine = ''] = /^(.+), ([^,]+?): (.+)$/.exec(row.claim ?? '') ?? [];
    return engine === '' ? [] : [{ ...row, work, facts, engine }];
  });
  const kinds = [...new Set(found.map(({ facts }) => facts))];
  const engines = [...new Set(found.map(({ engine }) => engine))];
  const cell = (engine: string, kind: string): string => {
    const row = found.find((one) => one.engine === engine && one.facts === kind);
    if (row === undefined) return '';
    return row.ratio === undefined ? `${number(row.median)} ${row.unit}` : `${number(row.ratio)} ×`;
  };
  return [
    `| ${found[0]?.work ?? ''}, equal answers, true, false and unknown | ${kinds.join(' | ')} |`,
    `|---|${kinds.map(() => '---|').join('')}`,
    ...engines.map((engine) => `| ${engine} | ${kinds.map((kind) => cell(engine, kind)).join(' | ')} |`),
  ];
}
