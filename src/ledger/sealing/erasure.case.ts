import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ledger, openLedger } from '../ledger.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import type { Log } from '../log/log.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { canonicalBytes } from '../record/canonical.ts';
import { startProducer } from '../record/producer.ts';
import type { Retention } from '../record/record.ts';
import { addDuration } from '../record/time.ts';
import { openDisclosure, readDisclosure } from './disclosure.ts';
import { holder } from './holding.ts';
import type { SealInput } from './seal.ts';
import { sweepParts } from './sweep.ts';
import type { TestClock } from './vault.case.ts';
import type { Vault } from './vault.ts';

const DAY = 86_400_000;
const NONE: Retention = { class: 'none', hold: false, min: 'P0D' };
const HALF_A_YEAR: Retention = { class: 'logs', hold: false, min: 'P6M' };

const PRODUCER = {
  id: 'p',
  resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  retain: NONE,
  jur: [],
};

/** A vault that tests open, and bring back to what it was. */
export interface VaultPlace {
  open(clock: TestClock): Promise<Vault>;
  /** Copies the closed vault; what it returns puts the copy in its place. */
  backUp(): Promise<() => Promise<void>>;
}

/** What a ledger promises about people, whatever keeps its vault. `withPlace` gives a fresh one, and cleans up. */
export function describeErasures(
  name: string,
  withPlace: (run: (place: VaultPlace) => Promise<void>) => Promise<void>,
): void {
  const withLedgers = (
    run: (
      opened: <T>(use: (ledger: Ledger, seal: Seal) => Promise<T>) => Promise<T>,
      place: VaultPlace,
      clock: TestClock,
    ) => Promise<void>,
  ): Promise<void> =>
    withPlace(async (place) => {
      const directory = mkdtempSync(join(tmpdir(), 'comity-erasures-'));
      const clock: TestClock = { now: Date.UTC(2026, 10, 23) };
      const now = () => clock.now;
      await createLogDirectory(directory, `log.example/${randomUUID()}`);
      const producer = startProducer({ ...PRODUCER, now });
      const opened = async <T>(use: (ledger: Ledger, seal: Seal) => Promise<T>): Promise<T> => {
        const log = await openLogDirectory(directory, { publishEveryMs: 0, now });
        const ledger = await openLedger({ log, vault: await place.open(clock), producer, now });
        try {
          return await use(ledger, async (subject, fields, retain = NONE) => {
            const record = producer.heartbeat();
            const seal: readonly SealInput[] = [{ subjects: [subject], fields }];
            const [appended] = await ledger.append([{ record: { ...record, retain }, seal }]);
            return appended?.index ?? -1;
          });
        } finally {
          await ledger.close();
        }
      };
      try {
        await run(opened, place, clock);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });

  describe(`${name}: a ledger`, () => {
    test('shows a single field of a record, and nothing about the others', () =>
      withLedgers((opened) =>
        opened(async (ledger, seal) => {
          const index = await seal('maria', { age: 41, city: 'Recife' });
          const { record, disclosures } = await ledger.open(index);
          const { sha256 } = nodeHasher();
          const age = disclosures.find((text) => readDisclosure(text).name === 'age') ?? '';
          expect(openDisclosure(age, record.sd ?? [], sha256)).toEqual({ name: 'age', value: 41 });
          expect(Buffer.from(age, 'base64url').toString()).not.toContain('Recife');
          const other = await ledger.open(await seal('maria', { age: 41 }));
          expect(() => openDisclosure(age, other.record.sd ?? [], sha256)).toThrow(/not of this record/);
        }),
      ));

    test('keeps what has to be kept until its time, and what is held until the hold is released', () =>
      withLedgers((opened, _, clock) =>
        opened(async (ledger, seal) => {
          const index = await seal('maria', { age: 41 }, HALF_A_YEAR);
          const until = addDuration(clock.now, 'P6M');
          const { hold } = await ledger.holds.place('t', 'maria');
          expect(await ledger.erasures.erase('t', 'maria')).toMatchObject({
            kind: 'deferred',
            until: undefined,
          });
          await ledger.holds.release(hold);
          clock.now = until - 1;
          expect(await ledger.erasures.resume()).toMatchObject([
            { kind: 'deferred', until, why: 'retention' },
          ]);
          expect((await ledger.open(index)).disclosures).toHaveLength(1);
          clock.now = until;
          expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'executed' }]);
          expect(await ledger.open(index)).toMatchObject({ disclosures: [], erased: 1, lost: 0 });
        }),
      ));

    test('erases at once what nothing keeps, though other things about the same person have to wait', () =>
      withLedgers((opened, _, clock) =>
        opened(async (ledger, seal) => {
          const chat = await seal('maria', { question: 'how old am I?' });
          const decision = await seal('maria', { age: 41 }, HALF_A_YEAR);
          const dispute = await seal('maria', { claim: 'wrong age' }, { class: 'd', hold: true, min: 'P0D' });
          const erased = async () =>
            Promise.all([chat, decision, dispute].map(async (index) => (await ledger.open(index)).erased));
          const { steps } = await ledger.erasures.erase('t', 'maria');
          expect(steps.map(({ kind, parts }) => [kind, parts])).toEqual([
            ['requested', 3],
            ['executed', 1],
            ['deferred', 2],
          ]);
          expect(await erased()).toEqual([1, 0, 0]);
          clock.now += 200 * DAY;
          await ledger.erasures.resume();
          expect(await erased()).toEqual([1, 1, 0]);
          await ledger.holds.release((await ledger.open(dispute)).record.id);
          expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'executed' }]);
          expect(await erased()).toEqual([1, 1, 1]);
        }),
      ));

    test('erases again, and remembers who waits, when the vault comes back from a backup', () =>
      withLedgers(async (opened, place, clock) => {
        await opened(async (_, seal) => {
          await seal('maria', { age: 41 });
          await seal('joao', { age: 42 }, HALF_A_YEAR);
          await seal('ana', { age: 43 });
        });
        const restore = await place.backUp();
        const waits = await opened(async (ledger) => {
          expect(await ledger.erasures.erase('t', 'maria')).toMatchObject({ kind: 'executed' });
          return ledger.erasures.erase('t', 'joao', { code: 'art17-1-b', actorRole: 'dpo' });
        });
        expect(waits.kind).toBe('deferred');
        await restore();
        const back = await place.open(clock);
        expect(await back.keysOf('t', 'maria')).toHaveLength(1);
        expect(await back.openRequests()).toEqual([]);
        await back.close();
        await opened(async (ledger) => {
          expect(await ledger.open(0)).toMatchObject({ disclosures: [], erased: 1 });
          expect(ledger.resumed.erasures).toMatchObject([{ kind: 'deferred', request: waits.request }]);
          expect(await ledger.vault.requestState(waits.request)).toMatchObject({
            reasonCode: 'art17-1-b',
            actorRole: 'dpo',
          });
          clock.now += 200 * DAY;
          expect(await ledger.erasures.resume()).toMatchObject([
            { kind: 'executed', request: waits.request },
          ]);
          expect((await ledger.open(1)).erased).toBe(1);
          expect((await ledger.open(2)).disclosures).toHaveLength(1);
        });
      }));

    test('holds again, and keeps released what was released, when the vault comes back from a backup', () =>
      withLedgers(async (opened, place, clock) => {
        const records = await opened(async (ledger, seal) => {
          await seal('maria', { age: 41 });
          await seal('joao', { age: 42 });
          const asked = await seal('ana', { age: 43 }, { class: 'd', hold: true, min: 'P0D' });
          return { asked: (await ledger.open(asked)).record.id };
        });
        const restore = await place.backUp();
        const { hers, his } = await opened(async (ledger) => {
          const hers = await ledger.holds.place('t', 'maria');
          const his = await ledger.holds.place('t', 'joao');
          expect(await ledger.holds.release(his.hold)).toMatchObject([{ kind: 'released', hold: his.hold }]);
          expect(await ledger.holds.release(records.asked)).toHaveLength(1);
          await expect(ledger.holds.release(his.hold)).rejects.toMatchObject({ code: 'not-found' });
          return { hers, his };
        });
        expect(hers.steps).toMatchObject([{ kind: 'placed', hold: hers.hold, index: 3 }]);
        // Twice: what was brought back is not announced a second time.
        for (const _ of [1, 2]) {
          await restore();
          await opened(async (ledger) => {
            expect(ledger.resumed.holds).toEqual([]);
            expect(await ledger.vault.holds()).toMatchObject([{ id: hers.hold, covers: 'subject' }]);
            expect(await ledger.vault.holdState(his.hold)).toMatchObject({ state: 'released' });
          });
        }
        await opened(async (ledger) => {
          for (const [subject, kind] of [
            ['maria', 'deferred'],
            ['joao', 'executed'],
            ['ana', 'executed'],
          ] as const)
            expect(await ledger.erasures.erase('t', subject)).toMatchObject({ kind });
          expect((await ledger.open(0)).disclosures).toHaveLength(1);
          // What comes later about her is held too.
          clock.now += 40 * DAY;
          await ledger.holds.release(hers.hold);
          expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'executed' }]);
        });
      }));

    test('announces a hold once, however many go on with it and wherever one of them dies', () =>
      withLedgers(async (opened, place, clock) => {
        const vault = await place.open(clock);
        const [person, tenant] = [randomUUID(), randomUUID()];
        await vault.hold({ id: person, tenant: 't', subject: 'maria' });
        await vault.hold({ id: tenant, tenant: 't' });
        await vault.release(tenant);
        await vault.close();
        await opened(async (ledger) => {
          expect(ledger.resumed.holds).toHaveLength(3);
          expect((await ledger.log.store.grow()).size).toBe(3);
          await ledger.vault.release(person);
          const vaults = await Promise.all([1, 2, 3].map(() => place.open(clock)));
          const { log } = ledger;
          const holders = vaults.map((one) => holder({ log, vault: one, producer: startProducer(PRODUCER) }));
          const crashing: Vault = { ...bound(ledger.vault), setHold: failingOnce(ledger.vault) };
          await expect(
            holder({ log, vault: crashing, producer: startProducer(PRODUCER) }).resume(),
          ).rejects.toThrow('power cut');
          const steps = (await Promise.all(holders.map((one) => one.resume()))).flat();
          expect(steps).toMatchObject([{ kind: 'released', hold: person, index: 3 }]);
          expect((await log.store.grow()).size).toBe(4);
          expect(await ledger.vault.holds()).toEqual([]);
          for (const one of vaults) await one.close();
        });
      }));

    test('neither holds nor releases for whoever can append', () =>
      withLedgers(async (opened, place) => {
        await opened((_, seal) => seal('maria', { age: 41 }));
        const restore = await place.backUp();
        const held = await opened(async (ledger) => {
          const { hold } = await ledger.holds.place('t', 'maria');
          const over = await ledger.holds.place('t');
          await ledger.holds.release(over.hold);
          const genuine = await Promise.all([1, 2, 3].map((index) => ledger.log.read(index)));
          const [placed, everybody] = genuine.map((bytes) => JSON.parse(Buffer.from(bytes).toString()));
          const forged = [
            // Another hold, by the word of this one.
            { ...placed, attributes: { ...placed.attributes, 'comity.hold.id': randomUUID() } },
            { ...placed, resource: { ...placed.resource, 'comity.tenant': 'u' } },
            {
              ...everybody,
              event_name: 'comity.hold.released',
              attributes: {
                'comity.hold.authenticator': placed.attributes['comity.hold.authenticator'],
                'comity.hold.covers': 'subject',
                'comity.hold.id': hold,
              },
            },
          ];
          for (const [i, record] of forged.entries()) {
            await expect(ledger.append([{ record }])).rejects.toMatchObject({ code: 'record-invalid' });
            await ledger.log.append(canonicalBytes(record), Buffer.alloc(16, i + 1));
          }
          // What was true once does not become true again: copies of what was placed, under other keys.
          for (const [i, bytes] of genuine.slice(0, 2).entries())
            await ledger.log.append(bytes, Buffer.alloc(16, i + 100));
          return hold;
        });
        for (const before of [async () => undefined, restore]) {
          await before();
          await opened(async (ledger) => {
            expect(await ledger.vault.holds()).toMatchObject([{ id: held, covers: 'subject' }]);
            await ledger.erasures.erase('t', 'maria');
            expect((await ledger.open(0)).disclosures).toHaveLength(1);
          });
        }
      }));

    test('says nothing about a person in the entry of a hold', () =>
      withLedgers((opened) =>
        opened(async (ledger, seal) => {
          await seal('maria', { age: 41 });
          const { steps } = await ledger.holds.place('t', 'maria');
          const { bytes, record } = await ledger.open(steps[0]?.index ?? -1);
          expect(Buffer.from(bytes).toString()).not.toContain('maria');
          expect(record).toMatchObject({
            event_name: 'comity.hold.placed',
            attributes: {
              'comity.hold.covers': 'subject',
              'comity.hold.keys': await ledger.vault.keysOf('t', 'maria'),
            },
          });
        }),
      ));

    test('deletes parts whose record never came to be a day later, and no others', () =>
      withLedgers((opened, _, clock) =>
        opened(async (ledger, seal) => {
          const orphan = await ledger.prepare([
            {
              record: startProducer(PRODUCER).heartbeat(),
              seal: [{ subjects: ['maria'], fields: { lost: 1 } }],
            },
          ]);
          const parts = orphan.flatMap(({ blobs }) => blobs);
          // The crash: its parts are in the vault, its record is nowhere.
          await ledger.vault.put(parts);
          const kept = await seal('maria', { age: 41 });
          const left = async () =>
            (await Promise.all(parts.map((part) => ledger.vault.get(part)))).filter(Boolean);
          clock.now += DAY;
          expect(await ledger.resume()).toMatchObject({ swept: 0 });
          clock.now += 1;
          // Its sender tries again: it is new.
          await ledger.vault.put(parts);
          expect(await ledger.resume()).toMatchObject({ swept: 0 });
          expect(await left()).toHaveLength(1);
          clock.now += DAY + 1;
          expect(await ledger.resume()).toMatchObject({ swept: 1 });
          expect(await left()).toEqual([]);
          expect(await ledger.resume()).toMatchObject({ swept: 0 });
          expect(await ledger.open(kept)).toMatchObject({
            lost: 0,
            erased: 0,
            disclosures: [expect.anything()],
          });
          // Even now it can be sent once more.
          const [late] = await ledger.commit(orphan);
          expect(await ledger.open(late?.index ?? -1)).toMatchObject({
            lost: 0,
            disclosures: [expect.anything()],
          });
        }),
      ));
    test('that slept for days between the vault and the log still has the parts of its records', () =>
      withLedgers((opened, _, clock) =>
        opened(async ({ log, vault }) => {
          const now = () => clock.now;
          const asleep: Log = Object.create(log, {
            ...Object.fromEntries(
              (['published', 'read'] as const).map((name) => [
                name,
                { value: Reflect.get(log, name).bind(log) },
              ]),
            ),
            appendAll: {
              value: async (...args: Parameters<Log['appendAll']>) => {
                clock.now += 3 * DAY;
                expect(await sweepParts({ log, vault, now: clock.now, most: 100 })).toBe(1);
                return log.appendAll(...args);
              },
            },
          });
          const ledger = await openLedger({ log: asleep, vault, producer: startProducer(PRODUCER), now });
          const record = startProducer(PRODUCER).heartbeat();
          const [{ index } = { index: -1 }] = await ledger.append([
            { record, seal: [{ subjects: ['maria'], fields: { age: 41 } }] },
          ]);
          expect(await ledger.open(index)).toMatchObject({ lost: 0, disclosures: [expect.anything()] });
        }),
      ));
  });
}

/** A vault as an object of its own, of which a method can be replaced. */
function bound(vault: Vault): Vault {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(vault)).filter(
    (name) => name !== 'constructor',
  );
  return Object.fromEntries(
    names.map((name) => [name, Reflect.get(vault, name).bind(vault)]),
  ) as unknown as Vault;
}

/** Plans a step, and dies before it can say that it is taken. */
function failingOnce(vault: Vault): Vault['setHold'] {
  return (id, change, was) =>
    change.pending === undefined ? Promise.reject(new Error('power cut')) : vault.setHold(id, change, was);
}

/** Appends a record with fields about somebody. @returns its index */
type Seal = (subject: string, fields: SealInput['fields'], retain?: Retention) => Promise<number>;
