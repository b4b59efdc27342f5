import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evidenceBytes, exportEvidence } from '../../src/ledger/evidence/export.ts';
import { verifyRecords } from '../../src/ledger/evidence/records.ts';
import { createLogDirectory, openLogDirectory } from '../../src/ledger/log/directory.ts';
import { nodeSignatures } from '../../src/ledger/log/node-signatures.ts';
import { startProducer } from '../../src/ledger/record/producer.ts';
import { recordValidator } from '../../src/ledger/record/validate.ts';
import { parsePolicy } from '../../src/tlog/policy.ts';
import { asUpload, cosigned, type OpenedPage, openPage, policyFor } from './browser.case.ts';

const ORIGIN = 'log.example/page-records';
const folder = mkdtempSync(join(tmpdir(), 'comity-page-records-'));
let opened: OpenedPage;

beforeAll(async () => {
  opened = await openPage(folder);
}, 60_000);

afterAll(async () => {
  await opened?.browser.close();
  rmSync(folder, { recursive: true, force: true });
});

const startGateway = () =>
  startProducer({
    id: 'gateway-1',
    resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: ['DE'],
  });

/** A log of its own, with these entries under a head that four witnesses cosigned. */
async function logOf(entries: readonly Buffer[]) {
  const directory = join(folder, randomUUID());
  const vkey = (await createLogDirectory(directory, ORIGIN)).keys[0] ?? '';
  const log = await openLogDirectory(directory, { publishEveryMs: 0 });
  for (let at = 0; at < entries.length; at += 1000) {
    await log.appendAll(entries.slice(at, at + 1000).map((bytes) => ({ bytes })));
  }
  const note = cosigned((await log.publish()).note, 4);
  return {
    log,
    policy: policyFor(vkey),
    evidence: { store: log.store, ranges: [{ from: 0, to: entries.length }], note },
  };
}

describe('reads records as the command does', () => {
  const valid = () => {
    const producer = startGateway();
    return Array.from({ length: 5 }, () => producer.heartbeat());
  };
  const bytesOf = (value: unknown) => Buffer.from(JSON.stringify(value));
  const edited = (edit: (record: Record<string, unknown>) => void): Buffer => {
    const record = JSON.parse(JSON.stringify(valid()[3]));
    edit(record);
    return bytesOf(record);
  };

  test.each<readonly [string, readonly string[], () => Buffer | undefined]>([
    ['nothing wrong', ['VERIFIED', 'VERIFIED'], () => undefined],
    [
      'an unknown field',
      ['VERIFIED', 'INVALID'],
      () => edited((record) => Object.assign(record, { note: 'hello' })),
    ],
    [
      'an attribute that another event has',
      ['VERIFIED', 'INVALID'],
      () => edited((record) => Object.assign(record.attributes as object, { 'comity.market': 'DE' })),
    ],
    ['a required field missing', ['VERIFIED', 'INVALID'], () => edited((record) => delete record.producer)],
    [
      'a market that is none',
      ['VERIFIED', 'INVALID'],
      () => edited((record) => Object.assign(record, { jur: ['Germany'] })),
    ],
    [
      'the same market twice',
      ['VERIFIED', 'INVALID'],
      () => edited((record) => Object.assign(record, { jur: ['DE', 'DE'] })),
    ],
    [
      'an event that nobody knows',
      ['VERIFIED', 'INVALID'],
      () => edited((record) => Object.assign(record, { event_name: 'constructor' })),
    ],
    [
      'a field called __proto__',
      ['VERIFIED', 'INVALID'],
      () => Buffer.from(bytesOf(valid()[3]).toString().replace('{', '{"__proto__":{"v":1},')),
    ],
    ['text', ['VERIFIED', 'INVALID'], () => Buffer.from('hello')],
  ])('with %s', async (_what, [asked, demanded], wrong) => {
    const entries = valid().map(bytesOf);
    const { log, policy, evidence } = await logOf(
      entries.map((bytes, i) => (i === 3 ? (wrong() ?? bytes) : bytes)),
    );
    const bundle = await evidenceBytes(evidence);
    await log.close();
    const files = [
      { name: 'evidence.zip', bytes: bundle },
      { name: 'ours.policy', bytes: policy },
    ];
    for (const [demandRecords, kind] of [
      [false, asked],
      [true, demanded],
    ] as const) {
      const said = await opened.shown(files, demandRecords);
      const { verdict, plain } = verifyRecords(bundle, {
        policy: parsePolicy(policy),
        signatures: nodeSignatures,
        readRecord: recordValidator().parse,
        demandRecords,
      });
      expect([said.kind, verdict.kind]).toEqual([kind, kind]);
      if (verdict.kind === 'INVALID') {
        expect([said.fault, verdict.indices]).toEqual(['record-invalid', [3]]);
        expect(said.text).toContain(verdict.message);
      }
      expect(said.text.includes('what they say was not read')).toBe(plain);
    }
  });
});

