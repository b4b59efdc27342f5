import { channel } from 'node:diagnostics_channel';
import type { Moment } from '../rules/time.ts';
import type { CallFacts, Decision, MarketDecision } from './decision.ts';

/** The `node:diagnostics_channel` on which every {@link Mismatch} is published. */
export const MISMATCH_CHANNEL = 'comity:kernel:mismatch';

/** One decision in so many is checked again, on average. */
const EVERY = 10_000;
/** Decisions waiting to be checked again, at most: some kilobytes each. */
const QUEUE = 64;

/** A decision of the kernel that the reference interpreter does not confirm, with all that is needed to replay it. */
export interface Mismatch {
  /** Name of the feature. */
  readonly feature: string;
  /** SHA-256 of the law. */
  readonly digest: string;
  readonly moment: Moment;
  /** What the call stated. */
  readonly facts: CallFacts;
  readonly decisionId: string;
  readonly market: string;
  readonly decided: MarketDecision;
  /** What the interpreter says, or why it cannot say anything. */
  readonly interpreted: MarketDecision | Error;
}

export interface RecheckOptions {
  /** One decision in so many is checked, on average; 10 000 by default. */
  readonly every?: number;
  /** Decisions that may wait for their check; more are dropped, and counted. 64 by default. */
  readonly queue?: number;
  /** Told of each mismatch, beside the channel {@link MISMATCH_CHANNEL}. Where nobody listens, Node prints a warning. */
  readonly onMismatch?: (mismatch: Mismatch) => void;
}

/** Decisions by what became of their check. Counters only grow; `sampled` is the sum of the others and those waiting. */
export interface RecheckCounts {
  readonly sampled: number;
  /** Confirmed or not, in every market. */
  readonly checked: number;
  /** Not checked, since too many were waiting. */
  readonly dropped: number;
  /** Of those checked: not confirmed in some market. */
  readonly mismatched: number;
}

/** A decision to check. */
interface Sample {
  readonly feature: string;
  readonly facts: CallFacts;
  readonly decision: Decision;
  /** What the reference interpreter decides. */
  readonly reference: (market: string, facts: CallFacts) => MarketDecision;
}

/** A sample with the checks that are left. */
interface Waiting extends Sample {
  next: number;
  differs: boolean;
}

/**
 * Has decisions confirmed by the reference interpreter, now and then and after the fact. Policies may share one.
 *
 * The distance between samples varies, so that calls in a rhythm of their own have their turn all the same.
 */
export class Recheck {
  readonly #every: number;
  readonly #limit: number;
  readonly #onMismatch: ((mismatch: Mismatch) => void) | undefined;
  readonly #queue: Waiting[] = [];
  readonly #counts = { sampled: 0, checked: 0, dropped: 0, mismatched: 0 };
  #left: number;

  constructor({ every = EVERY, queue = QUEUE, onMismatch }: RecheckOptions = {}) {
    if (!Number.isInteger(every) || every < 1 || every >= 2 ** 30)
      throw new RangeError(`\`every\` must be a whole number from 1 to ${2 ** 30 - 1}, not \`${every}\``);
    this.#every = every;
    this.#limit = queue;
    this.#onMismatch = onMismatch;
    this.#left = this.#distance();
  }

  get counts(): RecheckCounts {
    return { ...this.#counts };
  }

  /** Counts a decision; true when it is one to check. */
  due(): boolean {
    if (--this.#left > 0) return false;
    this.#left = this.#distance();
    return true;
  }

  /** Checks a decision once nothing else is to do. */
  add(sample: Sample): void {
    this.#counts.sampled++;
    if (this.#queue.length >= this.#limit) {
      this.#counts.dropped++;
      return;
    }
    // The caller may change its facts once it has its decision.
    this.#queue.push({ ...sample, facts: structuredClone(sample.facts), next: 0, differs: false });
    if (this.#queue.length === 1) this.#schedule();
  }

  /** Any from one to just under twice the mean. */
  #distance(): number {
    return 1 + Math.floor(Math.random() * (2 * this.#every - 1));
  }

  /** A check waits for idle time and never keeps a process alive. */
  #schedule(): void {
    setImmediate(() => this.#step()).unref();
  }

  /** Checks one market: a turn of the event loop is held up no longer than that takes. */
  #step(): void {
    const [sample] = this.#queue;
    const decided = sample?.decision.markets[sample.next++];
    if (sample === undefined) return;
    if (decided === undefined) this.#finish(sample);
    if (this.#queue.length > 0) this.#schedule();
    if (decided !== undefined) this.#check(sample, decided);
  }

  #finish(sample: Waiting): void {
    this.#queue.shift();
    this.#counts.checked++;
    if (sample.differs) this.#counts.mismatched++;
  }

  #check(sample: Waiting, decided: MarketDecision): void {
    const interpreted = attempt(() => sample.reference(decided.market, sample.facts));
    if (!(interpreted instanceof Error) && isSame(decided, interpreted)) return;
    sample.differs = true;
    const { feature, facts, decision } = sample;
    const { digest, moment, id: decisionId } = decision;
    const { market } = decided;
    const mismatch = { feature, digest, moment, facts, decisionId, market, decided, interpreted };
    this.#report(mismatch);
  }

  #report(mismatch: Mismatch): void {
    const listeners = channel(MISMATCH_CHANNEL);
    if (!listeners.hasSubscribers && this.#onMismatch === undefined) {
      const { decisionId, market } = mismatch;
      process.emitWarning(
        `the interpreter does not confirm the decision \`${decisionId}\` of the kernel in ${market}`,
        { code: 'COMITY_MISMATCH', detail: `subscribe to the diagnostics channel \`${MISMATCH_CHANNEL}\`` },
      );
    }
    listeners.publish(mismatch);
    this.#onMismatch?.(mismatch);
  }
}

function attempt<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Outcome, controls, deciding reasons and open facts; reasons in whatever order. */
function isSame(a: MarketDecision, b: MarketDecision): boolean {
  return canonical(a) === canonical(b);
}

function canonical({ market, outcome, reasons, controls, open }: MarketDecision): string {
  const sorted = reasons.map(({ kind, id, control }) => JSON.stringify([kind, id, control])).sort();
  return JSON.stringify([market, outcome, sorted, controls, open]);
}
