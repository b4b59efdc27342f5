import { parseDay } from '../facts/date.ts';
import { isInteger, parseDecimal } from '../facts/decimal.ts';
import type { Domain, FactValue } from '../facts/domain.ts';
import { domainOf, fullDomain, pointDomain, test } from '../facts/domain.ts';
import type { Problem } from '../facts/problem.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { FactTest } from '../facts/test.ts';
import type { Fact } from '../facts/vocabulary.ts';
import { encode } from './program.ts';

/** The class of a fact that a call does not state. */
export const UNSTATED = 0;
/** Classes of a fact whose values cannot be listed: more are decided afresh each time. */
const OPEN_CAPACITY = 512;
/** Values remembered per fact with their class. */
const MEMORY = 4096;
/** Bits of one limb of a mask: a small integer. */
const LIMB = 30;

/** Values of one fact that no rule can tell apart. */
export interface ValueClass {
  /** One truth value per test of the fact, two-rail. */
  readonly row: Uint8Array;
  /** The value that stands for the class: the first one seen. */
  readonly value: FactValue | undefined;
}

/**
 * The values of one fact, cut into classes that no rule can tell apart.
 *
 * Class 0 is *not stated*. The last class is never kept: it holds one value that found no room, until the next such.
 */
export class FactClasses {
  readonly fact: Fact;
  readonly tests: readonly FactTest[];
  /** One more than the largest index of a class that is kept. */
  readonly capacity: number;
  readonly classes: ValueClass[] = [];
  readonly #exact: boolean;
  readonly #byRow = new Map<string, number>();
  readonly #byValue = new Map<string | number | boolean, number>();
  /** For a set: the bit of each word, counted over all limbs of a mask. */
  readonly #bits: ReadonlyMap<string, number> | undefined;
  readonly #limbs: Int32Array;
  /** The classes of the two values of a flag. */
  readonly #yes: number | undefined;
  readonly #no: number | undefined;

  /** @param exact keep all values apart, for facts from which others follow. */
  constructor(fact: Fact, tests: readonly FactTest[], exact: boolean) {
    this.fact = fact;
    this.tests = tests;
    this.#exact = exact;
    this.#bits = bitsOf(fact, tests, exact);
    const bits = 1 + Math.max(0, ...(this.#bits?.values() ?? []));
    this.#limbs = new Int32Array(Math.ceil(bits / LIMB));
    this.#add(this.#row(fullDomain(fact)), undefined, '');
    const listed = fact.type === 'bool' ? [true, false] : fact.type === 'enum' ? [...fact.values.keys()] : [];
    this.capacity = listed.length > 0 ? listed.length + 1 : OPEN_CAPACITY;
    for (const value of listed) this.#byValue.set(value, this.#classify(value));
    this.#yes = this.#byValue.get(true);
    this.#no = this.#byValue.get(false);
  }

  /** The class of a stated value, {@link capacity} when it found no room, or what is wrong with the value. */
  classOf(value: unknown): number | Problem {
    const flag = value === true ? this.#yes : value === false ? this.#no : undefined;
    if (flag !== undefined) return flag;
    if (typeof value === 'string') {
      const known = this.#byValue.get(value);
      if (known !== undefined) return known;
    }
    const mask = Array.isArray(value) ? this.#mask(value) : undefined;
    const known = mask === undefined ? undefined : this.#byValue.get(mask);
    if (known !== undefined) return known;
    const read = readValue(this.fact, value);
    if (read.problem !== undefined) return read.problem;
    const index = this.#classify(read.value);
    if (index < this.capacity && this.#byValue.size < MEMORY) {
      if (mask !== undefined) this.#byValue.set(mask, index);
      else if (typeof value === 'string') this.#byValue.set(value, index);
    }
    return index;
  }

  #classify(value: FactValue): number {
    const row = this.#row(domain(this.fact, value));
    const exact = this.#exact ? JSON.stringify(value) : '';
    const known = this.#byRow.get(key(row, exact));
    if (known !== undefined) return known;
    if (this.classes.length < this.capacity) return this.#add(row, value, exact);
    this.classes[this.capacity] = { row, value };
    return this.capacity;
  }

  #row(of: Domain): Uint8Array {
    return Uint8Array.from(this.tests, (asked) => encode(test(this.fact, of, asked)));
  }

