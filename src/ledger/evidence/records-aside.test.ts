import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parsePolicy } from '../../tlog/policy.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { nodeSignatures } from '../log/node-signatures.ts';
import { canonicalBytes } from '../record/canonical.ts';
import { startProducer } from '../record/producer.ts';
import type { AuditRecord } from '../record/record.ts';
import { uuidBytes } from '../record/uuidv7.ts';
import { recordValidator } from '../record/validate.ts';
import { evidenceBytes } from './export.ts';
import type { Range } from './multiproof.ts';
import { type RecordsOptions, verifyRecords } from './records.ts';
import { verifyRecordsAside } from './records-aside.ts';
import type { Verdict } from './verdict.ts';

let directory = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'comity-aside-'));
});

afterAll(() => rmSync(directory, { recursive: true }));

const producerOf = (id: string) =>
  startProducer({
    id,
    resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
    retain: { class: 'logs', hold: false, min: 'P0D' },
    jur: [],
  });

/** Two producers in turn, with heartbeats, an intent that has its effect and one that has none. */
function records(count: number): AuditRecord[] {
  const [one, two] = [producerOf('one'), producerOf('two')];
  const settled = one.intent({ 'gen_ai.tool.name': 'refund' });
  const open = two.intent({ 'gen_ai.tool.name': 'refund' });
  const between = Array.from({ length: count }, (_, i) => (i % 2 === 0 ? one : two).heartbeat());
  return [
    settled.record,
    open.record,
    ...between,
    settled.effect({ 'gen_ai.tool.name': 'refund', 'comity.tool.outcome': 'succeeded' }),
  ];
}

const entryOf = (record: AuditRecord) => ({ bytes: canonicalBytes(record), key: uuidBytes(record.id) });

/** Evidence of a log that holds these entries, and what its auditor brings. */
async function evidence(
  entries: readonly { readonly bytes: Uint8Array; readonly key?: Uint8Array }[],
  ranges: readonly Range[] = [{ from: 0, to: entries.length }],
): Promise<{ readonly archive: Uint8Array; readonly options: RecordsOptions }> {
  const place = mkdtempSync(join(directory, 'log-'));
  const { keys } = await createLogDirectory(place, 'log.example/aside');
  const log = await openLogDirectory(place, { publishEveryMs: 0 });
  await log.appendAll(entries);
  await log.publish();
  const archive = await evidenceBytes({ store: log.store, ranges });
  await log.close();
  const options: RecordsOptions = {
    policy: parsePolicy(`log ${keys[0]}\nquorum none\n`),
    signatures: nodeSignatures,
    hasher: nodeHasher(),
    readRecord: recordValidator().parse,
    demandRecords: false,
  };
  return { archive, options };
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** The verdict of several threads, which must be that of one. */
async function verdictOf(
  archive: Uint8Array,
  options: RecordsOptions,
): Promise<{ verdict: Verdict; plain: boolean }> {
  const aside = await verifyRecordsAside(shared(archive), options, 0);
  expect(aside).toEqual(verifyRecords(archive, options));
  return aside;
}

describe('records read by other threads', () => {
  test('lead to the same verdict as by one', async () => {
    const { archive, options } = await evidence(records(50).map(entryOf));
    const { verdict, plain } = await verdictOf(archive, options);
    expect(plain).toBe(false);
    expect(verdict).toMatchObject({
      kind: 'LOG-SIGNED ONLY',
      findings: { omissions: [{ kind: 'effect-missing', index: 1 }] },
    });
  });

  test('show what is missing, wherever the parts meet', async () => {
    const all = records(60);
    const kept = all.filter((_, i) => i % 13 !== 5);
    const { archive, options } = await evidence(kept.map(entryOf));
    const { verdict } = await verdictOf(archive, options);
    const gaps = 'findings' in verdict ? (verdict.findings.omissions ?? []) : [];
    expect(gaps.filter(({ kind }) => kind === 'sequence-gap')).toHaveLength(all.length - kept.length);
  });

  test('are not asked what is missing where only a part of the log is shown', async () => {
    const { archive, options } = await evidence(records(40).map(entryOf), [
      { from: 3, to: 9 },
      { from: 20, to: 31 },
    ]);
    const { verdict } = await verdictOf(archive, options);
    expect(verdict).toMatchObject({ findings: { omissions: undefined, records: 17 } });
  });

  test('name the first entry that is none, in every part', async () => {
    for (const at of [1, 41]) {
      const entries = [...records(40).map(entryOf)];
      for (const place of [at, 42])
        entries[place] = { bytes: Buffer.from(`note ${place}`), key: Buffer.alloc(16, place) };
      const { archive, options } = await evidence(entries);
      expect((await verdictOf(archive, options)).plain).toBe(true);
      const { verdict } = await verdictOf(archive, { ...options, demandRecords: true });
      expect(verdict).toMatchObject({ kind: 'INVALID', fault: 'record-invalid', indices: [at] });
    }
  });

  test('save no evidence that is altered, cut short, or signed by somebody else', async () => {
    const { archive, options } = await evidence(records(40).map(entryOf));
    const altered = Uint8Array.from(archive);
    const middle = Math.floor(archive.length / 2);
    altered[middle] = (altered[middle] ?? 0) ^ 1;
    expect((await verdictOf(altered, options)).verdict.kind).toBe('INVALID');
    expect((await verdictOf(archive.subarray(0, -9), options)).verdict.kind).toBe('INVALID');
    const { options: stranger } = await evidence(records(1).map(entryOf));
    expect((await verdictOf(archive, stranger)).verdict).toMatchObject({ fault: 'log-not-trusted' });
  });

  test('may also be in memory that is not shared', async () => {
    const { archive, options } = await evidence(records(4).map(entryOf));
    expect(await verifyRecordsAside(archive, options, 0)).toEqual(verifyRecords(archive, options));
  });
});
