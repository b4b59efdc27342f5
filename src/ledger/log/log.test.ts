import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../tlog/checkpoint.ts';
import { noteVerifier } from '../../tlog/cosignature.ts';
import { verifyConsistency, verifyInclusion } from '../../tlog/merkle.ts';
import { nobleSignatures } from '../../tlog/noble.ts';
import { parseVerifierKey } from '../../tlog/note-key.ts';
import { openFilesStore } from '../files/files-store.ts';
import { Appender } from './appender.ts';
import { createLogDirectory, openLogDirectory, readLogKey } from './directory.ts';
import { type Log, openLog } from './log.ts';
import { nodeHasher } from './node-hash.ts';
import { generateLogKey, logSigner, nodeSignatures, verifierKeyOf } from './node-signatures.ts';
import { entriesOf, entryOf } from './store.case.ts';
import type { LogStore } from './store.ts';

const ORIGIN = 'log.example/records';
let directory = '';
let vkey = '';

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-log-'));
  vkey = (await createLogDirectory(directory, ORIGIN)).keys[0] ?? '';
});

afterEach(() => rmSync(directory, { recursive: true }));

const quiet = { publishEveryMs: 0 };
const text = (i: number) => Buffer.from(`entry ${i}`);
const openedBy = (note: string, keys = [vkey]) =>
  openCheckpoint(
    note,
    ORIGIN,
    keys.map((key) => noteVerifier(parseVerifierKey(key), nobleSignatures)),
  );
const publishedFile = () => readFileSync(join(directory, 'checkpoint'), 'utf8');

async function withLog(run: (log: Log) => Promise<void>, options = {}): Promise<void> {
  const log = await openLogDirectory(directory, { ...quiet, ...options });
  try {
    await run(log);
  } finally {
    await log.close();
  }
}

