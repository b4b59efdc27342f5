import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyInclusion } from '../../tlog/merkle.ts';
import { openFilesVault } from '../files/vault.ts';
import { type Ledger, openLedger } from '../ledger.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import type { Log, LogView } from '../log/log.ts';
import { startProducer } from '../record/producer.ts';
import type { AuditRecord } from '../record/record.ts';
import { rfc3339 } from '../record/time.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { follow } from './follower.ts';
import type { RecordIndex, RecordQuery } from './record-index.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const HASH = `sha256:${'ab'.repeat(32)}`;

const producerOf = (system: string) =>
  startProducer({
    id: `${system}-gateway`,
    resource: { 'comity.system.id': system, 'comity.tenant': 'acme', 'service.name': system },
    retain: { class: 'logs', hold: false, min: 'P0D' },
    jur: ['DE'],
    now: () => NOON,
  });

/** Three hundred records of two systems: decisions in two markets, and model calls. */
function madeRecords(): readonly AuditRecord[] {
  const [helpdesk, ranker] = [producerOf('helpdesk'), producerOf('ranker')];
  return Array.from({ length: 300 }, (_, i) => {
    const source = i % 2 === 0 ? helpdesk : ranker;
    const context = { time: rfc3339(NOON + i * 60_000), trace_id: i.toString(16).padStart(32, '0') };
    return i % 3 === 0
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
            'gen_ai.request.model': `Model-${i % 7}.1`,
          },
          context,
        );
  });
}

/**
 * What every index promises. `open` opens the index of a log by its origin, as one more process would; it is called
 * after `beforeAll` of the file.
 */
