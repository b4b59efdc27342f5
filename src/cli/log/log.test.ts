import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { nodeSignatures } from '../../ledger/log/node-signatures.ts';
import { startProducer } from '../../ledger/record/producer.ts';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { parsePolicy } from '../../tlog/policy.ts';
import { parseProof } from '../../tlog/proof.ts';
import { verifyInclusionReceipt } from '../../tlog/receipt.ts';
import { parseArguments } from '../command.ts';
import { comity } from '../testdata/run.ts';
import { command } from './log.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'comity-log-cli-'));

const producer = startProducer({
  id: 'gateway-1',
  resource: { 'comity.system.id': 'cv-screener', 'comity.tenant': 'acme', 'service.name': 'gateway' },
  retain: { class: 'art19', hold: false, min: 'P6M' },
  jur: ['KR'],
});
const decision = (verdict: 'allowed' | 'not-allowed', market: string) =>
  producer.record(
    'comity.policy.decision',
    {
      'comity.policy.id': 'eu.ai-act',
      'comity.policy.version_hash': `sha256:${'0'.repeat(64)}`,
      'comity.policy.verdict': verdict,
      'comity.market': market,
      'comity.ruleset.digest': `sha256:${'1'.repeat(64)}`,
    },
    { jur: [market] },
  );
const lines = (values: readonly unknown[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');

/** A log of five entries: three records and two values of other kinds. */
let log = '';
let work = '';
const records = [decision('allowed', 'KR'), decision('not-allowed', 'BR'), decision('not-allowed', 'KR')];
beforeAll(() => {
  work = folder();
  log = join(work, 'ledger');
  const made = comity(['log', 'init', log, '--origin', 'example.com/ledger']);
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^example\.com\/ledger\+[0-9a-f]{8}\+/) });
  const input = lines([records[0], { model: 'm-3' }, records[1], [1, 2], records[2]]);
  expect(comity(['log', 'append', log], { input })).toMatchObject({ code: 0, out: '0\n1\n2\n3\n4\n' });
}, 60_000);

describe('comity log init', () => {
  test('makes a key that only its owner can read, and a policy for those who verify', () => {
    expect(statSync(join(log, 'log.key')).mode & 0o077).toBe(0);
    expect(readFileSync(join(log, 'log.policy'), 'utf8')).toMatch(
      /^log example\.com\/ledger\+.*\nquorum none$/m,
    );
  });

  test('does not touch a log that is there', () => {
    expect(comity(['log', 'init', log])).toMatchObject({
      code: 2,
      err: expect.stringContaining('already holds a log'),
    });
  });
});

describe('comity log append', () => {
  test('says where a record stands that was sent before, and appends nothing', () => {
    const again = comity(['log', 'append', log, '--format', 'json'], { input: lines([records[1]]) });
    expect(JSON.parse(again.out)).toMatchObject({ index: 2, duplicate: true });
    expect(again.err).toContain('the log has 5');
  });

  test('keeps what came before a line that is wrong, and names that line', () => {
    const directory = join(folder(), 'log');
    comity(['log', 'init', directory]);
    const { code, out, err } = comity(['log', 'append', directory], {
      input: '{"a":1}\n{"a":2}\n{a}\n{"a":4}\n',
    });
    expect({ code, out }).toEqual({ code: 2, out: '0\n1\n' });
    expect(err).toContain('<standard input>:3:1: line is not JSON');
  });

  test.each([
    ['an unknown field', (record: object) => ({ ...record, note: 'hello' }), 'unknown field `note`'],
    [
      'an erasure',
      (record: object) => ({
        ...record,
        event_name: 'comity.erasure.requested',
        attributes: {
          'comity.erasure.request': '01a0b0c0-0000-7000-8000-000000000000',
          'comity.erasure.parts': 1,
        },
      }),
      'made by the ledger itself',
    ],
    ['too many bytes', () => 'x'.repeat(70_000), 'at most 65535 fit'],
  ])('refuses %s', (_what, change, message) => {
    const input = lines([change(decision('allowed', 'KR'))]);
    expect(comity(['log', 'append', log], { input })).toMatchObject({
      code: 2,
      err: expect.stringContaining(message),
    });
  });

  test('takes ten thousand lines through a pipe, in order', () => {
    const directory = join(folder(), 'log');
    comity(['log', 'init', directory]);
    const input = lines(Array.from({ length: 10_000 }, (_, i) => ({ i, pad: 'é'.repeat(40) })));
    const { code, out } = comity(['log', 'append', directory], { input });
    expect(code).toBe(0);
    expect(out).toBe(Array.from({ length: 10_000 }, (_, i) => `${i}\n`).join(''));
    expect(comity(['log', 'fsck', directory])).toMatchObject({ code: 0 });
  });
});

