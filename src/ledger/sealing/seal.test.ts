import { hkdfSync, randomBytes, randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openFilesVault } from '../files/vault.ts';
import { type Ledger, openLedger } from '../ledger.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { canonicalBytes } from '../record/canonical.ts';
import { startProducer } from '../record/producer.ts';
import type { AuditRecord } from '../record/record.ts';
import { addDuration, rfc3339 } from '../record/time.ts';
import { disclosureOf, openDisclosure, readDisclosure } from './disclosure.ts';
import { eraser } from './erasure.ts';
import { openPart, openSealed, paddedLength, recordKey, sealRecord } from './seal.ts';
import type { Vault } from './vault.ts';
import { localWrapper } from './wrapping.ts';

const TENANT = 'acme';
const WRAPPING_KEY = randomBytes(32);
const DAY = 86_400_000;
const { sha256 } = nodeHasher();

let directory = '';
let clock = Date.UTC(2026, 10, 23, 8);
const now = () => clock;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-seal-'));
  clock = Date.UTC(2026, 10, 23, 8);
  await createLogDirectory(join(directory, 'log'), 'log.example/seal');
});

afterEach(() => rmSync(directory, { recursive: true }));

const vaultIn = (name = 'vault') =>
  openFilesVault(join(directory, name), { wrapper: localWrapper(WRAPPING_KEY), now });

const producer = () =>
  startProducer({
    id: 'gateway-1',
    resource: { 'comity.system.id': 'helpdesk', 'comity.tenant': TENANT, 'service.name': 'helpdesk' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: [],
    now,
  });

const source = producer();

async function withLedger<T>(run: (ledger: Ledger) => Promise<T>): Promise<T> {
  const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0, now });
  const ledger = await openLedger({ log, vault: await vaultIn(), producer: source, now });
  try {
    return await run(ledger);
  } finally {
    await ledger.close();
  }
}

const chat = (retain?: AuditRecord['retain']): AuditRecord =>
  source.record(
    'gen_ai.client.inference.operation.details',
    { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'example', 'gen_ai.request.model': 'm' },
    retain === undefined ? {} : { retain },
  );

const about = (subject: string, text: string) => ({
  seal: [
    { subjects: [subject] as const, fields: { 'gen_ai.input.messages': [{ role: 'user', content: text }] } },
  ],
});

const valuesOf = (disclosures: readonly string[]) => disclosures.map((text) => readDisclosure(text));

/** Names of the events in the log, in order, with the attributes of those about erasure. */
async function erasureTrail(ledger: Ledger): Promise<unknown[]> {
  const { size } = await ledger.log.store.grow();
  const trail: unknown[] = [];
  for (let index = 0; index < size; index++) {
    const { record } = await ledger.open(index);
    if (record.event_name.startsWith('comity.erasure.')) trail.push([record.event_name, record.attributes]);
  }
  return trail;
}

