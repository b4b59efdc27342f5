/**
 * The ledger: an append-only, witnessed, erasable record of what an AI system did. Public as `comity/ledger`.
 *
 * - `createLogDirectory`, `openLogDirectory`: a log in a directory. `openLog`: a log on any {@link LogStore}.
 * - `openLedger`: a log of audit records with a vault beside it for what is about people.
 * - `startProducer`: makes numbered records.
 * - `exportEvidence`, `verifyEvidence`: evidence for an auditor, and the auditor's side. `evidence/verify.ts` runs in a
 *   browser.
 * - `fsck`: recomputes everything from the entries. `moveLog`: the same tree in another store. `prune`: removes the bytes
 *   of entries that have outlived their retention. `exportStatic`: a log as files for any web server.
 * - `openRecordIndex`, `openPostgresIndex`, `follow`: finds records.
 * - `serveLog`: a log over HTTP. `monitorLog`: compares a log with its witnesses and with what was seen before.
 * - `openWitness`, `serveWitness`: vouches for others’ logs. `gatherCosignatures`, `quorumPolicy`: has others vouch for
 *   ours, in several countries.
 */

export { LedgerError, type LedgerErrorCode } from './errors.ts';
export { type ExportOptions, evidenceBytes, exportEvidence } from './evidence/export.ts';
export { type Range, rangesOf } from './evidence/multiproof.ts';
export { doesNotProve, type FaultCode, type Findings, type Verdict } from './evidence/verdict.ts';
export { type VerifierOptions, verifyEvidence } from './evidence/verify.ts';
export {
  createFilesStore,
  type FilesStoreOptions,
  type OpenedFiles,
  openFilesStore,
} from './files/files-store.ts';
export { filesSource } from './files/fsck-source.ts';
export { openFilesHolds } from './files/holds.ts';
export { type FilesVaultOptions, openFilesVault } from './files/vault.ts';
export {
  type Ledger,
  type LedgerOptions,
  openLedger,
  type Prepared,
  type Resumed,
  type Submission,
} from './ledger.ts';
export {
  type Appended,
  Appender,
  type AppenderLimits,
  DEFAULT_LIMITS,
} from './log/appender.ts';
export {
  createLogDirectory,
  describeLogDirectory,
  type LogDescription,
  openLogDirectory,
  readLogDirectory,
  readLogKey,
  replaceLogKey,
} from './log/directory.ts';
export {
  type Diagnosis,
  type FsckEntry,
  type FsckOptions,
  type FsckReport,
  type FsckSource,
  fsck,
  type LogFault,
  storeSource,
} from './log/fsck.ts';
export { type Cosign, type Log, type LogOptions, type LogView, openLog } from './log/log.ts';
export { moveLog } from './log/move.ts';
export { nodeHasher } from './log/node-hash.ts';
export {
  generateLogKey,
  logSigner,
  nodeSignatures,
  receiptSigner,
  verifierKeyOf,
} from './log/node-signatures.ts';
export { type KeptBack, type Prunable, type PruneConditions, prunable } from './log/prunable.ts';
export { type PruneOptions, type PruneProgress, type PruneReport, prune } from './log/prune.ts';
export { exportStatic, type StaticReport } from './log/static-tree.ts';
export {
  KEY_BYTES,
  type LogStore,
  type NewEntry,
  type Placement,
  PRUNE_STEP,
  type Pruning,
  type SignedHead,
  type TreeHead,
} from './log/store.ts';
export { connect, type Sql } from './postgres/connection.ts';
export { openPostgresHolds } from './postgres/holds.ts';
export { openPostgresIndex } from './postgres/postgres-index.ts';
export {
  createPostgresStore,
  fencePostgresStore,
  openPostgresStore,
  type PostgresStoreOptions,
} from './postgres/postgres-store.ts';
export { openPostgresVault, type PostgresVaultOptions } from './postgres/postgres-vault.ts';
export { type Follower, follow } from './query/follower.ts';
export type { IndexMark, RecordIndex, RecordQuery, RecordRow } from './query/record-index.ts';
export { openRecordIndex } from './query/sqlite-index.ts';
export { type AttributeName, SCHEMA_URL, type ValueOf } from './record/attributes.ts';
export { canonicalBytes, canonicalText } from './record/canonical.ts';
export { type CompletenessCheck, completenessCheck, type Omission } from './record/completeness.ts';
export { EVENTS, type EventName, isEventName } from './record/events.ts';
export {
  type Intent,
  type Producer,
  type ProducerOptions,
  type RecordContext,
  startProducer,
} from './record/producer.ts';
export {
  type AttributesOf,
  type AuditRecord,
  type ProducerStamp,
  RECORD_VERSION,
  type RecordOf,
  type Relation,
  type Resource,
  type Retention,
  type SealedReference,
} from './record/record.ts';
export { type JsonSchema, recordSchema } from './record/schema.ts';
export type { Clock } from './record/time.ts';
export { type UuidSource, uuidBytes, uuidv7Source, uuidv7Time } from './record/uuidv7.ts';
export { type RecordValidator, recordValidator } from './record/validate.ts';
export {
  type DisclosedField,
  type Disclosure,
  openDisclosure,
  readDisclosure,
} from './sealing/disclosure.ts';
export type { Eraser, ErasureProgress, ErasureReason, ErasureStep, Obstacle } from './sealing/erasure.ts';
export type { Holder, HoldStep } from './sealing/holding.ts';
export { type Holds, holdsOfRecords } from './sealing/holds.ts';
export { replaySteps } from './sealing/replay.ts';
export { type OpenedRecord, openSealed, type SealInput } from './sealing/seal.ts';
export type {
  ErasureRequest,
  HoldState,
  KeyFate,
  KeyState,
  KeyWrapper,
  LegalHold,
  SealedBlob,
  SubjectKey,
  SweepRange,
  Vault,
} from './sealing/vault.ts';
export { fileWrapper, localWrapper } from './sealing/wrapping.ts';
export { type Handler, type ListenOptions, listen, type Reply, type Running } from './server/http.ts';
export { type LogServerOptions, serveLog } from './server/serve.ts';
export {
  type Authenticate,
  addWriter,
  authenticator,
  readWriters,
  removeWriter,
  type Writer,
} from './server/writers.ts';
export { type GatherOptions, gatherCosignatures, type WitnessProblem } from './witness/gather.ts';
export {
  createWitnessDirectory,
  describeWitness,
  distrustKeys,
  openWitnessDirectory,
  trustLogs,
  type WitnessDescription,
  watchedLogs,
} from './witness/keys.ts';
export {
  type MonitorFinding,
  type MonitorMemory,
  type MonitorOptions,
  type MonitorReport,
  monitorLog,
  NEW_MONITOR,
} from './witness/monitor.ts';
export {
  majorityOf,
  parseQuorum,
  type Quorum,
  type QuorumProblem,
  type QuorumWitness,
  quorumPolicy,
  quorumProblems,
} from './witness/quorum.ts';
export { serveWitness } from './witness/serve.ts';
export { parseSplitView, type SplitView, splitView, verifySplitView } from './witness/split-view.ts';
export { openWitnessState, type WitnessedHead, type WitnessState } from './witness/state.ts';
export { type WatchedLog, watchedLog } from './witness/watched-log.ts';
export {
  openWitness,
  originHash,
  type Witness,
  type WitnessKey,
  type WitnessOptions,
  type WitnessReply,
} from './witness/witness.ts';
