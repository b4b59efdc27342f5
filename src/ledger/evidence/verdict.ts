import type { Omission } from '../record/completeness.ts';
import type { DisclosedField } from '../sealing/disclosure.ts';
import type { Range } from './multiproof.ts';

/** What is wrong with evidence that proves nothing. */
export type FaultCode =
  /** Not an evidence archive, or damaged in its form. */
  | 'malformed'
  /** The checkpoint is not signed by a log that the policy trusts. */
  | 'log-not-trusted'
  /** A signature by a key that the policy knows does not hold. */
  | 'signature-rejected'
  /** The entries are not those under the checkpoint: altered, removed, added or reordered. */
  | 'entries-altered'
  /** A proof in the archive does not lead to the checkpoint. */
  | 'proof-rejected'
  /** A field is shown that the record does not vouch for. */
  | 'disclosure-rejected'
  /** An entry is no valid record. */
  | 'record-invalid';

/** What was found, whatever it amounts to. */
export interface Findings {
  readonly origin: string;
  readonly size: number;
  /** Root of the tree, base64. */
  readonly root: string;
  /** Which entries were shown and proved. */
  readonly ranges: readonly Range[];
  readonly records: number;
  readonly disclosed: readonly { readonly index: number; readonly fields: readonly DisclosedField[] }[];
  /** Witnesses of the policy that cosigned. */
  readonly witnesses: readonly string[];
  /** The records existed no later than this (seconds since 1970): the median of what the witnesses stated. */
  readonly noLaterThan: number | undefined;
  /** Sizes of remembered heads that this history was shown to extend. */
  readonly extended: readonly number[];
  /** Sizes of remembered heads that the archive has no proof for, or that no log of the policy signed. */
  readonly notCompared: readonly number[];
  /** What is missing from the sequences of producers; only when the whole log was shown. */
  readonly omissions: readonly Omission[] | undefined;
}

/** The answer to an auditor. */
export type Verdict =
  | {
      readonly kind: 'INVALID';
      readonly fault: FaultCode;
      readonly message: string;
      readonly indices: readonly number[];
    }
  | {
      readonly kind: 'EQUIVOCATION';
      readonly message: string;
      /** Two notes, both signed by the log, of which at most one can be honest. They prove it to anybody. */
      readonly notes: readonly [string, string];
    }
  | { readonly kind: 'LOG-SIGNED ONLY'; readonly findings: Findings }
  | { readonly kind: 'QUORUM NOT MET'; readonly findings: Findings; readonly quorum: string }
  | { readonly kind: 'VERIFIED'; readonly findings: Findings; readonly quorum: string };

const CONTENT = [
  'that what the records say is true: a log keeps what it is given',
  'that everything that happened was recorded: compare the producers’ sequences, and outside sources such as bills',
];

/** What a verdict does not prove, for the reader who takes it for more than it is. */
export function doesNotProve(verdict: Verdict): readonly string[] {
  switch (verdict.kind) {
    case 'INVALID':
      return [
        'that the log is dishonest: a damaged or wrongly made file fails in the same way',
        'anything about the records in it, in either direction',
      ];
    case 'EQUIVOCATION':
      return [
        'which of the two histories is the true one, if either',
        'who made the second: the log’s operator, or somebody who has its key',
      ];
    case 'LOG-SIGNED ONLY':
      return [
        'that the log shows the same history to everybody: nobody else has vouched for this one',
        'when the records existed: the only clock is the log’s own',
        ...CONTENT,
      ];
    case 'QUORUM NOT MET':
      return [
        'that the log shows the same history to everybody: too few of the witnesses you trust have vouched for it',
        ...CONTENT,
      ];
    case 'VERIFIED':
      return [
        'when before the witnesses’ time the records were made',
        'that fewer witnesses than your policy tolerates are dishonest: that is your assumption',
        ...CONTENT,
      ];
  }
}
