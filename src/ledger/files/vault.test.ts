import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeErasures } from '../sealing/erasure.case.ts';
import { describeVault, type TestClock } from '../sealing/vault.case.ts';
import type { Vault } from '../sealing/vault.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { openFilesVault } from './vault.ts';

describeVault('files', withVault);

/** More parts than one shelf of the index holds. */
const MANY = 40_000;

test('a files vault finds, counts and deletes parts on every shelf of its index', () =>
  withVault(async (vault) => {
    const keys = await vault.keysFor('t', ['maria', 'joao']);
    const [maria, joao] = [keys.get('maria')?.id ?? '', keys.get('joao')?.id ?? ''];
    const parts = Array.from({ length: MANY }, (_, i) => ({
      h: Buffer.alloc(32, `${i} `).toString('base64url'),
      k: i % 2 === 0 ? maria : joao,
      record: `record ${i}`,
      bytes: Buffer.from(`part ${i}`),
      keepUntil: i,
      hold: false,
    }));
    await vault.put(parts);
    const textOf = async (i: number) => {
      const part = parts[i];
      return part === undefined ? undefined : Buffer.from((await vault.get(part)) ?? '').toString();
    };
    for (const i of [0, 16_383, 16_384, 30_001, MANY - 1]) expect(await textOf(i)).toBe(`part ${i}`);
    await vault.request({
      id: 'r',
      tenant: 't',
      subject: 'maria',
      reasonCode: undefined,
      actorRole: undefined,
    });
    expect(await vault.requestKeys('r')).toEqual([
      { id: maria, parts: MANY / 2, keepUntil: MANY - 2, held: false },
    ]);
    await vault.destroy([maria]);
    for (const i of [0, 16_384, MANY - 2]) expect(await textOf(i)).toBe('');
    for (const i of [1, 16_383, MANY - 1]) expect(await textOf(i)).toBe(`part ${i}`);
  }));

async function withVault(
  run: (vault: Vault, other: () => Promise<Vault>, clock: TestClock) => Promise<void>,
): Promise<void> {
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
}

describeErasures('files', async (run) => {
  const folder = mkdtempSync(join(tmpdir(), 'comity-vault-'));
  const directory = join(folder, 'vault');
  const wrapper = localWrapper(Buffer.alloc(32, 1));
  try {
    await run({
      open: (clock) => openFilesVault(directory, { wrapper, now: () => clock.now }),
      async backUp() {
        cpSync(directory, join(folder, 'backup'), { recursive: true });
        return async () => {
          rmSync(directory, { recursive: true });
          cpSync(join(folder, 'backup'), directory, { recursive: true });
        };
      },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
