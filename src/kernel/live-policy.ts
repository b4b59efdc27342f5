import { probeBeside } from '../assess/evidence-files.ts';
import type { Day } from '../facts/date.ts';
import type { Manifest } from '../facts/manifest.ts';
import type { LoadedLaw } from '../rules/load.ts';
import { BUNDLED_LAW } from '../rules/load.ts';
import type { CompileOptions } from './compile.ts';
import { readManifestFile } from './compile.ts';
import type { CallFacts, Decision } from './decision.ts';
import type { Fingerprint } from './fingerprint.ts';
import { loadLawAside } from './law-aside.ts';
import type { Explanation, Policy } from './policy.ts';
import { specialise, unknownDecision } from './policy.ts';
import { Recheck } from './recheck.ts';
import type { Change } from './watcher.ts';
import { Watcher } from './watcher.ts';

/** One policy has taken the place of another. */
export interface PolicyChange {
  readonly policy: Policy;
  readonly previous: Policy;
  /** An epoch ended, or the law or the manifest changed on disk. */
  readonly why: 'epoch' | 'files';
}

export interface WatchOptions
  extends Pick<CompileOptions, 'markets' | 'callFacts' | 'probe' | 'keep' | 'build' | 'recheck'> {
  /** A directory; by default the law that comes with this package. */
  readonly law?: string;
  readonly onChange?: (change: PolicyChange) => void;
  /**
   * What kept a policy from being made: an InputError for mistakes in the files. The policy before it goes on. Where
   * nobody listens, Node prints a warning.
   */
  readonly onProblem?: (error: Error) => void;
  /** Seconds between looks at the content of the files, whatever the file system announces; 60 by default. */
  readonly everySeconds?: number;
  /** Files that stay the same for so long are taken for written in full; 100 milliseconds by default. */
  readonly settleMs?: number;
  /** Policies kept after their time, so that their decisions can be explained; 8 by default. */
  readonly past?: number;
  /** The clock, in milliseconds since 1970; `Date.now` by default. */
  readonly now?: () => number;
}

/** What a policy is made from. */
interface Sources {
  readonly loaded: LoadedLaw;
  readonly manifest: Manifest;
}

const PAST = 8;
/** The longest that a timer of Node can wait, in milliseconds. */
const LONGEST_WAIT = 2 ** 31 - 1;

/**
 * Compiles a feature and keeps the policy up to date: with the days, and with the law and the manifest on disk.
 *
 * @param manifest file of the manifest.
 * @throws InputError for mistakes in the files as they are now. Later ones go to `onProblem`.
 *
 * @example
 * const live = await watch('comity.yaml', { law: 'law', onProblem: (error) => console.error(error.message) });
 * live.decide({ 'user.age_band': 'under-13' }).in(market).outcome;
 * live.close();
 */
export async function watch(manifest: string, options: WatchOptions = {}): Promise<LivePolicy> {
  const law = options.law ?? BUNDLED_LAW;
  const watcher = new Watcher(law, manifest, options);
  // Looked at before reading: what changes in between is seen as a change.
  const print = await watcher.look();
  const loaded = await loadLawAside(law);
  return new LivePolicy(
    { loaded, manifest: await readManifestFile(manifest, loaded.law) },
    watcher,
    print,
    options,
  );
}

/**
 * The policy of a feature, always the one for today and for what lies on disk. A new one is compiled aside and takes
 * the place of the old in one step; a call is decided by one or the other. Never keeps a process alive.
 */
export class LivePolicy {
  /** Shared by all policies, so that its counters go on. */
  readonly recheck: Recheck;
  readonly #options: WatchOptions;
  readonly #now: () => number;
  readonly #watcher: Watcher;
  readonly #past: Policy[] = [];
  #sources: Sources;
  #current: Policy;
  /** The policy of the epoch after this one, made in advance: the step into it takes no time. */
  #next: Policy | undefined;
  /** When the current epoch ends, in milliseconds since 1970. */
  #end: number;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @internal */
  constructor(sources: Sources, watcher: Watcher, print: Fingerprint, options: WatchOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.recheck = options.recheck ?? new Recheck();
    this.#sources = sources;
    this.#current = this.#make(sources, this.#today());
    this.#end = endOf(this.#current);
    this.#watcher = watcher;
    watcher.start(print, {
      changed: (change) => this.#reload(change),
      looked: () => this.#keepUp(),
      failed: (error) => this.#report(error),
    });
    this.#await();
  }

