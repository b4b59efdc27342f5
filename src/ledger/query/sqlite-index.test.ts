import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { describeIndex } from './record-index.case.ts';
import { openRecordIndex } from './sqlite-index.ts';

const directory = mkdtempSync(join(tmpdir(), 'comity-index-'));
afterAll(() => rmSync(directory, { recursive: true }));

describeIndex('SQLite', async (origin) =>
  openRecordIndex(join(directory, `${origin.replaceAll('/', '-')}.db`)),
);

test('an index that another version made is begun anew', async () => {
  const path = join(directory, 'old.db');
  const old = new DatabaseSync(path);
  old.exec('CREATE TABLE record (idx INTEGER PRIMARY KEY); INSERT INTO record VALUES (1)');
  old.close();
  const index = openRecordIndex(path);
  expect(await index.query({})).toEqual([]);
  await index.close();
});