describe('a log', () => {
  test('acknowledges entries with their index, and proves them under a checkpoint that anybody can verify', () =>
    withLog(async (log) => {
      const appended = await log.appendAll(Array.from({ length: 300 }, (_, i) => ({ bytes: text(i) })));
      expect(appended.map(({ index }) => index)).toEqual(Array.from({ length: 300 }, (_, i) => i));
      await log.publish();
      const { checkpoint } = openedBy(publishedFile());
      expect(checkpoint.size).toBe(300);
      const proof = await log.tree().inclusionProof(42);
      const leaf = nodeHasher().leaf(await log.read(42));
      verifyInclusion({ index: 42, size: 300, leaf, root: checkpoint.root }, proof);
    }));

  test('gives entries back in order', () =>
    withLog(async (log) => {
      await log.appendAll(Array.from({ length: 600 }, (_, i) => ({ bytes: text(i) })));
      const seen: string[] = [];
      for await (const entries of log.entries(250, 590)) {
        seen.push(...entries.map((entry) => Buffer.from(entry).toString()));
      }
      expect(seen).toEqual(Array.from({ length: 340 }, (_, i) => `entry ${250 + i}`));
    }));

  test('extends every checkpoint that it published', () =>
    withLog(async (log) => {
      await log.append(text(0));
      const first = await log.publish();
      await log.append(text(1));
      const second = await log.publish();
      const proof = await log.tree().consistencyProof(first.size);
      verifyConsistency(
        { oldSize: first.size, oldRoot: first.root, newSize: second.size, newRoot: second.root },
        proof,
      );
    }));

  test('publishes nothing again that did not change', () =>
    withLog(async (log) => {
      await log.append(text(0));
      const first = await log.publish();
      const before = statSync(join(directory, 'checkpoint')).ino;
      expect(await log.publish()).toBe(first);
      expect(statSync(join(directory, 'checkpoint')).ino).toBe(before);
      expect(await log.store.heads()).toHaveLength(1);
    }));

  test('publishes by itself, and says what it published last when it is opened again', async () => {
    const log = await openLogDirectory(directory, { publishEveryMs: 20 });
    await log.append(text(0));
    await expect.poll(() => log.published()?.size).toBe(1);
    await log.append(text(1));
    await log.close();
    expect(openedBy(publishedFile()).checkpoint.size).toBe(2);
    await withLog(async (again) => expect(again.published()?.size).toBe(2));
  });

  test('puts a head in place that a crash kept from being published', async () => {
    await withLog(async (log) => {
      await log.append(text(0));
      await log.publish();
    });
    rmSync(join(directory, 'checkpoint'));
    await withLog(async () => expect(openedBy(publishedFile()).checkpoint.size).toBe(1));
  });

  test('keeps a head before anybody sees it', () =>
    withLog(
      async (log) => {
        await log.append(text(0));
        await log.publish();
      },
      {
        cosign: async (head: { note: string }) => {
          const { store } = await openReadOnly();
          expect(store.map(({ note }) => note)).toContain(head.note);
          return head.note;
        },
      },
    ));

  test('publishes what its witnesses sent back', () =>
    withLog(
      async (log) => {
        await log.append(text(0));
        const head = await log.publish();
        expect(head.note).toMatch(/— witness\.example /);
        expect(publishedFile()).toBe(head.note);
        expect((await log.store.head())?.note).toBe(head.note);
      },
      { cosign: async (head: { note: string }) => `${head.note}— witness.example AAAAAAE=\n` },
    ));

  test('says when a checkpoint could not be published, and tries again', async () => {
    const problems: unknown[] = [];
    let failures = 2;
    const log = await openLogDirectory(directory, {
      publishEveryMs: 10,
      onProblem: (problem) => problems.push(problem),
      cosign: async (head) => {
        failures -= 1;
        if (failures >= 0) throw new Error('no witness answers');
        return head.note;
      },
    });
    await log.append(text(0));
    await expect.poll(() => log.published()?.size).toBe(1);
    expect(problems).toHaveLength(2);
    await log.close();
  });

  test('does not publish a head that witnesses have not seen, also when it is opened again', async () => {
    const silent = () => Promise.reject(new Error('no witness answers'));
    const witnessed = async (head: { note: string }) => `${head.note}— witness.example AAAAAAE=\n`;
    await withLog(
      async (log) => {
        await log.append(text(0));
        await log.publish();
      },
      { cosign: witnessed },
    );
    const before = publishedFile();
    await withLog(
      async (log) => {
        await log.append(text(1));
        await expect(log.publish()).rejects.toThrow('no witness answers');
        expect(log.published()?.size).toBe(1);
      },
      { cosign: silent },
    );
    await withLog(async (log) => expect(log.published()?.note).toBe(before), { cosign: silent });
    expect(publishedFile()).toBe(before);
    await withLog(
      async (log) => {
        expect((await log.publish()).size).toBe(2);
        expect(publishedFile()).toMatch(/— witness\.example /);
      },
      { cosign: witnessed },
    );
  });

  test('keeps its heads in order of time when the clock is set back', async () => {
    const times = [5000, 4000, 6000];
    await withLog(
      async (log) => {
        for (let i = 0; i < 3; i++) {
          await log.append(text(i));
          await log.publish();
        }
        expect((await log.store.heads()).map(({ at }) => at)).toEqual([5000, 5000, 6000]);
      },
      { now: () => times.shift() ?? 0 },
    );
  });

  test('signs nothing over a store that lost what was signed', async () => {
    const { store } = await openFilesStore(directory);
    const lying: LogStore = Object.create(store, {
      grow: { value: async () => ({ size: 1, root: Buffer.alloc(32, 9) }) },
      append: { value: store.append.bind(store) },
      head: { value: store.head.bind(store) },
      swapHead: { value: store.swapHead.bind(store) },
      publish: { value: store.publish.bind(store) },
      readTile: { value: async () => Buffer.alloc(32, 9) },
      close: { value: store.close.bind(store) },
    });
    await store.append([entryOf('a')]);
    await store.swapHead(undefined, { ...(await store.grow()), note: 'x', at: 1 });
    const log = await openLog({
      origin: ORIGIN,
      store: lying,
      signers: [logSigner(readLogKey(directory))],
      publishEveryMs: 0,
    });
    await expect(log.publish()).rejects.toMatchObject({ code: 'damaged' });
    await log.close();
  });

  test('announces a new key in the log, signs with both, then with the new one alone', () =>
    withLog(async (log) => {
      await log.append(text(0));
      const key = generateLogKey(ORIGIN);
      const both = await log.rotate(logSigner(key), Buffer.from('new key'));
      expect(both.note.split('\n').filter((line) => line.startsWith('— '))).toHaveLength(2);
      expect(openedBy(both.note).checkpoint.size).toBe(2);
      log.retire(verifierKeyOf(readLogKey(directory)).keyId);
      await log.append(text(1));
      const later = await log.publish();
      expect(() => openedBy(later.note)).toThrow(/no signature by a known key/);
      expect(() => log.retire(verifierKeyOf(key).keyId)).toThrow(/no key to sign with/);
    }));
});

describe('a key file', () => {
  test('is readable by its owner only, and refused otherwise', async () => {
    const file = join(directory, 'log.key');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    chmodSync(file, 0o640);
    await expect(openLogDirectory(directory)).rejects.toMatchObject({ code: 'key-invalid' });
    rmSync(file);
    await expect(openLogDirectory(directory)).rejects.toMatchObject({ code: 'key-invalid' });
  });

  test('is never part of a message', async () => {
    const secret = readFileSync(join(directory, 'log.key'), 'utf8').trim().split('+').at(-1) ?? '';
    chmodSync(join(directory, 'log.key'), 0o644);
    const error = await openLogDirectory(directory).catch((reason: unknown) => reason);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(secret);
  });
});