describe('sealing', () => {
  test('gives back every field, and only with the right key, record and part', async () => {
    const vault = await vaultIn();
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (fields) => {
        const keys = await vault.keysFor(TENANT, ['maria']);
        const { record, blobs } = sealRecord(chat(), [{ subjects: ['maria'], fields }], keys);
        const names = Object.keys(fields);
        if (names.length === 0) return;
        await vault.put(blobs);
        const { disclosures, erased, lost } = await openSealed(record, vault);
        expect({ erased, lost }).toEqual({ erased: 0, lost: 0 });
        const opened = disclosures.map((text) => openDisclosure(text, record.sd ?? [], sha256));
        expect(opened).toEqual(
          names.map((name) => ({ name, value: JSON.parse(JSON.stringify(fields[name])) })),
        );

        const [reference] = record.sealed ?? [];
        const [blob] = blobs;
        const key = keys.get('maria')?.key;
        if (reference === undefined || blob === undefined || key === undefined)
          throw new Error('nothing sealed');
        const refused = [
          () => openPart(record, reference, blob.bytes, randomBytes(32)),
          () => openPart({ ...record, id: chat().id }, reference, blob.bytes, key),
          () =>
            openPart(
              { ...record, resource: { ...record.resource, 'comity.tenant': 'x' } },
              reference,
              blob.bytes,
              key,
            ),
          () => openPart(record, reference, Buffer.concat([blob.bytes, Buffer.of(0)]), key),
        ];
        for (const open of refused) expect(open).toThrow(/sealed/);
      }),
      { numRuns: 50 },
    );
    await vault.close();
  });

  test('derives the key of a record by HKDF', () => {
    const [key, id] = [randomBytes(32), chat().id];
    const expected = Buffer.from(hkdfSync('sha256', key, id, 'comity/audit/dek/1', 32));
    expect(Buffer.from(recordKey(key, id))).toEqual(expected);
  });

  test('writes disclosures as the portable code does', async () => {
    const keys = new Map([['maria', { id: 'A'.repeat(22), key: randomBytes(32) }]]);
    for (const text of (await sealedDisclosures(keys)).d) {
      const [salt = '', name = '', value] = JSON.parse(Buffer.from(text, 'base64url').toString());
      expect(disclosureOf(name, value, Buffer.from(salt, 'base64url'))).toBe(text);
    }
  });

  test('lets a single field be shown, and nothing about the others', async () => {
    const vault = await vaultIn();
    const keys = await vault.keysFor(TENANT, ['maria']);
    const fields = { age: 41, city: 'Recife' };
    const { record, blobs } = sealRecord(chat(), [{ subjects: ['maria'], fields }], keys);
    await vault.put(blobs);
    const { disclosures } = await openSealed(record, vault);
    const [age = '', city = ''] = disclosures;
    expect(openDisclosure(age, record.sd ?? [], sha256)).toEqual({ name: 'age', value: 41 });
    expect(() => openDisclosure(`${city.slice(0, -2)}AA`, record.sd ?? [], sha256)).toThrow(
      /not of this record/,
    );
    expect(() => openDisclosure(age, chat().sd ?? [], sha256)).toThrow(/not of this record/);
    await vault.close();
  });

  test('hides how many fields there are, and nearly how long they are', async () => {
    const vault = await vaultIn();
    const keys = await vault.keysFor(TENANT, ['maria']);
    const sealed = [1, 2, 3].map((count) => {
      const fields = Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i]));
      return sealRecord(chat(), [{ subjects: ['maria'], fields }], keys).record;
    });
    expect(new Set(sealed.map((record) => record.sd?.length))).toEqual(new Set([4]));
    expect(new Set(sealed.map((record) => record.sealed?.[0]?.len))).toEqual(new Set([256 + 28]));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 24 }), (bytes) => {
        const length = paddedLength(bytes);
        expect(length).toBeGreaterThanOrEqual(bytes);
        if (bytes > 256) expect(length).toBeLessThan(bytes * 1.12 + 1);
      }),
    );
    await vault.close();
  });

  test('gives every month another key, and every tenant', async () => {
    const vault = await vaultIn();
    const id = async (tenant = TENANT) => (await vault.keysFor(tenant, ['maria'])).get('maria')?.id;
    const november = await id();
    expect(await id()).toBe(november);
    expect(await id('other')).not.toBe(november);
    clock += 10 * DAY;
    expect(await id()).not.toBe(november);
    expect(await vault.keysOf(TENANT, 'maria')).toHaveLength(2);
    await vault.close();
  });
});

describe('a record with sealed fields', () => {
  test('is retried without being appended twice', () =>
    withLedger(async (ledger) => {
      const prepared = await ledger.prepare([{ record: chat(), ...about('maria', 'hello') }]);
      const [first] = await ledger.commit(prepared);
      const [second] = await ledger.commit(prepared);
      expect(first).toMatchObject({ index: 0, duplicate: false });
      expect(second).toMatchObject({ index: 0, duplicate: true });
    }));

  test('that is not valid is refused before anything is kept', () =>
    withLedger(async (ledger) => {
      const record = { ...chat(), jur: ['nowhere'] };
      await expect(ledger.append([{ record }])).rejects.toMatchObject({ code: 'record-invalid' });
      expect((await ledger.log.store.grow()).size).toBe(0);
    }));
});

