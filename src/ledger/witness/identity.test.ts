import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../tlog/base64.ts';
import { signCheckpoint } from '../../tlog/checkpoint.ts';
import { MemoryTree } from '../../tlog/memory-tree.ts';
import { consistencyProof } from '../../tlog/merkle.ts';
import type { NoteSigner } from '../../tlog/note.ts';
import {
  formatVerifierKey,
  keyId,
  SIGNATURE_TYPES,
  type SignerKey,
  verifierKey,
} from '../../tlog/note-key.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { generateLogKey, logSigner, verifierKeyOf } from '../log/node-signatures.ts';
import {
  createWitnessDirectory,
  describeWitness,
  distrustKeys,
  openWitnessDirectory,
  trustLogs,
  watchedLogs,
} from './keys.ts';
import { openWitnessState, type WitnessState } from './state.ts';
import { logVerifiers, watchedLog } from './watched-log.ts';
import { openWitness, originHash, type WitnessReply } from './witness.ts';

const ORIGIN = 'log.example/identity';
const hasher = nodeHasher();
const old = generateLogKey(ORIGIN);
const fresh = generateLogKey(ORIGIN);
const stranger = generateLogKey(ORIGIN);
const vkeyOf = (key: SignerKey): string => formatVerifierKey(verifierKeyOf(key));

let directory = '';
let state: WitnessState | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'comity-identity-'));
  rmSync(directory, { recursive: true });
  createWitnessDirectory(directory, 'witness.example/w');
});

afterEach(() => {
  state?.close();
  state = undefined;
  rmSync(directory, { recursive: true });
});

function treeOf(size: number, label: string): MemoryTree {
  const tree = new MemoryTree(hasher);
  for (let i = 0; i < size; i++) tree.append(Buffer.from(`${label} ${i}`));
  return tree;
}

interface Head {
  readonly size: number;
  readonly signers: readonly NoteSigner[];
  readonly label?: string;
  readonly origin?: string;
}

const noteOf = ({ size, signers, label = 'a', origin = ORIGIN }: Head): string =>
  signCheckpoint({ origin, size, root: treeOf(size, label).root(), extensions: [] }, signers);

/** Asks the witness in the directory, started anew each time. */
function add(from: number, head: Head, edit = (note: string): string => note): WitnessReply {
  const opened = openWitnessDirectory(directory);
  const witness = openWitness({
    keys: opened.keys,
    logs: watchedLogs(describeWitness(directory)),
    state: opened.state,
  });
  const proof = consistencyProof(treeOf(head.size, head.label ?? 'a').read, from, head.size, hasher);
  const lines = proof.map((hash) => `${encodeBase64(hash)}\n`).join('');
  const reply = witness.addCheckpoint(Buffer.from(`old ${from}\n${lines}\n${edit(noteOf(head))}`));
  opened.state.close();
  return reply;
}

const statusOf = (...args: Parameters<typeof add>): number => add(...args).status;
const signersOf = (...keys: readonly SignerKey[]) => keys.map(logSigner);

