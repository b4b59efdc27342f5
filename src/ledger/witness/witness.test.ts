import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../tlog/base64.ts';
import { parseCheckpoint, signCheckpoint } from '../../tlog/checkpoint.ts';
import { noteVerifier } from '../../tlog/cosignature.ts';
import { MemoryTree } from '../../tlog/memory-tree.ts';
import { consistencyProof } from '../../tlog/merkle.ts';
import { parseSignatureLines, verifyNote } from '../../tlog/note.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { generateLogKey, logSigner, nodeSignatures, verifierKeyOf } from '../log/node-signatures.ts';
import { createWitnessDirectory, openWitnessDirectory } from './keys.ts';
import { serveWitness } from './serve.ts';
import { openWitnessState, type WitnessState } from './state.ts';
import { watchedLog } from './watched-log.ts';
import { openWitness, originHash, type Witness, type WitnessKey } from './witness.ts';

const ORIGIN = 'log.example/witnessed';
const logKey = generateLogKey(ORIGIN);
const hasher = nodeHasher();

/** A tree whose entries carry a label, so that two trees can differ. */
function treeOf(size: number, label = 'a'): MemoryTree {
  const tree = new MemoryTree(hasher);
  for (let i = 0; i < size; i++) tree.append(Buffer.from(`${label} ${i}`));
  return tree;
}

const signed = (size: number, root: Uint8Array, key = logKey, extensions: readonly string[] = []): string =>
  signCheckpoint({ origin: key.name, size, root, extensions }, [logSigner(key)]);
const noteOf = (size: number, label?: string): string => signed(size, treeOf(size, label).root());
const proofOf = (from: number, to: number, label?: string): readonly string[] =>
  consistencyProof(treeOf(to, label).read, from, to, hasher).map(encodeBase64);
const bodyOf = (old: number | string, proof: readonly string[], note: string): Buffer =>
  Buffer.from(`old ${old}\n${proof.map((line) => `${line}\n`).join('')}\n${note}`);

let directory = '';
let keys: readonly WitnessKey[] = [];
let state: WitnessState;
let witness: Witness;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'comity-witness-'));
  createWitnessDirectory(join(directory, 'w'), 'witness.example/w');
  ({ keys, state } = openWitnessDirectory(join(directory, 'w')));
  witness = openWitness({
    keys,
    logs: [watchedLog(verifierKeyOf(logKey))],
    state,
    now: () => 1_800_000_000_500,
  });
});

afterEach(() => {
  state.close();
  rmSync(directory, { recursive: true });
});

const add = (old: number | string, proof: readonly string[], note: string) =>
  witness.addCheckpoint(bodyOf(old, proof, note));

