import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { base64url } from './disclosure.ts';
import type { SealedBlob, Vault } from './vault.ts';

/** Lifts a hold as is done once the log says so. */
export async function lift(vault: Vault, id: string): Promise<void> {
  const hold = await vault.holdState(id);
  if (hold === undefined) throw new Error('a hold expected');
  await vault.setHold(id, { state: 'released', pending: undefined }, hold);
}

/** A clock that tests set. */
export interface TestClock {
  now: number;
}

function blobOf(k: string, more: Partial<SealedBlob> = {}): SealedBlob {
  return {
    h: base64url(randomBytes(32)),
    k,
    record: randomUUID(),
    bytes: randomBytes(284),
    keepUntil: 0,
    hold: false,
    ...more,
  };
}

/** What every vault promises. `withVault` gives two openings of one fresh, empty vault, and cleans up. */
export function describeVault(
  name: string,
  withVault: (
    run: (vault: Vault, other: () => Promise<Vault>, clock: TestClock) => Promise<void>,
  ) => Promise<void>,
): void {
  const keyOf = async (vault: Vault, subject: string, tenant = 't') => {
    const key = (await vault.keysFor(tenant, [subject])).get(subject);
    if (key === undefined) throw new Error('a key expected');
    return key;
  };
  const sweepAt = ({ now }: TestClock) => ({ before: now, entries: 100, minimum: 0, most: 10_000 });
  const onlyNeeded =
    (...records: readonly string[]) =>
    async () =>
      new Set(records);
  const requestOf = async (vault: Vault, subject: string) => {
    const id = randomUUID();
    const parts = await vault.request({ id, tenant: 't', subject, reasonCode: 'r', actorRole: undefined });
    return { id, parts };
  };

  describe(`${name}: a vault`, () => {
    test('gives a person one key, also when two ask at the same time, and after it was opened again', () =>
      withVault(async (vault, other) => {
        const second = await other();
        const keys = await Promise.all([
          keyOf(vault, 'maria'),
          keyOf(second, 'maria'),
          keyOf(vault, 'maria'),
        ]);
        expect(new Set(keys.map(({ id }) => id)).size).toBe(1);
        expect(Buffer.compare(keys[0]?.key ?? Buffer.of(), keys[1]?.key ?? Buffer.of())).toBe(0);
        expect((await keyOf(vault, 'joao')).id).not.toBe(keys[0]?.id);
        expect((await keyOf(vault, 'maria', 'other tenant')).id).not.toBe(keys[0]?.id);
        expect(await second.keysOf('t', 'maria')).toEqual([keys[0]?.id]);
        expect(keys[0]?.key).toHaveLength(32);
      }));

    test('gives another key every month', () =>
      withVault(async (vault, _, clock) => {
        const first = await keyOf(vault, 'maria');
        clock.now += 32 * 86_400_000;
        expect((await keyOf(vault, 'maria')).id).not.toBe(first.id);
        expect(await vault.key(first.id)).toBeDefined();
      }));

    test('gives another key for what is kept for another time, or held', () =>
      withVault(async (vault, other) => {
        const fates = [undefined, 'P0D', 'P6M', 'P10Y'].flatMap((min) =>
          min === undefined
            ? [undefined]
            : [
                { min, hold: false },
                { min, hold: true },
              ],
        );
        const idsIn = async (opened: Vault) => {
          const keys = await Promise.all(fates.map((fate) => opened.keysFor('t', ['maria'], fate)));
          return keys.map((found) => found.get('maria')?.id);
        };
        const ids = await idsIn(vault);
        expect(new Set(ids).size).toBe(7);
        expect(await idsIn(vault)).toEqual(ids);
        expect(await idsIn(await other())).toEqual(ids);
        expect(await vault.keysOf('t', 'maria')).toEqual([...ids].sort());
        const request = await requestOf(vault, 'maria');
        expect(await vault.requestKeys(request.id)).toHaveLength(7);
        expect((await idsIn(vault)).some((id) => ids.includes(id))).toBe(false);
      }));

    test('keeps parts, each once', () =>
      withVault(async (vault, other) => {
        const { id } = await keyOf(vault, 'maria');
        const blobs = Array.from({ length: 700 }, () => blobOf(id));
        await Promise.all([vault.put(blobs), vault.put(blobs.slice(0, 3)), vault.put([])]);
        const second = await other();
        for (const blob of [blobs[0], blobs[699]]) {
          if (blob === undefined) throw new Error('a part expected');
          expect(Buffer.compare((await second.get(blob)) ?? Buffer.of(), blob.bytes)).toBe(0);
        }
        expect(await vault.get({ k: id, h: base64url(randomBytes(32)) })).toBeUndefined();
      }));

    test('ties the keys of a person to a request, and counts what is in the way', () =>
      withVault(async (vault) => {
        const { id } = await keyOf(vault, 'maria');
        await vault.put([blobOf(id, { keepUntil: 500 }), blobOf(id, { keepUntil: 900 })]);
        const request = await requestOf(vault, 'maria');
        expect(request.parts).toBe(2);
        expect(await vault.requestKeys(request.id)).toEqual([{ id, parts: 2, keepUntil: 900, held: false }]);
        expect((await keyOf(vault, 'maria')).id).not.toBe(id);
        expect(await vault.requestState(request.id)).toEqual({
          id: request.id,
          tenant: 't',
          state: 'requested',
          until: undefined,
          pending: undefined,
          reasonCode: 'r',
          actorRole: undefined,
        });
        const fresh = { state: 'requested', pending: undefined } as const;
        const change = { state: 'executing', until: 7, pending: new Uint8Array([1, 2]) } as const;
        expect(await vault.setRequest(request.id, change, fresh)).toBe(true);
        expect(await vault.openRequests()).toMatchObject([{ id: request.id, ...change }]);
        const end = { state: 'executed', until: undefined, pending: undefined } as const;
        for (const elsewhere of [fresh, { ...change, pending: new Uint8Array([1]) }, { ...fresh, ...end }]) {
          expect(await vault.setRequest(request.id, end, elsewhere)).toBe(false);
        }
        expect(await vault.setRequest(request.id, end, change)).toBe(true);
        expect(await vault.openRequests()).toEqual([]);
      }));

    test('takes back a request that it forgot, with the keys and the holds that belong to it', () =>
      withVault(async (vault) => {
        const { id: key } = await keyOf(vault, 'maria');
        await vault.put([blobOf(key)]);
        const request = { id: randomUUID(), tenant: 't', reasonCode: 'r', actorRole: 'dpo' };
        const gone = base64url(randomBytes(16));
        await vault.restoreRequest({ ...request, keys: [gone, key] });
        await vault.restoreRequest({ ...request, keys: [] });
        expect(await vault.requestState(request.id)).toEqual({
          ...request,
          state: 'requested',
          until: 0,
          pending: undefined,
        });
        expect(await vault.requestKeys(request.id)).toEqual([
          { id: key, parts: 1, keepUntil: 0, held: false },
        ]);
        expect((await keyOf(vault, 'maria')).id).not.toBe(key);
        await vault.hold({ id: 'h', tenant: 't', subject: 'maria' });
        expect(await vault.requestKeys(request.id)).toMatchObject([{ held: true }]);
        await vault.restoreRequest({ ...request, id: randomUUID(), keys: [] });
        expect(await vault.openRequests()).toHaveLength(2);
      }));

    test('knows holds on a person, on a tenant, and on a record, until they are released for good', () =>
      withVault(async (vault, other) => {
        const { id } = await keyOf(vault, 'maria');
        const blob = blobOf(id, { hold: true });
        await vault.put([blob]);
        const request = await requestOf(vault, 'maria');
        const held = async () => (await vault.requestKeys(request.id)).map((key) => key.held);
        expect(await held()).toEqual([true]);
        expect(await vault.releaseRecord(blob.record)).toBe(true);
        expect(await vault.releaseRecord(blob.record)).toBe(false);
        expect(await vault.releaseRecord('none')).toBe(false);
        // A wish alone releases nothing: the log has to say so first.
        expect(await held()).toEqual([true]);
        expect(await vault.holds()).toMatchObject([
          { id: blob.record, tenant: 't', covers: 'record', release: true },
        ]);
        await lift(vault, blob.record);
        expect(await held()).toEqual([false]);
        expect(await vault.releaseRecord(blob.record)).toBe(false);
        for (const hold of [
          { id: randomUUID(), tenant: 't' },
          { id: randomUUID(), tenant: 't', subject: 'maria' },
        ]) {
          await vault.hold(hold);
          await vault.hold(hold);
          expect(await held()).toEqual([true]);
          const state = {
            id: hold.id,
            tenant: 't',
            covers: 'subject' in hold ? 'subject' : 'tenant',
            state: 'new',
            release: false,
            pending: undefined,
          };
          expect(await vault.holds()).toEqual([state]);
          expect(await (await other()).holdState(hold.id)).toEqual(state);
          expect(await vault.holdKeys(hold.id)).toEqual('subject' in hold ? [id] : []);
          expect(await vault.release(hold.id)).toBe(true);
          expect(await vault.release(hold.id)).toBe(false);
          expect(await held()).toEqual([true]);
          await lift(vault, hold.id);
          expect(await held()).toEqual([false]);
          expect(await vault.release(hold.id)).toBe(false);
          // Neither a retry nor a copy of what the log said brings it back.
          await vault.hold(hold);
          await vault.restoreHold({
            id: hold.id,
            tenant: 't',
            covers: 'tenant',
            keys: [id],
            state: 'placed',
          });
          expect(await held()).toEqual([false]);
          expect(await vault.holds()).toEqual([]);
        }
        await vault.hold({ id: randomUUID(), tenant: 't', subject: 'joao' });
        await vault.hold({ id: randomUUID(), tenant: 'other' });
        expect(await held()).toEqual([false]);
      }));

    test('moves a hold on only from where it is', () =>
      withVault(async (vault) => {
        const id = randomUUID();
        await vault.hold({ id, tenant: 't' });
        const fresh = { state: 'new', pending: undefined } as const;
        const planned = { state: 'new', pending: new Uint8Array([1, 2]) } as const;
        expect(await vault.setHold(id, planned, fresh)).toBe(true);
        for (const elsewhere of [
          fresh,
          { ...planned, pending: new Uint8Array([1]) },
          { ...planned, state: 'placed' },
        ] as const)
          expect(await vault.setHold(id, { state: 'released', pending: undefined }, elsewhere)).toBe(false);
        expect(await vault.holdState(id)).toMatchObject(planned);
        expect(await vault.setHold(id, { state: 'placed', pending: undefined }, planned)).toBe(true);
        expect(await vault.holds()).toMatchObject([{ id, state: 'placed', pending: undefined }]);
      }));

    test('takes back holds that it forgot, on whoever has one of the keys', () =>
      withVault(async (vault) => {
        const { id: key } = await keyOf(vault, 'maria');
        await vault.put([blobOf(key, { hold: true })]);
        const gone = base64url(randomBytes(16));
        const request = await requestOf(vault, 'maria');
        const held = async () => (await vault.requestKeys(request.id)).map((one) => one.held);
        const record = randomUUID();
        const second = await keyOf(vault, 'joao');
        const asked = blobOf(second.id, { hold: true, record });
        await vault.put([asked]);
        const [hers, everybody, nobody] = [randomUUID(), randomUUID(), randomUUID()];
        await vault.restoreHold({
          id: hers,
          tenant: 't',
          covers: 'subject',
          keys: [gone, key],
          state: 'placed',
        });
        await vault.restoreHold({ id: everybody, tenant: 't', covers: 'tenant', keys: [], state: 'placed' });
        await vault.restoreHold({
          id: nobody,
          tenant: 't',
          covers: 'subject',
          keys: [gone],
          state: 'placed',
        });
        await vault.restoreHold({ id: record, tenant: 't', covers: 'record', keys: [], state: 'released' });
        const covers = async () => new Map((await vault.holds()).map((hold) => [hold.id, hold.covers]));
        expect(await covers()).toEqual(
          new Map([
            [hers, 'subject'],
            [everybody, 'tenant'],
            [nobody, 'unknown'],
          ]),
        );
        expect(await vault.holdKeys(hers)).toEqual([key]);
        expect(await held()).toEqual([true]);
        const his = await requestOf(vault, 'joao');
        // The tenant is held; his record no longer is by itself.
        expect(await vault.requestKeys(his.id)).toMatchObject([{ held: true }]);
        await vault.restoreHold({
          id: everybody,
          tenant: 't',
          covers: 'tenant',
          keys: [],
          state: 'released',
        });
        expect(await vault.requestKeys(his.id)).toMatchObject([{ held: false }]);
        expect(await held()).toEqual([true]);
      }));

    test('destroys keys with what they sealed, for every process, and keeps nothing sealed with them afterwards', () =>
      withVault(async (vault, other) => {
        const [maria, joao] = [await keyOf(vault, 'maria'), await keyOf(vault, 'joao')];
        const blobs = [blobOf(maria.id), blobOf(joao.id)] as const;
        await vault.put(blobs);
        const elsewhere = await other();
        expect((await keyOf(elsewhere, 'maria')).id).toBe(maria.id);
        const unknown = base64url(randomBytes(16));
        await vault.destroy([maria.id, unknown]);
        await vault.destroy([maria.id]);
        for (const opened of [vault, elsewhere, await other()]) {
          expect(await opened.key(maria.id)).toBeUndefined();
          expect(await opened.get(blobs[0])).toBeUndefined();
          expect(await opened.keysOf('t', 'maria')).toEqual([]);
          expect(await opened.get(blobs[1])).toBeDefined();
        }
        for (const opened of [vault, elsewhere]) {
          await expect(opened.put([blobOf(maria.id)])).rejects.toMatchObject({ code: 'erased' });
        }
        expect((await keyOf(vault, 'maria')).id).not.toBe(maria.id);
      }));

    test('sweeps parts of records that never came to be', () =>
      withVault(async (vault, _, clock) => {
        const { id } = await keyOf(vault, 'maria');
        const [kept, orphan] = [blobOf(id), blobOf(id)];
        await vault.put([kept, orphan]);
        const needed = onlyNeeded(kept.record);
        expect(await vault.sweep(sweepAt(clock), needed)).toBe(0);
        clock.now += 1;
        expect(await vault.sweep(sweepAt(clock), needed)).toBe(1);
        expect(await vault.get(kept)).toBeDefined();
        expect(await vault.get(orphan)).toBeUndefined();
      }));

    test('sweeps a little at a time, each part once, and again from the first one when more was pruned', () =>
      withVault(async (vault, other, clock) => {
        const { id } = await keyOf(vault, 'maria');
        const blobs: SealedBlob[] = [];
        for (let i = 0; i < 4; i++) {
          const some = Array.from({ length: 900 }, () => blobOf(id));
          await vault.put(some);
          blobs.push(...some);
          clock.now += 1;
        }
        const asked: string[] = [];
        const all = async (records: readonly string[]) => {
          asked.push(...records);
          return new Set(records);
        };
        const range = { ...sweepAt(clock), most: 1000 };
        expect(await vault.sweep(range, all)).toBe(0);
        expect(asked.length).toBeGreaterThanOrEqual(1000);
        expect(asked.length).toBeLessThan(3000);
        for (let i = 0; i < 4; i++) await (await other()).sweep(range, all);
        expect(asked.sort()).toEqual(blobs.map(({ record }) => record).sort());
        expect(await vault.sweep(range, onlyNeeded())).toBe(0);
        const [kept] = blobs;
        if (kept === undefined) throw new Error('a part expected');
        const risen = { ...sweepAt(clock), minimum: 1 };
        expect(await vault.sweep(risen, onlyNeeded(kept.record))).toBe(3599);
        expect(await vault.get(kept)).toBeDefined();
        // Numbers of parts that went may be given again.
        const late = blobOf(id);
        await vault.put([late]);
        clock.now += 1;
        expect(await vault.sweep({ ...risen, before: clock.now }, onlyNeeded(kept.record))).toBe(1);
        expect(await vault.get(late)).toBeUndefined();
      }));

    test('sweeps nothing that was put again meanwhile, and nothing by an old copy of the log', () =>
      withVault(async (vault, _, clock) => {
        const { id } = await keyOf(vault, 'maria');
        const again = blobOf(id);
        await vault.put([again]);
        clock.now += 10;
        const retried = async () => {
          await vault.put([again]);
          return new Set<string>();
        };
        expect(await vault.sweep(sweepAt(clock), retried)).toBe(0);
        expect(await vault.get(again)).toBeDefined();
        clock.now += 10;
        expect(await vault.sweep({ ...sweepAt(clock), entries: 99 }, onlyNeeded())).toBe(0);
        expect(await vault.get(again)).toBeDefined();
        expect(await vault.sweep(sweepAt(clock), onlyNeeded())).toBe(1);
      }));

    test('authenticates what it said, the same in every process, and nothing else', () =>
      withVault(async (vault, other) => {
        const code = await vault.authenticate('message');
        expect(code).toMatch(/^sha256:[0-9a-f]{64}$/);
        expect(await (await other()).authenticate('message')).toBe(code);
        expect(await vault.authenticate('massage')).not.toBe(code);
      }));

    test('remembers how far erasures were replayed', () =>
      withVault(async (vault, other) => {
        expect(await vault.replayed()).toBe(0);
        await vault.setReplayed(2 ** 40);
        expect(await (await other()).replayed()).toBe(2 ** 40);
      }));
  });
}