describe('a witness knows a log by its origin', () => {
  test('and by the keys that it trusts for it, however they are named', () => {
    const elsewhere = generateLogKey('keys.example/k');
    trustLogs(directory, [vkeyOf(elsewhere)], { origin: ORIGIN });
    expect(statusOf(0, { size: 5, signers: signersOf(elsewhere) })).toBe(200);
    // The name of the key is no log.
    expect(statusOf(0, { size: 5, signers: signersOf(elsewhere), origin: elsewhere.name })).toBe(404);
  });

  test('so that two logs under one origin are one log, of which one history is cosigned', () => {
    trustLogs(directory, [vkeyOf(old), vkeyOf(stranger)]);
    expect(describeWitness(directory).logs).toEqual([
      { origin: ORIGIN, keys: [vkeyOf(old), vkeyOf(stranger)] },
    ]);
    expect(statusOf(0, { size: 5, signers: signersOf(old) })).toBe(200);
    expect(add(0, { size: 5, signers: signersOf(stranger), label: 'b' })).toMatchObject({
      status: 409,
      body: '5\n',
    });
    expect(statusOf(5, { size: 5, signers: signersOf(stranger), label: 'b' })).toBe(422);
    expect(statusOf(5, { size: 9, signers: signersOf(stranger), label: 'b' })).toBe(422);
    expect(statusOf(5, { size: 9, signers: signersOf(stranger) })).toBe(200);
  });

  test('so that one key signs for two logs, each with a history of its own', () => {
    trustLogs(directory, [vkeyOf(old)]);
    trustLogs(directory, [vkeyOf(old)], { origin: 'log.example/second' });
    const second = { signers: signersOf(old), label: 'b', origin: 'log.example/second' };
    expect(statusOf(0, { size: 5, signers: signersOf(old) })).toBe(200);
    expect(statusOf(0, { size: 3, ...second })).toBe(200);
    expect(statusOf(5, { size: 7, ...second })).toBe(409);
    expect(statusOf(3, { size: 7, ...second })).toBe(200);
    expect(statusOf(5, { size: 6, signers: signersOf(old) })).toBe(200);
  });

  test('and lets no key sign for a log that it is not trusted for', () => {
    const other = generateLogKey('log.example/other');
    trustLogs(directory, [vkeyOf(old), vkeyOf(other)]);
    expect(statusOf(0, { size: 5, signers: signersOf(other) })).toBe(403);
    expect(statusOf(0, { size: 5, signers: signersOf(other), origin: other.name })).toBe(200);
  });
});

describe('another key of the same name', () => {
  beforeEach(() => void trustLogs(directory, [vkeyOf(old)]));

  test('signs nothing, is ignored beside the right one, and spoils the note if it claims to be it', () => {
    expect(statusOf(0, { size: 5, signers: signersOf(stranger) })).toBe(403);
    expect(statusOf(0, { size: 5, signers: signersOf(stranger, old) })).toBe(200);
    const { name, keyId: id } = verifierKeyOf(old);
    const posing: NoteSigner = { name, keyId: id, sign: () => Buffer.alloc(64) };
    expect(statusOf(5, { size: 9, signers: [posing] })).toBe(403);
    trustLogs(directory, [vkeyOf(fresh)], { anotherKey: true });
    // Beside a signature that holds: C2SP signed-note calls the note malformed.
    expect(statusOf(5, { size: 9, signers: [...signersOf(fresh), posing] })).toBe(403);
    expect(statusOf(5, { size: 9, signers: signersOf(fresh) })).toBe(200);
  });

  test('is not trusted by the way: whoever holds it could go on with the log', () => {
    expect(() => trustLogs(directory, [vkeyOf(stranger)])).toThrow(
      'log `log.example/identity` is watched already, with another key',
    );
    expect(trustLogs(directory, [vkeyOf(old)]).logs).toHaveLength(1);
    expect(statusOf(0, { size: 5, signers: signersOf(stranger) })).toBe(403);
  });
});

