import { decodeBundle } from '../../tlog/bundle.ts';
import { TILE_WIDTH } from '../../tlog/tile.ts';
import type { LogView } from '../log/log.ts';
import type { AuditRecord } from '../record/record.ts';
import { type RecordValidator, recordValidator } from '../record/validate.ts';
import { replayErasure } from './erasure.ts';
import { replayHold } from './holding.ts';
import type { Vault } from './vault.ts';

/** How the names of events begin that are steps of a vault. */
const STEPS = ['"comity.erasure.', '"comity.hold.'].map((text) => Buffer.from(text));

/**
 * Does every step again that the log holds and the vault may not have seen, as it does after it was restored from a
 * backup: what was held is held, what was requested is requested, what was executed is gone.
 * @returns how many steps it found
 */
export async function replaySteps(
  log: Pick<LogView, 'store'>,
  vault: Vault,
  validator: RecordValidator = recordValidator(),
): Promise<number> {
  const { size } = await log.store.grow();
  // A step that was pruned is ten years old at the least (its own retention): no backup of a vault is.
  const from = Math.max(Math.min(await vault.replayed(), size), await log.store.minimum());
  let found = 0;
  for (let at = from; at < size; ) {
    const index = Math.floor(at / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    const bundle = await log.store.readBundle(index, width);
    // Parsing every record of a long log would keep the server from starting.
    if (mayHoldStep(bundle)) {
      for (const entry of decodeBundle(bundle, width)) {
        const record = stepRecord(entry, validator);
        if (record === undefined) continue;
        if ((await replayErasure(record, vault)) || (await replayHold(record, vault))) found += 1;
      }
    }
    at = index * TILE_WIDTH + width;
  }
  await vault.setReplayed(size);
  return found;
}

function stepRecord(entry: Uint8Array, validator: RecordValidator): AuditRecord | undefined {
  if (!mayHoldStep(entry)) return undefined;
  try {
    return validator.parse(entry);
  } catch {
    // An opaque entry that happens to contain the words.
    return undefined;
  }
}

function mayHoldStep(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return STEPS.some((step) => text.includes(step));
}
