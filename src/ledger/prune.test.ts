import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { createFilesStore, openFilesStore } from './files/files-store.ts';
import { describePruning, fill } from './prune.case.ts';

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
  await run(store, async () => {
    await store.close();
    store = (await openFilesStore(directory)).store;
    return store;
  });
  await store.close();
  rmSync(directory, { recursive: true });
});
