import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import chromium from '@sparticuz/chromium';
import { type Browser, type Page, chromium as playwright } from 'playwright-core';
import { parseCheckpoint } from '../../src/tlog/checkpoint.ts';
import { cosigner } from '../../src/tlog/cosignature.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign } from '../../src/tlog/noble.ts';
import { formatSignatureLine } from '../../src/tlog/note.ts';
import { formatVerifierKey, SIGNATURE_TYPES, verifierKey } from '../../src/tlog/note-key.ts';
import { verifierPage } from '../verifier-page.ts';

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
export function cosigned(note: string, count: number): string {
  const { text } = parseCheckpoint(note).note;
  const lines = WITNESSES.slice(0, count).map(({ key, sign }) => {
    const signature = cosigner(key, sign, 1_800_000_000).sign(text);
    return formatSignatureLine({ name: key.name, keyId: key.keyId, signature });
  });
  return note + lines.join('');
}

/** A policy that trusts a log, and asks for three of the four witnesses. */
export function policyFor(vkey: string): string {
  return [
    `log ${vkey}`,
    ...WITNESSES.map(({ country, key }) => `witness ${country} ${formatVerifierKey(key)}`),
    'group countries 3 de br jp ch',
    'quorum countries',
    '',
  ].join('\n');
}

/** A file that is given to the page. */
export interface Given {
  readonly name: string;
  readonly bytes: Uint8Array | string;
}

export const asUpload = ({ name, bytes }: Given) => ({
  name,
  mimeType: 'application/octet-stream',
  buffer: Buffer.from(bytes),
});

/** What the page says. */
export interface Said {
  readonly kind: string | null;
  readonly fault: string | undefined;
  readonly text: string;
}

/** The page, built into a file and opened in a browser that has no network. */
export interface OpenedPage {
  readonly browser: Browser;
  readonly page: Page;
  readonly file: string;
  readonly address: string;
  /** Every address that was asked for, and everything that the browser complained about. */
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
  /** Gives files to a fresh page, and reads what it says. */
  shown(files: readonly Given[], demandRecords?: boolean): Promise<Said>;
}

export async function openPage(folder: string): Promise<OpenedPage> {
  const file = join(folder, 'verifier.html');
  writeFileSync(file, await verifierPage());
  const address = pathToFileURL(file).href;
  const browser = await playwright.launch({
    executablePath: await chromium.executablePath(),
    args: [...chromium.args, '--no-sandbox'],
  });
  const page = await (await browser.newContext({ offline: true })).newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  return {
    browser,
    page,
    file,
    address,
    requests,
    complaints,
    async shown(files, demandRecords = false) {
      await page.goto(address);
      if (demandRecords) await page.check('#records');
      await page.setInputFiles('#files', files.map(asUpload));
      const verdict = page.locator('.verdict');
      await verdict.waitFor({ timeout: 20_000 });
      return {
        kind: await verdict.getAttribute('data-kind'),
        fault: (await verdict.getAttribute('data-fault')) ?? undefined,
        text: (await page.locator('#result').textContent()) ?? '',
      };
    },
  };
}
