import { type Checkpoint, type CheckpointNote, parseCheckpoint } from './checkpoint.ts';
import { cosignatureTime, type KeyVerifier, noteVerifier } from './cosignature.ts';
import { quoted, TlogError } from './errors.ts';
import type { Sha256 } from './hash.ts';
import { verifyKnownSignatures } from './note.ts';
import { formatVerifierKey, parseVerifierKey, SIGNATURE_TYPES, type VerifierKey } from './note-key.ts';
import { decodeOctets, encodeOctets } from './octets.ts';
import { sha256 } from './sha256.ts';
import type { SignatureVerifiers } from './signatures.ts';

/** A log whose checkpoints are accepted. Its key's name is its origin. */
export interface PolicyLog {
  readonly key: VerifierKey;
  readonly url: string | undefined;
}

/** A witness that can contribute to the quorum. */
export interface PolicyWitness {
  /** Only means something inside the policy; the key has a name of its own. */
  readonly name: string;
  readonly key: VerifierKey;
  /** By convention its submission prefix (C2SP tlog-witness). */
  readonly url: string | undefined;
}

/** Counts as having witnessed a checkpoint when at least `threshold` of its members have. */
export interface PolicyGroup {
  readonly name: string;
  readonly threshold: number;
  /** Names of witnesses and of earlier groups. */
  readonly members: readonly string[];
}

/** Which checkpoints to believe (C2SP tlog-policy): signed by one of the logs, and witnessed by the quorum. */
export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** Name of a witness or of a group, or `none`. */
  readonly quorum: string;
}

/** Largest policy file that is read, in bytes: room for a hundred post-quantum keys. */
export const MAX_POLICY_BYTES = 1_000_000;

/**
 * Reads a policy file.
 * @throws {TlogError} `malformed-policy`, naming the line
 */
export function parsePolicy(input: Uint8Array | string, hash: Sha256 = sha256): Policy {
  const octets = typeof input === 'string' ? encodeOctets(input) : input;
  if (octets.length > MAX_POLICY_BYTES) throw malformed(`policy is longer than ${MAX_POLICY_BYTES} bytes`);
  const text = decodeOctets(octets);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification allows tab and newline only
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) throw malformed('policy contains a control character');
  const draft = new PolicyDraft(hash);
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word !== '');
    const [keyword] = words;
    if (keyword === undefined || keyword.startsWith('#')) continue;
    draft.add(words, `policy line ${index + 1}`);
  }
  return draft.finish();
}

/**
 * Writes a policy as the octets of a file.
 * @throws {TlogError} `malformed-policy` if it would not be read back as the same policy
 */
export function formatPolicy(policy: Policy, hash: Sha256 = sha256): Uint8Array {
  const lines = [
    ...policy.logs.map(({ key, url }) => ['log', formatVerifierKey(key), ...optional(url)]),
    ...policy.witnesses.map(({ name, key, url }) => [
      'witness',
      name,
      formatVerifierKey(key),
      ...optional(url),
    ]),
    ...policy.groups.map(({ name, threshold, members }) => ['group', name, String(threshold), ...members]),
    ['quorum', policy.quorum],
  ];
  const written = encodeOctets(lines.map((words) => `${words.join(' ')}\n`).join(''));
  if (JSON.stringify(parsePolicy(written, hash), plainBytes) !== JSON.stringify(policy, plainBytes)) {
    throw malformed('policy has names or addresses that cannot be written');
  }
  return written;
}

/** The cosignature of one witness, verified. */
export interface PolicyCosignature {
  readonly witness: PolicyWitness;
  /** Seconds since 1970: the earliest time this witness put to the checkpoint, 0 if it made no statement about time. */
  readonly time: number;
}

/** How a checkpoint stands to a policy. */
export interface PolicyEvaluation {
  readonly checkpoint: Checkpoint;
  /** Logs of the policy that signed it, under the checkpoint's own origin. Empty: believe nothing about it. */
  readonly logs: readonly PolicyLog[];
  /** One for each witness that cosigned, in the order of the policy. */
  readonly cosignatures: readonly PolicyCosignature[];
  /** Names of the witnesses and groups that have witnessed the checkpoint. */
  readonly witnessed: ReadonlySet<string>;
  /** Whether the quorum has. */
  readonly quorum: boolean;
}

/**
 * Verifies every signature on a checkpoint that the policy knows, and says what they amount to.
 * @throws {TlogError} `signature-rejected` if one of them fails: the note was tampered with
 */
