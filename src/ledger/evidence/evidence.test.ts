import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { cosigner } from '../../tlog/cosignature.ts';
import { MemoryTree } from '../../tlog/memory-tree.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign, nobleSignatures } from '../../tlog/noble.ts';
import { formatSignatureLine } from '../../tlog/note.ts';
import { formatVerifierKey, SIGNATURE_TYPES, verifierKey } from '../../tlog/note-key.ts';
import { parsePolicy } from '../../tlog/policy.ts';
import { parseProof, verifyProof } from '../../tlog/proof.ts';
import { openFilesVault } from '../files/vault.ts';
import { type Ledger, openLedger } from '../ledger.ts';
import { createLogDirectory, openLogDirectory, readLogKey, replaceLogKey } from '../log/directory.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { generateLogKey, logSigner, nodeSignatures, verifierKeyOf } from '../log/node-signatures.ts';
import { canonicalBytes } from '../record/canonical.ts';
import { startProducer } from '../record/producer.ts';
import { recordValidator } from '../record/validate.ts';
import { localWrapper } from '../sealing/wrapping.ts';
import { evidenceBytes, exportEvidence } from './export.ts';
import { FILES, parseManifest } from './manifest.ts';
import { multiproofNodes, rangesOf, rootFromMultiproof } from './multiproof.ts';
import { doesNotProve } from './verdict.ts';
import { verifyEvidence } from './verify.ts';
import { readZip, ZipWriter } from './zip.ts';

const ORIGIN = 'log.example/evidence';

const WITNESSES = ['de', 'br', 'jp', 'ch'].map((country, i) => {
  const seed = Buffer.alloc(32, i + 1);
  const key = verifierKey(
    `witness.${country}.example`,
    SIGNATURE_TYPES.ed25519Cosignature,
    nobleEd25519PublicKey(seed),
  );
  return { country, key, sign: nobleEd25519Sign(seed) };
});

/** Adds the cosignatures of the first `count` witnesses, an hour apart. */
function cosigned(note: string, count: number): string {
  const { text } = parseCheckpoint(note).note;
  const lines = WITNESSES.slice(0, count).map(({ key, sign }, i) => {
    const signature = cosigner(key, sign, 1_800_000_000 + 3600 * i).sign(text);
    return formatSignatureLine({ name: key.name, keyId: key.keyId, signature });
  });
  return note + lines.join('');
}

const policyOf = (logKeys: readonly string[]) =>
  parsePolicy(
    [
      ...logKeys.map((key) => `log ${key}`),
      ...WITNESSES.map(({ country, key }) => `witness ${country} ${formatVerifierKey(key)}`),
      'group countries 3 de br jp ch',
      'quorum countries',
      '',
    ].join('\n'),
  );

const producer = startProducer({
  id: 'gateway-1',
  resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
  retain: { class: 'logs', hold: false, min: 'P0D' },
  jur: [],
});

const call = () =>
  producer.record('gen_ai.client.inference.operation.details', {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'example',
    'gen_ai.request.model': 'm',
  });

let directory = '';
let logKey = '';
let ledger: Ledger;
/** Heads of 5 and of 40 entries. */
let early = '';
let late = '';
const { parse } = recordValidator();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-evidence-'));
  logKey = (await createLogDirectory(join(directory, 'log'), ORIGIN)).keys[0] ?? '';
  const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 });
  const vault = await openFilesVault(join(directory, 'vault'), { wrapper: localWrapper(randomBytes(32)) });
  ledger = await openLedger({ log, vault, producer });
  const submissions = Array.from({ length: 40 }, (_, i) => ({
    record: call(),
    seal: [{ subjects: [`person ${i}`] as const, fields: { prompt: `prompt ${i}`, age: i } }],
  }));
  await ledger.append(submissions.slice(0, 5));
  early = (await log.publish()).note;
  await ledger.append(submissions.slice(5));
  late = (await log.publish()).note;
});

afterAll(async () => {
  await ledger.close();
  rmSync(directory, { recursive: true });
});

const RANGES = rangesOf([3, 7, 8, 9, 31]);

const bundle = (options: Partial<Parameters<typeof evidenceBytes>[0]> = {}) =>
  evidenceBytes({ store: ledger.log.store, ranges: RANGES, note: cosigned(late, 4), ...options });

