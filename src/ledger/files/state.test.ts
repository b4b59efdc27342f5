import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { headOf } from '../log/store.case.ts';
import type { Pruning } from '../log/store.ts';
import { openState, readState } from './state.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'comity-state-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const pruning = (minimum: number, state: Pruning['state']): Pruning => ({
  minimum,
  state,
  announcement: new Uint8Array([minimum % 256, 1]),
  policy: 'kept for a while',
  at: minimum,
});

test('only what is announced is in effect, and a new plan takes the place of the one before', () => {
  const state = openState(directory);
  expect([state.minimum(), state.prunings()]).toEqual([0, []]);
  state.keepPruning(pruning(300, 'planned'));
  state.keepPruning(pruning(200, 'planned'));
  expect([state.minimum(), state.prunings()]).toEqual([0, [pruning(200, 'planned')]]);
  state.keepPruning(pruning(200, 'announced'));
  expect(state.minimum()).toBe(200);
  state.keepPruning(pruning(200, 'done'));
  state.keepPruning(pruning(400, 'planned'));
  expect([state.minimum(), state.prunings()]).toEqual([200, [pruning(200, 'done'), pruning(400, 'planned')]]);
  expect(() => state.keepPruning(pruning(199, 'announced'))).toThrow('entries 0 to 199 were pruned');
  state.close();
  expect(readState(directory, 0, (read) => read.minimum())).toBe(200);
});

test('a state of a version that could not prune is read as one that never was', () => {
  openState(directory).close();
  const database = new DatabaseSync(join(directory, 'state.db'));
  database.exec('DROP TABLE pruning');
  database.close();
  expect(readState(directory, -1, (read) => read.minimum())).toBe(0);
  expect(readState(directory, [], (read) => read.prunings())).toEqual([]);
});

test('a change that a killed process left half done is taken back for whoever reads next', () => {
  const state = openState(directory);
  const head = headOf(5, Buffer.alloc(32));
  state.swap(undefined, head);
  state.close();
  const killed = join(directory, 'killed');
  mkdirSync(killed);
  // A change that does not fit into memory reaches the file before it is committed; so it looks after a kill.
  const database = new DatabaseSync(join(directory, 'state.db'));
  database.exec('PRAGMA cache_size = 1; BEGIN IMMEDIATE');
  const insert = database.prepare("INSERT INTO head (size, root, note, at) VALUES (9, x'00', ?, 9)");
  for (let i = 0; i < 50; i++) insert.run('x'.repeat(10_000));
  for (const file of ['state.db', 'state.db-journal'])
    copyFileSync(join(directory, file), join(killed, file));
  database.exec('ROLLBACK');
  database.close();
  const bare = () =>
    new DatabaseSync(join(killed, 'state.db'), { readOnly: true }).prepare('SELECT 1 FROM head');
  expect(bare).toThrow('readonly');
  expect(readState(killed, [], (read) => read.all())).toEqual([head]);
});