  #add(row: Uint8Array, value: FactValue | undefined, exact: string): number {
    const index = this.classes.push({ row, value }) - 1;
    this.#byRow.set(key(row, exact), index);
    return index;
  }

  /** One name for all lists of words that every test treats alike; a small integer where one limb suffices. */
  #mask(words: readonly unknown[]): number | string | undefined {
    if (this.#bits === undefined) return undefined;
    const limbs = this.#limbs.fill(0);
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      const bit = typeof word === 'string' ? this.#bits.get(word) : undefined;
      if (bit === undefined) return undefined;
      const limb = Math.floor(bit / LIMB);
      limbs[limb] = (limbs[limb] ?? 0) | (1 << (bit % LIMB));
    }
    return limbs.length === 1 ? limbs[0] : limbs.join();
  }
}

/** A bit for each word of a set; words that every test treats alike share one. */
function bitsOf(
  fact: Fact,
  tests: readonly FactTest[],
  exact: boolean,
): ReadonlyMap<string, number> | undefined {
  if (fact.type !== 'set') return undefined;
  const patterns = new Map<string, number>();
  const bits = new Map<string, number>();
  for (const word of fact.values.keys()) {
    const pattern = tests.map((asked) =>
      (asked.kind === 'has' || asked.kind === 'only') && asked.values.includes(word) ? 1 : 0,
    );
    const name = exact ? word : pattern.join('');
    const bit = patterns.get(name) ?? patterns.size;
    patterns.set(name, bit);
    bits.set(word, bit);
  }
  return bits;
}

function key(row: Uint8Array, exact: string): string {
  return `${row.join('')}:${exact}`;
}

function domain(fact: Fact, value: FactValue): Domain {
  return typeof value === 'string' && fact.type !== 'enum' ? pointDomain(value) : domainOf(value);
}

type Read = { readonly value: FactValue; readonly problem?: undefined } | { readonly problem: Problem };

/** Checks what a call states of a fact. Numbers may be JavaScript numbers where those are exact. */
export function readValue(fact: Fact, value: unknown): Read {
  switch (fact.type) {
    case 'bool':
      return typeof value === 'boolean' ? { value } : wrong(fact, value, '`true` or `false`');
    case 'enum':
      return readWord(fact, value);
    case 'set': {
      if (!Array.isArray(value)) return wrong(fact, value, 'a list of words');
      const words: string[] = [];
      for (const item of value) {
        const word = readWord(fact, item);
        if (word.problem !== undefined) return word;
        words.push(String(word.value));
      }
      return { value: [...new Set(words)].sort() };
    }
    case 'date': {
      const day = typeof value === 'string' ? parseDay(value) : undefined;
      return day === undefined ? wrong(fact, value, 'a day such as `2026-08-02`') : { value: day };
    }
    default: {
      const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
      const number = typeof text === 'string' ? parseDecimal(text) : undefined;
      if (number === undefined) return wrong(fact, value, 'a number, as text where it has decimals');
      return fact.type === 'int' && !isInteger(number)
        ? wrong(fact, value, 'a whole number')
        : { value: number };
    }
  }
}

function readWord(fact: Fact, value: unknown): Read {
  if (typeof value !== 'string') return wrong(fact, value, 'a word');
  if (fact.values.has(value)) return { value };
  return {
    problem: {
      code: 'unknown-value',
      message: `\`${value}\` is no value of \`${fact.id}\``,
      help: didYouMean(value, [...fact.values.keys()]),
    },
  };
}

function wrong(fact: Fact, value: unknown, wanted: string): Read {
  // Whatever a call hands in: what has no plain text is named by its type.
  const shown = typeof value === 'object' || typeof value === 'function' ? typeof value : String(value);
  return {
    problem: {
      code: 'wrong-type',
      message: `\`${fact.id}\` must be ${wanted}, not \`${shown.slice(0, 80)}\``,
      help: 'leave a fact out while it is not known',
    },
  };
}
