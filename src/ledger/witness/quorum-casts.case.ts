import { majorityOf } from './quorum.ts';

/** Rogue witnesses that suffice for a country to vote for two heads: where two majorities can meet in them alone. */
export function breaking(size: number): number {
  return 2 * majorityOf(size) - size;
}

/** What the enumeration of a policy found. */
export interface Found {
  /** Fewest rogue countries with which both faces were VERIFIED; infinite if they never were. */
  readonly least: number;
  /** Casts in which both were. */
  readonly attacks: number;
}

/** Every set of rogue witnesses and every split of the honest ones, one by one. */
export function literalSearch(sizes: readonly number[], one: Uint8Array, other: Uint8Array): Found {
  const all = one.length - 1;
  let [least, attacks] = [Number.POSITIVE_INFINITY, 0];
  for (let rogue = 0; rogue <= all; rogue++) {
    const countries = brokenBy(sizes, rogue);
    const honest = all & ~rogue;
    // All subsets of the honest, downwards.
    for (let shown = honest; ; shown = (shown - 1) & honest) {
      if (one[rogue | shown] === 1 && other[rogue | (honest & ~shown)] === 1) {
        attacks += 1;
        least = Math.min(least, countries);
      }
      if (shown === 0) break;
    }
  }
  return { least, attacks };
}

const bits = (mask: number): number => mask.toString(2).replaceAll('0', '').length;

/** How many cosigners each country has. */
export function countsOf(sizes: readonly number[], mask: number): readonly number[] {
  let at = 0;
  return sizes.map((size) => {
    const count = bits((mask >> at) & (2 ** size - 1));
    at += size;
    return count;
  });
}

/** Countries that these rogue witnesses can make vote twice. */
export function brokenBy(sizes: readonly number[], rogue: number): number {
  return countsOf(sizes, rogue).filter((count, i) => count >= breaking(sizes[i] ?? 0)).length;
}

/*
 * The symmetry: witnesses of one country may be exchanged, and countries with as many witnesses. What is left of a cast
 * is how many witnesses of each country are rogue, were shown the one face, or the other, whichever country it is.
 */
export interface CountryCast {
  readonly size: number;
  readonly rogue: number;
  readonly one: number;
  readonly other: number;
}

function countryCasts(size: number): readonly CountryCast[] {
  const casts: CountryCast[] = [];
  for (let rogue = 0; rogue <= size; rogue++) {
    for (let one = 0; rogue + one <= size; one++) casts.push({ size, rogue, one, other: size - rogue - one });
  }
  return casts;
}

/** Choices of `count` items, whatever their order, each as often as one likes. */
function* multisets<T>(items: readonly T[], count: number): Generator<readonly T[]> {
  if (count === 0) yield [];
  else {
    for (const [i, item] of items.entries()) {
      for (const rest of multisets(items.slice(i), count - 1)) yield [item, ...rest];
    }
  }
}

/** For sorted sizes: the casts of each group of equal countries, combined. */
export function* symmetricCasts(sizes: readonly number[]): Generator<readonly CountryCast[]> {
  const [size] = sizes;
  if (size === undefined) {
    yield [];
    return;
  }
  const count = sizes.filter((one) => one === size).length;
  for (const group of multisets(countryCasts(size), count)) {
    for (const rest of symmetricCasts(sizes.slice(count))) yield [...group, ...rest];
  }
}

const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1));

/** How many casts one by one this one stands for. */
export function weightOf(cast: readonly CountryCast[]): number {
  let weight = 1;
  for (const [, group] of Map.groupBy(cast, ({ size }) => size)) {
    weight *= factorial(group.length);
    const same = Map.groupBy(group, ({ rogue, one }) => `${rogue} ${one}`);
    for (const [, equal] of same) weight /= factorial(equal.length);
  }
  for (const { size, rogue, one, other } of cast) {
    weight *= factorial(size) / (factorial(rogue) * factorial(one) * factorial(other));
  }
  return weight;
}

/** Whether a set of rogue witnesses, with some split of the others, got both faces VERIFIED. */
export function forkable(one: Uint8Array, other: Uint8Array): (rogue: number) => boolean {
  const all = one.length - 1;
  return (rogue) => {
    const honest = all & ~rogue;
    for (let shown = honest; ; shown = (shown - 1) & honest) {
      if (one[rogue | shown] === 1 && other[rogue | (honest & ~shown)] === 1) return true;
      if (shown === 0) return false;
    }
  };
}

/** Numbers of witnesses in `count` countries, smallest first. */
export const sizesIn = (count: number, kinds: readonly number[]) => [...multisets(kinds, count)];
