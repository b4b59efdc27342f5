import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { encodeBase64 } from '../tlog/base64.ts';
import { signCheckpoint } from '../tlog/checkpoint.ts';
import { MemoryTree } from '../tlog/memory-tree.ts';
import { parseVerifierKey } from '../tlog/note-key.ts';
import type { Policy } from '../tlog/policy.ts';
import { LedgerError } from './errors.ts';
import { evidenceBytes } from './evidence/export.ts';
import { FILES } from './evidence/manifest.ts';
import { verifyEvidence } from './evidence/verify.ts';
import { readZip, ZipWriter } from './evidence/zip.ts';
import { createLogDirectory, openLogDirectory } from './log/directory.ts';
import { nodeHasher } from './log/node-hash.ts';
import { generateLogKey, logSigner, nodeSignatures, verifierKeyOf } from './log/node-signatures.ts';
import { canonicalBytes } from './record/canonical.ts';
import { mutatedBytes, mutatedJson, PROTOTYPE_NAMES, unpolluted } from './record/mutated.case.ts';
import { startProducer } from './record/producer.ts';
import { recordValidator } from './record/validate.ts';
import { listen } from './server/http.ts';
import { addCheckpoint } from './witness/client.ts';
import { createWitnessDirectory, describeWitness } from './witness/keys.ts';
import { monitorLog, NEW_MONITOR } from './witness/monitor.ts';
import { parseQuorum } from './witness/quorum.ts';
import { parseSplitView, splitView, verifySplitView } from './witness/split-view.ts';
import { openWitnessState } from './witness/state.ts';
import { watchedLog } from './witness/watched-log.ts';
import { openWitness } from './witness/witness.ts';

const ORIGIN = 'log.example/hostile';
vi.setConfig({ testTimeout: 300_000 });
const RUNS = { numRuns: process.env.COMITY_LONG === undefined ? 300 : 5000 };
const hasher = nodeHasher();
const logKey = generateLogKey(ORIGIN);
const key = verifierKeyOf(logKey);

let folder = '';
let archive: Uint8Array = new Uint8Array();
let policy: Policy;
let root = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'comity-hostile-'));
  const directory = join(folder, 'log');
  const [vkey = ''] = (await createLogDirectory(directory, ORIGIN)).keys;
  policy = {
    logs: [{ key: parseVerifierKey(vkey), url: undefined }],
    witnesses: [],
    groups: [],
    quorum: 'none',
  };
  const log = await openLogDirectory(directory, { publishEveryMs: 0 });
  const producer = startProducer({
    id: 'gateway-1',
    resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: [],
  });
  await log.appendAll(Array.from({ length: 20 }, () => ({ bytes: canonicalBytes(producer.heartbeat()) })));
  const older = (await log.publish()).note;
  await log.appendAll(Array.from({ length: 20 }, () => ({ bytes: canonicalBytes(producer.heartbeat()) })));
  const { note } = await log.publish();
  root = Buffer.from((await log.store.grow()).root).toString('base64');
  const ranges = [
    { from: 3, to: 4 },
    { from: 10, to: 17 },
  ];
  archive = await evidenceBytes({ store: log.store, ranges, note, olderHeads: [older] });
  await log.close();
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs, and gives the code of the one kind of error that may come out. */
function codeOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

function headOf(size: number, label = 'a') {
  const tree = new MemoryTree(hasher);
  for (let i = 0; i < size; i++) tree.append(Buffer.from(`${label} ${i}`));
  const note = signCheckpoint({ origin: ORIGIN, size, root: tree.root(), extensions: [] }, [
    logSigner(logKey),
  ]);
  return { tree, note };
}