const verify = (archive: Uint8Array, options: Partial<Parameters<typeof verifyEvidence>[1]> = {}) =>
  verifyEvidence(archive, {
    policy: policyOf([logKey]),
    signatures: nodeSignatures,
    hasher: nodeHasher(),
    readRecord: parse,
    ...options,
  });

/** The archive with some of its files replaced, or removed with `undefined`. */
async function tampered(
  archive: Uint8Array,
  change: (files: Map<string, Uint8Array>) => void,
): Promise<Uint8Array> {
  const files = new Map([...readZip(archive)].map(([name, bytes]) => [name, Uint8Array.from(bytes)]));
  change(files);
  let buffer = Buffer.alloc(0);
  const zip = new ZipWriter(
    {
      write(bytes, at) {
        const grown = Buffer.alloc(Math.max(buffer.length, at + bytes.length));
        buffer.copy(grown);
        grown.set(bytes, at);
        buffer = grown;
      },
    },
    crc32,
  );
  for (const [name, bytes] of files) await zip.add(name, [bytes]);
  zip.finish();
  return new Uint8Array(buffer);
}

const edited = (archive: Uint8Array, edit: (manifest: Record<string, unknown>) => void) =>
  tampered(archive, (files) => {
    const manifest = JSON.parse(Buffer.from(files.get(FILES.manifest) ?? '').toString());
    edit(manifest);
    files.set(FILES.manifest, Buffer.from(JSON.stringify(manifest)));
  });

describe('good evidence', () => {
  test('is VERIFIED when the quorum of the verifier’s policy has cosigned', async () => {
    const verdict = verify(await bundle());
    expect(verdict).toMatchObject({
      kind: 'VERIFIED',
      quorum: 'countries',
      findings: {
        origin: ORIGIN,
        size: 40,
        records: 5,
        ranges: [...RANGES],
        witnesses: ['de', 'br', 'jp', 'ch'],
        noLaterThan: 1_800_000_000 + 2 * 3600,
        omissions: undefined,
      },
    });
    expect(doesNotProve(verdict).join(' ')).toContain('everything that happened was recorded');
  });

  test.each([
    [3, 'VERIFIED'],
    [2, 'QUORUM NOT MET'],
    [1, 'QUORUM NOT MET'],
    [0, 'LOG-SIGNED ONLY'],
  ])('with cosignatures of %i countries is %s', async (count, kind) => {
    const verdict = verify(await bundle({ note: cosigned(late, count) }));
    expect(verdict.kind).toBe(kind);
    expect(doesNotProve(verdict).length).toBeGreaterThan(2);
  });

  test('is LOG-SIGNED ONLY for whoever asks for no witness', async () => {
    const policy = parsePolicy(`log ${logKey}\nquorum none\n`);
    expect(verify(await bundle(), { policy }).kind).toBe('LOG-SIGNED ONLY');
  });

  test('has the same verdict from the portable hash and signatures', async () => {
    const archive = await bundle();
    const policy = policyOf([logKey]);
    expect(verifyEvidence(archive, { policy, signatures: nobleSignatures }).kind).toBe('VERIFIED');
  });

  test('shows chosen fields and no others', async () => {
    const { disclosures } = await ledger.open(8);
    const [prompt = ''] = disclosures;
    const archive = await bundle({ disclosures: [{ index: 8, disclosures: [prompt] }] });
    expect(verify(archive)).toMatchObject({
      kind: 'VERIFIED',
      findings: { disclosed: [{ index: 8, fields: [{ name: 'prompt', value: 'prompt 8' }] }] },
    });
    expect(Buffer.from(archive).includes('prompt 7')).toBe(false);
  });

  test('of the whole log needs no proof, and shows what producers left out', async () => {
    const archive = await bundle({ ranges: [{ from: 0, to: 40 }] });
    expect(readZip(archive).get(FILES.proof)).toHaveLength(0);
    expect(verify(archive)).toMatchObject({ kind: 'VERIFIED', findings: { omissions: [] } });
  });

  test('shows that it extends the heads that the verifier remembers', async () => {
    const remembered = [early];
    const partly = verify(await bundle(), { remembered });
    expect(partly).toMatchObject({ kind: 'VERIFIED', findings: { extended: [], notCompared: [5] } });
    const proved = verify(await bundle({ olderHeads: [early] }), { remembered });
    expect(proved).toMatchObject({ kind: 'VERIFIED', findings: { extended: [5], notCompared: [] } });
    const whole = verify(await bundle({ ranges: [{ from: 0, to: 40 }] }), { remembered: [early, late] });
    expect(whole).toMatchObject({ kind: 'VERIFIED', findings: { extended: [5, 40], notCompared: [] } });
  });

  test('carries proofs that other tools verify by themselves', async () => {
    const proof = readZip(await bundle()).get('proofs/31.tlog-proof');
    const leaf = nodeHasher().leaf(await ledger.log.read(31));
    const evaluation = verifyProof(parseProof(proof ?? ''), leaf, policyOf([logKey]), nobleSignatures);
    expect(evaluation.quorum).toBe(true);
  });

  test('can be written to a file, once, and unpacked by others', async () => {
    const path = join(directory, 'evidence.zip');
    const size = await exportEvidence(path, {
      store: ledger.log.store,
      ranges: RANGES,
      note: cosigned(late, 4),
    });
    const archive = readFileSync(path);
    expect(archive).toHaveLength(size);
    expect(verify(archive).kind).toBe('VERIFIED');
    expect(Buffer.compare(archive, await bundle())).toBe(0);
    await expect(exportEvidence(path, { store: ledger.log.store, ranges: RANGES })).rejects.toThrow('EEXIST');
    const unzip = ['/usr/bin/unzip', '/bin/unzip'].find(existsSync);
    if (unzip !== undefined)
      expect(String(execFileSync(unzip, ['-t', path]))).toContain('No errors detected');
  });
});