describe('a log that changes its key', () => {
  test('goes on where it was, and the old key can be taken away', () => {
    trustLogs(directory, [vkeyOf(old)]);
    expect(statusOf(0, { size: 5, signers: signersOf(old) })).toBe(200);
    // Signed by both, it is taken for the old key’s sake; the new one alone says nothing yet.
    const both = add(5, { size: 7, signers: signersOf(old, fresh) });
    expect(both.status).toBe(200);
    expect(statusOf(7, { size: 8, signers: signersOf(fresh) })).toBe(403);
    trustLogs(directory, [vkeyOf(fresh)], { anotherKey: true });
    expect(statusOf(0, { size: 8, signers: signersOf(fresh), label: 'b' })).toBe(409);
    expect(statusOf(7, { size: 8, signers: signersOf(fresh), label: 'b' })).toBe(422);
    expect(statusOf(7, { size: 8, signers: signersOf(fresh) })).toBe(200);
    distrustKeys(directory, [vkeyOf(old)]);
    expect(statusOf(8, { size: 9, signers: signersOf(old) })).toBe(403);
    expect(statusOf(8, { size: 9, signers: signersOf(fresh) })).toBe(200);
  });

  test('is served with the signatures that were verified, and no others', () => {
    trustLogs(directory, [vkeyOf(old)]);
    add(0, { size: 5, signers: signersOf(fresh, old) });
    const opened = openWitnessDirectory(directory);
    state = opened.state;
    const witness = openWitness({
      keys: opened.keys,
      logs: watchedLogs(describeWitness(directory)),
      state: opened.state,
    });
    const note = witness.checkpoint(originHash(ORIGIN)) ?? '';
    expect(note).toContain(noteOf({ size: 5, signers: signersOf(old) }));
    expect(note.match(/^— /gm)).toHaveLength(3);
  });

  test('is remembered when no key of it is trusted any more, and when one is again', () => {
    trustLogs(directory, [vkeyOf(old)]);
    expect(statusOf(0, { size: 5, signers: signersOf(old) })).toBe(200);
    expect(distrustKeys(directory, [vkeyOf(old)]).logs).toEqual([]);
    expect(statusOf(5, { size: 6, signers: signersOf(old) })).toBe(404);
    trustLogs(directory, [vkeyOf(old)]);
    expect(add(0, { size: 6, signers: signersOf(old) })).toMatchObject({ status: 409, body: '5\n' });
    expect(() => distrustKeys(directory, [vkeyOf(stranger)])).toThrow('is not trusted');
  });
});

describe('a key that no log may have', () => {
  test('is not trusted: one of the type of witnesses, or of a type that nothing here verifies', () => {
    const publicKey = verifierKeyOf(old).publicKey;
    const cosigning = verifierKey(ORIGIN, SIGNATURE_TYPES.ed25519Cosignature, publicKey);
    expect(() => trustLogs(directory, [formatVerifierKey(cosigning)])).toThrow(
      'type 4, which is not for a log',
    );
    const ecdsa = { name: ORIGIN, keyId: 7, type: 2, publicKey: Buffer.alloc(91, 1) };
    expect(() => trustLogs(directory, [formatVerifierKey(ecdsa)])).toThrow('type 2, which is not for a log');
    expect(describeWitness(directory).logs).toEqual([]);
  });

  test('is one of a pair that signature lines cannot tell apart', () => {
    // 32 bits are few: among 200 000 keys there are two with one ID.
    const seen = new Map<number, number>();
    const publicKeyOf = (i: number): Buffer => {
      const bytes = Buffer.alloc(32);
      bytes.writeUInt32BE(i);
      return bytes;
    };
    let pair: readonly [number, number] | undefined;
    for (let i = 0; pair === undefined && i < 400_000; i++) {
      const id = keyId(ORIGIN, SIGNATURE_TYPES.ed25519, publicKeyOf(i), hasher.sha256);
      const before = seen.get(id);
      if (before !== undefined) pair = [before, i];
      seen.set(id, i);
    }
    const keys = pair?.map((i) => verifierKey(ORIGIN, SIGNATURE_TYPES.ed25519, publicKeyOf(i))) ?? [];
    expect(keys[0]?.keyId).toBe(keys[1]?.keyId);
    expect(() => logVerifiers([{ origin: ORIGIN, keys }])).toThrow('have one name and one key ID');
    expect(() => trustLogs(directory, keys.map(formatVerifierKey))).toThrow('have one name and one key ID');
  });

  test('an origin that is listed twice is no answer to which keys it has', () => {
    const log = watchedLog(verifierKeyOf(old));
    expect(() => openWitness({ keys: [], logs: [log, log], state: openWitnessState(':memory:') })).toThrow(
      'is listed twice',
    );
  });

  test('a description in another form is damage, not an empty list', () => {
    const file = join(directory, 'witness.json');
    const about = JSON.parse(readFileSync(file, 'utf8'));
    for (const logs of [[vkeyOf(old)], [{ origin: ORIGIN, keys: [1] }], {}, [null]]) {
      writeFileSync(file, JSON.stringify({ ...about, logs }));
      expect(() => describeWitness(directory)).toThrow('does not describe a witness');
    }
  });
});
