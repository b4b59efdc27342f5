import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import chromium from '@sparticuz/chromium';
import { type Browser, type Page, chromium as playwright } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLogDirectory, openLogDirectory, readLogKey } from '../src/ledger/directory.ts';
import { evidenceBytes, exportEvidence } from '../src/ledger/evidence/export.ts';
import { FILES } from '../src/ledger/evidence/manifest.ts';
import { rangesOf } from '../src/ledger/evidence/multiproof.ts';
import { verifyRecords } from '../src/ledger/evidence/records.ts';
import { readZip, ZipWriter } from '../src/ledger/evidence/zip.ts';
import { nodeHasher } from '../src/ledger/node-hash.ts';
import { generateLogKey, logSigner, nodeSignatures, verifierKeyOf } from '../src/ledger/node-signatures.ts';
import { startProducer } from '../src/ledger/producer.ts';
import { recordValidator } from '../src/ledger/validate.ts';
import { parseCheckpoint, signCheckpoint } from '../src/tlog/checkpoint.ts';
import { cosigner } from '../src/tlog/cosignature.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign } from '../src/tlog/noble.ts';
import { formatSignatureLine } from '../src/tlog/note.ts';
import { formatVerifierKey, SIGNATURE_TYPES, verifierKey } from '../src/tlog/note-key.ts';
import { parsePolicy } from '../src/tlog/policy.ts';
import { verifierPage } from './verifier-page.ts';

const ORIGIN = 'log.example/page';
const WITNESSES = ['de', 'br', 'jp', 'ch'].map((country, i) => {
  const seed = Buffer.alloc(32, i + 1);
  const key = verifierKey(
    `witness.${country}.example`,
    SIGNATURE_TYPES.ed25519Cosignature,
    nobleEd25519PublicKey(seed),
  );
  return { country, key, sign: nobleEd25519Sign(seed) };
});

/** Adds the cosignatures of the first `count` witnesses. */
function cosigned(note: string, count: number): string {
  const { text } = parseCheckpoint(note).note;
  const lines = WITNESSES.slice(0, count).map(({ key, sign }) => {
    const signature = cosigner(key, sign, 1_800_000_000).sign(text);
    return formatSignatureLine({ name: key.name, keyId: key.keyId, signature });
  });
  return note + lines.join('');
}

/** A note whose last signature has one bit changed. */
function spoiled(text: string): string {
  const at = text.length - 30;
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}

async function zipOf(files: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array> {
  const target = Buffer.alloc(1 << 20);
  const zip = new ZipWriter({ write: (bytes, at) => void target.set(bytes, at) }, crc32);
  for (const [name, bytes] of files) await zip.add(name, [bytes]);
  return new Uint8Array(target.subarray(0, zip.finish()));
}

let folder = '';
let policy = '';
let note = '';
/** A head of the same size that the log signed for somebody else. */
let forked = '';
let pageFile = '';
let browser: Browser;
let page: Page;
const requests: string[] = [];
const complaints: string[] = [];
let bundleOf: (note: string) => Promise<Uint8Array>;
let close: () => Promise<void>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'comity-page-'));
  const directory = join(folder, 'log');
  const vkey = (await createLogDirectory(directory, ORIGIN)).keys[0] ?? '';
  const log = await openLogDirectory(directory, { publishEveryMs: 0 });
  await log.appendAll(
    Array.from({ length: 40 }, (_, i) => ({
      bytes: Buffer.from(i === 31 ? '{"entry":"<b>31</b>"}' : `{"entry":${i}}`),
    })),
  );
  note = (await log.publish()).note;
  forked = signCheckpoint({ origin: ORIGIN, size: 40, root: Buffer.alloc(32, 7), extensions: [] }, [
    logSigner(readLogKey(directory)),
  ]);
  bundleOf = (head) => evidenceBytes({ store: log.store, ranges: rangesOf([3, 7, 8, 9, 31]), note: head });
  close = () => log.close();
  policy = [
    `log ${vkey}`,
    ...WITNESSES.map(({ country, key }) => `witness ${country} ${formatVerifierKey(key)}`),
    'group countries 3 de br jp ch',
    'quorum countries',
    '',
  ].join('\n');
  pageFile = join(folder, 'verifier.html');
  writeFileSync(pageFile, await verifierPage());
  browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [...chromium.args, '--no-sandbox'],
  });
  page = await (await browser.newContext({ offline: true })).newPage();
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await close?.();
  rmSync(folder, { recursive: true, force: true });
});

