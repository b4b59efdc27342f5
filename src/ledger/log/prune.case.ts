import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyConsistency, verifyInclusion } from '../../tlog/merkle.ts';
import { formatVerifierKey } from '../../tlog/note-key.ts';
import type { LedgerError } from '../errors.ts';
import { canonicalBytes } from '../record/canonical.ts';
import { startProducer } from '../record/producer.ts';
import { uuidBytes } from '../record/uuidv7.ts';
import { holder } from '../sealing/holding.ts';
import { holdsOfRecords } from '../sealing/holds.ts';
import { sweepParts } from '../sealing/sweep.ts';
import type { Vault } from '../sealing/vault.ts';
import { fsck, storeSource } from './fsck.ts';
import { type Log, openLog } from './log.ts';
import { nodeHasher } from './node-hash.ts';
import { generateLogKey, logSigner, verifierKeyOf } from './node-signatures.ts';
import { type PruneOptions, type PruneProgress, prune } from './prune.ts';
import { type LogStore, PRUNE_STEP } from './store.ts';

export const DAY = 24 * 3600 * 1000;
export const START = Date.UTC(2026, 0, 1);
/** Half a year and a day after the log was filled. */
export const LATER = START + 183 * DAY;
export const ORIGIN = 'log.example/pruned';
export const KEY = generateLogKey(ORIGIN);
export const VKEY = formatVerifierKey(verifierKeyOf(KEY));
export const POLICY = 'Entries are kept for half a year after they were written.';

/** Entries of the log: two steps and some more. */
export const SIZE = 2 * PRUNE_STEP + 700;
/** Where a record stands that has to be kept for a year. */
export const LONGER = PRUNE_STEP + 4321;

const hasher = nodeHasher();
const producer = startProducer({
  id: 'gateway-1',
  resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  retain: { class: 'logs', hold: false, min: 'P6M' },
  jur: [],
  now: () => START,
});
const short = producer.heartbeat();
const long = producer.record(
  'comity.log.heartbeat',
  { 'comity.heartbeat.last_seq': 0 },
  { retain: { class: 'logs', hold: false, min: 'P1Y' } },
);
export const LONG_RECORD = long.id;

/** Entry `index`: opaque bytes, but for two records. Keys are their own, so that bytes and key can differ. */
export function entryAt(index: number): { readonly bytes: Uint8Array; readonly key: Uint8Array } {
  const record = index === 10 ? short : index === LONGER ? long : undefined;
  if (record !== undefined) return { bytes: canonicalBytes(record), key: uuidBytes(record.id) };
  const key = Buffer.alloc(16);
  key.writeUInt32BE(index + 1, 12);
  return { bytes: Buffer.from(`entry ${index}`), key };
}

export const openOn = (store: LogStore, now = LATER): Promise<Log> =>
  openLog({ origin: ORIGIN, store, signers: [logSigner(KEY)], publishEveryMs: 0, now: () => now });

/** Fills an empty store, with signed heads on the way. */
export async function fill(store: LogStore, size = SIZE, entry = entryAt): Promise<void> {
  const log = await openOn(store, START);
  const stops = [300, 50_000, PRUNE_STEP, PRUNE_STEP + 1, 100_000, size].filter((stop) => stop <= size);
  let at = 0;
  for (const stop of stops) {
    while (at < stop) {
      const end = Math.min(stop, at + 1024);
      const entries = Array.from({ length: end - at }, (_, i) => entry(at + i));
      await store.append(entries.map((entry) => ({ ...entry, leaf: hasher.leaf(entry.bytes) })));
      at = end;
    }
    await log.publish();
  }
}

export const pruneAt = (log: Log, options: Partial<PruneOptions> = {}) =>
  prune({ log, policy: POLICY, opaqueAfter: 'P6M', now: () => LATER, ...options });

export const check = (store: LogStore) => fsck({ source: storeSource(store), origin: ORIGIN, keys: [VKEY] });

const codeOf = (code: LedgerError['code']) => expect.objectContaining({ code });

