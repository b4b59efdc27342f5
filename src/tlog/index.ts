/**
 * Transparency logs: Merkle trees, tiles, signed notes, checkpoints, cosignatures, proofs, policies and receipts.
 * Pure: no file, no network, no clock, no Node. Public as `comity/tlog`.
 *
 * Verification with `@noble/*` is in `noble.ts`, apart, so that whoever has faster cryptography does not load it.
 */
export { decodeBundle, ENTRY_FRAME_BYTES, encodeBundle, MAX_ENTRY_BYTES, writeEntry } from './bundle.ts';
export {
  type Checkpoint,
  type CheckpointNote,
  formatCheckpointText,
  type OpenedCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  parseCheckpointText,
  signCheckpoint,
} from './checkpoint.ts';
export {
  cosignatureTime,
  cosigner,
  ed25519Message,
  ed25519NoteSigner,
  type KeyVerifier,
  mlDsa44Message,
  noteVerifier,
  type SubtreeStatement,
} from './cosignature.ts';
export { TlogError, type TlogErrorCode } from './errors.ts';
export { Frontier, type OnNode } from './frontier.ts';
export { HASH_BYTES, type Sha256, sameBytes, type TreeHasher, treeHasher } from './hash.ts';
export { MemoryTree } from './memory-tree.ts';
export {
  type ConsistencyClaim,
  consistencyPlan,
  consistencyProof,
  type InclusionClaim,
  inclusionPlan,
  inclusionProof,
  MAX_SIZE,
  type NodeId,
  type ProofPlan,
  proofFromNodes,
  type ReadNode,
  rootFromConsistency,
  rootFromInclusion,
  rootFromNodes,
  rootNodes,
  type SubtreeClaim,
  subtreeConsistencyPlan,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from './merkle.ts';
export {
  formatNote,
  formatSignatureLine,
  MAX_NOTE_BYTES,
  MAX_SIGNATURES,
  type Note,
  type NoteSignature,
  type NoteSigner,
  type NoteVerifier,
  parseNote,
  parseSignatureLines,
  signNote,
  type VerifiedSignature,
  verifyKnownSignatures,
  verifyNote,
} from './note.ts';
export {
  formatSignerKey,
  formatVerifierKey,
  hexKeyId,
  keyId,
  parseSignerKey,
  parseVerifierKey,
  SIGNATURE_TYPES,
  type SignerKey,
  type VerifierKey,
  verifierKey,
} from './note-key.ts';
export {
  acceptCheckpoint,
  evaluatePolicy,
  formatPolicy,
  MAX_POLICY_BYTES,
  type Policy,
  type PolicyCosignature,
  type PolicyEvaluation,
  type PolicyGroup,
  type PolicyLog,
  type PolicyWitness,
  parsePolicy,
  verifyCheckpoint,
  witnessedNames,
} from './policy.ts';
export { formatProof, MAX_PROOF_BYTES, parseProof, type TlogProof, verifyProof } from './proof.ts';
export {
  issueConsistencyReceipt,
  issueInclusionReceipt,
  parseReceipt,
  type Receipt,
  type ReceiptAlgorithm,
  type ReceiptKey,
  type ReceiptOfConsistency,
  type ReceiptOfInclusion,
  type ReceiptSigner,
  verifyConsistencyReceipt,
  verifyInclusionReceipt,
} from './receipt.ts';
export { sha256 } from './sha256.ts';
export type { Sign, SignatureVerifiers } from './signatures.ts';
export {
  type EntryTile,
  type HashTile,
  isTileOf,
  parseTilePath,
  sliceOfNode,
  TILE_WIDTH,
  type Tile,
  type TileSlice,
  tilePath,
  tilesOfGrowth,
  tileWidth,
} from './tile.ts';
export { nodeReader, type ReadTile, TiledTree, tilesOfNodes } from './tiled-tree.ts';