describe('personal data', () => {
  const CORPUS = [
    'Maria Aparecida da Silva',
    'maria.silva@example.org',
    '+55 81 99999-0000',
    '123.456.789-09',
    'my mother has leukaemia',
    'Straße des 17. Juni 135',
    'マリア・シルヴァ',
  ];

  const everyFile = (path: string): string[] =>
    readdirSync(path).flatMap((name) => {
      const inner = join(path, name);
      return statSync(inner).isDirectory() ? everyFile(inner) : [inner];
    });

  test('is in no file of the log or the vault, in no encoding, before or after an erasure', async () => {
    const forms = CORPUS.flatMap((text) => [
      Buffer.from(text, 'utf8'),
      Buffer.from(text, 'utf16le'),
      Buffer.from(JSON.stringify(text).slice(1, -1)),
      // Base64 of the text at each of the three places it can fall on.
      ...[0, 1, 2].map((skip) => {
        const shifted = Buffer.concat([Buffer.alloc(skip), Buffer.from(text)]).toString('base64');
        return Buffer.from(shifted.slice(skip === 0 ? 0 : skip + 1, -4));
      }),
      Buffer.from(Buffer.from(text).toString('hex')),
      ...['sha256', 'sha1', 'md5'].map((name) => Buffer.from(sha256Of(name, text))),
    ]);
    const search = () => {
      for (const file of everyFile(directory)) {
        const content = readFileSync(file);
        for (const form of forms) if (content.includes(form)) throw new Error(`${form} found in ${file}`);
      }
    };
    await withLedger(async (ledger) => {
      for (const text of CORPUS) await ledger.append([{ record: chat(), ...about(text, text) }]);
      await ledger.log.publish();
      search();
      for (const text of CORPUS) await ledger.erasures.erase(TENANT, text);
    });
    expect(everyFile(directory).length).toBeGreaterThan(5);
    search();
  });
});