export function evaluatePolicy(
  policy: Policy,
  { checkpoint, note }: CheckpointNote,
  signatures: SignatureVerifiers,
): PolicyEvaluation {
  const logVerifiers = new Map<KeyVerifier, PolicyLog>();
  for (const log of policy.logs) {
    // ML-DSA signatures skip extension lines: alone, they leave those lines to whoever passed the note on.
    const covers = checkpoint.extensions.length === 0 || log.key.type === SIGNATURE_TYPES.ed25519;
    if (covers && log.key.name === checkpoint.origin)
      logVerifiers.set(noteVerifier(log.key, signatures), log);
  }
  const logs = new Set<PolicyLog>();
  for (const { verifier } of verifyKnownSignatures(note, [...logVerifiers.keys()])) {
    const log = logVerifiers.get(verifier);
    if (log !== undefined) logs.add(log);
  }

  const witnessVerifiers = new Map(
    policy.witnesses.map((witness) => [noteVerifier(witness.key, signatures), witness] as const),
  );
  const times = new Map<PolicyWitness, number[]>();
  for (const { verifier, signature } of verifyKnownSignatures(note, [...witnessVerifiers.keys()])) {
    const witness = witnessVerifiers.get(verifier);
    if (witness !== undefined)
      times.set(witness, [...(times.get(witness) ?? []), cosignatureTime(signature)]);
  }
  const cosignatures = policy.witnesses.flatMap((witness) => {
    const stated = times.get(witness);
    return stated === undefined ? [] : [{ witness, time: earliest(stated) }];
  });
  const witnessed = witnessedNames(policy, new Set(cosignatures.map(({ witness }) => witness.name)));
  const quorum = policy.quorum === NONE || witnessed.has(policy.quorum);
  return { checkpoint, logs: [...logs], cosignatures, witnessed, quorum };
}

/**
 * The names of witnesses and groups that have witnessed, given the witnesses that cosigned. Pure arithmetic on the
 * policy, for asking "what if": no signature is looked at.
 */
export function witnessedNames(policy: Policy, cosigned: ReadonlySet<string>): ReadonlySet<string> {
  const witnessed = new Set(policy.witnesses.map(({ name }) => name).filter((name) => cosigned.has(name)));
  // A group only refers to earlier groups, so one pass in order settles all of them.
  for (const group of policy.groups) {
    if (group.members.filter((member) => witnessed.has(member)).length >= group.threshold)
      witnessed.add(group.name);
  }
  return witnessed;
}

/**
 * Reads a checkpoint and accepts it only if the policy does.
 * @throws {TlogError} `malformed-note` · `malformed-checkpoint` · `signature-rejected` · `signature-missing` (no log
 * of the policy signed it) · `quorum-not-met`
 */
export function verifyCheckpoint(
  input: Uint8Array | string,
  policy: Policy,
  signatures: SignatureVerifiers,
): PolicyEvaluation {
  return acceptCheckpoint(parseCheckpoint(input), policy, signatures);
}

/** Like {@link verifyCheckpoint}, for a checkpoint that has been read already. */
export function acceptCheckpoint(
  checkpoint: CheckpointNote,
  policy: Policy,
  signatures: SignatureVerifiers,
): PolicyEvaluation {
  const evaluation = evaluatePolicy(policy, checkpoint, signatures);
  if (evaluation.logs.length === 0) {
    throw new TlogError(
      'signature-missing',
      `checkpoint of ${quoted(checkpoint.checkpoint.origin)} is not signed by any log of the policy`,
      'add the log to the policy, under the origin that its checkpoints state, or use the checkpoint of another log',
    );
  }
  if (!evaluation.quorum) {
    const names = evaluation.cosignatures.map(({ witness }) => witness.name).join(', ');
    throw new TlogError(
      'quorum-not-met',
      `quorum ${quoted(policy.quorum)} is not met; cosigned by: ${names === '' ? 'nobody' : names}`,
      'ask the log for a checkpoint with more cosignatures',
    );
  }
  return evaluation;
}

/** The name that stands for "no cosignature is needed". */
const NONE = 'none';

const LOG_TYPES: readonly number[] = [SIGNATURE_TYPES.ed25519, SIGNATURE_TYPES.mlDsa44Cosignature];
const WITNESS_TYPES: readonly number[] = [
  SIGNATURE_TYPES.ed25519Cosignature,
  SIGNATURE_TYPES.mlDsa44Cosignature,
];

/** A policy while its lines are being read. */
class PolicyDraft {
  readonly #hash: Sha256;
  readonly #logs: PolicyLog[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  readonly #groups: PolicyGroup[] = [];
  readonly #names = new Set<string>();
  readonly #members = new Set<string>();
  readonly #publicKeys = new Set<string>();
  #quorum: string | undefined;