describe('evidence that is nearly good', () => {
  const verdictOf = (bytes: Uint8Array) =>
    verifyEvidence(bytes, {
      policy,
      signatures: nodeSignatures,
      hasher,
      readRecord: recordValidator().parse,
    });

  async function withFile(name: string, bytes: Uint8Array): Promise<Uint8Array> {
    const target = Buffer.alloc(1 << 20);
    const zip = new ZipWriter({ write: (part, at) => void target.set(part, at) }, crc32);
    for (const [file, content] of new Map(readZip(archive)).set(name, bytes)) await zip.add(file, [content]);
    return new Uint8Array(target.subarray(0, zip.finish()));
  }

  test.each([FILES.manifest, FILES.checkpoint, FILES.proof, FILES.entries, 'proofs/10.tlog-proof'])(
    'in %s gets a verdict, and never one about another tree',
    async (name) => {
      const good = readZip(archive).get(name) ?? new Uint8Array();
      await fc.assert(
        fc.asyncProperty(
          name === FILES.manifest
            ? mutatedJson(JSON.parse(Buffer.from(good).toString())).map((text) => Buffer.from(text))
            : mutatedBytes(good),
          async (bytes) => {
            const bad = await withFile(name, bytes);
            const verdict = await unpolluted(() => verdictOf(bad));
            if (verdict.kind === 'INVALID') return;
            expect(verdict).toMatchObject({ kind: 'LOG-SIGNED ONLY', findings: { root, size: 40 } });
          },
        ),
        RUNS,
      );
    },
  );

  test('as an archive is read, or refused as one', async () => {
    await fc.assert(
      fc.asyncProperty(mutatedBytes(archive), async (bytes) => {
        expect(['INVALID', 'LOG-SIGNED ONLY']).toContain(verdictOf(bytes).kind);
      }),
      RUNS,
    );
  });
});

describe('a request to a witness that is nearly good', () => {
  test('gets a status of the specification, and a cosignature only over what the log signed', () => {
    const { tree, note } = headOf(9);
    const proof = tree.consistencyProof(5).map((hash) => `${encodeBase64(hash)}\n`);
    const good = Buffer.from(`old 5\n${proof.join('')}\n${note}`);
    fc.assert(
      fc.property(mutatedBytes(good), (bytes) => {
        const state = openWitnessState(':memory:');
        state.update(ORIGIN, () => ({ size: 5, root: tree.root(5), note: headOf(5).note }));
        const { status } = openWitness({ keys: [], logs: [watchedLog(key)], state }).addCheckpoint(bytes);
        const kept = state.head(ORIGIN);
        state.close();
        expect([200, 400, 403, 404, 409, 422]).toContain(status);
        expect(kept?.size).toBe(status === 200 ? 9 : 5);
        expect(Buffer.from(kept?.root ?? [])).toEqual(Buffer.from(tree.root(status === 200 ? 9 : 5)));
      }),
      RUNS,
    );
  });
});

describe('what others answer', () => {
  interface Answer {
    readonly status: number;
    readonly type: string;
    readonly body: Uint8Array;
  }
  const anyAnswer: fc.Arbitrary<Answer> = fc.record({
    status: fc.constantFrom(200, 204, 404, 409, 500),
    type: fc.constantFrom('text/plain', 'text/x.tlog.size', ''),
    body: fc.oneof<fc.Arbitrary<Uint8Array>[]>(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom('0\n', '-1\n', '99999999999999999999\n', '— x AAAA\n').map((text) => Buffer.from(text)),
      mutatedBytes(Buffer.from(headOf(5).note)),
    ),
  });

  test('a log takes from a witness as nothing, or as a signature of its key', async () => {
    let next: Answer = { status: 200, type: '', body: new Uint8Array() };
    const server = await listen(() => ({
      status: next.status,
      body: next.status === 204 ? '' : next.body,
      headers: { 'content-type': next.type },
    }));
    const { note } = headOf(5);
    await fc.assert(
      fc.asyncProperty(anyAnswer, async (answer) => {
        next = answer;
        const reply = await addCheckpoint(
          { name: 'w', key: verifierKeyOf(generateLogKey('w')), url: server.url },
          { old: 0, proof: [], note },
          AbortSignal.timeout(5000),
        );
        expect(['conflict', 'refused', 'absent']).toContain(reply.kind);
      }),
      { numRuns: 150 },
    );
    await server.close();
  });

  test('a monitor reports, and throws for none of it', async () => {
    let answers: readonly { readonly status: number; readonly body: Uint8Array }[] = [];
    let turn = 0;
    const { note } = headOf(5);
    const server = await listen((_request, path) => {
      const answer = answers[turn++ % answers.length];
      if (path === '/checkpoint' && (answer?.body.length ?? 0) % 2 === 0) return { status: 200, body: note };
      return { status: answer?.status ?? 404, body: answer?.status === 204 ? '' : (answer?.body ?? '') };
    });
    const log = { key, url: server.url };
    const asked: Policy = {
      logs: [log],
      witnesses: [{ name: 'w', key: verifierKeyOf(generateLogKey('w')), url: server.url }],
      groups: [],
      quorum: 'none',
    };
    await fc.assert(
      fc.asyncProperty(fc.array(anyAnswer, { minLength: 1, maxLength: 4 }), async (given) => {
        answers = given;
        const report = await monitorLog(log, NEW_MONITOR, { policy: asked, entries: true, patienceMs: 5000 });
        expect(report.findings.length).toBeGreaterThan(0);
        expect(report.findings.map(({ kind }) => kind)).not.toContain('split-view');
      }),
      { numRuns: 150 },
    );
    await server.close();
  });
});