describe('erasure', () => {
  const AFTER_RETENTION = 200 * DAY;

  test('destroys what was sealed and leaves every proof as it was', () =>
    withLedger(async (ledger) => {
      await ledger.append([
        { record: chat(), ...about('maria', 'hello') },
        { record: chat(), ...about('joao', 'good day') },
      ]);
      const before = await ledger.log.publish();
      clock += AFTER_RETENTION;
      expect(await ledger.erasures.erase(TENANT, 'maria', { code: 'art17-1-b' })).toMatchObject({
        kind: 'executed',
      });
      const maria = await ledger.open(0);
      expect(maria).toMatchObject({ disclosures: [], erased: 1, lost: 0 });
      expect(valuesOf((await ledger.open(1)).disclosures)).toHaveLength(1);
      const after = await ledger.log.publish();
      expect(await ledger.log.tree(after.size).root(before.size)).toEqual(before.root);
      expect(await erasureTrail(ledger)).toEqual([
        ['comity.erasure.requested', expect.objectContaining({ 'comity.erasure.parts': 1 })],
        [
          'comity.erasure.executed',
          expect.objectContaining({
            'comity.erasure.keys': [maria.record.sealed?.[0]?.k],
            'comity.erasure.parts': 1,
            'comity.erasure.reason_code': 'art17-1-b',
          }),
        ],
      ]);
      for (const reference of maria.record.sealed ?? []) {
        expect(await ledger.vault.get(reference)).toBeUndefined();
        expect(await ledger.vault.key(reference.k)).toBeUndefined();
      }
      expect(await ledger.vault.keysOf(TENANT, 'maria')).toEqual([]);
    }));

  test('of somebody unknown is executed, with nothing destroyed', () =>
    withLedger(async (ledger) => {
      expect(await ledger.erasures.erase(TENANT, 'nobody')).toMatchObject({ kind: 'executed' });
      expect(await ledger.erasures.resume()).toEqual([]);
      expect(await erasureTrail(ledger)).toHaveLength(2);
    }));

  test('waits until the least retention has passed', () =>
    withLedger(async (ledger) => {
      const record = chat();
      await ledger.append([{ record, ...about('maria', 'hello') }]);
      const until = addDuration(clock, 'P6M');
      const progress = await ledger.erasures.erase(TENANT, 'maria');
      expect(progress).toMatchObject({ kind: 'deferred', until });
      expect(valuesOf((await ledger.open(0)).disclosures)).toHaveLength(1);
      clock = until - 1;
      expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'deferred', until }]);
      clock = until;
      expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'executed' }]);
      expect((await ledger.open(0)).erased).toBe(1);
      expect((await erasureTrail(ledger)).map((step) => (step as string[])[0])).toEqual([
        'comity.erasure.requested',
        'comity.erasure.deferred',
        'comity.erasure.executed',
      ]);
      const [, deferred] = (await erasureTrail(ledger))[1] as [string, Record<string, unknown>];
      expect(deferred).toMatchObject({
        'comity.erasure.reason_code': 'retention',
        'comity.erasure.until': rfc3339(until),
      });
    }));

  test('waits for a legal hold on the person, on the tenant, or on the record', async () => {
    const holds: [string, (ledger: Ledger, record: string) => Promise<string>][] = [
      ['person', async (l) => (await l.holds.place(TENANT, 'p')).hold],
      ['tenant', async (l) => (await l.holds.place(TENANT)).hold],
      ['record', async (_, record) => record],
    ];
    for (const [what, place] of holds) {
      await withLedger(async (ledger) => {
        const record = chat({ class: 'logs', hold: what === 'record', min: 'P0D' });
        await ledger.append([{ record, ...about('p', what) }]);
        const hold = await place(ledger, record.id);
        expect(await ledger.erasures.erase(TENANT, 'p')).toMatchObject({
          kind: 'deferred',
          until: undefined,
        });
        expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'deferred' }]);
        await ledger.holds.release(hold);
        expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'executed' }]);
      });
    }
  });

  test('takes what may go now and defers the rest', () =>
    withLedger(async (ledger) => {
      await ledger.append([
        { record: chat({ class: 'short', hold: false, min: 'P1D' }), ...about('maria', 'old') },
      ]);
      clock += 40 * DAY;
      await ledger.append([{ record: chat(), ...about('maria', 'new') }]);
      expect(await ledger.erasures.erase(TENANT, 'maria')).toMatchObject({ kind: 'deferred' });
      expect((await ledger.open(0)).erased).toBe(1);
      expect((await ledger.open(1)).erased).toBe(0);
      clock += AFTER_RETENTION;
      expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'executed' }]);
      expect((await ledger.open(1)).erased).toBe(1);
    }));

  test('is about what was sealed before the request, not after', () =>
    withLedger(async (ledger) => {
      await ledger.append([{ record: chat(), ...about('maria', 'before') }]);
      await ledger.erasures.erase(TENANT, 'maria');
      const [after] = await ledger.append([{ record: chat(), ...about('maria', 'after') }]);
      clock += AFTER_RETENTION;
      await ledger.erasures.resume();
      expect((await ledger.open(0)).erased).toBe(1);
      expect((await ledger.open(after?.index ?? 0)).erased).toBe(0);
    }));

  test('of one of two people takes what is about both, and leaves what is about the other', () =>
    withLedger(async (ledger) => {
      const seal = [
        { subjects: ['maria', 'joao'] as const, fields: { shared: 'they met' } },
        { subjects: ['maria'] as const, fields: { hers: 1 } },
        { subjects: ['joao'] as const, fields: { his: 2 } },
      ];
      await ledger.append([{ record: chat({ class: 'x', hold: false, min: 'P0D' }), seal }]);
      const names = async () => valuesOf((await ledger.open(0)).disclosures).map(({ name }) => name);
      expect((await names()).sort()).toEqual(['hers', 'his', 'shared']);
      await ledger.erasures.erase(TENANT, 'joao');
      expect(await names()).toEqual(['hers']);
    }));

  test('refuses to keep what was sealed with a key that is gone', () =>
    withLedger(async (ledger) => {
      const prepared = await ledger.prepare([{ record: chat(), ...about('maria', 'hello') }]);
      await ledger.erasures.erase(TENANT, 'maria');
      await expect(ledger.commit(prepared)).rejects.toMatchObject({ code: 'erased' });
    }));

  test('is carried out again when the vault comes back from a backup', async () => {
    const opened = await withLedger(async (ledger) => {
      await ledger.append([{ record: chat(), ...about('maria', 'hello') }]);
      return ledger.open(0);
    });
    cpSync(join(directory, 'vault'), join(directory, 'backup'), { recursive: true });
    clock += AFTER_RETENTION;
    await withLedger((ledger) => ledger.erasures.erase(TENANT, 'maria'));
    for (const restored of [['keys.db', 'blobs.db'], ['keys.db'], ['blobs.db']]) {
      for (const name of restored) {
        for (const suffix of ['-wal', '-shm'])
          rmSync(join(directory, 'vault', name + suffix), { force: true });
        cpSync(join(directory, 'backup', name), join(directory, 'vault', name));
      }
      const vault = await vaultIn();
      const brought = restored.includes('keys.db');
      expect((await vault.key(opened.record.sealed?.[0]?.k ?? '')) !== undefined).toBe(brought);
      await vault.close();
      await withLedger(async (ledger) => {
        expect((await ledger.open(0)).erased).toBe(1);
        expect(await ledger.vault.get(opened.record.sealed?.[0] ?? { k: '', h: '' })).toBeUndefined();
      });
    }
  });

  test('that still waits is not forgotten when the vault comes back from a backup', async () => {
    await withLedger((ledger) => ledger.append([{ record: chat(), ...about('maria', 'hello') }]));
    cpSync(join(directory, 'vault'), join(directory, 'backup'), { recursive: true });
    const request = await withLedger(async (ledger) => {
      const progress = await ledger.erasures.erase(TENANT, 'maria', { code: 'art17-1-b', actorRole: 'dpo' });
      expect(progress).toMatchObject({ kind: 'deferred', why: 'retention' });
      return progress.request;
    });
    rmSync(join(directory, 'vault'), { recursive: true });
    cpSync(join(directory, 'backup'), join(directory, 'vault'), { recursive: true });
    await withLedger(async (ledger) => {
      expect(ledger.resumed.erasures).toMatchObject([{ kind: 'deferred', request, tenant: TENANT }]);
      expect(await ledger.vault.requestState(request)).toMatchObject({
        reasonCode: 'art17-1-b',
        actorRole: 'dpo',
      });
      // A hold on the person still finds the request, though the log does not say whom it is about.
      const { hold } = await ledger.holds.place(TENANT, 'maria');
      clock += AFTER_RETENTION;
      expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'deferred', why: 'legal-hold' }]);
      await ledger.holds.release(hold);
      expect(await ledger.erasures.resume()).toMatchObject([{ kind: 'executed', request }]);
      expect((await ledger.open(0)).erased).toBe(1);
    });
  });

  test('that several processes go on with takes every step once', () =>
    withLedger(async (ledger) => {
      await ledger.append([{ record: chat(), ...about('maria', 'hello') }]);
      await ledger.vault.request({
        id: randomUUID(),
        tenant: TENANT,
        subject: 'maria',
        reasonCode: undefined,
        actorRole: undefined,
      });
      const vaults = await Promise.all([1, 2, 3].map(() => vaultIn()));
      const erasers = vaults.map((vault) => eraser({ log: ledger.log, vault, producer: source, now }));
      const resume = () => Promise.all(erasers.map((one) => one.resume()));
      for (const [progress] of await resume()) expect(progress).toMatchObject({ kind: 'deferred' });
      clock += AFTER_RETENTION;
      for (const [progress] of await resume()) expect(progress).toMatchObject({ kind: 'executed' });
      for (const vault of vaults) await vault.close();
      const steps = (await erasureTrail(ledger)).map((step) => (step as string[])[0]);
      expect(steps).toEqual([
        'comity.erasure.requested',
        'comity.erasure.deferred',
        'comity.erasure.executed',
      ]);
    }));

  test('tells where each step stands in the log', () =>
    withLedger(async (ledger) => {
      await ledger.append([{ record: chat(), ...about('maria', 'hello') }]);
      const { steps } = await ledger.erasures.erase(TENANT, 'maria');
      clock += AFTER_RETENTION;
      const [later] = await ledger.erasures.resume();
      for (const step of [...steps, ...(later?.steps ?? [])]) {
        const { record } = await ledger.open(step.index);
        expect(record.event_name).toBe(`comity.erasure.${step.kind}`);
        expect(record.resource['comity.tenant']).toBe(TENANT);
      }
      expect([...steps, ...(later?.steps ?? [])].map(({ kind }) => kind)).toEqual([
        'requested',
        'deferred',
        'executed',
      ]);
    }));

  test('is not carried out for whoever can append, but only as the vault announced it', async () => {
    const victim = await withLedger(async (ledger) => {
      await ledger.append([{ record: chat(), ...about('maria', 'hello') }]);
      const { record } = await ledger.open(0);
      const [k = ''] = (record.sealed ?? []).map((sealed) => sealed.k);
      const forged = source.record('comity.erasure.executed', {
        'comity.erasure.authenticator': `sha256:${'00'.repeat(32)}`,
        'comity.erasure.keys': [k],
        'comity.erasure.parts': 1,
        'comity.erasure.request': '00000000-0000-4000-8000-000000000000',
      });
      await expect(ledger.append([{ record: forged }])).rejects.toMatchObject({ code: 'record-invalid' });
      await ledger.log.append(canonicalBytes(forged));
      return k;
    });
    await withLedger(async (ledger) => {
      expect(await ledger.vault.replayed()).toBe(2);
      expect(await ledger.vault.key(victim)).toBeDefined();
      expect((await ledger.open(0)).erased).toBe(0);
    });
  });

  test.each([
    'before the request is in the log',
    'before keys are destroyed',
    'after keys are destroyed',
    'before the end',
  ])('goes on after a crash %s, and stands in the log once', async (moment) => {
    await withLedger((ledger) => ledger.append([{ record: chat(), ...about('maria', 'hello') }]));
    clock += AFTER_RETENTION;
    const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0, now });
    const vault = await vaultIn();
    const crash = () => Promise.reject(new Error('crash'));
    let states = 0;
    const crashing: Vault = Object.create(vault, {
      ...bindAll(vault),
      ...(moment === 'before keys are destroyed' ? { destroy: { value: crash } } : {}),
      setRequest: {
        value: (...[id, change, was]: Parameters<Vault['setRequest']>) => {
          states += 1;
          if (moment === 'before the request is in the log' && states === 2) return crash();
          if (moment === 'after keys are destroyed' && states === 4) return crash();
          if (moment === 'before the end' && change.state === 'executed') return crash();
          return vault.setRequest(id, change, was);
        },
      },
    });
    const crashed = await openLedger({ log, vault: crashing, producer: source, now });
    await expect(crashed.erasures.erase(TENANT, 'maria')).rejects.toThrow('crash');
    await crashed.close();
    await withLedger(async (ledger) => {
      expect(await ledger.vault.openRequests()).toEqual([]);
      expect((await ledger.open(0)).erased).toBe(1);
      expect((await erasureTrail(ledger)).map((step) => (step as string[])[0])).toEqual([
        'comity.erasure.requested',
        'comity.erasure.executed',
      ]);
    });
  });
});