describe('bad evidence', () => {
  const fault = (archive: Uint8Array, options = {}) => {
    const verdict = verify(archive, options);
    return verdict.kind === 'INVALID' ? verdict.fault : verdict.kind;
  };

  test('with an altered entry is INVALID, and names the entry', async () => {
    const archive = await tampered(await bundle(), (files) => {
      const bytes = files.get(FILES.entries);
      if (bytes !== undefined) bytes[bytes.indexOf(0x63, 1200)] = 0x64;
    });
    const verdict = verify(archive);
    expect(verdict).toMatchObject({ kind: 'INVALID', fault: 'entries-altered' });
    expect(verdict.kind === 'INVALID' && verdict.indices.length).toBe(1);
  });

  test('with an entry removed, added, or swapped is INVALID', async () => {
    const archive = await bundle();
    const frames = (files: Map<string, Uint8Array>): Buffer[] => {
      const bytes = Buffer.from(files.get(FILES.entries) ?? '');
      const found: Buffer[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = at + 2 + bytes.readUInt16BE(at);
        found.push(bytes.subarray(at, end));
        at = end;
      }
      return found;
    };
    const changes: ((entries: Buffer[]) => Buffer[])[] = [
      (entries) => entries.slice(1),
      (entries) => entries.slice(0, -1),
      (entries) => [...entries, Buffer.from([0, 1, 65])],
      ([a = Buffer.of(), b = Buffer.of(), ...rest]) => [b, a, ...rest],
      ([first = Buffer.of(), ...rest]) => [first.subarray(0, -1), ...rest],
    ];
    for (const change of changes) {
      const bad = await tampered(archive, (files) =>
        files.set(FILES.entries, Buffer.concat(change(frames(files)))),
      );
      expect(fault(bad)).toBe('entries-altered');
    }
  });

  test('that names other indices than its entries have is INVALID', async () => {
    const bad = await edited(await bundle(), (manifest) => {
      manifest.ranges = [
        [2, 3],
        [7, 10],
        [31, 32],
      ];
    });
    expect(fault(bad)).toBe('entries-altered');
  });

  test('with another size, origin, or no order in its ranges is INVALID', async () => {
    const archive = await bundle();
    for (const [name, value] of [
      ['size', 41],
      ['origin', 'log.example/other'],
      [
        'ranges',
        [
          [7, 10],
          [3, 4],
          [31, 32],
        ],
      ],
      ['ranges', [[3, 41]]],
      ['v', 'comity.evidence/2'],
      ['ranges', 'all'],
    ] as const) {
      const bad = await edited(archive, (manifest) => {
        manifest[name] = value;
      });
      expect(fault(bad)).toBe('malformed');
    }
  });

  test('under an altered checkpoint is INVALID', async () => {
    const root = parseCheckpoint(late).note.text.split('\n')[2] ?? '';
    const bad = await tampered(await bundle(), (files) =>
      files.set(
        FILES.checkpoint,
        Buffer.from(cosigned(late, 4).replace(root, Buffer.alloc(32).toString('base64'))),
      ),
    );
    expect(fault(bad)).toBe('signature-rejected');
  });

  test('of a log that the policy does not trust is INVALID', async () => {
    const stranger = formatVerifierKey(verifierKeyOf(generateLogKey(ORIGIN)));
    expect(fault(await bundle(), { policy: policyOf([stranger]) })).toBe('log-not-trusted');
    const elsewhere = formatVerifierKey(verifierKeyOf(generateLogKey('log.example/elsewhere')));
    expect(fault(await bundle(), { policy: policyOf([elsewhere]) })).toBe('log-not-trusted');
  });

  test('with a damaged cosignature of a witness in the policy is INVALID', async () => {
    const note = cosigned(late, 4).split('\n');
    const line = note.findIndex((text) => text.startsWith('— witness.jp'));
    note[line] = (note[line] ?? '').replace(/.{6}$/, 'AAAAA=');
    const bad = await tampered(await bundle(), (files) =>
      files.set(FILES.checkpoint, Buffer.from(note.join('\n'))),
    );
    expect(['signature-rejected', 'malformed']).toContain(fault(bad));
  });

  test('with a proof too long, too short, or altered is INVALID', async () => {
    const archive = await bundle();
    for (const change of [
      (proof: Uint8Array) => proof.slice(32),
      (proof: Uint8Array) => Buffer.concat([proof, Buffer.alloc(32)]),
      (proof: Uint8Array) => proof.slice(1),
    ]) {
      const bad = await tampered(archive, (files) =>
        files.set(FILES.proof, change(files.get(FILES.proof) ?? Buffer.of())),
      );
      expect(fault(bad)).toBe('malformed');
    }
    const altered = await tampered(archive, (files) => {
      const proof = files.get(FILES.proof);
      if (proof !== undefined) proof[0] = (proof[0] ?? 0) ^ 1;
    });
    expect(fault(altered)).toBe('entries-altered');
  });

  test('with a proof of a single entry that says something else is INVALID', async () => {
    const archive = await bundle();
    const bad = await tampered(archive, (files) =>
      files.set('proofs/7.tlog-proof', files.get('proofs/8.tlog-proof') ?? Buffer.of()),
    );
    expect(fault(bad)).toBe('proof-rejected');
  });

  test('with a field that its record does not vouch for is INVALID', async () => {
    const { disclosures } = await ledger.open(8);
    for (const index of [7, 30]) {
      expect(fault(await bundle({ disclosures: [{ index, disclosures }] }))).toBe('disclosure-rejected');
    }
    const forged = Buffer.from(JSON.stringify(['AAAAAAAAAAAAAAAAAAAAAA', 'age', 99])).toString('base64url');
    expect(fault(await bundle({ disclosures: [{ index: 8, disclosures: [forged] }] }))).toBe(
      'disclosure-rejected',
    );
  });

  test('with an older head that it does not extend is INVALID', async () => {
    const bad = await edited(await bundle({ olderHeads: [early] }), (manifest) => {
      const [head] = manifest.heads as { consistency: string[] }[];
      head?.consistency.reverse();
    });
    expect(fault(bad)).toBe('proof-rejected');
  });

  test('without a file, or that is no archive, is INVALID', async () => {
    const archive = await bundle();
    for (const name of [FILES.manifest, FILES.checkpoint, FILES.entries, FILES.proof]) {
      expect(fault(await tampered(archive, (files) => files.delete(name)))).toBe('malformed');
    }
    for (const bytes of [Buffer.of(), Buffer.from('PK'), archive.subarray(10), archive.subarray(0, -1)]) {
      expect(fault(bytes)).toBe('malformed');
    }
  });

  test('whose entries are no records is INVALID for whoever expects records', async () => {
    const strict = () => {
      throw new Error('no record');
    };
    expect(fault(await bundle(), { readRecord: strict })).toBe('record-invalid');
  });

  test('never makes the verifier throw, whatever byte is changed', async () => {
    const archive = await bundle();
    fc.assert(
      fc.property(fc.nat(archive.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bad = Uint8Array.from(archive);
        bad[at] = (bad[at] ?? 0) ^ flip;
        expect(['INVALID', 'VERIFIED']).toContain(verify(bad).kind);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a log that shows two histories', () => {
  let forked = '';
  let other: Awaited<ReturnType<typeof openLogDirectory>>;

  beforeAll(async () => {
    // The operator opens a second log with the same key and feeds it something else after the fifth entry.
    forked = join(directory, 'forked');
    await createLogDirectory(forked, ORIGIN);
    replaceLogKey(forked, readLogKey(join(directory, 'log')));
    other = await openLogDirectory(forked, { publishEveryMs: 0 });
    for (let i = 0; i < 5; i++) await other.append(await ledger.log.read(i));
    for (let i = 5; i < 40; i++) await other.append(canonicalBytes(call()));
    await other.publish();
  });

  afterAll(() => other.close());

  const fromOther = (ranges = RANGES, olderHeads: readonly string[] = []) =>
    evidenceBytes({
      store: other.store,
      ranges,
      note: cosigned(other.published()?.note ?? '', 4),
      olderHeads,
    });

  test('is caught in EQUIVOCATION by a head of the same size, with two notes that prove it', async () => {
    const verdict = verify(await fromOther(), { remembered: [late] });
    expect(verdict).toMatchObject({
      kind: 'EQUIVOCATION',
      notes: [late, cosigned(other.published()?.note ?? '', 4)],
    });
    expect(doesNotProve(verdict).join(' ')).toContain('which of the two');
  });

  test('is caught in EQUIVOCATION by a smaller head when it shows everything', async () => {
    await ledger.log.append(canonicalBytes(call()));
    const ahead = (await ledger.log.publish()).note;
    await other.append(canonicalBytes(call()));
    await other.append(canonicalBytes(call()));
    await other.publish();
    const verdict = verify(await fromOther([{ from: 0, to: 42 }]), { remembered: [ahead] });
    expect(verdict.kind).toBe('EQUIVOCATION');
    expect(verify(await fromOther([{ from: 0, to: 42 }]), { remembered: [early] })).toMatchObject({
      kind: 'VERIFIED',
      findings: { extended: [5] },
    });
  });

  test('cannot hide behind a partial export: the verifier is told what was not compared', async () => {
    expect(verify(await fromOther(), { remembered: [late] })).toMatchObject({
      kind: 'VERIFIED',
      findings: { notCompared: [40] },
    });
  });

  test('is not framed by a note that the log never signed', async () => {
    const key = logSigner(generateLogKey(ORIGIN));
    const { text } = parseCheckpoint(late).note;
    const framed = text.replace(/\n.{44}\n$/, `\n${Buffer.alloc(32, 1).toString('base64')}\n`);
    const line = formatSignatureLine({ name: key.name, keyId: key.keyId, signature: key.sign(framed) });
    const verdict = verify(await bundle(), { remembered: [`${framed}\n${line}`] });
    expect(verdict).toMatchObject({ kind: 'VERIFIED', findings: { notCompared: [40] } });
  });
});

describe('a log that changed its key', () => {
  test('is verified by whoever trusts the old key, through what the log says and the old key signed', async () => {
    const path = join(directory, 'rotated');
    const [oldKey = ''] = (await createLogDirectory(path, ORIGIN)).keys;
    const log = await openLogDirectory(path, { publishEveryMs: 0 });
    await log.append(canonicalBytes(call()));
    const key = generateLogKey(ORIGIN);
    const newKey = formatVerifierKey(verifierKeyOf(key));
    const announcement = producer.record('comity.key.rotated', {
      'comity.key.kind': 'log',
      'comity.key.previous': oldKey,
      'comity.key.vkey': newKey,
    });
    const handover = await log.rotate(logSigner(key), canonicalBytes(announcement));
    log.retire(verifierKeyOf(readLogKey(path)).keyId);
    await log.append(canonicalBytes(call()));
    const { note } = await log.publish();
    const options = { store: log.store, ranges: [{ from: 2, to: 3 }], note: cosigned(note, 4) };
    const archive = await evidenceBytes({ ...options, successions: [{ index: 1, note: handover.note }] });
    const trustsOld = { policy: policyOf([oldKey]) };
    expect(verify(archive, trustsOld).kind).toBe('VERIFIED');
    expect(verify(await evidenceBytes(options), trustsOld)).toMatchObject({ fault: 'log-not-trusted' });
    expect(verify(await evidenceBytes(options), { policy: policyOf([newKey]) }).kind).toBe('VERIFIED');

    const hop = (manifest: Record<string, unknown>) =>
      (manifest.successions as Record<string, string[]>[])[0];
    for (const proof of ['inclusion', 'consistency']) {
      const bad = await edited(archive, (manifest) => {
        const hashes = hop(manifest)?.[proof];
        if (hashes !== undefined) hashes[0] = Buffer.alloc(32, 7).toString('base64');
      });
      expect(verify(bad, trustsOld)).toMatchObject({ kind: 'INVALID', fault: 'proof-rejected' });
    }
    const otherEntry = await edited(archive, (manifest) => {
      const succession = hop(manifest);
      const text = canonicalBytes({ ...announcement, jur: ['XX'] });
      if (succession !== undefined)
        Object.assign(succession, { entry: Buffer.from(text).toString('base64') });
    });
    expect(verify(otherEntry, trustsOld)).toMatchObject({ kind: 'INVALID', fault: 'proof-rejected' });

    const wrongEntry = await evidenceBytes({ ...options, successions: [{ index: 0, note: handover.note }] });
    expect(verify(wrongEntry, trustsOld)).toMatchObject({ fault: 'log-not-trusted' });
    const stranger = policyOf([formatVerifierKey(verifierKeyOf(generateLogKey(ORIGIN)))]);
    expect(verify(archive, { policy: stranger })).toMatchObject({ fault: 'log-not-trusted' });
    await log.close();
  });
});

describe('a log that announces a key in the name of another', () => {
  test('hands over nothing', async () => {
    const path = join(directory, 'usurped');
    const [oldKey = ''] = (await createLogDirectory(path, ORIGIN)).keys;
    const log = await openLogDirectory(path, { publishEveryMs: 0 });
    const key = generateLogKey(ORIGIN);
    const announcement = producer.record('comity.key.rotated', {
      'comity.key.kind': 'log',
      'comity.key.previous': formatVerifierKey(verifierKeyOf(generateLogKey(ORIGIN))),
      'comity.key.vkey': formatVerifierKey(verifierKeyOf(key)),
    });
    const { note } = await log.rotate(logSigner(key), canonicalBytes(announcement));
    log.retire(verifierKeyOf(readLogKey(path)).keyId);
    await log.append(canonicalBytes(call()));
    const head = await log.publish();
    const archive = await evidenceBytes({
      store: log.store,
      ranges: [{ from: 0, to: 2 }],
      note: head.note,
      successions: [{ index: 0, note }],
    });
    expect(verify(archive, { policy: policyOf([oldKey]) })).toMatchObject({ fault: 'log-not-trusted' });
    await log.close();
  });
});

describe('a proof of many entries', () => {
  const hasher = nodeHasher();
  const tree = new MemoryTree(hasher);
  const leaves = Array.from({ length: 300 }, (_, i) => hasher.leaf(Buffer.from(`${i}`)));
  for (const leaf of leaves) tree.appendLeaf(leaf);

  test('leads to the root for any set of entries, and to another for any other entry', () => {
    const sets = fc
      .integer({ min: 1, max: 300 })
      .chain((size) =>
        fc.tuple(fc.constant(size), fc.uniqueArray(fc.nat(size - 1), { minLength: 1, maxLength: 60 })),
      );
    fc.assert(
      fc.property(sets, ([size, indices]) => {
        const ranges = rangesOf(indices);
        const proof = multiproofNodes(ranges, size).map(({ level, index }) => tree.read(level, index));
        const chosen = [...indices].sort((a, b) => a - b);
        const rootWith = (change: (leaf: Uint8Array, i: number) => Uint8Array) => {
          let next = 0;
          const leaf = () => {
            const i = next++;
            return change(leaves[chosen[i] ?? -1] ?? Buffer.of(), i);
          };
          return Buffer.from(rootFromMultiproof(ranges, size, leaf, proof, hasher)).toString('hex');
        };
        const root = Buffer.from(tree.root(size)).toString('hex');
        expect(rootWith((leaf) => leaf)).toBe(root);
        expect(rootWith((leaf, i) => (i === 0 ? hasher.leaf(leaf) : leaf))).not.toBe(root);
      }),
      { numRuns: 300 },
    );
  });

  test('needs as many hashes as an inclusion proof for one entry, and none for all', () => {
    expect(multiproofNodes([{ from: 77, to: 78 }], 256)).toHaveLength(8);
    expect(multiproofNodes([{ from: 0, to: 300 }], 300)).toHaveLength(0);
  });
});

test('a manifest is read strictly', () => {
  for (const text of [
    '',
    '[]',
    'null',
    '{"v":"comity.evidence/1"}',
    '{"v":"comity.evidence/1","origin":1}',
  ]) {
    expect(() => parseManifest(Buffer.from(text))).toThrow(/evidence is/);
  }
});
