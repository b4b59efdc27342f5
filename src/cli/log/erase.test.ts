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
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatProblem, InputError } from '../../facts/problem.ts';
import { openLogDirectory } from '../../ledger/log/directory.ts';
import { startTestServer, type TestServer, withSql } from '../../ledger/postgres/server.case.ts';
import { startProducer } from '../../ledger/record/producer.ts';
import { parseArguments } from '../command.ts';
import { comity, type Ran } from '../testdata/run.ts';
import { serving } from '../testdata/serve.ts';
import { runLogAppend } from './append.ts';
import { command } from './log.ts';
import { withSealing } from './vault.ts';

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
  /** Runs a verb of `comity log` on this log, inside this process. */
  readonly run: (verb: string, args?: readonly string[], input?: string) => Promise<Ran>;
  readonly json: (verb: string, args?: readonly string[], input?: string) => Promise<unknown>;
  /** The same as a user would, in a process of its own. */
  readonly command: (verb: string, args?: readonly string[], input?: string) => Ran;
}

let database: TestServer;
beforeAll(async () => {
  database = await startTestServer();
}, 60_000);
afterAll(() => database.stop());

/** Runs `comity log` without starting a process, which on a busy machine costs a hundred times what it does. */
async function inside(argv: readonly string[], input: string): Promise<Ran> {
  const [outs, errs]: [string[], string[]] = [[], []];
  const io = {
    out: (text: string) => void outs.push(text),
    err: (text: string) => void errs.push(text),
    progress: () => undefined,
    colour: false,
    columns: 80,
  };
  try {
    const args = parseArguments(command, argv);
    const [verb, ...rest] = args.positionals;
    const bytes = Readable.from(input === '' ? [] : [Buffer.from(input)]);
    const code = await (verb === 'append' ? runLogAppend(rest, args, io, bytes) : command.run(args, io));
    return { code, out: outs.join(''), err: errs.join('') };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    errs.push(...error.problems.map(formatProblem));
    return { code: 2, out: outs.join(''), err: errs.join('') };
  }
}

let logs = 0;
async function freshLog(kind: 'files' | 'PostgreSQL'): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'comity-erase-cli-'));
  const log = join(folder, 'log');
  logs += 1;
  await inside(['init', log, '--origin', `example.com/erase-${process.pid}-${logs}`], '');
  const more = kind === 'files' ? [] : ['--database', database.url];
  if (kind === 'PostgreSQL') expect((await inside(['move', log, ...more], '')).code).toBe(0);
  const run: Place['run'] = (verb, args = [], input = '') => inside([verb, log, ...args, ...more], input);
  return {
    folder,
    log,
    run,
    json: async (verb, args = [], input = '') => {
      const ran = await run(verb, [...args, '--format', 'json'], input);
      expect(ran).toMatchObject({ code: 0 });
      return JSON.parse(ran.out);
    },
    command: (verb, args = [], input = '') => comity(['log', verb, log, ...args, ...more], { input }),
  };
}

const ACME = ['--tenant', 'acme'];
const erase = (place: Place, subject = MARIA, more: readonly string[] = []) =>
  place.json('erase', [...ACME, '--subject', subject, ...more]);
const fieldsIn = async (place: Place, index: number) =>
  ((await place.json('open', [String(index)])) as { fields: readonly { name: string; value: unknown }[] })
    .fields;