  /** The policy of now. */
  get policy(): Policy {
    if (this.#now() >= this.#end) this.#turn();
    return this.#current;
  }

  /** Decides a call, as {@link Policy.decide} does: never waits for a refresh, never fails because of one. */
  decide(facts: CallFacts): Decision {
    return this.policy.decide(facts);
  }

  /**
   * The full assessment behind a decision of this policy or of one of the last before it.
   *
   * @throws InputError when the id names no decision that is still kept.
   */
  explain(id: string, facts?: CallFacts): Explanation {
    const made = [this.policy, ...this.#past].find((policy) => policy.knows(id, facts));
    if (made === undefined) throw unknownDecision(id);
    return made.explain(id, facts);
  }

  /** Looks at the files now; settles once the policy is of what lies there, or the problem has been reported. */
  async refresh(): Promise<void> {
    await this.#watcher.refresh();
  }

  /** Stops following the files and the days. What is there goes on deciding. */
  close(): void {
    this.#closed = true;
    this.#watcher.close();
    clearTimeout(this.#timer);
  }

  #today(): Day {
    return new Date(this.#now()).toISOString().slice(0, 10) as Day;
  }

  #make({ loaded, manifest }: Sources, day: Day): Policy {
    const { markets, callFacts, keep, build, probe } = this.#options;
    return specialise({
      law: loaded.law,
      digest: loaded.digest,
      manifest,
      moment: { asOf: day, knownAt: day },
      probe: probe ?? probeBeside(manifest),
      recheck: this.recheck,
      ...(markets === undefined ? {} : { markets }),
      ...(callFacts === undefined ? {} : { callFacts }),
      ...(keep === undefined ? {} : { keep }),
      ...(build === undefined ? {} : { build }),
    });
  }

  /** Steps into the next epoch. Where more than that has passed, as in a long sleep, compiles once the call is over. */
  #turn(): void {
    const next = this.#next;
    if (next?.isValidOn(this.#today()) === true) {
      this.#replace(next, 'epoch');
      return;
    }
    // Asked for once, not by every call until it is there.
    this.#end = Number.POSITIVE_INFINITY;
    setImmediate(() => this.#keepUp());
  }

  /** Makes a policy for today where the current one is of another epoch: time may also have been set back. */
  #keepUp(): void {
    const today = this.#today();
    if (this.#closed || this.#current.isValidOn(today)) return;
    if (this.#next?.isValidOn(today) === true) this.#replace(this.#next, 'epoch');
    else this.#attempt(() => this.#replace(this.#make(this.#sources, today), 'epoch'));
  }

  async #reload({ lawChanged, isStill }: Change): Promise<boolean> {
    const { law: directory = BUNDLED_LAW } = this.#options;
    const loaded = lawChanged ? await loadLawAside(directory) : this.#sources.loaded;
    const manifest = await readManifestFile(this.#sources.manifest.file, loaded.law);
    const sources = { loaded, manifest };
    const policy = this.#make(sources, this.#today());
    // What changed while it was read may have been read in halves.
    if (!(await isStill()) || this.#closed) return false;
    this.#sources = sources;
    this.#replace(policy, 'files');
    return true;
  }

  #replace(policy: Policy, why: PolicyChange['why']): void {
    const previous = this.#current;
    this.#past.unshift(previous);
    this.#past.length = Math.min(this.#past.length, this.#options.past ?? PAST);
    this.#current = policy;
    this.#end = endOf(policy);
    this.#next = undefined;
    this.#await();
    // Not in the middle of a call: what a listener throws is none of the caller's business.
    queueMicrotask(() => this.#options.onChange?.({ policy, previous, why }));
  }

  /** Prepares the next epoch, and waits for it. */
  #await(): void {
    clearTimeout(this.#timer);
    const { validUntil } = this.#current;
    if (validUntil === undefined || this.#closed) return;
    const current = this.#current;
    setImmediate(() => {
      if (this.#current !== current || this.#closed) return;
      this.#attempt(() => {
        this.#next = this.#make(this.#sources, validUntil);
      });
    }).unref();
    this.#sleep();
  }

  /** Timers stand still while the machine sleeps, and wait no longer than a month: each asks the clock anew. */
  #sleep(): void {
    const left = Math.min(Math.max(this.#end - this.#now(), 50), LONGEST_WAIT);
    this.#timer = setTimeout(() => {
      const end = this.#end;
      if (this.#now() >= end) this.#turn();
      else this.#sleep();
    }, left).unref();
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#report(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #report(error: Error): void {
    const { onProblem } = this.#options;
    if (onProblem === undefined) process.emitWarning(error.message, { code: 'COMITY_REFRESH' });
    else queueMicrotask(() => onProblem(error));
  }
}

/** Midnight in UTC, as days are. */
function endOf({ validUntil }: Policy): number {
  return validUntil === undefined ? Number.POSITIVE_INFINITY : Date.parse(`${validUntil}T00:00:00Z`);
}