export function describeIndex(name: string, open: (origin: string) => Promise<RecordIndex>): void {
  describe(`${name}: an index`, () => {
    const origin = `log.example/${randomUUID()}`;
    const opened: RecordIndex[] = [];
    let directory = '';
    let ledger: Ledger;
    let index: RecordIndex;
    const records = madeRecords();
    const another = async (of = origin) => {
      const more = await open(of);
      opened.push(more);
      return more;
    };

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'comity-query-'));
      await createLogDirectory(join(directory, 'log'), origin);
      const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 });
      const wrapper = localWrapper(randomBytes(32));
      const vault = await openFilesVault(join(directory, 'vault'), { wrapper });
      ledger = await openLedger({ log, vault, producer: producerOf('ledger') });
      index = await another();
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
      for (const one of opened) await one.close();
      await ledger.close();
      rmSync(directory, { recursive: true });
    });

    const indicesOf = async (query: RecordQuery) =>
      (await index.query({ limit: 1000, ...query })).map((row) => row.index);
    const indicesWhere = (wanted: (record: AuditRecord, i: number) => boolean) =>
      records.flatMap((record, i) => (wanted(record, i) ? [i] : []));
    const attribute = (record: AuditRecord, of: string) => (record.attributes as Record<string, unknown>)[of];

    test('follows what was published, and nothing beyond', async () => {
      const follower = follow(ledger.log, index);
      expect(await index.mark()).toEqual({ entries: 0, leaf: undefined });
      expect(await follower.catchUp()).toBe(302);
      await ledger.log.append(Buffer.from('later'));
      expect(await follower.catchUp()).toBe(302);
      await ledger.log.publish();
      expect(await follower.catchUp()).toBe(303);
      expect((await index.mark()).entries).toBe(303);
      expect((await index.mark(300)).entries).toBe(256);
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
      [
        'a word',
        { text: 'model-3.1' },
        (record) => attribute(record, 'gen_ai.request.model') === 'Model-3.1',
      ],
      ['a word in other letters', { text: 'CHAT' }, (_, i) => i % 3 !== 0],
      ['beginning of a word', { text: 'model*' }, (_, i) => i % 3 !== 0],
      ['words', { text: 'example chat' }, (_, i) => i % 3 !== 0],
      ['a phrase', { text: '"chat example"' }, (_, i) => i % 3 !== 0],
      ['words that stand elsewhere', { text: '"example chat"' }, () => false],
      [
        'a name of several words',
        { text: 'rulebook:rule-2' },
        (record) => attribute(record, 'comity.policy.rule.id') === 'rulebook:rule-2',
      ],
      ['beginning of the last of them', { text: 'rulebook:ru*' }, (_, i) => i % 3 === 0],
      [
        'all at once',
        { system: 'helpdesk', outcome: 'allowed', market: 'BR' },
        (_, i) => i % 6 === 0 && i % 4 !== 0,
      ],
      ['nobody', { keys: [] }, () => false],
      ['a character that no text has', { system: 'help\0desk' }, () => false],
    ])('finds by %s', async (_, query, expected) => {
      expect(await indicesOf(query)).toEqual(indicesWhere(expected));
    });

    test('finds what is about a person through the keys that the vault knows, until they are erased', async () => {
      const about = async (person: string) => indicesOf({ keys: await ledger.vault.keysOf('acme', person) });
      expect(await about('maria')).toEqual([0, 50, 100]);
      expect(await about('joao')).toEqual([150, 200, 250]);
      await ledger.erasures.erase('acme', 'joao');
      expect(await about('joao')).toEqual([]);
      expect(await about('maria')).toEqual([0, 50, 100]);
    });

    test('gives pages', async () => {
      const first = await index.query({ limit: 120 });
      const second = await index.query({ limit: 1000, after: first.at(-1)?.index ?? 0 });
      expect([...first, ...second].map((row) => row.index)).toEqual(indicesWhere(() => true));
    });

    test('gives indices by which every answer can be proved', async () => {
      const head = await ledger.log.publish();
      for (const row of await index.query({ outcome: 'not-allowed', limit: 5 })) {
        const bytes = await ledger.log.read(row.index);
        expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({
          id: row.id,
          time: rfc3339(row.time),
          event_name: row.event,
        });
        verifyInclusion(
          { index: row.index, size: head.size, leaf: ledger.log.hasher.leaf(bytes), root: head.root },
          await ledger.log.tree(head.size).inclusionProof(row.index),
          ledger.log.hasher,
        );
      }
    });

    test('refuses what it cannot search for', async () => {
      for (const query of [{ text: '"' }, { text: '*' }, { text: ' ' }, { limit: 0 }, { limit: 1e6 }]) {
        await expect(index.query(query)).rejects.toMatchObject({ code: 'query-invalid' });
      }
      expect(await index.query({ system: "'; DROP TABLE record; --" })).toEqual([]);
      expect(await index.query({ text: "it's AND (x) NEAR" })).toEqual([]);
    });

    test('is the same when it is built again, also by several at once', async () => {
      await follow(ledger.log, index).catchUp();
      const before = await index.query({ limit: 10_000 });
      await index.clear(await index.mark());
      expect(await index.query({})).toEqual([]);
      const others = await Promise.all([1, 2, 3].map(() => another()));
      await Promise.all([index, ...others].map((one) => follow(ledger.log, one).catchUp()));
      for (const one of [index, ...others]) expect(await one.query({ limit: 10_000 })).toEqual(before);
    });

    test('is not moved on or cleared from a place where it no longer is', async () => {
      const before = await index.mark();
      expect(await index.apply(before.entries - 1, [undefined], Buffer.alloc(32, 1))).toBe(false);
      await index.clear({ entries: before.entries, leaf: Buffer.alloc(32, 1) });
      await index.clear({ entries: 7, leaf: before.leaf });
      expect(await index.mark()).toEqual(before);
    });

    test('is built again when it is of another history', async () => {
      await follow(ledger.log, index).catchUp();
      const before = await index.query({ limit: 10_000 });
      const foreign = await another(`log.example/${randomUUID()}`);
      await foreign.apply(0, records.slice(7, 20), Buffer.alloc(32, 1));
      await follow(ledger.log, foreign).catchUp();
      expect(await foreign.query({ limit: 10_000 })).toEqual(before);
    });

    test('that is ahead of an older view answers it within what that view can prove, and stays as it is', async () => {
      await follow(ledger.log, index).catchUp();
      const { entries } = await index.mark();
      const rows = await follow(viewOfFirst(ledger.log, 270), index).query({ limit: 1000 });
      expect(rows.map((row) => row.index)).toEqual(indicesWhere((_, i) => i < 270));
      expect((await index.mark()).entries).toBe(entries);
    });

    test('that is ahead of a log which was restored and went another way is built again', async () => {
      const restored = await another(`log.example/${randomUUID()}`);
      // The history so far, and records that the log has no more.
      await follow(viewOfFirst(ledger.log, 256), restored).catchUp();
      const lost = records.slice(0, 60);
      await restored.apply(256, lost, Buffer.alloc(32, 2));
      const rows = await follow(viewOfFirst(ledger.log, 290), restored).query({ limit: 1000 });
      expect(rows.map((row) => row.index)).toEqual(indicesWhere((_, i) => i < 290));
      expect((await restored.mark()).entries).toBe(290);
    });
  });
}

/** A log as it was when it had `size` entries. */
function viewOfFirst(log: Log, size: number): LogView {
  return {
    origin: log.origin,
    store: log.store,
    hasher: log.hasher,
    published: () => ({ size, root: Buffer.alloc(32), note: '', at: 0 }),
    tree: () => log.tree(size),
    read: (index) => log.read(index),
    entries: (from, to) => log.entries(from, to),
  };
}