/** What pruning promises on every store. `filled` gives a store that {@link fill} has filled, and can open it again. */
export function describePruning(
  name: string,
  filled: (
    run: (
      store: LogStore,
      reopen: () => Promise<LogStore>,
      openVault: (now: () => number) => Promise<Vault>,
    ) => Promise<void>,
  ) => Promise<void>,
): void {
  describe(`${name}: pruning`, { timeout: 60_000 }, () => {
    test('removes whole steps of what has outlived its retention, and says what keeps the rest', () =>
      filled(async (store) => {
        const log = await openOn(store);
        const report = await pruneAt(log);
        expect(report).toMatchObject({
          previous: 0,
          minimum: PRUNE_STEP,
          announcement: SIZE,
          kept: { kind: 'retention', index: LONGER, record: LONG_RECORD, until: Date.UTC(2027, 0, 1) },
        });
        expect(report.removed).toBeGreaterThan(12 * 50_000);
        expect(await store.minimum()).toBe(PRUNE_STEP);
        expect(await store.prunings()).toMatchObject([
          { state: 'done', minimum: PRUNE_STEP, policy: POLICY, at: LATER },
        ]);
        const announced = JSON.parse(Buffer.from(await log.read(SIZE)).toString());
        expect(announced).toMatchObject({
          event_name: 'comity.log.pruned',
          attributes: {
            'comity.prune.minimum': PRUNE_STEP,
            'comity.prune.previous': 0,
            'comity.prune.opaque_after': 'P6M',
            'comity.prune.policy_hash': `sha256:${Buffer.from(hasher.sha256(Buffer.from(POLICY))).toString('hex')}`,
          },
        });
        expect(log.published()?.size).toBe(SIZE + 1);
        // Nothing has become old enough since.
        expect(await pruneAt(log)).toMatchObject({
          previous: PRUNE_STEP,
          minimum: PRUNE_STEP,
          announcement: undefined,
          removed: 0,
        });
        // A year later the next step goes, and no more: what is left is not a whole one.
        expect(await pruneAt(log, { now: () => START + 366 * DAY })).toMatchObject({
          previous: PRUNE_STEP,
          minimum: 2 * PRUNE_STEP,
          announcement: SIZE + 1,
          kept: { kind: 'step-not-full', index: 2 * PRUNE_STEP },
        });
      }));

    test('keeps every proof, every tile and every key, and refuses only the bytes', () =>
      filled(async (store, reopen) => {
        const log = await openOn(store);
        const heads = await store.heads();
        const head = heads.at(-1);
        if (head === undefined) throw new Error('a head expected');
        const keys = await store.readKeys(0, SIZE);
        const tile = { kind: 'hashes', level: 0, index: 7, width: 256 } as const;
        const hashes = await store.readTile(tile);
        const leafOf = (index: number) => hasher.leaf(entryAt(index).bytes);
        const proofOf = (of: Log, index: number, size: number) => of.tree().inclusionProof(index, size);
        const before = await proofOf(log, 5, head.size);
        await pruneAt(log);
        const again = await reopen();
        const reread = await openOn(again);
        expect(Buffer.compare(await again.readKeys(0, SIZE), keys)).toBe(0);
        expect(Buffer.compare(await again.readTile(tile), hashes)).toBe(0);
        for (const index of [0, 100, PRUNE_STEP / 256 - 1]) {
          await expect(again.readBundle(index, 256)).rejects.toEqual(codeOf('pruned'));
          await expect(again.readBundle(index, 3)).rejects.toEqual(codeOf('pruned'));
        }
        expect((await again.readBundle(PRUNE_STEP / 256, 2)).length).toBe(2 * 2 + 2 * 'entry 65536'.length);
        expect(await proofOf(reread, 5, head.size)).toEqual(before);
        await fc.assert(
          fc.asyncProperty(fc.nat(SIZE - 1), fc.nat(heads.length - 1), async (index, which) => {
            const older = heads[which] ?? head;
            const consistency = await reread.tree(head.size).consistencyProof(older.size);
            const [oldSize, oldRoot] = [older.size, older.root];
            const sizes = { oldSize, oldRoot, newSize: head.size, newRoot: head.root };
            verifyConsistency(sizes, consistency, hasher);
            const at = older.size > index ? older : head;
            const leaf = leafOf(index);
            const proof = await proofOf(reread, index, at.size);
            verifyInclusion({ index, size: at.size, leaf, root: at.root }, proof, hasher);
          }),
          { numRuns: 150 },
        );
        await expect(reread.read(7)).rejects.toThrow(
          `entries 0 to ${PRUNE_STEP - 1} were pruned: their bytes are gone`,
        );
        expect(Buffer.from(await reread.read(PRUNE_STEP)).toString()).toBe(`entry ${PRUNE_STEP}`);
      }));

    test('still answers a retry of what was pruned, and refuses its key with other bytes', () =>
      filled(async (store, reopen) => {
        await pruneAt(await openOn(store));
        for (const opened of [async () => store, reopen]) {
          const log = await openOn(await opened());
          for (const index of [0, 10, 4711, PRUNE_STEP - 1, PRUNE_STEP]) {
            const { bytes, key } = entryAt(index);
            expect(await log.append(bytes, key)).toMatchObject({ index, duplicate: true });
            await expect(log.append(Buffer.from('other'), key)).rejects.toEqual(
              codeOf('idempotency-conflict'),
            );
          }
        }
      }));

    test('is sound to fsck, which checks the tree below and the entries above', () =>
      filled(async (store) => {
        await pruneAt(await openOn(store));
        expect(await check(store)).toMatchObject({
          entries: SIZE + 1,
          pruned: PRUNE_STEP,
          faults: [],
          omissions: [],
          diagnosis: 'sound',
        });
      }));

    test.each(['planned', 'announcing', 'announced', 'removing'] as const)(
      'that dies once %s is followed up by the next run, and announced once',
      (step) =>
        filled(async (store, reopen) => {
          const died = new Error('power cut');
          const onProgress = (progress: PruneProgress): void => {
            if (progress.step === step) throw died;
          };
          await expect(pruneAt(await openOn(store), { onProgress })).rejects.toBe(died);
          const again = await reopen();
          const inEffect = step === 'announced' || step === 'removing';
          expect(await again.minimum()).toBe(inEffect ? PRUNE_STEP : 0);
          const log = await openOn(again);
          await pruneAt(log);
          const head = await again.grow();
          expect(head.size).toBe(SIZE + 1);
          expect(log.published()).toMatchObject(head);
          expect(Buffer.from(await log.read(SIZE)).toString()).toContain('comity.log.pruned');
          expect(await again.prunings()).toMatchObject([{ state: 'done', minimum: PRUNE_STEP }]);
          await expect(log.read(0)).rejects.toEqual(codeOf('pruned'));
        }),
    );

    test('that was interrupted does not go on over a hold that was placed since', () =>
      filled(async (store, reopen) => {
        const onProgress = ({ step }: PruneProgress): void => {
          if (step === 'announcing') throw new Error('power cut');
        };
        await expect(pruneAt(await openOn(store), { onProgress })).rejects.toThrow('power cut');
        const log = await openOn(await reopen());
        const holds = { held: async () => true, close: async () => undefined };
        expect(await pruneAt(log, { holds })).toMatchObject({
          minimum: 0,
          announcement: undefined,
          kept: { kind: 'hold', index: 10, record: short.id },
        });
        expect(Buffer.from(await log.read(0)).toString()).toBe('entry 0');
        expect(await pruneAt(log, { holds: holdsOfRecords })).toMatchObject({
          minimum: PRUNE_STEP,
          announcement: SIZE,
        });
      }));

    test('takes the sealed parts of what it removes from the vault, also after a crash, and no others', () =>
      filled(async (store, reopen, openVault) => {
        const clock = { now: START };
        const vault = await openVault(() => clock.now);
        const key = (await vault.keysFor('t', ['maria'])).get('maria');
        const parts = [short, long].map(({ id }) => ({
          h: randomBytes(32).toString('base64url'),
          k: key?.id ?? '',
          record: id,
          bytes: randomBytes(284),
          keepUntil: 0,
          hold: false,
        }));
        await vault.put(parts);
        const there = async () =>
          (await Promise.all(parts.map((part) => vault.get(part)))).map((bytes) => bytes !== undefined);
        clock.now = LATER;
        const log = await openOn(store);
        // As long as the entries are there, so are their parts.
        expect(await sweepParts({ log, vault, now: LATER, most: 10 })).toBe(0);
        const onProgress = ({ step }: PruneProgress): void => {
          if (step === 'removed') throw new Error('power cut');
        };
        const holds = { held: async () => false, close: async () => undefined };
        await expect(pruneAt(log, { vault, holds, onProgress })).rejects.toThrow('power cut');
        expect(await there()).toEqual([true, true]);
        const again = await openOn(await reopen());
        expect(await pruneAt(again, { vault, holds })).toMatchObject({ minimum: PRUNE_STEP, parts: 1 });
        expect(await there()).toEqual([false, true]);
        expect(await pruneAt(again, { vault, holds })).toMatchObject({ parts: 0 });
        expect(await there()).toEqual([false, true]);
        await vault.close();
      }));

    test('learns of the holds in the log before it looks at anything', () =>
      filled(async (store, _, openVault) => {
        const now = () => LATER;
        const vault = await openVault(now);
        const log = await openOn(store);
        await holder({ log, vault, producer }).place('t');
        const [hold] = await vault.holds();
        if (hold === undefined) throw new Error('a hold expected');
        // As it is in a vault that was restored from before the hold.
        const forgetful: Pick<Vault, 'restoreHold' | 'replayed' | 'setReplayed'> = {
          replayed: async () => SIZE,
          setReplayed: async () => undefined,
          restoreHold: async (restored) => void remembered.push(restored.id),
        };
        const remembered: string[] = [];
        const holds = { held: async () => remembered.length > 0, close: async () => undefined };
        const restored: Vault = Object.create(vault, {
          ...Object.getOwnPropertyDescriptors(forgetful),
          authenticate: { value: vault.authenticate.bind(vault) },
          holds: { value: vault.holds.bind(vault) },
        });
        expect(await pruneAt(log, { vault: restored, holds })).toMatchObject({
          minimum: 0,
          kept: { kind: 'hold' },
        });
        expect(remembered).toEqual([hold.id]);
        await vault.close();
      }));

    test('sees a hold that is placed while it reads', () =>
      filled(async (store, _, openVault) => {
        const vault = await openVault(() => LATER);
        const held = async () => {
          if ((await vault.holds()).length > 0) return true;
          await vault.hold({ id: randomUUID(), tenant: 't' });
          return false;
        };
        const holds = { held, close: async () => undefined };
        expect(await pruneAt(await openOn(store), { vault, holds })).toMatchObject({
          minimum: 0,
          announcement: undefined,
          kept: { kind: 'hold', index: 10 },
        });
        await vault.close();
      }));

    test.each<[string, Partial<PruneOptions>, object]>([
      ['entries that state no retention', { opaqueAfter: undefined as never }, { kind: 'opaque', index: 0 }],
      ['entries that are too young', { opaqueAfter: 'P1Y' }, { kind: 'opaque', until: Date.UTC(2027, 0, 1) }],
      ['what the clock says is not over', { now: () => START }, { kind: 'opaque', index: 0 }],
      ['what is not before a time', { before: START }, { kind: 'too-new', index: 0 }],
      ['what is not below an index', { below: PRUNE_STEP - 1 }, { kind: 'step-not-full', index: 0 }],
    ])('keeps %s', (_, options, kept) =>
      filled(async (store) => {
        const given = Object.fromEntries(
          Object.entries({ opaqueAfter: 'P6M', ...options }).filter(([, value]) => value !== undefined),
        );
        const log = await openOn(store);
        expect(await prune({ log, policy: POLICY, now: () => LATER, ...given })).toMatchObject({
          minimum: 0,
          removed: 0,
          kept,
        });
        expect(await store.prunings()).toEqual([]);
        expect(await store.head()).toMatchObject({ size: SIZE });
      }),
    );

    test('needs a written policy', () =>
      filled(async (store) => {
        await expect(pruneAt(await openOn(store), { policy: ' \n' })).rejects.toEqual(
          codeOf('record-invalid'),
        );
      }));
  });
}
