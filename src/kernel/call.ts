import type { Problem } from '../facts/problem.ts';
import type { Law } from '../rules/law.ts';
import type { FactClasses, ValueClass } from './classes.ts';
import { UNSTATED } from './classes.ts';
import type { CallFacts } from './decision.ts';
import { unknownFact } from './policy-options.ts';

/**
 * Reads what calls state into classes of values, and makes one number of them.
 *
 * One call at a time: what was read stays until the next is read, and nothing is allocated.
 */
export class CallReader {
  /** Facts that a call may state. */
  readonly facts: readonly string[];
  readonly classes: readonly FactClasses[];
  /** Class of each fact in the call at hand. */
  readonly call: Uint16Array;
  /** The number of the call at hand; only where it {@link hasKey}. */
  key = 0;
  /** Equal numbers are equal calls to every rule. Not so where a value found no room in its fact's classes. */
  hasKey = false;
  readonly #law: Law;
  readonly #index: ReadonlyMap<string, number>;
  /** Weight of each fact in the number; zero where the numbers would grow past exact ones. */
  readonly #weights: readonly number[];
  readonly #lastIds: string[] = [];
  readonly #lastIndices: number[] = [];

  constructor(law: Law, classes: readonly FactClasses[]) {
    this.#law = law;
    this.classes = classes;
    this.facts = classes.map(({ fact }) => fact.id);
    this.call = new Uint16Array(classes.length);
    this.#index = new Map(this.facts.map((id, i) => [id, i]));
    this.#weights = weightsOf(classes);
  }

  /** Reads a call; returns what is wrong with it, if anything. */
  read(facts: CallFacts): Problem | undefined {
    this.call.fill(UNSTATED);
    let key = 0;
    let hasKey = true;
    let n = 0;
    for (const id in facts) {
      const i = this.#indexOf(id, n++);
      const classes = i === undefined ? undefined : this.classes[i];
      if (i === undefined || classes === undefined) return this.#unexpected(id);
      const found = classes.classOf(facts[id]);
      if (typeof found !== 'number') return found;
      const weight = this.#weights[i] ?? 0;
      this.call[i] = found;
      key += found * weight;
      if (weight === 0 || found === classes.capacity) hasKey = false;
    }
    this.key = key;
    this.hasKey = hasKey;
    return undefined;
  }

  /** Makes the call with a number the one at hand again. */
  recall(key: number): void {
    for (let i = this.classes.length - 1, rest = key; i >= 0; i--) {
      const weight = this.#weights[i] ?? 1;
      this.call[i] = Math.floor(rest / weight);
      rest %= weight;
    }
    this.key = key;
    this.hasKey = true;
  }

  /** The values of the call at hand, each by its class; stays as it is when the next call is read. */
  stated(): readonly (ValueClass | undefined)[] {
    return this.classes.map(({ classes }, i) => classes[this.call[i] ?? UNSTATED]);
  }

  /** Calls mostly state the same facts in the same order: the one stated at this place last is tried first. */
  #indexOf(id: string, place: number): number | undefined {
    if (this.#lastIds[place] === id) return this.#lastIndices[place];
    const index = this.#index.get(id);
    if (index !== undefined && place < this.facts.length) {
      this.#lastIds[place] = id;
      this.#lastIndices[place] = index;
    }
    return index;
  }

  #unexpected(id: string): Problem {
    const problem = unknownFact(id, this.facts);
    return problem === undefined || !this.#law.vocabulary.facts.has(id)
      ? (problem ?? { code: 'unknown-fact', message: `unknown fact \`${id}\`` })
      : {
          code: 'unknown-fact',
          message: `\`${id}\` is no fact of a call`,
          help: 'what is known when the feature is built stands in the manifest',
        };
  }
}

/**
 * Weights that make one number of the classes of a call, in mixed radix: each fact has as many digits as classes. All
 * zero where such numbers would not be exact.
 */
export function weightsOf(classes: readonly FactClasses[]): readonly number[] {
  let weight = 1;
  const weights = classes.map(({ capacity }) => {
    const own = weight;
    weight *= capacity;
    return own;
  });
  return weight <= Number.MAX_SAFE_INTEGER ? weights : weights.map(() => 0);
}
