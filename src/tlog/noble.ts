import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import type { Sign, SignatureVerifiers } from './signatures.ts';

/**
 * Verification in plain JavaScript, for browsers and edge runtimes: some hundreds of signatures a second.
 */
export const nobleSignatures: SignatureVerifiers = {
  verifyEd25519(publicKey, message, signature) {
    // Strict RFC 8032, so that a browser and OpenSSL agree on non-canonical encodings.
    return holds(() => ed25519.verify(signature, message, publicKey, { zip215: false }));
  },
  verifyMlDsa44(publicKey, message, signature) {
    return holds(() => ml_dsa44.verify(signature, message, publicKey));
  },
  verifyEs256(publicKey, message, signature) {
    // COSE allows both s and n − s (RFC 9053 §2.1), and so must we.
    return holds(() => p256.verify(signature, message, publicKey, { lowS: false, format: 'compact' }));
  },
};

/** Signs with Ed25519. `seed`: 32 bytes. */
export function nobleEd25519Sign(seed: Uint8Array): Sign {
  return (message) => ed25519.sign(message, seed);
}

/** Public key of an Ed25519 seed. */
export function nobleEd25519PublicKey(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed);
}

/** Signs with ML-DSA-44. `seed`: 32 bytes (FIPS 204 ξ). */
export function nobleMlDsa44Sign(seed: Uint8Array): Sign {
  const { secretKey } = ml_dsa44.keygen(seed);
  return (message) => ml_dsa44.sign(message, secretKey);
}

/** Public key of an ML-DSA-44 seed. */
export function nobleMlDsa44PublicKey(seed: Uint8Array): Uint8Array {
  return ml_dsa44.keygen(seed).publicKey;
}

function holds(verify: () => boolean): boolean {
  try {
    return verify();
  } catch {
    return false;
  }
}
