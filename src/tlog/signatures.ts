/**
 * The cryptography that verifying needs, as one object that callers hand in: `nobleSignatures` runs anywhere, and on
 * Node one over `node:crypto` is some ten times faster. Each function answers whether `signature` is valid; malformed
 * keys and signatures are answered with `false`, never with an exception.
 */
export interface SignatureVerifiers {
  /** RFC 8032: key 32 bytes, signature 64 bytes. */
  verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** FIPS 204, pure, empty context: key 1312 bytes, signature 2420 bytes. */
  verifyMlDsa44(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** ECDSA over P-256 with SHA-256: key as uncompressed point (65 bytes), signature as r ‖ s (64 bytes). */
  verifyEs256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

/** Signs a message with a private key that only the function knows. */
export type Sign = (message: Uint8Array) => Uint8Array;
