import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeVault } from '../vault.case.ts';
import type { Vault } from '../vault.ts';
import { localWrapper } from '../wrapping.ts';
import { openFilesVault } from './vault.ts';

describeVault('files', async (run) => {
  const directory = mkdtempSync(join(tmpdir(), 'comity-vault-'));
  const clock = { now: Date.UTC(2026, 10, 23) };
  const opened: Vault[] = [];
  const open = async () => {
    const vault = await openFilesVault(directory, {
      wrapper: localWrapper(Buffer.alloc(32, 1)),
      now: () => clock.now,
    });
    opened.push(vault);
    return vault;
  };
  try {
    await run(await open(), open, clock);
  } finally {
    for (const vault of opened) await vault.close();
    rmSync(directory, { recursive: true });
  }
});
