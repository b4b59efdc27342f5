import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { openLedger } from '../ledger.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import { startProducer } from '../record/producer.ts';
import { SAFE_AGE_MS } from '../sealing/sweep.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { openFilesVault } from './vault.ts';

const RUNS = process.env.COMITY_LONG === '1' ? 50 : 3;

const href = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);

/**
 * A process that seals and appends as fast as it can, and dies in the middle of it, where one record has its parts in
 * the vault and is not in the log yet.
 */
const WRITER = `
  import { openLedger } from ${href('../ledger.ts')};
  import { openLogDirectory } from ${href('../log/directory.ts')};
  import { startProducer } from ${href('../record/producer.ts')};
  import { localWrapper } from ${href('../sealing/wrapping.ts')};
  import { openFilesVault } from ${href('./vault.ts')};
  const directory = process.argv.at(-1);
  const producer = startProducer({
    id: 'p',
    resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
    retain: { class: 'logs', hold: false, min: 'P0D' },
    jur: [],
  });
  const vault = await openFilesVault(directory + '/vault', { wrapper: localWrapper(Buffer.alloc(32, 1)) });
  const log = await openLogDirectory(directory + '/log', { publishEveryMs: 0 });
  const ledger = await openLedger({ log, vault, producer });
  const submission = (n) => ({ record: producer.heartbeat(), seal: [{ subjects: ['maria', 'joao'], fields: { n } }] });
  const send = async () => {
    for (let n = 0; ; n++) await ledger.append([submission(n)]);
  };
  for (let i = 0; i < 20; i++) void send();
  setTimeout(async () => {
    const prepared = await ledger.prepare([submission(-1)]);
    await vault.put(prepared.flatMap(({ blobs }) => blobs));
    process.kill(process.pid, 'SIGKILL');
  }, Math.random() * 200);
`;

function runUntilDead(directory: string): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', WRITER, directory], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (_, signal) => resolve(signal));
  });
}

test(`a ledger killed ${RUNS} times has the parts of all its records, and a day later no others`, {
  timeout: RUNS * 20_000,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'comity-sweep-kill-'));
  await createLogDirectory(join(directory, 'log'), 'log.example/sweep');
  let skipped = 0;
  const now = () => Date.now() + skipped;
  const opened = async () =>
    openLedger({
      log: await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 }),
      vault: await openFilesVault(join(directory, 'vault'), {
        wrapper: localWrapper(Buffer.alloc(32, 1)),
        now,
      }),
      producer: startProducer({
        id: 'p',
        resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
        retain: { class: 'logs', hold: false, min: 'P0D' },
        jur: [],
      }),
      now,
    });
  try {
    for (let run = 0; run < RUNS; run++) expect(await runUntilDead(directory)).toBe('SIGKILL');
    const fresh = await opened();
    expect(fresh.resumed.swept).toBe(0);
    await fresh.close();
    skipped = SAFE_AGE_MS + 60_000;
    const ledger = await opened();
    let swept = ledger.resumed.swept;
    // A start looks at some ten thousand parts; the next look goes on.
    for (let looks = 0; looks < 20; looks++) swept += await ledger.resume().then((resumed) => resumed.swept);
    expect(swept).toBeGreaterThanOrEqual(2 * RUNS);
    const { size } = await ledger.log.store.grow();
    expect(size).toBeGreaterThan(0);
    for (let index = 0; index < size; index++)
      expect(await ledger.open(index)).toMatchObject({
        lost: 0,
        erased: 0,
        disclosures: [expect.anything()],
      });
    await ledger.close();
    const parts = new DatabaseSync(join(directory, 'vault', 'blobs.db'), { readOnly: true });
    expect(parts.prepare('SELECT count(*) AS parts FROM blob').get()).toEqual({ parts: 2 * size });
    parts.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
