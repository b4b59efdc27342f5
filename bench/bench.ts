import { cpus, loadavg, totalmem } from 'node:os';

/** One measured row. Times are per operation unless the unit says otherwise. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  /** Only of many times: the 99th percentile of a few rounds would say nothing. */
  readonly p99?: number;
  /** None: it was not measured, and the name says why. */
  readonly runs: number;
  /** How many times slower (above 1) or faster the peer is, on the same work with equal results. */
  readonly ratio?: number;
  readonly peer?: string;
  /** What was to be reached, for people: `≤ 1 µs`. */
  readonly goal?: string;
  /** The words under which the README shows the row; without them it does not. */
  readonly claim?: string;
  /** What else a reader should see beside the figure: its range, what was counted, what was checked. */
  readonly detail?: string;
  /** Load average of one minute when it was measured. */
  readonly load?: number;
}

/** Part of a benchmark: checks that results are right first, then measures. */
export type Part = (flags: Flags) => Promise<readonly Row[]> | readonly Row[];

/** What was said on the command line, or what the benchmark takes otherwise. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** An option that a benchmark has of its own: what it is without it. */
export type Flag =
  | { readonly type: 'string'; readonly default: string }
  | { readonly type: 'boolean'; readonly default: false };

/** One benchmark. Each part runs in a process of its own, so that none warms, fills or spoils what another measures. */
export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  /** Options besides those of every benchmark. */
  readonly flags?: Readonly<Record<string, Flag>>;
  readonly parts: Readonly<Record<string, Part>>;
  /** Ratios between the rows of all parts. */
  readonly compare?: (rows: readonly Row[]) => readonly Row[];
}

/** Median and 99th percentile of measurements. */
export function row(name: string, unit: string, samples: readonly number[], more: Partial<Row> = {}): Row {
  const { at, runs } = quantiles(samples);
  return { ...measured(name, unit, at(0.5), runs), ...(runs > 1 ? { p99: at(0.99) } : {}), ...more };
}

/** Median and range of a few rounds: of rates, or of what takes too long to be done often. */
export function ofRounds(
  name: string,
  unit: string,
  rounds: readonly number[],
  more: Partial<Row> = {},
): Row {
  const { at, runs } = quantiles(rounds);
  const range = runs > 1 ? [`${number(at(0))} to ${number(at(1))}`] : [];
  const detail = [...range, ...(more.detail === undefined ? [] : [more.detail])].join('; ');
  return { ...measured(name, unit, at(0.5), runs), ...more, ...(detail === '' ? {} : { detail }) };
}

/** A row that stands for one that cannot be measured here. */
export function notRun(name: string, unit: string, why: string): Row {
  return measured(`${name}: not run: ${why}`, unit, 0, 0);
}

function measured(name: string, unit: string, median: number, runs: number): Row {
  return { name, unit, median, runs, load: loadavg()[0] ?? 0 };
}

function quantiles(samples: readonly number[]): {
  readonly at: (q: number) => number;
  readonly runs: number;
} {
  const sorted = [...samples].sort((a, b) => a - b);
  return {
    at: (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN,
    runs: sorted.length,
  };
}

/** Milliseconds of each of `runs` calls, after a few to warm up. */
export async function time(runs: number, work: () => unknown, warmup = 3): Promise<readonly number[]> {
  for (let i = 0; i < warmup; i++) await work();
  const samples: number[] = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await work();
    samples.push(performance.now() - start);
  }
  return samples;
}

/** What a reader needs to judge a figure: machine, versions, load. */
export function machine(): string {
  const [cpu] = cpus();
  return `${cpu?.model ?? 'unknown processor'} × ${cpus().length}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}, Node ${process.version}, load ${loadavg()
    .map((n) => n.toFixed(2))
    .join(' ')}`;
}

/** Three digits that matter, or all before the point; from ten thousand on in groups. */
export function number(value: number): string {
  if (value >= 10_000) return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toPrecision(3);
}

/** The rows as a table for people. */
export function table(rows: readonly Row[]): string {
  const cells = [
    ['', 'median', 'p99', 'unit', 'runs', 'load'],
    ...rows.map(({ name, median, p99, unit, runs, load }) => [
      name,
      runs === 0 ? '' : number(median),
      p99 === undefined ? '' : number(p99),
      unit,
      String(runs),
      load?.toFixed(1) ?? '',
    ]),
  ];
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  const [head, ...lines] = cells.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('   '),
  );
  return [
    head,
    ...rows.flatMap(({ ratio, peer, goal, detail }, i) => [
      [
        lines[i],
        ...(ratio === undefined ? [] : [`${number(ratio)} × ${peer ?? ''}`]),
        ...(goal === undefined ? [] : [`goal ${goal}`]),
      ].join('   '),
      ...(detail === undefined ? [] : [`    ${detail}`]),
    ]),
  ].join('\n');
}
