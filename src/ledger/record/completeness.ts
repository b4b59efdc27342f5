import type { AuditRecord, ProducerStamp } from './record.ts';

/**
 * Something that ought to be in the log and is not, or is not where it ought to be. A tree proves that nothing
 * was taken out after it was appended; these show that something was never appended, or was left out of a copy.
 */
export type Omission =
  /** Records `from` to `to` of a producer's sequence are missing. */
  | {
      readonly kind: 'sequence-gap';
      readonly producer: string;
      readonly boot: string;
      readonly from: number;
      readonly to: number;
    }
  /** A record stands after one that its producer made later. */
  | {
      readonly kind: 'sequence-disorder';
      readonly producer: string;
      readonly boot: string;
      readonly index: number;
    }
  /** A number was used twice. */
  | {
      readonly kind: 'sequence-repeat';
      readonly producer: string;
      readonly boot: string;
      readonly index: number;
    }
  /** An intent without an effect: the side effect may have happened unrecorded. */
  | { readonly kind: 'effect-missing'; readonly intent: string; readonly index: number };

/** What a record says about others, beyond its place in its producer's sequence. */
export type Tie =
  /** The producer has come to this number. */
  | { readonly kind: 'announces'; readonly last: number }
  /** An effect must follow. */
  | { readonly kind: 'intends'; readonly id: string }
  /** Intents whose effect it is. */
  | { readonly kind: 'effects'; readonly intents: readonly string[] };

/** All that has to be known of a record to tell what is missing. */
export interface Trace {
  readonly producer: Pick<ProducerStamp, 'boot' | 'id' | 'seq'>;
  readonly tie?: Tie | undefined;
}

export function traceOf(record: AuditRecord): Trace {
  return { producer: record.producer, tie: tieOf(record) };
}

function tieOf(record: AuditRecord): Tie | undefined {
  switch (record.event_name) {
    case 'comity.log.heartbeat':
      return { kind: 'announces', last: record.attributes['comity.heartbeat.last_seq'] };
    case 'comity.tool.intent':
      return { kind: 'intends', id: record.id };
    case 'comity.tool.effect': {
      const effects = (record.about ?? []).filter(({ rel }) => rel === 'effect_of');
      return { kind: 'effects', intents: effects.map(({ id }) => id) };
    }
    default:
      return undefined;
  }
}

/** Follows records in log order and says what is missing. Memory: one entry per producer start, gap and open intent. */
export interface CompletenessCheck {
  see(index: number, record: AuditRecord): void;
  /** As {@link see}, where only so much of the record is at hand. */
  follow(index: number, trace: Trace): void;
  /** What is missing so far. `inOrder: false` counts numbers only, for writers that append in parallel. */
  omissions(options?: { readonly inOrder?: boolean }): readonly Omission[];
}

interface Sequence {
  readonly producer: string;
  readonly boot: string;
  /** Number from which on it is followed. */
  readonly since: number;
  /** Number expected next. */
  next: number;
  /** Numbers below `next` that were not seen. */
  readonly missing: Set<number>;
  /** Highest number that a heartbeat vouches for. */
  announced: number;
}

/** Most missing numbers remembered one by one for one producer start; a wider gap is reported as it stands. */
const MAX_TRACKED_GAP = 100_000;

/**
 * @param options `beginningIsGone`: the oldest records were pruned, so a sequence counts from the first number that is
 *   seen of it
 */
export function completenessCheck(options: { readonly beginningIsGone?: boolean } = {}): CompletenessCheck {
  const sequences = new Map<string, Sequence>();
  const intents = new Map<string, number>();
  const disorder: Omission[] = [];
  const repeats: Omission[] = [];

  const follow = (index: number, { producer, tie }: Trace): void => {
    const { boot, id, seq } = producer;
    const name = `${id} ${boot}`;
    let sequence = sequences.get(name);
    if (sequence === undefined) {
      const since = options.beginningIsGone === true ? seq : 0;
      sequence = { producer: id, boot, since, next: since, missing: new Set(), announced: -1 };
      sequences.set(name, sequence);
    }
    if (seq >= sequence.next) {
      const skipped = seq - sequence.next;
      const from = skipped > MAX_TRACKED_GAP ? seq - MAX_TRACKED_GAP : sequence.next;
      if (from > sequence.next) sequence.missing.add(sequence.next);
      for (let number = from; number < seq; number++) sequence.missing.add(number);
      sequence.next = seq + 1;
    } else if (seq < sequence.since || sequence.missing.delete(seq)) {
      disorder.push({ kind: 'sequence-disorder', producer: id, boot, index });
    } else {
      repeats.push({ kind: 'sequence-repeat', producer: id, boot, index });
    }
    if (tie?.kind === 'announces') sequence.announced = Math.max(sequence.announced, tie.last);
    if (tie?.kind === 'intends') intents.set(tie.id, index);
    if (tie?.kind === 'effects') for (const intent of tie.intents) intents.delete(intent);
  };

  return {
    see: (index, record) => follow(index, traceOf(record)),
    follow,
    omissions({ inOrder = true } = {}) {
      const gaps = [...sequences.values()].flatMap(gapsOf);
      const open = [...intents].map(
        ([intent, index]): Omission => ({ kind: 'effect-missing', intent, index }),
      );
      return [...gaps, ...(inOrder ? disorder : []), ...repeats, ...open];
    },
  };
}

function gapsOf(sequence: Sequence): readonly Omission[] {
  const { producer, boot } = sequence;
  const gaps: { kind: 'sequence-gap'; producer: string; boot: string; from: number; to: number }[] = [];
  const add = (from: number, to: number): void => {
    const last = gaps.at(-1);
    if (last !== undefined && last.to === from - 1) last.to = to;
    else gaps.push({ kind: 'sequence-gap', producer, boot, from, to });
  };
  for (const number of [...sequence.missing].sort((a, b) => a - b)) add(number, number);
  if (sequence.announced >= sequence.next) add(sequence.next, sequence.announced);
  return gaps;
}
