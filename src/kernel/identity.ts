import { createHash } from 'node:crypto';
import type { FactValue } from '../facts/domain.ts';
import type { Epoch } from './epoch.ts';
import type { Market } from './market.ts';
import type { PolicyOptions } from './policy-options.ts';

/** SHA-256 of a value as JSON, hex. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

/**
 * Names everything that decisions depend on beside the call. On every day of an epoch it is the same: processes that
 * started on different days name equal decisions alike.
 */
export function identityOf(
  { digest, moment, manifest }: PolicyOptions,
  epoch: Epoch,
  callFacts: readonly string[],
  markets: readonly Market[],
): string {
  return hashOf([
    'comity.kernel/2',
    digest,
    epoch.from ?? null,
    // Knowledge that goes with the day is named by it.
    moment.knownAt === moment.asOf ? null : moment.knownAt,
    callFacts,
    markets.map(({ market, covered }) => [
      market,
      covered,
      manifest
        .statements(market)
        .map(({ fact, value }): [string, FactValue] => [fact, value])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  ]);
}