describe.each(['files', 'PostgreSQL'] as const)('a log in %s', (kind) => {
  test('seals what is about people, finds and opens it, discloses single fields, and erases it for good', async () => {
    const place = await freshLog(kind);
    const { folder, log, run, json } = place;
    const input = lines(
      sealed(MARIA),
      { model: 'm-3' },
      sealed('joao', undefined, { age: 41, city: 'Recife' }),
    );
    expect(await run('append', [], input)).toMatchObject({
      code: 0,
      out: '0\n1\n2\n',
      err: expect.stringContaining('made vault'),
    });
    // A sender that lost the answer sends again: the same entries, nothing twice.
    expect(await run('append', [], input)).toMatchObject({
      out: '0\n1\n2\n',
      err: expect.stringContaining('3 of them there already; the log has 3'),
    });
    expect(leaks(folder)).toEqual([]);
    expect(statSync(join(log, 'vault.key')).mode & 0o077).toBe(0);
    const key = readFileSync(join(log, 'vault.key'), 'utf8').trim();
    for (const { out, err } of [await run('open', ['0']), await run('erase', ['--list'])])
      expect(out + err).not.toContain(key);

    expect(await fieldsIn(place, 0)).toEqual(
      Object.entries(FIELDS).map(([name, value]) => ({ name, value })),
    );
    expect((await run('open', ['0'])).out).toContain('my mother has leukaemia');
    expect(await run('open', ['1'])).toMatchObject({ code: 0, out: '{"model":"m-3"}\n' });
    const about = async (subject: string) => {
      const rows = (await json('query', [...ACME, '--subject', subject])) as { index: number }[];
      return rows.map(({ index }) => index);
    };
    expect(await about(MARIA)).toEqual([0]);
    expect(await about('nobody')).toEqual([]);
    expect(existsSync(join(log, 'index.db'))).toBe(kind === 'files');

    const evidence = join(folder, 'evidence.zip');
    expect(await run('export', ['--all', '--disclose', 'age', '--out', evidence])).toMatchObject({
      code: 0,
      err: expect.stringContaining('fields of 1 entries can be read'),
    });
    const verdict = comity(['verify', evidence, '--policy', join(log, 'log.policy')]);
    expect(verdict).toMatchObject({ code: 0, out: expect.stringMatching(/entry 2 +age: 41\n/) });
    expect(readFileSync(evidence).includes('Recife')).toBe(false);
    rmSync(evidence);
    expect(await run('export', ['--all', '--disclose', 'age,agee', '--out', evidence])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/sealed field `agee`[\s\S]*`address`, `age`, `city`/),
    });

    expect(await erase(place, MARIA, ['--reason', 'art17-1-b', '--role', 'data-subject'])).toMatchObject([
      {
        kind: 'executed',
        tenant: 'acme',
        steps: [
          { kind: 'requested', index: 3, parts: 1 },
          { kind: 'executed', index: 4, parts: 1 },
        ],
      },
    ]);
    expect(await json('query', ['--event', 'comity.erasure.executed', ...ACME])).toMatchObject([
      { index: 4, record: { attributes: { 'comity.erasure.reason_code': 'art17-1-b' } } },
    ]);
    expect(await json('open', ['0'])).toMatchObject({ index: 0, fields: [], erased: 1, lost: 0 });
    expect(await fieldsIn(place, 2)).toHaveLength(2);
    expect(await about(MARIA)).toEqual([]);
    expect(leaks(folder)).toEqual([]);
    expect(await run('fsck')).toMatchObject({ code: 0, out: expect.stringMatching(/^sound: 5 entries/) });
    expect(await run('export', ['--records', '0', '--disclose', 'cpf', '--out', evidence])).toMatchObject({
      code: 2,
      err: expect.stringContaining('nothing that is sealed in them can be opened'),
    });
  });

  test('defers what retention and holds protect, says until when, and goes on by itself', async () => {
    const place = await freshLog(kind);
    const { run, json } = place;
    await run(
      'append',
      [],
      lines(sealed(MARIA), sealed('joao', { class: 'art19', hold: false, min: 'P6M' })),
    );
    const placed = await run('hold', [...ACME, '--subject', MARIA]);
    expect(placed.err).toContain('entry 2: held');
    const hold = placed.out.trim();
    const [held] = (await erase(place)) as [{ request: string }];
    expect(held).toMatchObject({
      kind: 'deferred',
      why: 'legal-hold',
      steps: [
        { kind: 'requested', index: 3 },
        { kind: 'deferred', index: 4, why: 'legal-hold' },
      ],
    });
    expect(await fieldsIn(place, 0)).toHaveLength(4);
    const [kept] = (await erase(place, 'joao')) as [{ request: string; until: string }];
    expect(kept).toMatchObject({
      kind: 'deferred',
      why: 'retention',
      until: expect.stringMatching(/^20\d\d-/),
    });
    expect(await json('erase', ['--list'])).toHaveLength(2);
    const list = (await run('erase', ['--list'])).out.replace(/\s+/g, ' ');
    expect(list).toContain(`kept until ${kept.until} (retention)`);
    expect(await json('hold', ['--list'])).toEqual([
      { id: hold, tenant: 'acme', covers: 'subject', state: 'held' },
    ]);

    const released = await run('hold', ['--release', hold]);
    expect(released).toMatchObject({ code: 0, err: expect.stringContaining('entry 7: released') });
    // What only the hold stood in the way of goes at once.
    expect(released.err).toContain(`erasure ${held.request} is executed`);
    expect(await run('hold', ['--release', hold])).toMatchObject({
      code: 2,
      err: expect.stringContaining('no hold'),
    });
    expect(await json('erase', ['--resume'])).toMatchObject([
      { request: kept.request, kind: 'deferred', steps: [] },
    ]);
    expect(await json('query', ['--event', 'comity.erasure.executed', ...ACME])).toMatchObject([
      { index: 8 },
    ]);
    expect(await json('erase', ['--list'])).toMatchObject([
      { request: kept.request, state: 'deferred', parts: 1 },
    ]);
    expect(await fieldsIn(place, 0)).toEqual([]);
    expect(await fieldsIn(place, 1)).toHaveLength(4);
  });

  test('holds what a record asks to be held, and a whole tenant', async () => {
    const place = await freshLog(kind);
    const { run, json } = place;
    const held = sealed(MARIA, { class: 'dispute', hold: true, min: 'P0D' });
    await run('append', [], lines(held, sealed('joao')));
    const tenant = (await run('hold', ACME)).out.trim();
    for (const who of [MARIA, 'joao'])
      expect(await erase(place, who)).toMatchObject([{ kind: 'deferred', why: 'legal-hold' }]);
    await run('hold', ['--release', tenant]);
    expect(await json('erase', ['--list'])).toMatchObject([{ state: 'deferred', why: 'legal-hold' }]);
    expect(await fieldsIn(place, 1)).toEqual([]);
    expect(await fieldsIn(place, 0)).toHaveLength(4);
    expect(await run('hold', ['--release', held.record.id])).toMatchObject({
      code: 0,
      err: expect.stringMatching(/entry \d+: released/),
    });
    expect(await json('erase', ['--list'])).toEqual([]);
    expect(await fieldsIn(place, 0)).toEqual([]);
  });

  test('refuses a line that it cannot seal, names it, and keeps nothing of it in the clear', async () => {
    const place = await freshLog(kind);
    const { folder, run } = place;
    const good = sealed(MARIA);
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, i]));
    for (const [bad, message] of [
      [{ ...good, note: 1 }, 'unknown field `note`'],
      [{ ...good, record: { ...good.record, jur: ['nowhere'] } }, 'is not valid at `/jur/0`'],
      [{ ...good, seal: [{ fields: FIELDS }] }, '`seal[0].subjects`'],
      [{ ...good, seal: [{ subjects: [''], fields: FIELDS }] }, '`seal[0].subjects`'],
      [{ ...good, seal: [{ subjects: [MARIA], fields: {} }] }, '`seal[0].fields`'],
      [{ ...good, seal: [] }, '`seal` is not a list'],
      [sealed(MARIA, undefined, many), '300 fields'],
    ] as const) {
      const ran = await run('append', [], lines(chat(), bad));
      expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('<standard input>:2:1: ') });
      expect(ran.err).toContain(message);
      expect(ran.out).toMatch(/^\d+\n$/);
    }
    expect(leaks(folder)).toEqual([]);
    expect(existsSync(join(folder, 'log', 'vault.json'))).toBe(false);
    expect(await run('erase', [...ACME, '--subject', 'x'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('log has no vault: nothing was ever sealed for it'),
    });
  });
});

