import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ledger, openLedger } from '../ledger.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { startProducer } from '../record/producer.ts';
import type { Retention } from '../record/record.ts';
import { addDuration } from '../record/time.ts';
import { openDisclosure, readDisclosure } from './disclosure.ts';
import type { SealInput } from './seal.ts';
import type { TestClock } from './vault.case.ts';
import type { Vault } from './vault.ts';

const DAY = 86_400_000;
const NONE: Retention = { class: 'none', hold: false, min: 'P0D' };
const HALF_A_YEAR: Retention = { class: 'logs', hold: false, min: 'P6M' };

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
      const producer = startProducer({
        id: 'p',
        resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
        retain: NONE,
        jur: [],
        now,
      });
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
          await ledger.vault.hold({ id: 'h', tenant: 't', subject: 'maria' });
          expect(await ledger.erasures.erase('t', 'maria')).toMatchObject({
            kind: 'deferred',
            until: undefined,
          });
          await ledger.vault.release('h');
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
          await ledger.vault.releaseRecord((await ledger.open(dispute)).record.id);
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
          expect(ledger.resumed).toMatchObject([{ kind: 'deferred', request: waits.request }]);
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
  });
}

/** Appends a record with fields about somebody. @returns its index */
type Seal = (subject: string, fields: SealInput['fields'], retain?: Retention) => Promise<number>;
