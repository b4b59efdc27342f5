import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, expect, test } from 'vitest';
import { PRUNE_STEP } from '../../ledger/log/store.ts';
import { startProducer } from '../../ledger/record/producer.ts';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { comity } from '../testdata/run.ts';

const producer = startProducer({
  id: 'helpdesk-1',
  resource: { 'comity.system.id': 'helpdesk', 'comity.tenant': 'acme', 'service.name': 'helpdesk' },
  retain: { class: 'logs', hold: false, min: 'P0D' },
  jur: ['BR'],
});
const chat = () =>
  producer.record('gen_ai.client.inference.operation.details', {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'example',
    'gen_ai.request.model': 'm-3',
  });
const sealed = { record: chat(), seal: [{ subjects: ['maria'], fields: { note: 'hello' } }] };
const last = chat();

const folder = mkdtempSync(join(tmpdir(), 'comity-prune-cli-'));
const log = join(folder, 'log');
const statics = join(folder, 'static');
const segment = join(log, 'segments', '0000000000.seg');
const run = (verb: string, ...args: string[]) => comity(['log', verb, log, ...args]);
const prune = (...args: string[]) => run('prune', '--opaque-after', 'P0D', ...args);
const POLICY = 'Kept until it was answered.';

/** Records among values of other kinds: one with a sealed part at 2, one behind the first step. */
beforeAll(() => {
  comity(['log', 'init', log, '--origin', 'example.com/pruned']);
  const values = Array.from({ length: PRUNE_STEP + 10 }, (_, i) => JSON.stringify({ n: i }));
  values[2] = JSON.stringify(sealed);
  values[PRUNE_STEP + 3] = JSON.stringify(last);
  const { code, err } = comity(['log', 'append', log], { input: `${values.join('\n')}\n` });
  expect({ code, err }).toMatchObject({ code: 0 });
  expect(run('query').err).toContain(`2 records of ${PRUNE_STEP + 10} entries`);
  expect(run('export', '--static', statics).err).toContain(`${PRUNE_STEP + 10} entries`);
}, 120_000);

// One log and what is done to it, in order.
test('a log is pruned from the command line', { timeout: 180_000 }, () => {
  expect(prune()).toMatchObject({
    code: 2,
    err: expect.stringContaining('which retention policy permits it?'),
  });
  expect(run('prune', '--policy', POLICY)).toMatchObject({
    code: 0,
    out: expect.stringContaining('kept: entry 0, which is no record and states no retention'),
  });
  expect(prune('--policy', POLICY, '--opaque-after', 'a year')).toMatchObject({
    code: 2,
    err: expect.stringContaining('`a year` is not a duration'),
  });

  expect(prune('--policy', POLICY, '--vault', 'none')).toMatchObject({
    code: 2,
    err: expect.stringContaining('this log has a vault'),
  });

  // A hold on the person whom a record is about keeps it, and all that comes after.
  const backup = join(folder, 'backup');
  cpSync(`${log}.vault`, backup, { recursive: true });
  const hold = run('hold', '--tenant', 'acme', '--subject', 'maria').out.trim();
  const held = {
    code: 0,
    out: `nothing to prune\nkept: entry 2, record ${sealed.record.id}, which is held, and with it the entries from 0 on\n`,
  };
  expect(prune('--policy', POLICY)).toMatchObject(held);
  // A vault from before the hold learns of it from the log, whatever is done with it first.
  for (const args of [['--dry-run'], ['--policy', POLICY]]) {
    rmSync(`${log}.vault`, { recursive: true });
    cpSync(backup, `${log}.vault`, { recursive: true });
    expect(prune(...args)).toMatchObject(held);
  }
  expect(run('hold', '--release', hold)).toMatchObject({
    code: 0,
    err: expect.stringContaining(`entry ${PRUNE_STEP + 11}: released`),
  });

  expect(prune('--dry-run').out).toContain(`entries 0 to ${PRUNE_STEP - 1} could be pruned\n`);
  expect(statSync(segment).size).toBeGreaterThan(5_500_000);
  const file = join(folder, 'policy.txt');
  writeFileSync(file, POLICY);
  const proof = run('prove', '5').out;
  expect(prune('--policy', file)).toMatchObject({
    code: 0,
    out: expect.stringMatching(
      /^entries 0 to 65535 pruned: \d+ bytes removed; entry 65548 announces it\nkept: everything from entry 65536 on/,
    ),
  });
  expect(statSync(segment).size).toBeLessThan(5_000_000);
  expect(JSON.parse(prune('--policy', file, '--format', 'json').out)).toMatchObject({
    previous: PRUNE_STEP,
    minimum: PRUNE_STEP,
    removed: 0,
    kept: { kind: 'step-not-full', index: PRUNE_STEP },
  });

  // Its sealed part goes too, once it is a day old.
  const parts = new DatabaseSync(join(`${log}.vault`, 'blobs.db'));
  expect(parts.prepare('UPDATE blob SET written = 0').run().changes).toBe(1);
  expect(prune('--policy', file).out).toContain('1 sealed part went from the vault with their records\n');
  expect(parts.prepare('SELECT count(*) AS parts FROM blob').get()).toEqual({ parts: 0 });
  parts.close();

  // What can still be asked, and what is told of the rest.
  expect(run('fsck')).toMatchObject({
    code: 0,
    out: expect.stringContaining('  entries 0 to 65535 pruned: tree checked, bytes gone\n'),
  });
  const again = run('prove', '5').out;
  expect(parseCheckpoint(again.slice(again.indexOf('example.com/pruned\n'))).checkpoint.size).toBe(
    PRUNE_STEP + 13,
  );
  expect(again.split('\n')[1]).toBe(proof.split('\n')[1]);
  const { entry, ...proved } = JSON.parse(run('prove', '5', '--format', 'json').out);
  expect({ entry, pruned: proved.pruned }).toEqual({ entry: undefined, pruned: true });
  expect(run('query').out.match(/^\d+/gm)).toEqual(['65539', '65546', '65547', '65548']);
  expect(run('export', '--records', '5', '--out', join(folder, 'gone.zip'))).toMatchObject({
    code: 2,
    err: expect.stringContaining('entries 0 to 65535 were pruned: their bytes are gone'),
  });
  expect(existsSync(join(folder, 'gone.zip'))).toBe(false);
  expect(run('export', '--all', '--out', join(folder, 'left.zip'))).toMatchObject({
    code: 0,
    err: expect.stringContaining('entries 0 to 65535 are left out: they were pruned'),
  });
  expect(comity(['verify', join(folder, 'left.zip'), '--policy', join(log, 'log.policy')]).code).toBe(0);

  // The files for a web server follow; so does another place.
  expect(existsSync(join(statics, 'tile/entries/000'))).toBe(true);
  expect(run('export', '--static', statics).code).toBe(0);
  expect(existsSync(join(statics, 'tile/entries/000'))).toBe(false);
  expect(readFileSync(join(statics, 'checkpoint'))).toEqual(readFileSync(join(log, 'checkpoint')));
  const moved = join(folder, 'moved');
  expect(run('move', moved).code).toBe(0);
  expect(comity(['log', 'fsck', moved]).out).toContain('entries 0 to 65535 pruned');
  const retried = comity(['log', 'append', moved], { input: '{"n":4711}\n' });
  expect(retried).toMatchObject({ code: 0, out: '4711\n' });
});
