import type { Log } from '../log/log.ts';
import { uuidBytes } from '../record/uuidv7.ts';
import type { Vault } from './vault.ts';

/**
 * How old a sealed part is at the least before it is missed in the log. A record follows its parts at once; an append
 * that does not come through is given up after half a minute, and a sender that tries again puts the parts again, which
 * makes them new. A day leaves room for clocks that differ.
 */
export const SAFE_AGE_MS = 24 * 3600 * 1000;

/**
 * Deletes sealed parts that no record needs: those of records that never came to be, because a crash came between the
 * vault and the log, and those of records that were pruned. A record is looked for by its id, under which the ledger
 * appends it.
 * @param most looks at about so many parts; the next sweep goes on there
 * @returns how many were deleted
 */
export async function sweepParts(context: {
  readonly log: Pick<Log, 'store'>;
  readonly vault: Vault;
  readonly now: number;
  readonly most: number;
}): Promise<number> {
  const { vault, now, most } = context;
  const { store } = context.log;
  const { size } = await store.grow();
  const minimum = await store.minimum();
  return vault.sweep({ before: now - SAFE_AGE_MS, entries: size, minimum, most }, async (records) => {
    const places = await store.findKeys(records.map(uuidBytes));
    return new Set(records.filter((_, i) => (places[i] ?? -1) >= minimum));
  });
}
