import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { encodeBase64 } from '../../tlog/base64.ts';
import { parseVerifierKey, SIGNATURE_TYPES, type VerifierKey } from '../../tlog/note-key.ts';
import type { Policy } from '../../tlog/policy.ts';
import type { SignatureVerifiers } from '../../tlog/signatures.ts';
import { evidenceBytes } from '../evidence/export.ts';
import { FILES } from '../evidence/manifest.ts';
import type { Verdict } from '../evidence/verdict.ts';
import { verifyEvidence } from '../evidence/verify.ts';
import { readZip, ZipWriter } from '../evidence/zip.ts';
import { createLogDirectory, openLogDirectory } from '../log/directory.ts';
import { nodeHasher } from '../log/node-hash.ts';
import { nodeSignatures } from '../log/node-signatures.ts';
import { witnessKey } from './keys.ts';
import type { QuorumWitness } from './quorum.ts';
import { openWitnessState, type WitnessState } from './state.ts';
import { watchedLog } from './watched-log.ts';
import { openWitness } from './witness.ts';

/** One face of a log that shows different histories: a head it signed, and the evidence that goes with it. */
export interface Face {
  readonly name: string;
  readonly note: string;
  readonly size: number;
  /** From every other face's size: the honest proof within this history, which must not convince across histories. */
  readonly proofs: ReadonlyMap<number, readonly Uint8Array[]>;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Each history's entries; the third is longer, so that a fork between two sizes is tried too. */
const HISTORIES = { a: 5, b: 5, c: 8 } as const;
const ORIGIN = 'log.example/byzantine';

/** A log that really keeps three histories in three directories, all under one key, and publishes a head of each. */
export async function byzantineLog(
  folder: string,
): Promise<{ readonly key: VerifierKey; readonly faces: readonly Face[] }> {
  const origin = join(folder, 'log');
  const [vkey = ''] = (await createLogDirectory(origin, ORIGIN)).keys;
  const faces: Face[] = [];
  for (const [name, size] of Object.entries(HISTORIES)) {
    const directory = join(folder, name);
    cpSync(origin, directory, { recursive: true });
    const log = await openLogDirectory(directory, { publishEveryMs: 0 });
    await log.appendAll(Array.from({ length: size }, (_, i) => ({ bytes: Buffer.from(`${name} ${i}`) })));
    const { note } = await log.publish();
    const proofs = new Map<number, readonly Uint8Array[]>();
    for (const other of Object.values(HISTORIES)) {
      if (other <= size) proofs.set(other, await log.tree().consistencyProof(other));
    }
    const evidence = await evidenceBytes({ store: log.store, ranges: [{ from: 0, to: size }], note });
    const files = [...readZip(evidence)].filter(([file]) => !file.startsWith('proofs/'));
    faces.push({ name, note, size, proofs, files: new Map(files) });
    await log.close();
  }
  return { key: parseVerifierKey(vkey), faces };
}

/** A witness as the enumeration needs it: what it signs of each face, once it does. */
export interface CastWitness {
  readonly witness: QuorumWitness;
  /** Signature line for each face, by its name. */
  readonly lines: ReadonlyMap<string, string>;
}

const NOW = () => 1_800_000_000_000;

/**
 * Casts witnesses in countries of the given sizes and lets each of them play: honest, once for every face that may
 * reach it first, with its memory on disk and a restart before every further request; rogue, with a memory that is
 * empty each time. Ed25519 is deterministic and the clock stands still, so that both give the same line for a face:
 * that a verifier cannot tell them apart is checked, and makes one note stand for all casts with its cosigners.
 * @throws if an honest witness cosigns two faces
 */
export function castWitnesses(
  folder: string,
  sizes: readonly number[],
  log: VerifierKey,
  faces: readonly Face[],
): readonly CastWitness[] {
  return sizes
    .flatMap((size, country) => Array.from({ length: size }, () => country))
    .map((country, i) => {
      const seed = Buffer.alloc(32, i + 1);
      const name = `witness-${i}.example`;
      const key = witnessKey({ name, keyId: 0, type: SIGNATURE_TYPES.ed25519Cosignature, seed });
      const at = (state: WitnessState) =>
        openWitness({ keys: [key], logs: [watchedLog(log)], state, now: NOW });
      const lines = new Map<string, string>();
      for (const first of faces) {
        const path = join(folder, `${name}-${first.name}.db`);
        const ask = (old: number, proof: readonly Uint8Array[], face: Face, file = path) => {
          const state = openWitnessState(file);
          const reply = at(state).addCheckpoint(requestOf(old, proof, face));
          state.close();
          return reply;
        };
        const honest = ask(0, [], first);
        if (honest.status !== 200) throw new Error(`honest witness refused its first head: ${honest.body}`);
        for (const other of faces.filter((face) => face !== first)) {
          const proofs = [[], first.proofs.get(other.size) ?? [], other.proofs.get(first.size) ?? []];
          for (const old of [0, other.size, first.size]) {
            for (const proof of proofs) {
              if (ask(old, proof, other).status === 200) throw new Error('honest witness cosigned two heads');
            }
          }
        }
        if (ask(0, [], first, ':memory:').body !== honest.body) throw new Error('lines differ');
        lines.set(first.name, honest.body);
      }
      return {
        witness: {
          name: `w${i}`,
          key: key.key,
          url: undefined,
          country: `C${country}`,
          operator: `operator-${i}`,
          cloud: `cloud-${i}`,
        },
        lines,
      };
    });
}

function requestOf(old: number, proof: readonly Uint8Array[], { note }: Face): Buffer {
  return Buffer.from(`old ${old}\n${proof.map((hash) => `${encodeBase64(hash)}\n`).join('')}\n${note}`);
}

/** The verifier: `comity verify` with its own policy over the evidence of one face, with some cosignatures. */
export class Judge {
  readonly #signatures = cached(nodeSignatures);
  readonly #hasher = nodeHasher();
  /** Notes that were judged one by one. */
  judged = 0;

