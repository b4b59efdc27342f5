import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { base64url } from './disclosure.ts';
import type { SealedBlob, Vault } from './vault.ts';

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

    test('knows holds on a person, on a tenant, and on a record', () =>
      withVault(async (vault) => {
        const { id } = await keyOf(vault, 'maria');
        const blob = blobOf(id, { hold: true });
        await vault.put([blob]);
        const request = await requestOf(vault, 'maria');
        const held = async () => (await vault.requestKeys(request.id)).map((key) => key.held);
        expect(await held()).toEqual([true]);
        expect(await vault.releaseRecord(blob.record)).toBe(true);
        expect(await vault.releaseRecord(blob.record)).toBe(false);
        expect(await vault.releaseRecord('none')).toBe(false);
        expect(await held()).toEqual([false]);
        for (const hold of [
          { id: 'h', tenant: 't' },
          { id: 'h', tenant: 't', subject: 'maria' },
        ]) {
          await vault.hold(hold);
          await vault.hold(hold);
          expect(await held()).toEqual([true]);
          const covers = 'subject' in hold ? 'subject' : 'tenant';
          expect(await vault.holds()).toEqual([{ id: 'h', tenant: 't', covers }]);
          expect(await vault.release('h')).toBe(true);
          expect(await vault.release('h')).toBe(false);
          expect(await held()).toEqual([false]);
        }
        await vault.hold({ id: 'h', tenant: 't', subject: 'joao' });
        await vault.hold({ id: 'i', tenant: 'other' });
        expect(await held()).toEqual([false]);
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
        clock.now += 1;
        expect(await vault.sweep(clock.now, async (record) => record === kept.record)).toBe(1);
        expect(await vault.get(kept)).toBeDefined();
        expect(await vault.get(orphan)).toBeUndefined();
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
