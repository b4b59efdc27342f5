import { cpus, loadavg, totalmem } from 'node:os';

/** One measured row. Times are per operation unless the unit says otherwise. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly p99: number;
  readonly runs: number;
  /** How many times slower (above 1) or faster the peer is, on the same work with equal results. */
  readonly ratio?: number;
  readonly peer?: string;
  /** What was to be reached, for people: `≤ 1 µs`. */
  readonly goal?: string;
  /** The words under which the README shows the row; without them it does not. */
  readonly claim?: string;
  /** Load average of one minute when it was measured. */
  readonly load?: number;
}

/** Part of a benchmark: checks that results are right first, then measures. */
export type Part = () => Promise<readonly Row[]> | readonly Row[];

/** One benchmark. Each part runs in a process of its own, so that none warms, fills or spoils what another measures. */
export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  readonly parts: Readonly<Record<string, Part>>;
  /** Ratios between the rows of all parts. */
  readonly compare?: (rows: readonly Row[]) => readonly Row[];
}

/** Median and 99th percentile of measurements. */
export function row(name: string, unit: string, samples: readonly number[], more: Partial<Row> = {}): Row {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (q: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
  return {
    name,
    unit,
    median: at(0.5),
    p99: at(0.99),
    runs: sorted.length,
    load: loadavg()[0] ?? 0,
    ...more,
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

/** Three digits that matter. */
export function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toPrecision(3);
}

/** The rows as a table for people. */
export function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(width) : cell.padStart(i === 5 ? 7 : 11))).join('');
  return [
    line(['', 'median', 'p99', 'unit', 'runs', 'load']),
    ...rows.map(({ name, median, p99, unit, runs, ratio, peer, goal, load }) =>
      [
        line([name, number(median), number(p99), unit, String(runs), load?.toFixed(1) ?? '']),
        ...(ratio === undefined ? [] : [`${number(ratio)} × ${peer ?? ''}`]),
        ...(goal === undefined ? [] : [`goal ${goal}`]),
      ].join('   '),
    ),
  ].join('\n');
}
