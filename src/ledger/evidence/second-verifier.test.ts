import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../tlog/base64.ts';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { openFilesVault } from '../files/vault.ts';
import { type Ledger, openLedger } from '../ledger.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import { startProducer } from '../record/producer.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { evidenceBytes } from './export.ts';
import { FILES } from './manifest.ts';
import { type Range, rangesOf } from './multiproof.ts';
import { readZip, ZipWriter } from './zip.ts';

const VERIFIER = join(import.meta.dirname, 'testdata', 'verify.py');
const PYTHON = spawnSync('python3', ['--version']).status === 0;
const SIZE = 300;

let directory = '';
let ledger: Ledger;
let root = '';

const producer = startProducer({
  id: 'gateway-1',
  resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  retain: { class: 'logs', hold: false, min: 'P0D' },
  jur: [],
});

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-second-'));
  await createLogDirectory(join(directory, 'log'), 'log.example/second');
  const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 });
  const vault = await openFilesVault(join(directory, 'vault'), { wrapper: localWrapper(randomBytes(32)) });
  ledger = await openLedger({ log, vault, producer });
  await ledger.append(
    Array.from({ length: SIZE }, (_, i) => ({
      record: producer.record('gen_ai.client.inference.operation.details', {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'example',
        'gen_ai.request.model': 'm',
      }),
      seal: [{ subjects: [`person ${i % 7}`] as const, fields: { prompt: `prompt ${i}` } }],
    })),
  );
  root = encodeBase64(parseCheckpoint((await log.publish()).note).checkpoint.root);
});

afterAll(async () => {
  await ledger.close();
  rmSync(directory, { recursive: true });
});

async function evidenceOf(ranges: readonly Range[]): Promise<Uint8Array> {
  const { from = 0 } = ranges[0] ?? {};
  const { disclosures } = await ledger.open(from);
  return evidenceBytes({ store: ledger.log.store, ranges, disclosures: [{ index: from, disclosures }] });
}

function second(archive: Uint8Array) {
  const file = join(directory, 'evidence.zip');
  writeFileSync(file, archive);
  const { status, stdout } = spawnSync('python3', [VERIFIER, file], { encoding: 'utf8' });
  return { status, said: stdout.trim() };
}

describe.runIf(PYTHON)('a second verifier, written from docs/evidence.md', () => {
  test.each([
    ['one entry', [7]],
    ['the first and the last', [0, SIZE - 1]],
    ['both sides of a tile', [255, 256]],
    ['entries here and there', [3, 4, 5, 64, 127, 128, 200, 299]],
    ['all but one', Array.from({ length: SIZE }, (_, i) => i).filter((i) => i !== 131)],
    ['all', Array.from({ length: SIZE }, (_, i) => i)],
  ])('comes to the root of the log from %s', async (_what, indices) => {
    expect(second(await evidenceOf(rangesOf(indices)))).toEqual({
      status: 0,
      said: `${root} ${indices.length}`,
    });
  });

  test.each([
    ['an entry', FILES.entries, 10, 'entries lead to another root'],
    ['a hash of the proof', FILES.proof, 40, 'entries lead to another root'],
  ])('notices that %s was altered', async (_what, file, at, said) => {
    const files = readZip(await evidenceOf(rangesOf([3, 4])));
    let archive = Buffer.alloc(0);
    const zip = new ZipWriter(
      {
        write(bytes, position) {
          archive = Buffer.concat([archive], Math.max(archive.length, position + bytes.length));
          archive.set(bytes, position);
        },
      },
      crc32,
    );
    for (const [name, content] of files) {
      const copy = content.slice();
      if (name === file) copy[at] = (copy[at] ?? 0) ^ 1;
      await zip.add(name, [copy]);
    }
    zip.finish();
    expect(second(archive)).toEqual({ status: 1, said });
  });
});
