import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLogDirectory } from '../ledger/directory.ts';
import { startTestServer, type TestServer, withSql } from '../ledger/postgres/server.case.ts';
import { startProducer } from '../ledger/producer.ts';
import { comity, type Ran } from './testdata/run.ts';
import { serving } from './testdata/serve.ts';

const MARIA = 'maria.silva@example.org';
/** What nobody may find once it is sealed, or once it is erased. */
const CORPUS = [
  MARIA,
  'my mother has leukaemia',
  'Straße des 17. Juni 135',
  'マリア・シルヴァ',
  '123.456.789-09',
];

const producer = startProducer({
  id: 'helpdesk-1',
  resource: { 'comity.system.id': 'helpdesk', 'comity.tenant': 'acme', 'service.name': 'helpdesk' },
  retain: { class: 'logs', hold: false, min: 'P0D' },
  jur: ['BR'],
});
const chat = (retain = { class: 'logs', hold: false, min: 'P0D' }) =>
  producer.record(
    'gen_ai.client.inference.operation.details',
    { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'example', 'gen_ai.request.model': 'm-3' },
    { retain },
  );
const FIELDS = { question: CORPUS[1], address: CORPUS[2], name: CORPUS[3], cpf: CORPUS[4] };
const sealed = (subject: string, retain?: Parameters<typeof chat>[0], fields: object = FIELDS) => ({
  record: chat(retain),
  seal: [{ subjects: [subject], fields }],
});
const lines = (...values: readonly unknown[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('');

function everyFile(path: string): readonly string[] {
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const inner = join(path, entry.name);
    return entry.isDirectory() ? everyFile(inner) : [inner];
  });
}

/** Files of a folder in which a text of the corpus stands in some encoding. */
function leaks(folder: string): readonly string[] {
  const forms = CORPUS.flatMap((text) => [
    Buffer.from(text),
    Buffer.from(text, 'utf16le'),
    Buffer.from(Buffer.from(text).toString('hex')),
    ...[0, 1, 2].map((skip) => {
      const shifted = Buffer.concat([Buffer.alloc(skip), Buffer.from(text)]).toString('base64url');
      return Buffer.from(shifted.slice(skip === 0 ? 0 : skip + 1, -4));
    }),
  ]);
  return everyFile(folder).filter((file) => {
    const bytes = readFileSync(file);
    return forms.some((form) => bytes.includes(form));
  });
}

interface Place {
  readonly folder: string;
  readonly log: string;
  /** Runs a verb of `comity log` on this log. */
  readonly run: (verb: string, args?: readonly string[], input?: string) => Ran;
  readonly json: (verb: string, args?: readonly string[], input?: string) => unknown;
}

let database: TestServer;
beforeAll(async () => {
  database = await startTestServer();
}, 60_000);
afterAll(() => database.stop());

let logs = 0;
function freshLog(kind: 'files' | 'PostgreSQL'): Place {
  const folder = mkdtempSync(join(tmpdir(), 'comity-erase-cli-'));
  const log = join(folder, 'log');
  logs += 1;
  comity(['log', 'init', log, '--origin', `example.com/erase-${process.pid}-${logs}`]);
  const more = kind === 'files' ? [] : ['--database', 'env'];
  const env = { DATABASE_URL: database.url };
  if (kind === 'PostgreSQL') expect(comity(['log', 'move', log, ...more], { env }).code).toBe(0);
  const run: Place['run'] = (verb, args = [], input = '') =>
    comity(['log', verb, log, ...args, ...more], { env, input });
  return {
    folder,
    log,
    run,
    json: (verb, args = [], input = '') => {
      const ran = run(verb, [...args, '--format', 'json'], input);
      expect(ran).toMatchObject({ code: 0 });
      return JSON.parse(ran.out);
    },
  };
}

const ACME = ['--tenant', 'acme'];
const erase = (place: Place, subject = MARIA, more: readonly string[] = []) =>
  place.json('erase', [...ACME, '--subject', '-', ...more], `${subject}\n`);