describe('a witness', () => {
  test('cosigns the first head it sees, and what extends it, with both of its keys', () => {
    for (const [old, size] of [
      [0, 5],
      [5, 12],
      [12, 12],
    ] as const) {
      const reply = add(old, old === 0 ? [] : proofOf(old, size), noteOf(size));
      expect(reply.status).toBe(200);
      const { text } = parseCheckpoint(noteOf(size)).note;
      const lines = parseSignatureLines(reply.body);
      const verified = verifyNote(
        { text, signatures: lines },
        keys.map(({ key }) => noteVerifier(key, nodeSignatures)),
      );
      expect(verified).toHaveLength(2);
    }
  });

  test('serves the newest head with the signatures of the log and its own', () => {
    add(0, [], noteOf(5));
    const note = witness.checkpoint(originHash(ORIGIN)) ?? '';
    const verifiers = [verifierKeyOf(logKey), ...keys.map(({ key }) => key)].map((key) =>
      noteVerifier(key, nodeSignatures),
    );
    expect(verifyNote(parseCheckpoint(note).note, verifiers)).toHaveLength(3);
    expect(witness.checkpoint(originHash('other.example'))).toBeUndefined();
  });

  const stranger = generateLogKey('stranger.example');
  const impostor = generateLogKey(ORIGIN);
  const broken = (note: string): string =>
    note.replace(/.{4}\n$/, (end) => (end.startsWith('AAA') ? 'BBB=\n' : `AAA${end.slice(3)}`));

  test.each<readonly [string, number, () => readonly [number | string, readonly string[], string]]>([
    ['an old size larger than the checkpoint', 400, () => [9, [], noteOf(8)]],
    ['an old size with a leading zero', 400, () => ['05', proofOf(5, 8), noteOf(8)]],
    ['a negative old size', 400, () => ['-1', [], noteOf(8)]],
    [
      '64 proof lines',
      400,
      () => [5, Array.from({ length: 64 }, () => encodeBase64(hasher.emptyRoot)), noteOf(8)],
    ],
    ['a proof line that is no hash', 400, () => [5, ['AAAA'], noteOf(8)]],
    ['a checkpoint that is none', 400, () => [5, [], 'hello\n']],
    ['a log that it does not know', 404, () => [0, [], signed(8, treeOf(8).root(), stranger)]],
    ['a key that is not the log’s', 403, () => [5, proofOf(5, 8), signed(8, treeOf(8).root(), impostor)]],
    ['a signature of the log that fails', 403, () => [5, proofOf(5, 8), broken(noteOf(8))]],
    ['an old size that it did not cosign', 409, () => [4, proofOf(4, 8), noteOf(8)]],
    ['old size zero after it cosigned', 409, () => [0, [], noteOf(8)]],
    ['a proof that does not verify', 422, () => [5, proofOf(4, 8), noteOf(8)]],
    ['another history', 422, () => [5, proofOf(5, 8, 'b'), noteOf(8, 'b')]],
    ['another root of the same size', 422, () => [5, [], noteOf(5, 'b')]],
    ['a needless proof for the same size', 422, () => [5, [encodeBase64(hasher.emptyRoot)], noteOf(5)]],
  ])('answers %s with %i, and changes nothing', (_what, status, request) => {
    expect(add(0, [], noteOf(5)).status).toBe(200);
    const before = state.head(ORIGIN)?.note;
    const reply = add(...request());
    expect(reply.status).toBe(status);
    if (status === 409) expect(reply).toMatchObject({ body: '5\n', contentType: 'text/x.tlog.size' });
    expect(state.head(ORIGIN)?.note).toBe(before);
  });

  test.each<readonly [string, number, () => readonly [number, readonly string[], string]]>([
    ['a proof from nothing', 422, () => [0, [encodeBase64(hasher.emptyRoot)], noteOf(5)]],
    ['an empty tree with another root', 422, () => [0, [], signed(0, Buffer.alloc(32, 1))]],
    ['the empty tree', 200, () => [0, [], signed(0, hasher.emptyRoot)]],
  ])('that remembers nothing answers %s with %i', (_what, status, request) => {
    expect(add(...request()).status).toBe(status);
  });

  test('leaves out the signature that would not cover extension lines', () => {
    const reply = add(0, [], signed(5, treeOf(5).root(), logKey, ['more']));
    expect(parseSignatureLines(reply.body)).toHaveLength(1);
  });

  test('is not rolled back by a slower request: of two from one size, one is refused', () => {
    add(0, [], noteOf(5));
    expect(add(5, proofOf(5, 9), noteOf(9)).status).toBe(200);
    expect(add(5, proofOf(5, 7), noteOf(7))).toMatchObject({ status: 409, body: '9\n' });
  });

  test('remembers in the file before it answers, so another process cannot be shown a fork', () => {
    add(0, [], noteOf(5));
    const second = openWitnessState(join(directory, 'w', 'witness.db'));
    const other = openWitness({ keys, logs: [watchedLog(verifierKeyOf(logKey))], state: second });
    expect(other.addCheckpoint(bodyOf(0, [], noteOf(6, 'b')))).toMatchObject({ status: 409, body: '5\n' });
    second.close();
  });

  test('answers nothing when it cannot remember', () => {
    const failing: WitnessState = {
      head: () => undefined,
      close: () => undefined,
      update: (_origin, decide) => {
        decide(undefined);
        throw new Error('disk');
      },
    };
    const other = openWitness({ keys, logs: [watchedLog(verifierKeyOf(logKey))], state: failing });
    expect(() => other.addCheckpoint(bodyOf(0, [], noteOf(5)))).toThrow('disk');
  });

  test('does not start with an empty memory where there was one', () => {
    rmSync(join(directory, 'w', 'witness.db'));
    expect(() => openWitnessDirectory(join(directory, 'w'))).toThrow(
      /memory `witness.db` of the witness is missing/,
    );
    openWitnessState(join(directory, 'w', 'witness.db')).close();
  });

  test('answers any bytes with a status, and cosigns none of them', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(`old 0\n\n${text}`)),
        ),
        (bytes) => {
          expect([400, 403, 404]).toContain(witness.addCheckpoint(bytes).status);
        },
      ),
    );
  });
});

describe('a witness over HTTP', () => {
  test('answers as the specification says, and nothing else', async () => {
    const server = await serveWitness(witness);
    const at = (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init);
    try {
      const path = `/${originHash(ORIGIN)}/checkpoint`;
      expect((await at(path)).status).toBe(404);
      const added = await at('/add-checkpoint', {
        method: 'POST',
        body: new Uint8Array(bodyOf(0, [], noteOf(5))),
      });
      expect(added.status).toBe(200);
      const conflict = await at('/add-checkpoint', {
        method: 'POST',
        body: new Uint8Array(bodyOf(0, [], noteOf(5))),
      });
      expect([conflict.status, conflict.headers.get('content-type'), await conflict.text()]).toEqual([
        409,
        'text/x.tlog.size',
        '5\n',
      ]);
      const served = await (await at(path)).text();
      expect(served.startsWith(noteOf(5))).toBe(true);
      expect(served.endsWith(await added.text())).toBe(true);
      expect((await at('/add-checkpoint')).status).toBe(405);
      expect((await at(path, { method: 'POST' })).status).toBe(405);
      expect((await at('/../witness.key')).status).toBe(404);
      expect((await at('/add-checkpoint', { method: 'POST', body: 'x'.repeat(300_000) })).status).toBe(413);
    } finally {
      await server.close();
    }
  });
});
