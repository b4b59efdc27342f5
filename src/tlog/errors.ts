/** What can be wrong with something this room was given. Closed: a caller may switch on it exhaustively. */
export type TlogErrorCode =
  /** A size, index or level that no tree has. */
  | 'out-of-range'
  /** Bytes that should be one SHA-256 hash and are not. */
  | 'malformed-hash'
  /** A Merkle proof with the wrong number of hashes, or one that does not lead to the root. */
  | 'proof-rejected'
  | 'malformed-tile'
  | 'malformed-tile-path'
  | 'malformed-bundle'
  | 'malformed-note'
  | 'malformed-key'
  | 'malformed-checkpoint'
  | 'malformed-cosignature'
  | 'malformed-proof'
  | 'malformed-policy'
  | 'malformed-cbor'
  | 'malformed-receipt'
  /** A signature that names a key we know and does not verify. */
  | 'signature-rejected'
  /** No signature by any key we know. */
  | 'signature-missing'
  /** A checkpoint, proof or receipt of another log than the one asked about. */
  | 'wrong-origin'
  /** Signed by the log, but not by the witnesses that the policy asks for. */
  | 'quorum-not-met'
  /** Well-formed, but of a kind that this implementation does not handle. */
  | 'unsupported';

/**
 * The only error this room throws for bad input. Parsers and verifiers throw it and nothing else,
 * whatever bytes they are given.
 */
export class TlogError extends Error {
  readonly code: TlogErrorCode;
  /** What to do next, one sentence. */
  readonly help: string;

  constructor(code: TlogErrorCode, message: string, help: string) {
    super(message);
    this.name = 'TlogError';
    this.code = code;
    this.help = help;
  }
}

/** A value as it may appear in a message: cut short, because it may be an attacker's megabyte. */
export function quoted(value: string): string {
  const shown = value.length > 80 ? `${value.slice(0, 77)}...` : value;
  return `\`${shown.replace(/[^\x20-\x7e\u00a0-\ud7ff\ue000-\uffff]/g, '?')}\``;
}