interface Given {
  readonly name: string;
  readonly bytes: Uint8Array | string;
}

const asUpload = ({ name, bytes }: Given) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(bytes),
});

/** Gives files to a fresh page, and reads what it says. */
async function shown(files: readonly Given[], demandRecords = false) {
  await page.goto(pathToFileURL(pageFile).href);
  if (demandRecords) await page.check('#records');
  await page.setInputFiles(
    '#files',
    files.map(({ name, bytes }) => ({
      name,
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(bytes),
    })),
  );
  const verdict = page.locator('.verdict');
  await verdict.waitFor({ timeout: 20_000 });
  return {
    kind: await verdict.getAttribute('data-kind'),
    fault: (await verdict.getAttribute('data-fault')) ?? undefined,
    text: (await page.locator('#result').textContent()) ?? '',
  };
}

const withPolicy = (bytes: Uint8Array, ...more: readonly { name: string; bytes: string }[]) =>
  shown([{ name: 'evidence.zip', bytes }, { name: 'ours.policy', bytes: policy }, ...more]);

/** A good bundle, with some of its files changed. */
async function changed(change: (files: Map<string, Buffer>) => void): Promise<Uint8Array> {
  const files = new Map(
    [...readZip(await bundleOf(cosigned(note, 4)))].map(([name, bytes]) => [name, Buffer.from(bytes)]),
  );
  change(files);
  return zipOf(files);
}
/** What `comity verify` finds. */
const asTheCommand = (bundle: Uint8Array, demandRecords = false) =>
  verifyRecords(bundle, {
    policy: parsePolicy(policy),
    signatures: nodeSignatures,
    hasher: nodeHasher(),
    readRecord: recordValidator().parse,
    demandRecords,
  });
const file = (files: Map<string, Buffer>, name: string): Buffer => files.get(name) ?? Buffer.alloc(0);
const manifest = (edit: (json: Record<string, unknown>) => void) => (files: Map<string, Buffer>) => {
  const json = JSON.parse(file(files, FILES.manifest).toString());
  edit(json);
  files.set(FILES.manifest, Buffer.from(JSON.stringify(json)));
};