  constructor(hash: Sha256) {
    this.#hash = hash;
  }

  add(words: readonly string[], where: string): void {
    const [keyword, ...rest] = words;
    if (keyword === 'log') this.#addLog(rest, where);
    else if (keyword === 'witness') this.#addWitness(rest, where);
    else if (keyword === 'group') this.#addGroup(rest, where);
    else if (keyword === 'quorum') this.#addQuorum(rest, where);
    else throw malformed(`${where}: ${quoted(keyword ?? '')} is not a keyword`);
  }

  finish(): Policy {
    if (this.#quorum === undefined) throw malformed('policy has no quorum line');
    return { logs: this.#logs, witnesses: this.#witnesses, groups: this.#groups, quorum: this.#quorum };
  }

  #addLog([vkey, url, ...excess]: readonly string[], where: string): void {
    if (vkey === undefined || excess.length > 0) throw malformed(`${where}: expected \`log <vkey> [<url>]\``);
    this.#logs.push({ key: this.#key(vkey, 'log', LOG_TYPES, where), url });
  }

  #addWitness([name, vkey, url, ...excess]: readonly string[], where: string): void {
    if (name === undefined || vkey === undefined || excess.length > 0) {
      throw malformed(`${where}: expected \`witness <name> <vkey> [<url>]\``);
    }
    const key = this.#key(vkey, 'witness', WITNESS_TYPES, where);
    this.#define(name, where);
    this.#witnesses.push({ name, key, url });
  }

  #addGroup([name, rule, ...members]: readonly string[], where: string): void {
    if (name === undefined || rule === undefined || members.length === 0) {
      throw malformed(`${where}: expected \`group <name> all|any|<k> <member>...\``);
    }
    for (const member of members) {
      if (!this.#names.has(member)) throw malformed(`${where}: ${quoted(member)} is not defined above`);
      if (this.#members.has(member)) throw malformed(`${where}: ${quoted(member)} is a group member twice`);
      this.#members.add(member);
    }
    this.#define(name, where);
    this.#groups.push({ name, threshold: thresholdOf(rule, members.length, where), members });
  }

  #addQuorum([name, ...excess]: readonly string[], where: string): void {
    if (name === undefined || excess.length > 0) throw malformed(`${where}: expected \`quorum <name>\``);
    if (this.#quorum !== undefined) throw malformed(`${where}: a policy has exactly one quorum line`);
    if (name !== NONE && !this.#names.has(name))
      throw malformed(`${where}: ${quoted(name)} is not defined above`);
    this.#quorum = name;
  }

  #define(name: string, where: string): void {
    if (name === NONE) throw malformed(`${where}: the name \`none\` is reserved`);
    if (this.#names.has(name)) throw malformed(`${where}: the name ${quoted(name)} is defined twice`);
    this.#names.add(name);
  }

  #key(vkey: string, role: string, types: readonly number[], where: string): VerifierKey {
    const key = parsedKey(vkey, this.#hash, where);
    if (!types.includes(key.type)) {
      throw malformed(`${where}: key ${quoted(key.name)} is of type ${key.type}, which is not for a ${role}`);
    }
    // The same public key under another name or key ID is the same signer, so it must not count twice.
    const identity = `${role} ${key.publicKey.join()}`;
    if (this.#publicKeys.has(identity))
      throw malformed(`${where}: a ${role} with this public key is listed above`);
    this.#publicKeys.add(identity);
    return key;
  }
}

function parsedKey(vkey: string, hash: Sha256, where: string): VerifierKey {
  try {
    return parseVerifierKey(vkey, hash);
  } catch (error) {
    if (error instanceof TlogError) throw malformed(`${where}: ${error.message}`);
    throw error;
  }
}

function thresholdOf(rule: string, members: number, where: string): number {
  if (rule === 'all') return members;
  if (rule === 'any') return 1;
  const threshold = /^[1-9][0-9]{0,5}$/.test(rule) ? Number(rule) : 0;
  if (threshold >= 1 && threshold <= members) return threshold;
  throw malformed(`${where}: threshold ${quoted(rule)} is not a number from 1 to ${members}`);
}

function earliest(times: readonly number[]): number {
  const stated = times.filter((time) => time > 0);
  return stated.length === 0 ? 0 : Math.min(...stated);
}

function optional(url: string | undefined): readonly string[] {
  return url === undefined ? [] : [url];
}

function plainBytes(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? value.join() : value;
}

function malformed(message: string): TlogError {
  return new TlogError('malformed-policy', message, 'see C2SP tlog-policy for the form of a policy file');
}
