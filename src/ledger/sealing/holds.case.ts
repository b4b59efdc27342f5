import { expect, test } from 'vitest';
import { startProducer } from '../record/producer.ts';
import type { AuditRecord } from '../record/record.ts';
import type { Holds } from './holds.ts';
import { randomPool, sealRecord } from './seal.ts';
import { lift } from './vault.case.ts';
import type { Vault } from './vault.ts';

const TENANT = 'acme';

/** What a reader of a vault's holds tells, whatever the vault lives in. */
export function describeHolds(
  name: string,
  withVault: (run: (vault: Vault, openHolds: () => Promise<Holds>) => Promise<void>) => Promise<void>,
): void {
  const producer = startProducer({
    id: 'gateway-1',
    resource: { 'comity.system.id': 's', 'comity.tenant': TENANT, 'service.name': 'n' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: [],
  });

  /** A record about a person, sealed and put into the vault. */
  async function recordAbout(vault: Vault, subject: string, hold: boolean): Promise<AuditRecord> {
    const retain = { class: 'logs', hold, min: 'P6M' };
    const plain = producer.record('comity.log.heartbeat', { 'comity.heartbeat.last_seq': 0 }, { retain });
    const keys = await vault.keysFor(TENANT, [subject]);
    const seal = [{ subjects: [subject] as const, fields: { note: 'hello' } }];
    const { record, blobs } = sealRecord(plain, seal, keys, randomPool(4096));
    await vault.put(blobs);
    return record;
  }

  test(`${name}: holds on a tenant and on a person are seen, on their records only, until they are released`, () =>
    withVault(async (vault, openHolds) => {
      const maria = await recordAbout(vault, 'maria', false);
      const jo = await recordAbout(vault, 'jo', false);
      const holds = await openHolds();
      const held = async () => [await holds.held(maria), await holds.held(jo)];
      expect(await held()).toEqual([false, false]);
      await vault.hold({ id: 'h1', tenant: TENANT, subject: 'maria' });
      expect(await held()).toEqual([true, false]);
      await vault.hold({ id: 'h2', tenant: TENANT });
      await lift(vault, 'h1');
      expect(await held()).toEqual([true, true]);
      await lift(vault, 'h2');
      await vault.hold({ id: 'h3', tenant: 'somebody-else' });
      expect(await held()).toEqual([false, false]);
      await holds.close();
    }));

  test(`${name}: the hold that a record asks for lasts until the vault has released it`, () =>
    withVault(async (vault, openHolds) => {
      const record = await recordAbout(vault, 'maria', true);
      const bare = producer.record(
        'comity.log.heartbeat',
        { 'comity.heartbeat.last_seq': 0 },
        { retain: { class: 'logs', hold: true, min: 'P6M' } },
      );
      const holds = await openHolds();
      expect(await holds.held(record)).toBe(true);
      await vault.releaseRecord(record.id);
      expect(await holds.held(record)).toBe(true);
      await lift(vault, record.id);
      expect(await holds.held(record)).toBe(false);
      // Once the person is erased the parts are gone; that could only be because nothing held them.
      await vault.destroy(await vault.keysOf(TENANT, 'maria'));
      expect(await holds.held(record)).toBe(false);
      // Of one that this vault never had parts of, nobody can have released the hold.
      expect(await holds.held(bare)).toBe(true);
      await holds.close();
    }));
}