const fieldsIn = (place: Place, index: number) =>
  (place.json('open', [String(index)]) as { fields: readonly { name: string; value: unknown }[] }).fields;

describe.each(['files', 'PostgreSQL'] as const)('a log in %s', (kind) => {
  test('seals what is about people, finds and opens it, discloses single fields, and erases it for good', () => {
    const place = freshLog(kind);
    const { folder, log, run, json } = place;
    const input = lines(
      sealed(MARIA),
      { model: 'm-3' },
      sealed('joao', undefined, { age: 41, city: 'Recife' }),
    );
    expect(run('append', [], input)).toMatchObject({
      code: 0,
      out: '0\n1\n2\n',
      err: expect.stringContaining('made vault'),
    });
    // A sender that lost the answer sends again: the same entries, nothing twice.
    expect(run('append', [], input)).toMatchObject({
      out: '0\n1\n2\n',
      err: expect.stringContaining('3 of them there already; the log has 3'),
    });
    expect(leaks(folder)).toEqual([]);
    expect(statSync(join(log, 'vault.key')).mode & 0o077).toBe(0);
    const key = readFileSync(join(log, 'vault.key'), 'utf8').trim();
    for (const { out, err } of [run('open', ['0']), run('erase', ['--list'])])
      expect(out + err).not.toContain(key);

    expect(fieldsIn(place, 0)).toEqual(Object.entries(FIELDS).map(([name, value]) => ({ name, value })));
    expect(run('open', ['0']).out).toContain('my mother has leukaemia');
    expect(run('open', ['1'])).toMatchObject({ code: 0, out: '{"model":"m-3"}\n' });
    const about = (subject: string) =>
      (json('query', [...ACME, '--subject', subject]) as { index: number }[]).map(({ index }) => index);
    expect(about(MARIA)).toEqual([0]);
    expect(about('nobody')).toEqual([]);

    const evidence = join(folder, 'evidence.zip');
    expect(run('export', ['--all', '--disclose', 'age', '--out', evidence])).toMatchObject({
      code: 0,
      err: expect.stringContaining('fields of 1 entries can be read'),
    });
    const verdict = comity(['verify', evidence, '--policy', join(log, 'log.policy')]);
    expect(verdict).toMatchObject({ code: 0, out: expect.stringMatching(/entry 2 +age: 41\n/) });
    expect(readFileSync(evidence).includes('Recife')).toBe(false);
    expect(verdict.out).not.toContain('Recife');
    rmSync(evidence);
    expect(run('export', ['--all', '--disclose', 'age,agee', '--out', evidence])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/sealed field `agee`[\s\S]*`address`, `age`, `city`/),
    });

    const root = () =>
      comity(['log', 'prove', log, '0', ...(kind === 'files' ? [] : ['--database', 'env'])], {
        env: { DATABASE_URL: database.url },
      });
    expect(root().code).toBe(0);
    expect(erase(place, MARIA, ['--reason', 'art17-1-b', '--role', 'data-subject'])).toMatchObject([
      {
        kind: 'executed',
        tenant: 'acme',
        steps: [
          { kind: 'requested', index: 3, parts: 1 },
          { kind: 'executed', index: 4, parts: 1 },
        ],
      },
    ]);
    expect(json('query', ['--event', 'comity.erasure.executed', ...ACME])).toMatchObject([
      { index: 4, record: { attributes: { 'comity.erasure.reason_code': 'art17-1-b' } } },
    ]);
    expect(json('open', ['0'])).toMatchObject({ index: 0, fields: [], erased: 1, lost: 0 });
    expect(fieldsIn(place, 2)).toHaveLength(2);
    expect(about(MARIA)).toEqual([]);
    expect(leaks(folder)).toEqual([]);
    expect(run('fsck')).toMatchObject({ code: 0, out: expect.stringMatching(/^sound: 5 entries/) });
    expect(run('export', ['--records', '0', '--disclose', 'cpf', '--out', evidence])).toMatchObject({
      code: 2,
      err: expect.stringContaining('nothing that is sealed in them can be opened'),
    });
  });

  test('defers what retention and holds protect, says until when, and goes on by itself', () => {
    const place = freshLog(kind);
    const { run, json } = place;
    run('append', [], lines(sealed(MARIA), sealed('joao', { class: 'art19', hold: false, min: 'P6M' })));
    const hold = run('hold', [...ACME, '--subject', MARIA]).out.trim();
    const [held] = erase(place) as [{ request: string }];
    expect(held).toMatchObject({
      kind: 'deferred',
      why: 'legal-hold',
      steps: [
        { kind: 'requested', index: 2 },
        { kind: 'deferred', index: 3, why: 'legal-hold' },
      ],
    });
    expect(fieldsIn(place, 0)).toHaveLength(4);
    const [kept] = erase(place, 'joao') as [{ request: string; until: string }];
    expect(kept).toMatchObject({
      kind: 'deferred',
      why: 'retention',
      until: expect.stringMatching(/^20\d\d-/),
    });
    expect(json('erase', ['--list'])).toHaveLength(2);
    expect(run('erase', ['--list']).out.replace(/\s+/g, ' ')).toContain(
      `kept until ${kept.until} (retention)`,
    );
    expect(json('hold', ['--list'])).toEqual([{ id: hold, tenant: 'acme', covers: 'subject' }]);

    expect(run('hold', ['--release', hold])).toMatchObject({ code: 0 });
    expect(run('hold', ['--release', hold])).toMatchObject({
      code: 2,
      err: expect.stringContaining('no hold'),
    });
    const resumed = json('erase', ['--resume']) as readonly { request: string }[];
    expect(resumed.find(({ request }) => request === held.request)).toMatchObject({
      kind: 'executed',
      steps: [{ kind: 'executed', index: 6, parts: 1 }],
    });
    expect(resumed.find(({ request }) => request === kept.request)).toMatchObject({
      kind: 'deferred',
      steps: [],
    });
    expect(json('erase', ['--list'])).toMatchObject([{ request: kept.request, state: 'deferred', parts: 1 }]);
    expect(fieldsIn(place, 0)).toEqual([]);
    expect(fieldsIn(place, 1)).toHaveLength(4);
  });

  test('holds what a record asks to be held, and a whole tenant', () => {
    const place = freshLog(kind);
    const { run, json } = place;
    const held = sealed(MARIA, { class: 'dispute', hold: true, min: 'P0D' });
    run('append', [], lines(held, sealed('joao')));
    const tenant = run('hold', ACME).out.trim();
    for (const who of [MARIA, 'joao'])
      expect(erase(place, who)).toMatchObject([{ kind: 'deferred', why: 'legal-hold' }]);
    run('hold', ['--release', tenant]);
    expect(json('erase', ['--resume'])).toMatchObject([
      { kind: expect.any(String) },
      { kind: expect.any(String) },
    ]);
    expect(fieldsIn(place, 1)).toEqual([]);
    expect(fieldsIn(place, 0)).toHaveLength(4);
    expect(run('hold', ['--release', held.record.id])).toMatchObject({ code: 0 });
    expect(json('erase', ['--resume'])).toMatchObject([{ kind: 'executed' }]);
    expect(fieldsIn(place, 0)).toEqual([]);
  });

  test('refuses a line that it cannot seal, names it, and keeps nothing of it in the clear', () => {
    const place = freshLog(kind);
    const { folder, run } = place;
    const good = sealed(MARIA);
    for (const [bad, message] of [
      [{ ...good, note: 1 }, 'unknown field `note`'],
      [{ ...good, record: { ...good.record, jur: ['nowhere'] } }, 'is not valid at `/jur/0`'],
      [{ ...good, seal: [{ fields: FIELDS }] }, '`seal[0].subjects`'],
      [{ ...good, seal: [{ subjects: [''], fields: FIELDS }] }, '`seal[0].subjects`'],
      [{ ...good, seal: [{ subjects: [MARIA], fields: {} }] }, '`seal[0].fields`'],
      [{ ...good, seal: [] }, '`seal` is not a list'],
      [
        sealed(MARIA, undefined, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, i]))),
        '300 fields',
      ],
    ] as const) {
      const ran = run('append', [], lines(chat(), bad));
      expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('<standard input>:2:1: ') });
      expect(ran.err).toContain(message);
      expect(ran.out).toMatch(/^\d+\n$/);
    }
    expect(leaks(folder)).toEqual([]);
    expect(existsSync(join(folder, 'log', 'vault.json'))).toBe(false);
    expect(run('erase', [...ACME, '--subject', 'x'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('log has no vault: nothing was ever sealed for it'),
    });
  });
});