describe('a vault', () => {
  test('that comes back from a backup brings nobody back, and forgets no request', async () => {
    const place = await freshLog('files');
    const { folder, log, run, json } = place;
    const vault = `${log}.vault`;
    const keep = { class: 'art19', hold: false, min: 'P6M' };
    await run('append', [], lines(sealed(MARIA), sealed('joao', keep)));
    const backup = join(folder, 'backup');
    cpSync(vault, backup, { recursive: true });
    const restore = () => {
      rmSync(vault, { recursive: true });
      cpSync(backup, vault, { recursive: true });
    };
    await erase(place);
    const [waiting] = (await erase(place, 'joao')) as [{ request: string }];
    // Whatever touches the vault first finds that out: one who only reads, too.
    restore();
    expect(await json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
    restore();
    expect(await json('erase', ['--resume'])).toMatchObject([{ kind: 'deferred', request: waiting.request }]);
    expect(await json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
    restore();
    expect((await run('append', [], lines(chat()))).code).toBe(0);
    expect(await json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
  });

  test('that comes back from a backup still holds what was held, and reads no release into it', async () => {
    const place = await freshLog('files');
    const { folder, log, run, json } = place;
    await run('append', [], lines(sealed(MARIA), sealed('joao')));
    const backup = join(folder, 'backup');
    cpSync(`${log}.vault`, backup, { recursive: true });
    const hold = (await run('hold', [...ACME, '--subject', MARIA])).out.trim();
    const over = (await run('hold', [...ACME, '--subject', 'joao'])).out.trim();
    await run('hold', ['--release', over]);
    const restore = () => {
      rmSync(`${log}.vault`, { recursive: true });
      cpSync(backup, `${log}.vault`, { recursive: true });
    };
    restore();
    expect(await json('hold', ['--list'])).toMatchObject([{ id: hold }]);
    restore();
    expect((await run('hold', ['--release', over])).code).toBe(2);
    restore();
    expect(await erase(place)).toMatchObject([{ kind: 'deferred', why: 'legal-hold' }]);
    expect(await erase(place, 'joao')).toMatchObject([{ kind: 'executed' }]);
    expect(await json('hold', ['--list'])).toEqual([
      { id: hold, tenant: 'acme', covers: 'subject', state: 'held' },
    ]);
    expect(leaks(folder)).toEqual([]);
  });

  test('loses parts of no record when requests are gone on with, a day after they came', async () => {
    const place = await freshLog('files');
    const { log, run } = place;
    await run('append', [], lines(sealed(MARIA)));
    // As after a crash between the vault and the log: the part is there, its record is not.
    const parts = new DatabaseSync(join(`${log}.vault`, 'blobs.db'));
    parts.exec(`INSERT INTO blob (k, h, record, bytes, keep_until, hold, written)
      SELECT k, randomblob(32), '${chat().id}', bytes, keep_until, hold, written FROM blob`);
    expect((await run('erase', ['--resume'])).err).not.toContain('deleted');
    parts.exec('UPDATE blob SET written = 1');
    expect((await run('erase', ['--resume'])).err).toContain('1 sealed part of no record deleted\n');
    parts.close();
    expect(await fieldsIn(place, 0)).toHaveLength(4);
  });

  test('lives where it was put, and no other is made in its place', async () => {
    const place = await freshLog('files');
    const { folder, log, run, json } = place;
    const volume = join(folder, 'volume');
    expect((await run('append', ['--vault', volume], lines(sealed(MARIA)))).code).toBe(0);
    expect(existsSync(join(volume, 'keys.db'))).toBe(true);
    expect(existsSync(`${log}.vault`)).toBe(false);
    expect(await fieldsIn(place, 0)).toHaveLength(4);
    const mounted = join(folder, 'elsewhere');
    renameSync(volume, mounted);
    for (const ran of [
      await run('erase', [...ACME, '--subject', MARIA]),
      await run('append', [], lines(sealed(MARIA))),
      await run('append', ['--vault', join(folder, 'empty')], lines(sealed(MARIA))),
      await run('open', ['0']),
    ]) {
      expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('vault of this log is not in') });
    }
    expect((await run('open', ['0', '--vault', mounted])).out).toContain('leukaemia');
    // From now on it is known there.
    expect(await erase(place)).toMatchObject([{ kind: 'executed' }]);
    renameSync(join(log, 'vault.key'), join(folder, 'vault.key'));
    expect(await run('open', ['0'])).toMatchObject({ code: 2, err: expect.stringContaining('is missing') });
    writeFileSync(join(log, 'vault.key'), `${Buffer.alloc(32).toString('base64')}\n`, { mode: 0o600 });
    expect(await run('open', ['0'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('does not open'),
    });
    renameSync(join(folder, 'vault.key'), join(log, 'vault.key'));
    expect(await json('open', ['0'])).toMatchObject({ erased: 1 });
  });

  test('goes with a log that moves', async () => {
    const { folder, log, run } = await freshLog('files');
    await run('append', [], lines(sealed(MARIA)));
    const moved = join(folder, 'moved');
    expect((await run('move', [moved])).code).toBe(0);
    expect(existsSync(join(log, 'vault.key'))).toBe(false);
    expect((await inside(['open', moved, '0'], '')).out).toContain('leukaemia');
    expect((await inside(['erase', moved, ...ACME, '--subject', MARIA], '')).code).toBe(0);
    expect((await inside(['open', moved, '0'], '')).out).not.toContain('leukaemia');
  });

  test('may be in a database while the log is in files', async () => {
    const { folder, log, run } = await freshLog('files');
    const at = (verb: string, args: readonly string[], input = '') =>
      run(verb, [...args, '--vault', database.url], input);
    expect(await at('append', [], lines(sealed(MARIA)))).toMatchObject({ code: 0, out: '0\n' });
    expect((await at('open', ['0'])).out).toContain('leukaemia');
    expect(await run('open', ['0'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('is in a database'),
    });
    expect(await at('erase', [...ACME, '--subject', MARIA])).toMatchObject({ code: 0 });
    expect((await at('open', ['0'])).out).not.toContain('leukaemia');
    expect(leaks(folder)).toEqual([]);
    for (const file of everyFile(log)) expect(readFileSync(file).includes('postgres://')).toBe(false);
    await withSql(database.url, async (sql) => {
      const { origin } = JSON.parse(readFileSync(join(log, 'log.json'), 'utf8')) as { origin: string };
      const rows = await sql`
        SELECT FROM comity.sealed_part JOIN comity.vault ON vault.id = sealed_part.vault WHERE name = ${origin}`;
      expect(rows).toHaveLength(0);
    });
  });
});

describe('comity log erase', () => {
  test('does what the README shows', async () => {
    const { folder, command: run } = await freshLog('files');
    run('append', [], '{"model": "m-3"}\n');
    const example = new URL('../../../examples/support-chatbot/answer.ndjson', import.meta.url);
    expect(run('append', [], readFileSync(example, 'utf8'))).toMatchObject({ code: 0, out: '1\n' });
    expect(run('open', ['1']).out).toMatch(/question +"Where is my order\? I moved to Recife\."/);
    const evidence = join(folder, 'answer.zip');
    expect(run('export', ['--records', '1', '--disclose', 'answer', '--out', evidence]).code).toBe(0);
    const erased = run('erase', ['--tenant', 'acme', '--subject', '-'], 'maria@example.org\n');
    expect(erased.out).toMatch(
      /^request \S+ of acme\n {2}requested +entry 2 +1 sealed part\n {2}executed +entry 3 /,
    );
    expect(run('open', ['1']).out).toContain('erased: 1 of 1 sealed parts');
  });

  test('keeps the wish while another process has the log open, and it is carried out next', async () => {
    const place = await freshLog('files');
    const { run, json } = place;
    await run('append', [], lines(sealed(MARIA)));
    const open = await openLogDirectory(place.log, { publishEveryMs: 0 });
    let request = '';
    try {
      const ran = await run('erase', [...ACME, '--subject', MARIA, '--format', 'json']);
      expect(ran).toMatchObject({
        code: 0,
        err: expect.stringContaining('another process has the log open'),
      });
      const [kept] = JSON.parse(ran.out) as [{ request: string; kind: string }];
      expect(kept.kind).toBe('requested');
      request = kept.request;
      expect(await json('erase', ['--list'])).toMatchObject([{ request, state: 'requested', parts: 1 }]);
      expect(await run('erase', ['--resume'])).toMatchObject({ code: 2 });
    } finally {
      await open.close();
    }
    expect(await json('erase', ['--resume'])).toMatchObject([
      { request, kind: 'executed', steps: [{ kind: 'requested' }, { kind: 'executed' }] },
    ]);
  });

  test.each([
    [[], 'erase whom?'],
    [['--subject', 'x'], 'of which tenant?'],
    [[...ACME, '--subject', ''], 'who?'],
    [[...ACME, '--subject', 'x', '--reason', 'she asked me'], '`--reason` is not a code'],
    [[...ACME, '--subject', 'x', '--role', 'a b'], '`--role` is not a code'],
  ])('explains what is missing: %j', async (args, message) => {
    const { run } = await freshLog('files');
    expect(await run('erase', args)).toMatchObject({ code: 2, err: expect.stringContaining(message) });
  });

  test('says so when there is nothing under that name, which may be misspelt', async () => {
    const place = await freshLog('files');
    await place.run('append', [], lines(sealed(MARIA)));
    const ran = await place.run('erase', [...ACME, '--subject', 'mari.silva@example.org']);
    expect(ran).toMatchObject({
      code: 0,
      err: expect.stringContaining('nothing was sealed about this person'),
    });
    expect((await place.run('erase', [...ACME, '--subject', MARIA])).err).toBe('');
  });

  test('does not show the password of a vault that does not answer', async () => {
    const { run } = await freshLog('files');
    const args = ['--vault', 'postgres://u:secret@127.0.0.1:1/x'];
    const ran = await run('append', args, lines(sealed(MARIA)));
    expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('database does not answer') });
    expect(ran.out + ran.err).not.toContain('secret');
    expect(await run('erase', ['--list', '--vault', 'mysql://x'])).toMatchObject({ code: 2 });
  });
});

describe('comity log serve', () => {
  test('looks for requests that others put into the vault', async () => {
    const place = await freshLog('files');
    const { log, run, json } = place;
    await run('append', [], lines(sealed(MARIA)));
    const quiet = { out: () => undefined, err: () => undefined, progress: () => undefined };
    const io = { ...quiet, colour: false, columns: 80 };
    await withSealing(log, parseArguments(command, []), io, {}, async (_, sealing) => {
      expect((await run('erase', [...ACME, '--subject', MARIA])).err).toContain('is kept');
      await sealing.resume();
      expect(await json('erase', ['--list'])).toEqual([]);
      expect(await run('hold', ACME)).toMatchObject({
        code: 0,
        err: expect.stringContaining('another process has the log open'),
      });
      expect(await json('hold', ['--list'])).toMatchObject([
        { covers: 'tenant', state: 'not in the log yet' },
      ]);
      await sealing.resume();
      expect(await json('hold', ['--list'])).toMatchObject([{ covers: 'tenant', state: 'held' }]);
    });
    expect(await json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
  });

  test('seals what comes over HTTP, and lets requests be put in meanwhile', async () => {
    const { folder, log, run, json } = await freshLog('files');
    const token = (await inside(['writer', log, 'helpdesk-1'], '')).out.trim();
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
      expect(await run('erase', [...ACME, '--subject', MARIA])).toMatchObject({
        code: 0,
        err: expect.stringContaining('another process has the log open'),
      });
    } finally {
      expect(await server.stop()).toBe(0);
    }
    expect(await json('erase', ['--resume'])).toMatchObject([{ kind: 'executed' }]);
    expect(await json('open', ['0'])).toMatchObject({ fields: [], erased: 1 });
    expect(leaks(folder)).toEqual([]);
  });
});