  /** The face's head, cosigned by the witnesses whose bits are set. */
  noteOf(face: Face, cast: readonly CastWitness[], cosigners: number): string {
    return (
      face.note + cast.map(({ lines }, i) => ((cosigners >> i) & 1 ? lines.get(face.name) : '')).join('')
    );
  }

  async verdict(
    policy: Policy,
    face: Face,
    cast: readonly CastWitness[],
    cosigners: number,
    remembered: readonly string[] = [],
  ): Promise<Verdict> {
    this.judged += 1;
    const files = new Map(face.files).set(FILES.checkpoint, Buffer.from(this.noteOf(face, cast, cosigners)));
    const options = { policy, signatures: this.#signatures, hasher: this.#hasher, remembered };
    return verifyEvidence(await zipOf(files), options);
  }

  async accepts(
    policy: Policy,
    face: Face,
    cast: readonly CastWitness[],
    cosigners: number,
  ): Promise<boolean> {
    return (await this.verdict(policy, face, cast, cosigners)).kind === 'VERIFIED';
  }
}

async function zipOf(files: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array> {
  const target = Buffer.alloc(16 * 1024);
  const zip = new ZipWriter({ write: (bytes, at) => void target.set(bytes, at) }, crc32);
  for (const [name, bytes] of files) await zip.add(name, [bytes]);
  return target.subarray(0, zip.finish());
}

/** Real signatures, each verified once: the same few hundred come again in every note. */
function cached(real: SignatureVerifiers): SignatureVerifiers {
  const known = new Map<string, boolean>();
  const once =
    (verify: SignatureVerifiers['verifyEd25519']): SignatureVerifiers['verifyEd25519'] =>
    (key, message, signature) => {
      const id = Buffer.concat([key, signature, message]).toString('latin1');
      const holds = known.get(id) ?? verify(key, message, signature);
      known.set(id, holds);
      return holds;
    };
  return { ...real, verifyEd25519: once(real.verifyEd25519), verifyMlDsa44: once(real.verifyMlDsa44) };
}
