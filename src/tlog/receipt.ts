import { type CborMap, type CborValue, decodeCbor, encodeCbor } from './cbor.ts';
import { TlogError } from './errors.ts';
import { checkHash, sameBytes, type TreeHasher, treeHasher } from './hash.ts';
import {
  type ConsistencyClaim,
  type InclusionClaim,
  rootFromConsistency,
  rootFromInclusion,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';
import type { Sign, SignatureVerifiers } from './signatures.ts';

/** Signature algorithms of receipts, both ways of naming each (RFC 9053, RFC 9864). The first is the one we write. */
const ALGORITHMS = {
  ed25519: [-8, -19],
  es256: [-7, -9],
} as const;

export type ReceiptAlgorithm = keyof typeof ALGORITHMS;

/** COSE header labels: RFC 9052 §3.1, RFC 9597, RFC 9942 §2. */
const ALG = 1;
const CRIT = 2;
const KID = 4;
const CWT_CLAIMS = 15;
const VDS = 395;
const VDP = 396;

/** Verifiable data structure RFC9162_SHA256, and its two types of proof (RFC 9942 §5). */
const RFC9162_SHA256 = 1;
const INCLUSION = -1;
const CONSISTENCY = -2;

const COSE_SIGN1_TAG = 18;

/** Largest receipt that is read, in bytes. */
const MAX_RECEIPT_BYTES = 65_536;

/** Who signs receipts: usually the log, with a key of its own for this purpose. */
export interface ReceiptSigner {
  readonly algorithm: ReceiptAlgorithm;
  /** Ed25519: 64 bytes. ES256: r ‖ s, 64 bytes. */
  readonly sign: Sign;
  /** Tells verifiers which key it was. SCITT (RFC 9943 §6) asks for it, and for issuer and subject. */
  readonly keyId?: Uint8Array;
  /** CWT claims `iss` (the log) and `sub` (what the entry is about, never who submitted it). */
  readonly issuer?: string;
  readonly subject?: string;
}

/** Whom to believe. */
export interface ReceiptKey {
  readonly algorithm: ReceiptAlgorithm;
  /** Ed25519: 32 bytes. ES256: the uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array;
}

/** What a receipt says, before anything is verified. */
export type Receipt = ReceiptOfInclusion | ReceiptOfConsistency;

interface ReceiptEnvelope {
  readonly algorithm: ReceiptAlgorithm;
  readonly keyId: Uint8Array | undefined;
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  /** As received, because the signature covers these bytes. */
  readonly protectedHeader: Uint8Array;
  /** Root of the tree, if the receipt carries it; usually it is recomputed from the proof instead. */
  readonly payload: Uint8Array | undefined;
  readonly signature: Uint8Array;
}

export interface ReceiptOfInclusion extends ReceiptEnvelope {
  readonly kind: 'inclusion';
  readonly size: number;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
}

export interface ReceiptOfConsistency extends ReceiptEnvelope {
  readonly kind: 'consistency';
  readonly oldSize: number;
  readonly newSize: number;
  readonly hashes: readonly Uint8Array[];
}

/**
 * Issues a receipt that the entry is in the tree (RFC 9942): a COSE_Sign1 with the proof in its header and the root as
 * detached payload. The proof is checked first, so that a wrong one is never signed.
 *
 * In a tree of one entry the path is empty, which the CDDL of RFC 9942 does not foresee; it is written as an empty list.
 * @throws {TlogError} `proof-rejected` · `out-of-range` · `malformed-hash`
 */
export function issueInclusionReceipt(
  claim: InclusionClaim,
  hashes: readonly Uint8Array[],
  signer: ReceiptSigner,
  hasher: TreeHasher = treeHasher(),
): Uint8Array {
  verifyInclusion(claim, hashes, hasher);
  return issue(INCLUSION, [claim.size, claim.index, hashes], claim.root, signer);
}

/**
 * Issues a receipt that the newer tree extends the older one. Both must differ in size: otherwise there is no path.
 * @throws {TlogError} `proof-rejected` · `out-of-range` · `malformed-hash`
 */
export function issueConsistencyReceipt(
  claim: ConsistencyClaim,
  hashes: readonly Uint8Array[],
  signer: ReceiptSigner,
  hasher: TreeHasher = treeHasher(),
): Uint8Array {
  if (claim.oldSize === claim.newSize) {
    throw new TlogError(
      'out-of-range',
      'both trees have the same size',
      'issue a receipt once the log has grown',
    );
  }
  verifyConsistency(claim, hashes, hasher);
  return issue(CONSISTENCY, [claim.oldSize, claim.newSize, hashes], claim.newRoot, signer);
}

/**
 * Reads a receipt with exactly one proof. Nothing is verified yet.
 * @throws {TlogError} `malformed-cbor` · `malformed-receipt` · `unsupported` for other algorithms, structures or proofs
 */
export function parseReceipt(bytes: Uint8Array): Receipt {
  if (bytes.length > MAX_RECEIPT_BYTES) throw malformed(`receipt is longer than ${MAX_RECEIPT_BYTES} bytes`);
  const sign1 = decodeCbor(bytes);
  if (!isTagged(sign1) || sign1.tag !== COSE_SIGN1_TAG) throw malformed('receipt is not a tagged COSE_Sign1');
  const [protectedHeader, unprotectedHeader, payload, signature, ...excess] = asArray(
    sign1.value,
    'COSE_Sign1',
  );
  if (!(signature instanceof Uint8Array) || excess.length > 0)
    throw malformed('COSE_Sign1 does not have four parts');
  if (payload !== null && !(payload instanceof Uint8Array)) throw malformed('payload is not a byte string');
  const headerBytes = asBytes(protectedHeader, 'protected header');
  const header = asMap(decodeCbor(headerBytes), 'protected header');
  const open = asMap(unprotectedHeader, 'unprotected header');
  for (const label of header.keys()) {
    if (open.has(label)) throw malformed(`label \`${label}\` is both protected and not`);
  }
  return {
    ...parseHeader(header),
    ...parseProofs(open),
    protectedHeader: headerBytes,
    payload: payload ?? undefined,
    signature,
  };
}

/**
 * Verifies a receipt that the entry with the hash `leaf` is in a log, and returns the tree that it is in.
 * @throws {TlogError} as {@link parseReceipt}, and `proof-rejected` · `out-of-range` · `malformed-hash` ·
 * `signature-rejected`
 */
export function verifyInclusionReceipt(
  bytes: Uint8Array,
  leaf: Uint8Array,
  key: ReceiptKey,
  signatures: SignatureVerifiers,
  hasher: TreeHasher = treeHasher(),
): { readonly size: number; readonly index: number; readonly root: Uint8Array } {
  const receipt = parseReceipt(bytes);
  if (receipt.kind !== 'inclusion') throw malformed('receipt is of consistency, not of inclusion');
  const { size, index, hashes } = receipt;
  const root = rootFromInclusion({ size, index, leaf }, hashes, hasher);
  verifySignature(receipt, root, key, signatures);
  return { size, index, root };
}

/**
 * Verifies a receipt that a log has grown from the tree `old`, which the caller trusts already, and returns the newer
 * tree.
 * @throws {TlogError} as {@link verifyInclusionReceipt}
 */
export function verifyConsistencyReceipt(
  bytes: Uint8Array,
  old: { readonly size: number; readonly root: Uint8Array },
  key: ReceiptKey,
  signatures: SignatureVerifiers,
  hasher: TreeHasher = treeHasher(),
): { readonly size: number; readonly root: Uint8Array } {
  const receipt = parseReceipt(bytes);
  if (receipt.kind !== 'consistency') throw malformed('receipt is of inclusion, not of consistency');
  if (receipt.oldSize !== old.size) {
    throw new TlogError(
      'proof-rejected',
      `receipt starts from ${receipt.oldSize} entries, not from ${old.size}`,
      'ask for a receipt from the tree that you know',
    );
  }
  const { oldSize, newSize, hashes } = receipt;
  const root = rootFromConsistency({ oldSize, newSize, oldRoot: old.root }, hashes, hasher);
  verifySignature(receipt, root, key, signatures);
  return { size: newSize, root };
}

function issue(kind: number, proof: CborValue, root: Uint8Array, signer: ReceiptSigner): Uint8Array {
  checkHash(root, 'root hash');
  const header = new Map<number, CborValue>([
    [ALG, ALGORITHMS[signer.algorithm][0]],
    [VDS, RFC9162_SHA256],
  ]);
  if (signer.keyId !== undefined) header.set(KID, signer.keyId);
  const claims = new Map<number, CborValue>();
  if (signer.issuer !== undefined) claims.set(1, signer.issuer);
  if (signer.subject !== undefined) claims.set(2, signer.subject);
  if (claims.size > 0) header.set(CWT_CLAIMS, claims);
  const protectedHeader = encodeCbor(header);
  const proofs = new Map([[kind, [encodeCbor(proof)]]]);
  const signature = signer.sign(signedBytes(protectedHeader, root));
  return encodeCbor({
    kind: 'tag',
    tag: COSE_SIGN1_TAG,
    value: [protectedHeader, new Map([[VDP, proofs]]), null, signature],
  });
}

/** Sig_structure of COSE_Sign1 (RFC 9052 §4.4), without external data. */
function signedBytes(protectedHeader: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeCbor(['Signature1', protectedHeader, new Uint8Array(0), payload]);
}

function verifySignature(
  receipt: Receipt,
  root: Uint8Array,
  key: ReceiptKey,
  signatures: SignatureVerifiers,
): void {
  if (receipt.payload !== undefined && !sameBytes(receipt.payload, root)) {
    throw new TlogError(
      'proof-rejected',
      'proof of the receipt leads to another root than the one it carries',
      'check that the receipt belongs to this entry, or to this older tree',
    );
  }
  const message = signedBytes(receipt.protectedHeader, root);
  const verify = key.algorithm === 'ed25519' ? signatures.verifyEd25519 : signatures.verifyEs256;
  // The key decides the algorithm; what the receipt says about itself only has to agree.
  if (receipt.algorithm === key.algorithm && verify(key.publicKey, message, receipt.signature)) return;
  throw new TlogError(
    'signature-rejected',
    'receipt is not signed by this key over the root that its proof leads to',
    'check that the receipt belongs to this entry, or to this older tree, and that the key is the log’s receipt key',
  );
}

function parseHeader(header: CborMap): Pick<ReceiptEnvelope, 'algorithm' | 'keyId' | 'issuer' | 'subject'> {
  if (header.has(CRIT)) throw unsupported('receipt has critical headers');
  if (header.get(VDS) !== RFC9162_SHA256) throw unsupported('receipt is not about an RFC9162_SHA256 tree');
  const claims = header.get(CWT_CLAIMS);
  const named = claims === undefined ? undefined : asMap(claims, 'CWT claims');
  return {
    algorithm: algorithmOf(header.get(ALG)),
    keyId: header.has(KID) ? asBytes(header.get(KID), 'key ID') : undefined,
    issuer: optionalText(named?.get(1), 'issuer'),
    subject: optionalText(named?.get(2), 'subject'),
  };
}

function algorithmOf(label: CborValue | undefined): ReceiptAlgorithm {
  if (label === -8 || label === -19) return 'ed25519';
  if (label === -7 || label === -9) return 'es256';
  throw unsupported('receipt is signed with an algorithm other than Ed25519 or ES256');
}

type Proof =
  | Pick<ReceiptOfInclusion, 'kind' | 'size' | 'index' | 'hashes'>
  | Pick<ReceiptOfConsistency, 'kind' | 'oldSize' | 'newSize' | 'hashes'>;

function parseProofs(open: CborMap): Proof {
  const proofs = asMap(open.get(VDP), 'proofs');
  const kind = proofs.has(INCLUSION) ? INCLUSION : CONSISTENCY;
  if (proofs.size !== 1) throw unsupported('receipt has proofs of more than one type, or none');
  const [encoded, ...others] = asArray(proofs.get(kind), 'proofs');
  if (others.length > 0) throw unsupported('receipt has more than one proof');
  const [first, second, path, ...excess] = asArray(decodeCbor(asBytes(encoded, 'proof')), 'proof');
  if (!isSize(first) || !isSize(second) || excess.length > 0)
    throw malformed('proof is not two sizes and a path');
  const hashes = asArray(path, 'path').map((hash) => asBytes(hash, 'hash of the path'));
  return kind === INCLUSION
    ? { kind: 'inclusion', size: first, index: second, hashes }
    : { kind: 'consistency', oldSize: first, newSize: second, hashes };
}

function isSize(value: CborValue | undefined): value is number {
  return typeof value === 'number' && value >= 0;
}

function isTagged(value: CborValue): value is Extract<CborValue, { kind: 'tag' }> {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

function asArray(value: CborValue | undefined, what: string): readonly CborValue[] {
  if (Array.isArray(value)) return value;
  throw malformed(`${what} is not a list`);
}

function asMap(value: CborValue | undefined, what: string): CborMap {
  if (value instanceof Map) return value;
  throw malformed(`${what} is not a map`);
}

function asBytes(value: CborValue | undefined, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw malformed(`${what} is not a byte string`);
}

function optionalText(value: CborValue | undefined, what: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw malformed(`${what} is not a text`);
}

function malformed(message: string): TlogError {
  return new TlogError(
    'malformed-receipt',
    message,
    'see RFC 9942; pass the bytes exactly as they were issued',
  );
}

function unsupported(message: string): TlogError {
  return new TlogError(
    'unsupported',
    message,
    'ask for a receipt of an RFC 9162 tree, with one proof, signed with ES256 or Ed25519',
  );
}
