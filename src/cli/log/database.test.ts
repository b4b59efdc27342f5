import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../../ledger/postgres/server.case.ts';
import { comity } from '../testdata/run.ts';

let database: TestServer;
beforeAll(async () => {
  database = await startTestServer();
}, 60_000);
afterAll(() => database.stop());

test('a log moves to PostgreSQL with its tree, and every verb works there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'comity-database-cli-'));
  const log = join(folder, 'log');
  comity(['log', 'init', log, '--origin', `example.com/moved-${process.pid}`]);
  comity(['log', 'append', log], { input: '"a"\n"b"\n' });
  const before = comity(['log', 'fsck', log]).out;
  const env = { DATABASE_URL: database.url };
  const at = ['--database', 'env'];
  expect(comity(['log', 'move', log, ...at], { env })).toMatchObject({
    code: 0,
    err: expect.stringContaining('2 entries moved'),
  });
  expect(existsSync(join(log, 'segments'))).toBe(false);
  expect(comity(['log', 'append', log], { input: '"x"\n' })).toMatchObject({ code: 2 });
  expect(comity(['log', 'fsck', log, ...at], { env }).out).toBe(before);
  expect(comity(['log', 'append', log, ...at], { env, input: '"b"\n"c"\n' })).toMatchObject({
    code: 0,
    out: '1\n2\n',
  });
  const evidence = join(folder, 'evidence.zip');
  expect(comity(['log', 'export', log, '--all', '--out', evidence, ...at], { env }).code).toBe(0);
  expect(comity(['verify', evidence, '--policy', join(log, 'log.policy')])).toMatchObject({
    code: 0,
    out: expect.stringContaining('3 entries: 0-2'),
  });
  expect(comity(['log', 'query', log, ...at], { env })).toMatchObject({
    code: 0,
    err: expect.stringContaining('0 records of 3 entries'),
  });
});

test('a database that does not answer is a user’s mistake, without its password', () => {
  const log = join(mkdtempSync(join(tmpdir(), 'comity-database-cli-')), 'log');
  comity(['log', 'init', log]);
  const { code, err } = comity(['log', 'append', log, '--database', 'postgres://u:secret@127.0.0.1:1/x'], {
    input: '1\n',
  });
  expect(code).toBe(2);
  expect(err).toContain('database does not answer');
  expect(err).not.toContain('secret');
  expect(comity(['log', 'append', log, '--database', 'mysql://x'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('no address of a PostgreSQL database'),
  });
});