describe('the page that verifies', () => {
  test('is the same bytes every time, and names its script and style by their hashes', async () => {
    const html = await verifierPage();
    expect(html).toBe(await verifierPage());
    const script = /<script>([\s\S]*)<\/script>/.exec(html)?.[1] ?? '';
    const digest = createHash('sha256').update(script).digest('base64');
    expect(html).toContain(`default-src 'none'; script-src 'sha256-${digest}'; style-src 'sha256-`);
    expect(html).not.toMatch(/unsafe-|\beval\(|new Function|import\(/);
    // The one address is the pattern of addresses in the schema of records.
    expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org|\[A-Za-z0-9)/);
  });

  test('is the same bytes wherever it is built', () => {
    const root = fileURLToPath(new URL('..', import.meta.url));
    const copy = join(folder, 'elsewhere');
    for (const part of ['src/ledger', 'src/tlog', 'scripts', 'package.json'])
      cpSync(join(root, part), join(copy, part), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const built = join(folder, 'elsewhere.html');
    execFileSync(process.execPath, [join(copy, 'scripts/verifier-page.ts'), built]);
    expect(readFileSync(built, 'utf8')).toBe(readFileSync(pageFile, 'utf8'));
  });

  test('says VERIFIED, shows the entries, and says what that does not prove', async () => {
    const { kind, text } = await withPolicy(await bundleOf(cosigned(note, 4)));
    expect(kind).toBe('VERIFIED');
    expect(text).toContain('entry 31');
    expect(text).toContain('What this does not prove');
    expect(text).toContain('5 entries');
  });

  test('takes files that are dropped', async () => {
    await page.goto(pathToFileURL(pageFile).href);
    const evidence = Buffer.from(await bundleOf(cosigned(note, 3))).toString('base64');
    const transfer = await page.evaluateHandle(
      `(() => {
        const transfer = new DataTransfer();
        const bytes = Uint8Array.from(atob('${evidence}'), (c) => c.charCodeAt(0));
        transfer.items.add(new File([bytes], 'evidence.zip'));
        transfer.items.add(new File([${JSON.stringify(policy)}], 'ours.policy'));
        return transfer;
      })()`,
    );
    await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
    await page.locator('.verdict').waitFor();
    expect(await page.locator('.verdict').getAttribute('data-kind')).toBe('VERIFIED');
  });

  test('does not let evidence become markup', async () => {
    const { text } = await withPolicy(await bundleOf(cosigned(note, 4)));
    expect(text).toContain('<b>31</b>');
    expect(await page.locator('#result b').count()).toBe(0);
  });

  test.each<readonly [string, string, string | undefined, (files: Map<string, Buffer>) => void]>([
    [
      'an entry with one byte changed',
      'INVALID',
      'entries-altered',
      (files) => {
        const bytes = file(files, FILES.entries);
        bytes[10] = (bytes[10] ?? 0) ^ 1;
      },
    ],
    [
      'two entries that changed places',
      'INVALID',
      'entries-altered',
      (files) => {
        const bytes = file(files, FILES.entries);
        const [a, b] = [bytes.subarray(0, 13), bytes.subarray(13, 26)];
        files.set(FILES.entries, Buffer.concat([b, a, bytes.subarray(26)]));
      },
    ],
    [
      'an entry removed',
      'INVALID',
      'entries-altered',
      (files) => {
        files.set(FILES.entries, file(files, FILES.entries).subarray(13));
      },
    ],
    [
      'an entry added',
      'INVALID',
      'entries-altered',
      (files) => {
        files.set(FILES.entries, Buffer.concat([file(files, FILES.entries), Buffer.from([0, 1, 0x7b])]));
      },
    ],
    [
      'entries under other indices',
      'INVALID',
      'entries-altered',
      manifest((json) => {
        json.ranges = [
          [2, 3],
          [7, 10],
          [31, 32],
        ];
      }),
    ],
    [
      'a log signature that was changed',
      'INVALID',
      'signature-rejected',
      (files) => {
        files.set(FILES.checkpoint, Buffer.from(spoiled(note)));
      },
    ],
    [
      'a cosignature that was changed',
      'INVALID',
      'signature-rejected',
      (files) => {
        files.set(FILES.checkpoint, Buffer.from(spoiled(cosigned(note, 4))));
      },
    ],
    [
      'a checkpoint that another log signed',
      'INVALID',
      'log-not-trusted',
      (files) => {
        files.set(
          FILES.checkpoint,
          Buffer.from(signCheckpoint(parseCheckpoint(note).checkpoint, [logSigner(generateLogKey(ORIGIN))])),
        );
      },
    ],
    [
      'a proof with a hash too few',
      'INVALID',
      'malformed',
      (files) => {
        files.set(FILES.proof, file(files, FILES.proof).subarray(32));
      },
    ],
    [
      'a proof with a hash changed',
      'INVALID',
      'entries-altered',
      (files) => {
        const bytes = file(files, FILES.proof);
        bytes[0] = (bytes[0] ?? 0) ^ 1;
      },
    ],
    [
      'a proof for other tools that says something else',
      'INVALID',
      'proof-rejected',
      (files) => {
        files.set('proofs/3.tlog-proof', file(files, 'proofs/7.tlog-proof'));
      },
    ],
    [
      'a field shown that its entry does not vouch for',
      'INVALID',
      'disclosure-rejected',
      manifest((json) => {
        json.disclosures = [{ index: 3, disclosures: ['WyJhIiwiYiIsImMiXQ'] }];
      }),
    ],
    [
      'an origin that is not the checkpoint’s',
      'INVALID',
      'malformed',
      manifest((json) => {
        json.origin = 'other.example';
      }),
    ],
    [
      'no manifest',
      'INVALID',
      'malformed',
      (files) => {
        files.delete(FILES.manifest);
      },
    ],
    [
      'too few witnesses',
      'QUORUM NOT MET',
      undefined,
      (files) => {
        files.set(FILES.checkpoint, Buffer.from(cosigned(note, 2)));
      },
    ],
    [
      'no witness at all',
      'LOG-SIGNED ONLY',
      undefined,
      (files) => {
        files.set(FILES.checkpoint, Buffer.from(note));
      },
    ],
  ])('names the fault of %s, as the command does', async (_what, kind, fault, change) => {
    const bundle = await changed(change);
    const said = await withPolicy(bundle);
    expect(said).toMatchObject({ kind, fault });
    const { verdict } = asTheCommand(bundle);
    expect(verdict.kind).toBe(kind);
    if (verdict.kind === 'INVALID') expect(said.text).toContain(verdict.message);
  });

  test('catches a second history by a checkpoint that was kept', async () => {
    const { kind, text } = await withPolicy(await bundleOf(cosigned(note, 4)), {
      name: 'kept',
      bytes: forked,
    });
    expect(kind).toBe('EQUIVOCATION');
    expect(text).toContain('log signed two different trees of 40 entries');
  });

  test('says that a file is no archive, and trusts no log that its policy does not name', async () => {
    expect(await withPolicy(Buffer.from('hello'))).toMatchObject({ kind: 'INVALID', fault: 'malformed' });
    const stranger = verifierKeyOf(generateLogKey(ORIGIN));
    const other = `log ${formatVerifierKey(stranger)}\nquorum none\n`;
    const bytes = await bundleOf(note);
    expect(
      await shown([
        { name: 'evidence.zip', bytes },
        { name: 'other.policy', bytes: other },
      ]),
    ).toMatchObject({ kind: 'INVALID', fault: 'log-not-trusted' });
  });

  describe('reads records as the command does', () => {
    const valid = () => {
      const producer = startProducer({
        id: 'gateway-1',
        resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
        retain: { class: 'logs', hold: false, min: 'P6M' },
        jur: ['DE'],
      });
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
      const directory = join(folder, randomUUID());
      const vkey = (await createLogDirectory(directory, ORIGIN)).keys[0] ?? '';
      const log = await openLogDirectory(directory, { publishEveryMs: 0 });
      const entries = valid().map(bytesOf);
      await log.appendAll(entries.map((bytes, i) => ({ bytes: i === 3 ? (wrong() ?? bytes) : bytes })));
      const head = cosigned((await log.publish()).note, 4);
      const bundle = await evidenceBytes({ store: log.store, ranges: [{ from: 0, to: 5 }], note: head });
      await log.close();
      const trusted = policy.replace(/^log .*$/m, `log ${vkey}`);
      const files = [
        { name: 'evidence.zip', bytes: bundle },
        { name: 'ours.policy', bytes: trusted },
      ];
      for (const [demandRecords, kind] of [
        [false, asked],
        [true, demanded],
      ] as const) {
        const said = await shown(files, demandRecords);
        const { verdict, plain } = verifyRecords(bundle, {
          policy: parsePolicy(trusted),
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
    const context = await browser.newContext({ offline: true });
    await context.addInitScript('delete globalThis.Worker');
    const alone = await context.newPage();
    await alone.goto(pathToFileURL(pageFile).href);
    const files = [
      { name: 'evidence.zip', bytes: await bundleOf(cosigned(note, 4)) },
      { name: 'ours.policy', bytes: policy },
    ];
    await alone.setInputFiles('#files', files.map(asUpload));
    await alone.locator('.verdict').waitFor();
    expect(await alone.locator('.verdict').getAttribute('data-kind')).toBe('VERIFIED');
  });

  const LARGE = 100_000;
  test(`stays alive and says how far it is, with ${LARGE} records`, { timeout: 240_000 }, async () => {
    const directory = join(folder, 'large');
    const vkey = (await createLogDirectory(directory, ORIGIN)).keys[0] ?? '';
    const log = await openLogDirectory(directory, { publishEveryMs: 0 });
    const producer = startProducer({
      id: 'gateway-1',
      resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
      retain: { class: 'logs', hold: false, min: 'P6M' },
      jur: ['DE'],
    });
    for (let at = 0; at < LARGE; at += 1000) {
      await log.appendAll(
        Array.from({ length: 1000 }, () => ({ bytes: Buffer.from(JSON.stringify(producer.heartbeat())) })),
      );
    }
    const head = cosigned((await log.publish()).note, 4);
    const evidence = join(folder, 'large.zip');
    await exportEvidence(evidence, { store: log.store, ranges: [{ from: 0, to: LARGE }], note: head });
    await log.close();
    const trusted = join(folder, 'large.policy');
    writeFileSync(trusted, policy.replace(/^log .*$/m, `log ${vkey}`));

    await page.goto(pathToFileURL(pageFile).href);
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
    await page.setInputFiles('#files', [evidence, trusted]);
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
    // A tenth of what a million may take, on a machine that does other things too.
    expect(seconds).toBeLessThan(30);
  });

  test('never reached for the network, and broke none of its own rules', () => {
    // What its worker runs is a blob of the page.
    expect(requests.filter((url) => !/^(?:blob:)?file:/.test(url))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
