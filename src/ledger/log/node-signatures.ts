import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { ed25519NoteSigner } from '../../tlog/cosignature.ts';
import { TlogError } from '../../tlog/errors.ts';
import type { NoteSigner } from '../../tlog/note.ts';
import { SIGNATURE_TYPES, type SignerKey, type VerifierKey, verifierKey } from '../../tlog/note-key.ts';
import type { ReceiptSigner } from '../../tlog/receipt.ts';
import type { SignatureVerifiers } from '../../tlog/signatures.ts';

// ASN.1 around the raw keys of RFC 8410 and RFC 9881: node:crypto reads no raw keys of these kinds.
const ED25519_SEED = Buffer.from('302e020100300506032b657004220420', 'hex');
const ED25519_PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');
const ML_DSA_44_PUBLIC = Buffer.from('30820532300b06096086480165030403110382052100', 'hex');
const P256_PUBLIC = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

/** Signature verification by OpenSSL: some ten times as fast as the portable one. */
export const nodeSignatures: SignatureVerifiers = {
  verifyEd25519: (key, message, signature) =>
    key.length === 32 && holds(() => verify(null, message, publicKey(ED25519_PUBLIC, key), signature)),
  verifyMlDsa44: (key, message, signature) =>
    key.length === 1312 && holds(() => verify(null, message, publicKey(ML_DSA_44_PUBLIC, key), signature)),
  verifyEs256: (key, message, signature) =>
    key.length === 65 &&
    holds(() =>
      verify('sha256', message, { key: publicKey(P256_PUBLIC, key), dsaEncoding: 'ieee-p1363' }, signature),
    ),
};

/** Makes a log's signing key: Ed25519, named after the log's origin. */
export function generateLogKey(origin: string): SignerKey {
  return signerKeyOf(origin, randomBytes(32));
}

/** The signing key of a seed. */
function signerKeyOf(origin: string, seed: Uint8Array): SignerKey {
  const { keyId } = verifierKey(origin, SIGNATURE_TYPES.ed25519, ed25519PublicKey(seed));
  return { name: origin, keyId, type: SIGNATURE_TYPES.ed25519, seed };
}

/** The public half of a log's signing key. @throws {TlogError} `unsupported` */
export function verifierKeyOf(key: SignerKey): VerifierKey {
  if (key.type !== SIGNATURE_TYPES.ed25519) {
    throw new TlogError(
      'unsupported',
      `log key is of type ${key.type}`,
      'sign logs with an Ed25519 key (type 1)',
    );
  }
  return verifierKey(key.name, key.type, ed25519PublicKey(key.seed));
}

/** Signs a log's checkpoints. @throws {TlogError} `unsupported` */
export function logSigner(key: SignerKey): NoteSigner {
  const secret = privateKey(key.seed);
  return ed25519NoteSigner(verifierKeyOf(key), (message) => sign(null, message, secret));
}

/**
 * Signs receipts (RFC 9942) with a log's key. What it signs there is CBOR, and its notes are text, which no such CBOR is:
 * neither signature can pass for the other. The key is named by its key ID, as in notes.
 * @throws {TlogError} `unsupported`
 */
export function receiptSigner(key: SignerKey): ReceiptSigner {
  const { name, keyId } = verifierKeyOf(key);
  const secret = privateKey(key.seed);
  const id = Buffer.alloc(4);
  id.writeUInt32BE(keyId);
  return { algorithm: 'ed25519', sign: (message) => sign(null, message, secret), keyId: id, issuer: name };
}

/** Public key of an Ed25519 seed, 32 bytes each. */
function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  const spki = createPublicKey(privateKey(seed)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(spki.length - 32));
}

function privateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([ED25519_SEED, seed]), format: 'der', type: 'pkcs8' });
}

function publicKey(prefix: Buffer, key: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([prefix, key]), format: 'der', type: 'spki' });
}

function holds(run: () => boolean): boolean {
  try {
    return run();
  } catch {
    return false;
  }
}
