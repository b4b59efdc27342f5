import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeHolds } from '../sealing/holds.case.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { openFilesHolds } from './holds.ts';
import { openFilesVault } from './vault.ts';

describeHolds('files', async (run) => {
  const directory = mkdtempSync(join(tmpdir(), 'comity-holds-'));
  const vault = await openFilesVault(directory, { wrapper: localWrapper(Buffer.alloc(32, 1)) });
  await run(vault, async () => openFilesHolds(directory));
  await vault.close();
  rmSync(directory, { recursive: true });
});

test('a directory without a vault is told, not taken for one without holds', () => {
  expect(() => openFilesHolds(join(tmpdir(), 'comity-nowhere'))).toThrow('holds no vault');
});
