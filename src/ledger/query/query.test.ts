import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyInclusion } from '../../tlog/merkle.ts';
import { createLogDirectory, openLogDirectory } from '../directory.ts';
import { openFilesVault } from '../files/vault.ts';
import { type Ledger, openLedger } from '../ledger.ts';
import { startProducer } from '../producer.ts';
import type { AuditRecord } from '../record.ts';
import { rfc3339 } from '../time.ts';
import { localWrapper } from '../wrapping.ts';
import { follow } from './follower.ts';
import { openRecordIndex, type RecordIndex, type RecordQuery } from './record-index.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const HASH = `sha256:${'ab'.repeat(32)}`;

let directory = '';
let ledger: Ledger;
let index: RecordIndex;
const records: AuditRecord[] = [];

const producerOf = (system: string) =>
  startProducer({
    id: `${system}-gateway`,
    resource: { 'comity.system.id': system, 'comity.tenant': 'acme', 'service.name': system },
    retain: { class: 'logs', hold: false, min: 'P0D' },
    jur: ['DE'],
    now: () => NOON,
  });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-query-'));
  await createLogDirectory(join(directory, 'log'), 'log.example/query');
  const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 });
  const vault = await openFilesVault(join(directory, 'vault'), { wrapper: localWrapper(randomBytes(32)) });
  ledger = await openLedger({ log, vault, producer: producerOf('ledger') });
  index = openRecordIndex(join(directory, 'index.db'));

  const [helpdesk, ranker] = [producerOf('helpdesk'), producerOf('ranker')];
  for (let i = 0; i < 300; i++) {
    const source = i % 2 === 0 ? helpdesk : ranker;
    const context = { time: rfc3339(NOON + i * 60_000), trace_id: i.toString(16).padStart(32, '0') };
    records.push(
      i % 3 === 0
        ? source.record(
            'comity.policy.decision',
            {
              'comity.market': i % 2 === 0 ? 'BR' : 'KR',
              'comity.policy.id': 'p',
              'comity.policy.rule.id': `rulebook:rule-${i % 5}`,
              'comity.policy.verdict': i % 4 === 0 ? 'not-allowed' : 'allowed',
              'comity.policy.version_hash': HASH,
              'comity.ruleset.digest': HASH,
            },
            context,
          )
        : source.record(
            'gen_ai.client.inference.operation.details',
            {
              'gen_ai.operation.name': 'chat',
              'gen_ai.provider.name': 'example',
              'gen_ai.request.model': `model-${i % 7}`,
            },
            context,
          ),
    );
  }
  await ledger.append(
    records.map((record, i) => ({
      record,
      seal: i % 50 === 0 ? [{ subjects: [i < 150 ? 'maria' : 'joao'] as const, fields: { i } }] : [],
    })),
  );
  await log.append(Buffer.from('{"not":"a record"}'));
  await log.append(Buffer.from('opaque'));
  await log.publish();
});

afterAll(async () => {
  index.close();
  await ledger.close();
  rmSync(directory, { recursive: true });
});

const indicesOf = (query: RecordQuery) => index.query({ limit: 1000, ...query }).map((row) => row.index);
const indicesWhere = (test: (record: AuditRecord, i: number) => boolean) =>
  records.flatMap((record, i) => (test(record, i) ? [i] : []));
const attribute = (record: AuditRecord, name: string) => (record.attributes as Record<string, unknown>)[name];

