import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evidenceBytes } from '../src/ledger/evidence/export.ts';
import { FILES } from '../src/ledger/evidence/manifest.ts';
import { rangesOf } from '../src/ledger/evidence/multiproof.ts';
import { verifyRecords } from '../src/ledger/evidence/records.ts';
import { readZip, ZipWriter } from '../src/ledger/evidence/zip.ts';
import { createLogDirectory, openLogDirectory, readLogKey } from '../src/ledger/log/directory.ts';
import { nodeHasher } from '../src/ledger/log/node-hash.ts';
import {
  generateLogKey,
  logSigner,
  nodeSignatures,
  verifierKeyOf,
} from '../src/ledger/log/node-signatures.ts';
import { recordValidator } from '../src/ledger/record/validate.ts';
import { parseCheckpoint, signCheckpoint } from '../src/tlog/checkpoint.ts';
import { formatVerifierKey } from '../src/tlog/note-key.ts';
import { parsePolicy } from '../src/tlog/policy.ts';
import { cosigned, type OpenedPage, openPage, policyFor } from './verifier-page/browser.case.ts';
import { verifierPage } from './verifier-page.ts';

const ORIGIN = 'log.example/page';
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
let opened: OpenedPage;
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
  policy = policyFor(vkey);
  opened = await openPage(folder);
}, 60_000);

afterAll(async () => {
  await opened?.browser.close();
  await close?.();
  rmSync(folder, { recursive: true, force: true });
});

const withPolicy = (bytes: Uint8Array, ...more: readonly { name: string; bytes: string }[]) =>
  opened.shown([{ name: 'evidence.zip', bytes }, { name: 'ours.policy', bytes: policy }, ...more]);

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
    expect(readFileSync(built, 'utf8')).toBe(readFileSync(opened.file, 'utf8'));
  });

  test('says VERIFIED, shows the entries, and says what that does not prove', async () => {
    const { kind, text } = await withPolicy(await bundleOf(cosigned(note, 4)));
    expect(kind).toBe('VERIFIED');
    expect(text).toContain('entry 31');
    expect(text).toContain('What this does not prove');
    expect(text).toContain('5 entries');
  });

  test('takes files that are dropped', async () => {
    const { page } = opened;
    await page.goto(opened.address);
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
    expect(await opened.page.locator('#result b').count()).toBe(0);
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
      await opened.shown([
        { name: 'evidence.zip', bytes },
        { name: 'other.policy', bytes: other },
      ]),
    ).toMatchObject({ kind: 'INVALID', fault: 'log-not-trusted' });
  });

  test('never reached for the network, and broke none of its own rules', () => {
    // What its worker runs is a blob of the page.
    expect(opened.requests.filter((url) => !/^(?:blob:)?file:/.test(url))).toEqual([]);
    expect(opened.complaints).toEqual([]);
  });
});