test('verifies in itself where it may have no worker', async () => {
  const { log, policy, evidence } = await logOf([Buffer.from('a')]);
  const context = await opened.browser.newContext({ offline: true });
  await context.addInitScript('delete globalThis.Worker');
  const alone = await context.newPage();
  await alone.goto(opened.address);
  const files = [
    { name: 'evidence.zip', bytes: await evidenceBytes(evidence) },
    { name: 'ours.policy', bytes: policy },
  ];
  await log.close();
  await alone.setInputFiles('#files', files.map(asUpload));
  await alone.locator('.verdict').waitFor();
  expect(await alone.locator('.verdict').getAttribute('data-kind')).toBe('VERIFIED');
});

const LARGE = 100_000;
test(`stays alive and says how far it is, with ${LARGE} records`, { timeout: 240_000 }, async () => {
  const producer = startGateway();
  const made = await logOf(
    Array.from({ length: LARGE }, () => Buffer.from(JSON.stringify(producer.heartbeat()))),
  );
  const [evidence, policy] = [join(folder, 'large.zip'), join(folder, 'large.policy')];
  await exportEvidence(evidence, made.evidence);
  await made.log.close();
  writeFileSync(policy, made.policy);

  const { page } = opened;
  await page.goto(opened.address);
  await page.evaluate(`(() => {
    globalThis.seen = [];
    globalThis.ticks = 0;
    setInterval(() => { globalThis.ticks += 1; }, 20);
    new MutationObserver(() => {
      const bar = document.querySelector('progress');
      if (bar !== null) globalThis.seen.push(Number(bar.value));
    }).observe(document.querySelector('#result'), { childList: true });
  })()`);
  const started = performance.now();
  await page.setInputFiles('#files', [evidence, policy]);
  const verdict = page.locator('.verdict');
  await verdict.waitFor({ timeout: 120_000 });
  const seconds = (performance.now() - started) / 1000;
  expect(await verdict.getAttribute('data-kind')).toBe('VERIFIED');
  expect(await page.locator('#result').textContent()).toContain(`and ${LARGE - 200} more`);
  const { seen, ticks } = (await page.evaluate('({ seen, ticks })')) as { seen: number[]; ticks: number };
  expect(seen.length).toBeGreaterThan(20);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen.at(-1)).toBeGreaterThan(0.95);
  // Timers of the page ran all the while: it was not frozen.
  expect(ticks).toBeGreaterThan((seconds * 1000) / 20 / 10);
  if (process.env.COMITY_LONG !== undefined) console.info(`${LARGE} records in ${seconds.toFixed(1)} s`);
  // Ten times what a tenth of a million may take: this machine does other things too.
  expect(seconds).toBeLessThan(30);
});

test('none of that broke a rule of the page', () => {
  expect(opened.complaints).toEqual([]);
});