describe('comity log query', () => {
  test.each([
    [
      ['--market', 'KR'],
      [0, 4],
    ],
    [
      ['--outcome', 'not-allowed'],
      [2, 4],
    ],
    [['--outcome', 'not-allowed', '--market', 'KR'], [4]],
    [
      ['--system', 'cv-screener', '--limit', '2'],
      [0, 2],
    ],
    [['--after', '2'], [4]],
    [['--to', '2020-01-01'], []],
  ])('finds records by %j', async (conditions, found) => {
    const out: string[] = [];
    const quiet = (): void => undefined;
    const io = {
      out: (text: string) => out.push(text),
      err: quiet,
      progress: quiet,
      colour: false,
      columns: 80,
    };
    const args = parseArguments(command, ['query', log, ...conditions, '--format', 'json']);
    expect(await command.run(args, io)).toBe(0);
    expect(JSON.parse(out.join('')).map(({ index }: { index: number }) => index)).toEqual(found);
  });

  test('prints a line for each record, and says how many', () => {
    const { out, err } = comity(['log', 'query', log, '--outcome', 'not-allowed']);
    expect(out).toMatch(/^2 {8}\d{4}-.*comity\.policy\.decision[\s\S]*not-allowed\n4 /);
    expect(err).toContain('2 records of 5 entries');
  });

  test('explains a time that is none', () => {
    expect(comity(['log', 'query', log, '--from', 'yesterday'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('is not a time'),
    });
  });
});

describe('comity log prove', () => {
  test('writes the proof of one entry', () => {
    const proof = parseProof(comity(['log', 'prove', log, '3']).out);
    expect(proof.index).toBe(3);
    expect(proof.checkpoint.checkpoint).toMatchObject({ origin: 'example.com/ledger', size: 5 });
  });

  test('gives a COSE receipt that the key of the log verifies, for that entry only', () => {
    const receipt = join(folder(), '3.cose');
    expect(comity(['log', 'prove', log, '3', '--receipt', receipt])).toMatchObject({ code: 0, out: '' });
    const [key] = parsePolicy(readFileSync(join(log, 'log.policy'), 'utf8')).logs;
    const verify = (leaf: Uint8Array) =>
      verifyInclusionReceipt(
        readFileSync(receipt),
        leaf,
        { algorithm: 'ed25519', publicKey: key?.key.publicKey ?? new Uint8Array() },
        nodeSignatures,
      );
    const { leaf, root } = JSON.parse(comity(['log', 'prove', log, '3', '--format', 'json']).out);
    expect(verify(Buffer.from(leaf, 'base64'))).toEqual({
      index: 3,
      size: 5,
      root: new Uint8Array(Buffer.from(root, 'base64')),
    });
    expect(() => verify(new Uint8Array(32))).toThrow(/not signed/);
    expect(comity(['log', 'prove', log, '3', '--receipt', receipt])).toMatchObject({ code: 2 });
  });

  test('refuses an entry that is not there', () => {
    expect(comity(['log', 'prove', log, '5'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('not among the 5'),
    });
  });
});

describe('comity log export and comity verify', () => {
  const exported = (args: readonly string[]): string => {
    const file = join(folder(), 'evidence.zip');
    expect(comity(['log', 'export', log, ...args, '--out', file])).toMatchObject({ code: 0 });
    return file;
  };
  const verify = (file: string, ...more: readonly string[]) =>
    comity(['verify', file, '--policy', join(log, 'log.policy'), ...more]);

  test('carry entries to somebody who has the policy only', () => {
    const { code, out } = verify(exported(['--records', '0,2-4']));
    expect(code).toBe(0);
    expect(out).toMatch(/^LOG-SIGNED ONLY\n/);
    expect(out).toContain('4 entries: 0, 2-4');
    expect(out).toContain('does not prove');
  });

  test('choose entries by the conditions of a query', () => {
    expect(verify(exported(['--outcome', 'not-allowed'])).out).toContain('2 entries: 2, 4');
  });

  test('find a changed byte, and say which entry', () => {
    const file = exported(['--all']);
    const bytes = readFileSync(file);
    bytes.write('m-4', bytes.indexOf('m-3'));
    writeFileSync(file, bytes);
    const { code, out } = verify(file, '--format', 'json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ kind: 'INVALID' });
  });

  test('demand records only when asked', () => {
    const file = exported(['--all']);
    expect(verify(file)).toMatchObject({
      code: 0,
      out: expect.stringContaining('not all are `comity.audit/1` records'),
    });
    expect(verify(file, '--records')).toMatchObject({
      code: 1,
      out: expect.stringContaining('record-invalid'),
    });
  });

  test('catch a log that forked by the head that was seen before', () => {
    const memory = folder();
    const [first, second] = [join(folder(), 'log'), join(folder(), 'log')];
    comity(['log', 'init', first]);
    comity(['log', 'append', first], { input: '"a"\n"b"\n' });
    comity(['log', 'init', second]);
    comity(['log', 'append', second], { input: '"a"\n"c"\n' });
    // The same key signs another history.
    writeFileSync(join(second, 'log.key'), readFileSync(join(first, 'log.key')));
    writeFileSync(join(second, 'log.json'), readFileSync(join(first, 'log.json')));
    comity(['log', 'append', second], { input: '"d"\n' });
    const verdictOf = (directory: string) => {
      const file = join(folder(), 'evidence.zip');
      comity(['log', 'export', directory, '--all', '--out', file]);
      return comity(['verify', file, '--policy', join(first, 'log.policy'), '--memory', memory]);
    };
    expect(verdictOf(first).code).toBe(0);
    expect(readdirSync(memory)).toHaveLength(1);
    expect(verdictOf(second)).toMatchObject({ code: 1, out: expect.stringMatching(/^EQUIVOCATION\n/) });
  });

  test('ask for a policy, and never take one from the evidence', () => {
    expect(comity(['verify', exported(['--all'])])).toMatchObject({
      code: 2,
      err: expect.stringContaining('by whose policy?'),
    });
  });

  test('read while another process has the log open', async () => {
    const { openLogDirectory } = await import('../../ledger/log/directory.ts');
    const open = await openLogDirectory(log, { publishEveryMs: 0 });
    try {
      expect(verify(exported(['--records', '1'])).code).toBe(0);
      expect(comity(['log', 'append', log], { input: '1\n' })).toMatchObject({
        code: 2,
        err: expect.stringContaining('another process'),
      });
    } finally {
      await open.close();
    }
  });
});

describe('comity log fsck', () => {
  test('finds a log sound', () => {
    expect(comity(['log', 'fsck', log])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^sound: 5 entries/),
    });
  });

  test('names what was done to a log', () => {
    const directory = join(folder(), 'log');
    comity(['log', 'init', directory]);
    comity(['log', 'append', directory], { input: '"b"\n' });
    comity(['log', 'append', directory], { input: '"a"\n' });
    const kept = join(folder(), 'checkpoint');
    writeFileSync(kept, readFileSync(join(directory, 'checkpoint')));
    const segment = join(directory, 'segments', readdirSync(join(directory, 'segments'))[0] ?? '');
    const bytes = readFileSync(segment);
    bytes.write('"c"', bytes.lastIndexOf('"b"'));
    writeFileSync(segment, bytes);
    const { code, out } = comity(['log', 'fsck', directory, '--remember', kept]);
    expect(code).toBe(1);
    expect(out).toContain('entry-altered');
  });

  test('says that there is no log', () => {
    expect(comity(['log', 'fsck', folder()])).toMatchObject({
      code: 2,
      err: expect.stringContaining('holds no log'),
    });
  });
});

describe('comity log move', () => {
  test('takes the tree along, and leaves nothing that could go on', () => {
    const [from, to] = [join(folder(), 'log'), join(folder(), 'log')];
    comity(['log', 'init', from]);
    comity(['log', 'append', from], { input: '"a"\n"b"\n' });
    const before = parseCheckpoint(readFileSync(join(from, 'checkpoint'), 'utf8')).checkpoint;
    expect(comity(['log', 'move', from, to])).toMatchObject({
      code: 0,
      err: expect.stringContaining('2 entries moved'),
    });
    expect(comity(['log', 'append', from], { input: '"x"\n' }).code).toBe(2);
    expect(comity(['log', 'append', to], { input: '"c"\n' })).toMatchObject({ code: 0, out: '2\n' });
    expect(comity(['log', 'fsck', to])).toMatchObject({ code: 0, out: expect.stringContaining('3 entries') });
    expect(existsSync(join(from, 'log.key'))).toBe(false);
    expect(before.size).toBe(2);
  });
});

test('comity log names its verbs', () => {
  expect(comity(['log', 'appnd', log])).toMatchObject({
    code: 2,
    err: expect.stringContaining('did you mean `append`'),
  });
});