describe('files that somebody gave', () => {
  test('a proof of two histories that is nearly one convinces only of two histories', () => {
    const [small, fork] = [headOf(5, 'b'), headOf(9)];
    const link = { root: fork.tree.root(5), consistency: fork.tree.consistencyProof(5) };
    const good = splitView(small.note, fork.note, link);
    expect(verifySplitView(good, [key], nodeSignatures).sizes).toEqual([5, 9]);
    fc.assert(
      fc.property(mutatedJson(good), (text) => {
        let sizes: readonly number[] = [5, 9];
        const code = codeOf(() => {
          ({ sizes } = verifySplitView(parseSplitView(text), [key], nodeSignatures));
        });
        expect(['none', 'bundle-invalid']).toContain(code);
        expect(sizes).toEqual([5, 9]);
      }),
      RUNS,
    );
  });

  test('a quorum file that is nearly one is read, or refused by one kind of error', () => {
    const witness = { name: 'w', key: `w+${'0'.repeat(8)}+AAAA`, country: 'de', operator: 'o', cloud: 'c' };
    const good = { v: 'comity.quorum/1', required: 1, rogue: 0, log_operator: 'acme', witnesses: [witness] };
    fc.assert(
      fc.property(mutatedJson(good), (text) => {
        expect(['none', 'quorum-invalid']).toContain(codeOf(() => parseQuorum(text)));
      }),
      RUNS,
    );
  });

  test('the description of a witness that is nearly one is read, or refused by one kind of error', () => {
    const directory = join(folder, 'w');
    const good = createWitnessDirectory(directory, 'witness.example/w');
    fc.assert(
      fc.property(mutatedJson(good), (text) => {
        writeFileSync(join(directory, 'witness.json'), text);
        expect(['none', 'damaged']).toContain(codeOf(() => describeWitness(directory)));
      }),
      RUNS,
    );
  });
});

describe('names that reach prototypes', () => {
  const producer = startProducer({
    id: 'gateway-1',
    resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
    retain: { class: 'logs', hold: false, min: 'P6M' },
    jur: [],
  });

  test.each(PROTOTYPE_NAMES)('%s is no field of a record, at any depth, and no event', async (name) => {
    const text = JSON.stringify(producer.heartbeat());
    const added = JSON.stringify({ polluted: true });
    const { parse } = recordValidator();
    const places = [...text.matchAll(/\{/g)].map(({ index }) => index + 1);
    expect(places.length).toBeGreaterThan(3);
    for (const at of places) {
      const bad = `${text.slice(0, at)}${JSON.stringify(name)}:${added},${text.slice(at)}`;
      expect(JSON.parse(bad)).toBeDefined();
      await unpolluted(() => expect(codeOf(() => parse(Buffer.from(bad)))).toBe('record-invalid'));
    }
    const event = text.replace(/"event_name":"[^"]+"/, `"event_name":${JSON.stringify(name)}`);
    expect(codeOf(() => parse(Buffer.from(event)))).toBe('record-invalid');
    expect('polluted' in {}).toBe(false);
  });

  test.each(PROTOTYPE_NAMES)('%s is written in canonical JSON like any other', (name) => {
    const value: unknown = JSON.parse(`{"b":1,${JSON.stringify(name)}:{"polluted":true},"a":2}`);
    const text = Buffer.from(canonicalBytes(value)).toString();
    expect(text).toContain(`${JSON.stringify(name)}:{"polluted":true}`);
    expect(Buffer.from(canonicalBytes(JSON.parse(text))).toString()).toBe(text);
  });
});
