import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCheckpoint } from '../../tlog/checkpoint.ts';
import { cosigner } from '../../tlog/cosignature.ts';
import { nobleEd25519PublicKey, nobleEd25519Sign } from '../../tlog/noble.ts';
import { formatSignatureLine } from '../../tlog/note.ts';
import { parseVerifierKey, SIGNATURE_TYPES, verifierKey } from '../../tlog/note-key.ts';
import { evidenceBytes } from '../evidence/export.ts';
import { verifyEvidence } from '../evidence/verify.ts';
import { filesSource } from '../files/fsck-source.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import { fsck } from '../log/fsck.ts';
import { nodeSignatures } from '../log/node-signatures.ts';
import { openWitnessState } from '../witness/state.ts';
import { watchedLog } from '../witness/watched-log.ts';
import { openWitness } from '../witness/witness.ts';
import { canonicalBytes } from './canonical.ts';
import { startProducer } from './producer.ts';
import { recordValidator } from './validate.ts';

const ORIGIN = 'log.example/clock';
const NOON = Date.UTC(2026, 10, 25, 12);
const HOUR = 3_600_000;

let directory = '';
let vkey = '';
/** What every clock of a test says. */
let clock = NOON;
const now = () => clock;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'comity-clock-'));
  clock = NOON;
  vkey = (await createLogDirectory(join(directory, 'log'), ORIGIN)).keys[0] ?? '';
});

afterEach(() => rmSync(directory, { recursive: true }));

/** A head with cosignatures that state these times, in seconds since 1970. */
function witnessed(note: string, times: readonly number[]) {
  const witnesses = times.map((time, i) => {
    const seed = Buffer.alloc(32, i + 1);
    const key = verifierKey(`w${i}`, SIGNATURE_TYPES.ed25519Cosignature, nobleEd25519PublicKey(seed));
    const signature = cosigner(key, nobleEd25519Sign(seed), time).sign(parseCheckpoint(note).note.text);
    return { name: `w${i}`, key, url: undefined, line: formatSignatureLine({ ...key, signature }) };
  });
  const group = { name: 'all', threshold: times.length, members: witnesses.map(({ name }) => name) };
  return {
    note: note + witnesses.map(({ line }) => line).join(''),
    policy: {
      logs: [{ key: parseVerifierKey(vkey), url: undefined }],
      witnesses,
      groups: [group],
      quorum: 'all',
    },
  };
}

describe('a clock that is set back', () => {
  test.each([1, HOUR, 400 * 24 * HOUR, NOON - 1])(
    'by %i ms leaves a log whole: order, identities, sequences, heads and proofs',
    async (back) => {
      const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0, now });
      const producer = startProducer({
        id: 'gateway-1',
        resource: { 'comity.system.id': 's', 'comity.tenant': 't', 'service.name': 'n' },
        retain: { class: 'logs', hold: false, min: 'P6M' },
        jur: [],
        now,
      });
      const ids: string[] = [];
      const indices: number[] = [];
      for (let i = 0; i < 30; i++) {
        if (i === 10) clock -= back;
        if (i === 20) clock = NOON + HOUR;
        const record = producer.heartbeat();
        ids.push(record.id);
        indices.push((await log.append(canonicalBytes(record))).index);
        if (i % 5 === 4) await log.publish();
        clock += 3;
      }
      expect(indices).toEqual(Array.from({ length: 30 }, (_, i) => i));
      expect(ids).toEqual([...new Set(ids)].sort());
      const heads = await log.store.heads();
      expect(heads.map(({ size }) => size)).toEqual([5, 10, 15, 20, 25, 30]);
      expect(heads.map(({ at }) => at)).toEqual(heads.map(({ at }) => at).sort((a, b) => a - b));
      const note = log.published()?.note ?? '';
      const evidence = await evidenceBytes({
        store: log.store,
        ranges: [{ from: 0, to: 30 }],
        note,
        olderHeads: heads.map((head) => head.note),
      });
      await log.close();
      const { note: _, policy } = witnessed(note, [1]);
      const verdict = verifyEvidence(evidence, {
        policy: { ...policy, quorum: 'none' },
        signatures: nodeSignatures,
        remembered: heads.map((head) => head.note),
        readRecord: recordValidator().parse,
      });
      expect(verdict).toMatchObject({
        kind: 'LOG-SIGNED ONLY',
        findings: { omissions: [], notCompared: [] },
      });
      const report = await fsck({
        source: filesSource(join(directory, 'log')),
        origin: ORIGIN,
        keys: [vkey],
      });
      expect(report).toMatchObject({ diagnosis: 'sound', omissions: [] });
    },
  );

  test('is opened again with the later time behind it, and goes on', async () => {
    const first = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0, now });
    await first.append(Buffer.from('a'));
    await first.publish();
    await first.close();
    clock = NOON - 24 * HOUR;
    const second = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0, now });
    await second.append(Buffer.from('b'));
    expect((await second.publish()).size).toBe(2);
    expect((await second.store.heads()).map(({ at }) => at)).toEqual([NOON, NOON]);
    await second.close();
  });

  test('of a witness does not make it cosign less, or a fork', async () => {
    const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0 });
    const state = openWitnessState(join(directory, 'witness.db'));
    const witness = openWitness({ keys: [], logs: [watchedLog(parseVerifierKey(vkey))], state, now });
    const add = (old: number, note: string, proof: readonly Uint8Array[] = []) => {
      const lines = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('');
      return witness.addCheckpoint(Buffer.from(`old ${old}\n${lines}\n${note}`)).status;
    };
    await log.append(Buffer.from('a'));
    const first = (await log.publish()).note;
    expect(add(0, first)).toBe(200);
    clock = NOON - HOUR;
    await log.append(Buffer.from('b'));
    const second = (await log.publish()).note;
    expect(add(0, second)).toBe(409);
    expect(add(1, second, await log.tree().consistencyProof(1))).toBe(200);
    expect(add(2, first)).toBe(400);
    expect(add(1, first)).toBe(409);
    state.close();
    await log.close();
  });
});

test.each([
  ['one of three set back by years', [1, NOON / 1000, NOON / 1000 + 1], NOON / 1000],
  ['one of three set forward', [NOON / 1000, NOON / 1000 + 1, 4_000_000_000], NOON / 1000 + 1],
  ['one of two set back', [1, NOON / 1000], NOON / 1000],
  ['two of four set back', [1, 2, NOON / 1000, NOON / 1000 + 1], NOON / 1000],
  ['two of five set back', [1, 2, NOON / 1000, NOON / 1000, NOON / 1000 + 2], NOON / 1000],
])(
  'with %s, evidence says no earlier time than an honest witness stated',
  async (_what, times, noLaterThan) => {
    const log = await openLogDirectory(join(directory, 'log'), { publishEveryMs: 0, now });
    await log.append(Buffer.from('a'));
    const { note, policy } = witnessed((await log.publish()).note, times);
    const evidence = await evidenceBytes({ store: log.store, ranges: [{ from: 0, to: 1 }], note });
    await log.close();
    expect(verifyEvidence(evidence, { policy, signatures: nodeSignatures })).toMatchObject({
      kind: 'VERIFIED',
      findings: { noLaterThan },
    });
  },
);
