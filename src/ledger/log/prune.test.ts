import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFilesStore, openFilesStore } from '../files/files-store.ts';
import { openFilesVault } from '../files/vault.ts';
import { canonicalBytes } from '../record/canonical.ts';
import { startProducer } from '../record/producer.ts';
import type { AuditRecord } from '../record/record.ts';
import { holdsOfRecords } from '../sealing/holds.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { describePruning, entryAt, fill, LATER, openOn, pruneAt, START } from './prune.case.ts';
import { PRUNE_STEP } from './store.ts';

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'comity-prune-'));
  await createFilesStore(join(folder, 'filled'));
  const { store } = await openFilesStore(join(folder, 'filled'));
  await fill(store);
  await store.close();
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

describePruning('files', async (run) => {
  const directory = mkdtempSync(join(folder, 'log-'));
  cpSync(join(folder, 'filled'), directory, { recursive: true });
  let { store } = await openFilesStore(directory);
  await run(
    store,
    async () => {
      await store.close();
      store = (await openFilesStore(directory)).store;
      return store;
    },
    (now) => openFilesVault(`${directory}.vault`, { wrapper: localWrapper(Buffer.alloc(32, 1)), now }),
  );
  await store.close();
  rmSync(directory, { recursive: true });
});

const heartbeat = startProducer({
  id: 'gateway-1',
  resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  retain: { class: 'logs', hold: false, min: 'P0D' },
  jur: [],
  now: () => START,
}).heartbeat();
const part = { alg: 'A256GCM', h: `${'A'.repeat(42)}A`, k: `${'A'.repeat(21)}A`, len: 1024 } as const;
const sealed: AuditRecord = { ...heartbeat, sealed: [part] };
const held: AuditRecord = { ...heartbeat, retain: { ...heartbeat.retain, hold: true } };

test.each([
  ['with sealed parts, unless it is said which holds their vault knows of', sealed, {}, 'vault-unknown'],
  ['that asks to be held', held, { holds: holdsOfRecords }, 'hold'],
  ['of a later version, whose retention cannot be told', { ...heartbeat, later: 1 }, {}, 'unreadable'],
])('a record %s is not pruned', async (_, record, options, kind) => {
  const directory = mkdtempSync(join(folder, 'log-'));
  await createFilesStore(directory);
  const { store } = await openFilesStore(directory);
  const bytes = canonicalBytes(record);
  await fill(store, PRUNE_STEP, (index) => (index === 3 ? { ...entryAt(3), bytes } : entryAt(index)));
  const log = await openOn(store, LATER);
  expect(await pruneAt(log, options)).toMatchObject({ minimum: 0, kept: { kind, index: 3 } });
  if (kind === 'vault-unknown') {
    const report = await pruneAt(log, { holds: holdsOfRecords });
    expect(report).toMatchObject({ minimum: PRUNE_STEP, announcement: PRUNE_STEP });
  }
  await store.close();
});