describe('a vault', () => {
  test('is readable by its owner only', async () => {
    const vault = await vaultIn();
    for (const name of ['keys.db', 'blobs.db']) {
      expect(statSync(join(directory, 'vault', name)).mode & 0o077).toBe(0);
    }
    await vault.close();
  });

  test('opens nothing with another wrapping key', async () => {
    await (await vaultIn()).close();
    const opened = openFilesVault(join(directory, 'vault'), { wrapper: localWrapper(randomBytes(32)), now });
    await expect(opened).rejects.toMatchObject({ code: 'blob-invalid' });
  });
});

async function sealedDisclosures(keys: Map<string, { id: string; key: Buffer }>) {
  const fields = { age: 41, 'name €': ['ü', { deep: '\u2028' }] };
  const { record, blobs } = sealRecord(chat(), [{ subjects: ['maria'], fields }], keys);
  const [reference] = record.sealed ?? [];
  const key = keys.get('maria')?.key;
  if (reference === undefined || key === undefined) throw new Error('nothing sealed');
  const part = openPart(record, reference, blobs[0]?.bytes ?? Buffer.of(), key);
  expect(part.d).toHaveLength(2);
  return part;
}

function bindAll(vault: Vault): PropertyDescriptorMap {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(vault)).filter(
    (name) => name !== 'constructor',
  );
  return Object.fromEntries(
    names.map((name) => [name, { value: Reflect.get(vault, name).bind(vault), configurable: true }]),
  );
}

function sha256Of(name: string, text: string): string {
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash(name).update(text).digest('hex');
}