describe('signatures by OpenSSL', () => {
  test('agree with the portable ones', () => {
    const key = generateLogKey(ORIGIN);
    const { publicKey } = verifierKeyOf(key);
    const message = Buffer.from('hello\n');
    const signature = logSigner(key).sign('hello\n');
    for (const verifiers of [nodeSignatures, nobleSignatures]) {
      expect(verifiers.verifyEd25519(publicKey, message, signature)).toBe(true);
      expect(verifiers.verifyEd25519(publicKey, Buffer.from('hullo\n'), signature)).toBe(false);
      expect(verifiers.verifyEd25519(publicKey.subarray(1), message, signature)).toBe(false);
      expect(verifiers.verifyEd25519(publicKey, message, signature.subarray(1))).toBe(false);
      expect(verifiers.verifyMlDsa44(new Uint8Array(1312), message, new Uint8Array(2420))).toBe(false);
      expect(verifiers.verifyEs256(new Uint8Array(65), message, new Uint8Array(64))).toBe(false);
    }
  });
});

describe('an appender', () => {
  /** A store that appends when it is told to. */
  function slowStore() {
    const batches: number[] = [];
    const gates: (() => void)[] = [];
    let size = 0;
    const append: LogStore['append'] = (entries) =>
      new Promise((resolve) => {
        batches.push(entries.length);
        gates.push(() => resolve(entries.map(() => ({ kind: 'appended', index: size++ }))));
      });
    const store = { kind: 'files', maxConcurrentAppends: 1, append } as unknown as LogStore;
    return { store, batches, release: () => gates.shift()?.() };
  }

  const appended = (appender: Appender, name: string, key = name) => {
    const entry = entryOf(name, key);
    return appender.append(entry.bytes, entry.key);
  };

  test('puts what arrives during a batch into the next', async () => {
    const { store, batches, release } = slowStore();
    const appender = new Appender(store, nodeHasher());
    const first = appended(appender, 'a');
    await new Promise(setImmediate);
    const rest = ['b', 'c', 'd'].map((name) => appended(appender, name));
    release();
    await first;
    await expect.poll(() => batches).toEqual([1, 3]);
    release();
    expect((await Promise.all(rest)).map(({ index }) => index)).toEqual([1, 2, 3]);
  });

  test('lets a second sender of the same entry join the first', async () => {
    const { store, batches, release } = slowStore();
    const appender = new Appender(store, nodeHasher());
    const [one, two] = [appended(appender, 'a'), appended(appender, 'a')];
    await expect(appended(appender, 'other', 'a')).rejects.toMatchObject({ code: 'idempotency-conflict' });
    await expect.poll(() => batches).toEqual([1]);
    release();
    expect(await one).toMatchObject({ index: 0, duplicate: false });
    expect(await two).toMatchObject({ index: 0, duplicate: true });
  });

  test('refuses more than fits into its memory, and says when to come back', async () => {
    const { store, release } = slowStore();
    const limits = { batchEntries: 10, batchBytes: 10_000, queueBytes: 20_000 };
    const appender = new Appender(store, nodeHasher(), limits);
    const accepted: Promise<unknown>[] = [];
    const refused: unknown[] = [];
    for (const { bytes, key } of entriesOf(100)) {
      accepted.push(appender.append(bytes, key).catch((error: unknown) => refused.push(error)));
    }
    expect(appender.waitingBytes).toBeLessThanOrEqual(20_000);
    await expect.poll(() => refused.length).toBeGreaterThan(50);
    expect(refused[0]).toMatchObject({ code: 'overloaded', retryAfterMs: expect.any(Number) });
    const timer = setInterval(release, 1);
    await Promise.all(accepted);
    clearInterval(timer);
    expect(appender.waitingBytes).toBe(0);
    const retried = appended(appender, 'afterwards');
    await new Promise(setImmediate);
    release();
    await retried;
  });

  test('refuses what does not fit into an entry, and everything once closed', async () => {
    const { store } = slowStore();
    const appender = new Appender(store, nodeHasher());
    await expect(appender.append(Buffer.alloc(65_536), Buffer.alloc(16))).rejects.toMatchObject({
      code: 'entry-too-large',
    });
    await appender.close();
    await expect(appended(appender, 'a')).rejects.toMatchObject({ code: 'closed' });
  });
});

async function openReadOnly() {
  const { openState } = await import('../files/state.ts');
  const heads = openState(directory, { readOnly: true });
  const store = heads.all();
  heads.close();
  return { store };
}
