import type { Probe, Probed } from '../assess/evidence.ts';
import type { Evidence, Manifest } from '../facts/manifest.ts';
import type { Problem } from '../facts/problem.ts';
import { didYouMean } from '../facts/suggest.ts';
import type { Law } from '../rules/law.ts';
import type { Moment } from '../rules/time.ts';
import { Expressions } from './expression.ts';
import type { Machine, Program } from './program.ts';
import type { Recheck } from './recheck.ts';

/** What a policy is compiled from. */
export interface PolicyOptions {
  readonly law: Law;
  /** SHA-256 of the law, in hexadecimal. */
  readonly digest: string;
  readonly manifest: Pick<Manifest, 'name' | 'markets' | 'statements' | 'controls'>;
  readonly moment: Moment;
  readonly probe: Probe;
  /** By default all that the manifest names. */
  readonly markets?: readonly string[];
  /** Facts that calls may state; by default those that the vocabulary gives the scope `request`. */
  readonly callFacts?: readonly string[];
  /** The rules of the law at the moment, to share among features; by default built for this one. */
  readonly expressions?: Expressions;
  /** Decisions that are kept, at most. */
  readonly keep?: number;
  /** How programs are run; by default as WebAssembly where that can be compiled. */
  readonly build?: (programs: readonly Program[]) => readonly Machine[];
  /** Has decisions confirmed by the interpreter now and then; by default none are. Policies may share one. */
  readonly recheck?: Recheck;
}

/** Looks at each piece of evidence once, so that all that follows from it fits together. */
export function rememberProbes(probe: Probe): Probe {
  const seen = new Map<Evidence, Probed>();
  return (evidence) => {
    const known = seen.get(evidence) ?? probe(evidence);
    seen.set(evidence, known);
    return known;
  };
}

/** @throws RangeError when expressions are given that are not of this law and moment. */
export function expressionsFor({ law, moment, expressions }: PolicyOptions): Expressions {
  if (expressions === undefined) return new Expressions(law, moment);
  const { asOf, knownAt } = expressions.moment;
  if (expressions.law !== law || asOf !== moment.asOf || knownAt !== moment.knownAt)
    throw new RangeError('the expressions are of another law or another moment');
  return expressions;
}

export function unknownMarket(law: Law, market: string): Problem | undefined {
  return law.jurisdictions.byId.has(market)
    ? undefined
    : {
        code: 'unknown-name',
        message: `unknown market \`${market}\``,
        help: didYouMean(market, [...law.jurisdictions.byId.keys()]),
      };
}

export function unknownFact(id: string, known: readonly string[]): Problem | undefined {
  return known.includes(id)
    ? undefined
    : { code: 'unknown-fact', message: `unknown fact \`${id}\``, help: didYouMean(id, known) };
}