describe('a vault', () => {
  test('that comes back from a backup brings nobody back, and forgets no request', () => {
    const place = freshLog('files');
    const { folder, log, run, json } = place;
    const vault = `${log}.vault`;
    run('append', [], lines(sealed(MARIA), sealed('joao', { class: 'art19', hold: false, min: 'P6M' })));
    const backup = join(folder, 'backup');
    cpSync(vault, backup, { recursive: true });
    const restore = () => {
      rmSync(vault, { recursive: true });
      cpSync(backup, vault, { recursive: true });
    };
    erase(place);
    const [waiting] = erase(place, 'joao') as [{ request: string }];
    // Whatever touches the vault first finds that out: one who only reads, too.
    restore();
    expect(json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
    restore();
    expect(json('erase', ['--resume'])).toMatchObject([{ kind: 'deferred', request: waiting.request }]);
    expect(json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
    restore();
    expect(run('append', [], lines(chat())).code).toBe(0);
    expect(json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
  });

  test('lives where it was put, and no other is made in its place', () => {
    const place = freshLog('files');
    const { folder, log, run, json } = place;
    const volume = join(folder, 'volume');
    expect(run('append', ['--vault', volume], lines(sealed(MARIA))).code).toBe(0);
    expect(existsSync(join(volume, 'keys.db'))).toBe(true);
    expect(existsSync(`${log}.vault`)).toBe(false);
    expect(fieldsIn(place, 0)).toHaveLength(4);
    const mounted = join(folder, 'elsewhere');
    renameSync(volume, mounted);
    for (const ran of [
      run('erase', [...ACME, '--subject', MARIA]),
      run('append', [], lines(sealed(MARIA))),
      run('append', ['--vault', join(folder, 'empty')], lines(sealed(MARIA))),
      run('open', ['0']),
    ]) {
      expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('vault of this log is not in') });
    }
    expect(run('open', ['0', '--vault', mounted]).out).toContain('leukaemia');
    // From now on it is known there.
    expect(erase(place)).toMatchObject([{ kind: 'executed' }]);
    renameSync(join(log, 'vault.key'), join(folder, 'vault.key'));
    expect(run('open', ['0'])).toMatchObject({ code: 2, err: expect.stringContaining('is missing') });
    writeFileSync(join(log, 'vault.key'), `${Buffer.alloc(32).toString('base64')}\n`, { mode: 0o600 });
    expect(run('open', ['0'])).toMatchObject({ code: 2, err: expect.stringContaining('does not open') });
    renameSync(join(folder, 'vault.key'), join(log, 'vault.key'));
    expect(json('open', ['0'])).toMatchObject({ erased: 1 });
  });

  test('may be in a database while the log is in files', async () => {
    const place = freshLog('files');
    const { log, folder } = place;
    const env = { VAULT_DATABASE_URL: database.url };
    const at = (verb: string, args: readonly string[], input = '') =>
      comity(['log', verb, log, ...args, '--vault', 'env'], { env, input });
    expect(at('append', [], lines(sealed(MARIA)))).toMatchObject({ code: 0, out: '0\n' });
    expect(at('open', ['0']).out).toContain('leukaemia');
    expect(place.run('open', ['0'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('is in a database'),
    });
    expect(at('erase', [...ACME, '--subject', MARIA])).toMatchObject({ code: 0 });
    expect(at('open', ['0']).out).not.toContain('leukaemia');
    expect(leaks(folder)).toEqual([]);
    for (const file of everyFile(log)) expect(readFileSync(file).includes('comity@')).toBe(false);
    await withSql(database.url, async (sql) => {
      const { origin } = JSON.parse(readFileSync(join(log, 'log.json'), 'utf8')) as { origin: string };
      const rows =
        await sql`SELECT 1 FROM comity.sealed_part JOIN comity.vault ON vault.id = sealed_part.vault WHERE name = ${origin}`;
      expect(rows).toHaveLength(0);
    });
  });
});

describe('comity log erase', () => {
  test('keeps the wish while another process has the log open, and it is carried out next', async () => {
    const place = freshLog('files');
    place.run('append', [], lines(sealed(MARIA)));
    const open = await openLogDirectory(place.log, { publishEveryMs: 0 });
    let request = '';
    try {
      const ran = place.run('erase', [...ACME, '--subject', MARIA, '--format', 'json']);
      expect(ran).toMatchObject({
        code: 0,
        err: expect.stringContaining('another process has the log open'),
      });
      const [kept] = JSON.parse(ran.out) as [{ request: string; kind: string }];
      expect(kept.kind).toBe('requested');
      request = kept.request;
      expect(place.json('erase', ['--list'])).toMatchObject([{ request, state: 'requested', parts: 1 }]);
      expect(place.run('erase', ['--resume'])).toMatchObject({ code: 2 });
    } finally {
      await open.close();
    }
    expect(place.json('erase', ['--resume'])).toMatchObject([
      { request, kind: 'executed', steps: [{ kind: 'requested' }, { kind: 'executed' }] },
    ]);
  });

  test.each([
    [[], 'erase whom?'],
    [['--subject', 'x'], 'of which tenant?'],
    [[...ACME, '--subject', '-'], 'who?'],
    [[...ACME, '--subject', 'x', '--reason', 'she asked me'], '`--reason` is not a code'],
    [[...ACME, '--subject', 'x', '--role', 'a b'], '`--role` is not a code'],
  ])('explains what is missing: %j', (args, message) => {
    const place = freshLog('files');
    expect(place.run('erase', args)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
  });
});

describe('comity log serve', () => {
  test('seals what comes over HTTP, and carries out what was asked for meanwhile', async () => {
    const place = freshLog('files');
    const { folder, log } = place;
    const token = comity(['log', 'writer', log, 'helpdesk-1']).out.trim();
    const server = await serving(['log', 'serve', log]);
    const send = (body: string) =>
      fetch(`${server.line}/v1/append`, {
        method: 'POST',
        body,
        headers: { authorization: `Bearer ${token}` },
      });
    try {
      const body = lines(sealed(MARIA), chat());
      const first = await (await send(body)).text();
      expect(first.match(/"index":(\d+)/g)).toEqual(['"index":0', '"index":1']);
      const again = await (await send(body)).text();
      expect(again.match(/"duplicate":(\w+)/g)).toEqual(['"duplicate":true', '"duplicate":true']);
      expect((await send(lines({ record: chat(), seal: 'x' }))).status).toBe(400);
      expect(server.err()).not.toContain(MARIA);
      // The server notices the request at its next look.
      expect(place.run('erase', [...ACME, '--subject', MARIA])).toMatchObject({
        code: 0,
        err: expect.stringContaining('another process has the log open'),
      });
    } finally {
      expect(await server.stop()).toBe(0);
    }
    expect(place.json('erase', ['--resume'])).toMatchObject([{ kind: 'executed' }]);
    expect(place.json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
    expect(leaks(folder)).toEqual([]);
  });
});