describe('an index', () => {
  test('follows what was published, and nothing beyond', async () => {
    const follower = follow(ledger.log, index);
    expect(index.position()).toBe(0);
    expect(await follower.catchUp()).toBe(302);
    await ledger.log.append(Buffer.from('later'));
    expect(await follower.catchUp()).toBe(302);
    await ledger.log.publish();
    expect(await follower.catchUp()).toBe(303);
  });

  test.each<[string, RecordQuery, (record: AuditRecord, i: number) => boolean]>([
    ['time', { from: NOON + 60_000, to: NOON + 5 * 60_000 }, (_, i) => i >= 1 && i < 5],
    ['system', { system: 'ranker' }, (_, i) => i % 2 === 1],
    ['market', { market: 'KR' }, (record) => attribute(record, 'comity.market') === 'KR'],
    ['market in jur', { market: 'DE' }, () => true],
    [
      'rule',
      { rule: 'rulebook:rule-2' },
      (record) => attribute(record, 'comity.policy.rule.id') === 'rulebook:rule-2',
    ],
    [
      'outcome',
      { outcome: 'not-allowed' },
      (record) => attribute(record, 'comity.policy.verdict') === 'not-allowed',
    ],
    ['event', { event: 'comity.policy.decision' }, (_, i) => i % 3 === 0],
    ['producer', { producer: 'helpdesk-gateway' }, (_, i) => i % 2 === 0],
    ['trace', { trace: (17).toString(16).padStart(32, '0') }, (_, i) => i === 17],
    ['text', { text: '"model-3"' }, (record) => attribute(record, 'gen_ai.request.model') === 'model-3'],
    ['beginning of a word', { text: 'model*' }, (_, i) => i % 3 !== 0],
    [
      'all at once',
      { system: 'helpdesk', outcome: 'allowed', market: 'BR' },
      (_, i) => i % 6 === 0 && i % 4 !== 0,
    ],
    ['nobody', { keys: [] }, () => false],
  ])('finds by %s', async (_, query, expected) => {
    expect(indicesOf(query)).toEqual(indicesWhere(expected));
  });

  test('finds what is about a person through the keys that the vault knows, until they are erased', async () => {
    const about = async (person: string) => indicesOf({ keys: await ledger.vault.keysOf('acme', person) });
    expect(await about('maria')).toEqual([0, 50, 100]);
    expect(await about('joao')).toEqual([150, 200, 250]);
    await ledger.erasures.erase('acme', 'joao');
    expect(await about('joao')).toEqual([]);
    expect(await about('maria')).toEqual([0, 50, 100]);
  });

  test('gives pages', () => {
    const first = index.query({ limit: 120 });
    const second = index.query({ limit: 1000, after: first.at(-1)?.index ?? 0 });
    expect([...first, ...second].map((row) => row.index)).toEqual(indicesWhere(() => true));
  });

  test('gives indices by which every answer can be proved', async () => {
    const head = await ledger.log.publish();
    for (const row of index.query({ outcome: 'not-allowed', limit: 5 })) {
      const bytes = await ledger.log.read(row.index);
      expect(JSON.parse(Buffer.from(bytes).toString()).id).toBe(row.id);
      verifyInclusion(
        { index: row.index, size: head.size, leaf: ledger.log.hasher.leaf(bytes), root: head.root },
        await ledger.log.tree(head.size).inclusionProof(row.index),
        ledger.log.hasher,
      );
    }
  });

  test('refuses what it cannot search for', () => {
    for (const query of [{ text: '"' }, { text: 'AND' }, { limit: 0 }, { limit: 1e6 }]) {
      expect(() => index.query(query)).toThrow(expect.objectContaining({ code: 'query-invalid' }));
    }
    expect(index.query({ system: "'; DROP TABLE record; --" })).toEqual([]);
  });

  test('is the same when it is built again, and is built again when it is of another history', async () => {
    const follower = follow(ledger.log, index);
    await follower.catchUp();
    const before = index.query({ limit: 10_000 });
    index.clear();
    await follower.catchUp();
    expect(index.query({ limit: 10_000 })).toEqual(before);

    const foreign = openRecordIndex(':memory:');
    foreign.apply(records.slice(7, 20), Buffer.alloc(32, 1));
    await follow(ledger.log, foreign).catchUp();
    expect(foreign.query({ limit: 10_000 })).toEqual(before);
    foreign.close();
  });
});
