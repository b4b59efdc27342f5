import { type KeyVerifier, noteVerifier } from '../../tlog/cosignature.ts';
import { formatVerifierKey, SIGNATURE_TYPES, type VerifierKey } from '../../tlog/note-key.ts';
import { LedgerError, quoted } from '../errors.ts';
import { nodeSignatures } from '../log/node-signatures.ts';

/**
 * A log as a witness knows it (C2SP tlog-witness): its origin, and the keys trusted to sign for it. Keys should be named
 * after the origin and need not be (C2SP tlog-checkpoint): those of the Go checksum database are not.
 */
export interface WatchedLog {
  readonly origin: string;
  readonly keys: readonly VerifierKey[];
}

/** A log with one key, named after its origin unless another is given. */
export function watchedLog(key: VerifierKey, origin: string = key.name): WatchedLog {
  return { origin, keys: [key] };
}

/** What logs sign checkpoints with. The Ed25519 cosigner type is for witnesses: with it, one could pose as a log. */
const LOG_TYPES: readonly number[] = [SIGNATURE_TYPES.ed25519, SIGNATURE_TYPES.mlDsa44Cosignature];

/**
 * Verifiers by origin. One origin is one log with one history, whoever holds its keys.
 * @throws {LedgerError} `key-invalid` for a key that no log may have, an origin that comes twice, or two keys of one
 * log that signature lines cannot tell apart
 */
export function logVerifiers(logs: readonly WatchedLog[]): ReadonlyMap<string, readonly KeyVerifier[]> {
  const verifiers = new Map<string, readonly KeyVerifier[]>();
  for (const { origin, keys } of logs) {
    if (verifiers.has(origin)) {
      throw invalid(
        `log ${quoted(origin)} is listed twice`,
        'list each origin once, with all keys of that log',
      );
    }
    const lines = new Set<string>();
    for (const key of keys) {
      if (!LOG_TYPES.includes(key.type)) {
        throw invalid(
          `key ${quoted(key.name)} is of type ${key.type}, which is not for a log`,
          'ask the log for its verifier key: Ed25519 (type 1) or ML-DSA-44 (type 6)',
        );
      }
      const line = `${key.name} ${key.keyId}`;
      if (lines.has(line)) {
        throw invalid(
          `two keys of log ${quoted(origin)} have one name and one key ID`,
          'have the log make another key',
        );
      }
      lines.add(line);
    }
    verifiers.set(
      origin,
      keys.map((key) => noteVerifier(key, nodeSignatures)),
    );
  }
  return verifiers;
}

/**
 * Lets a key sign for a log.
 * @throws {LedgerError} `key-invalid` as {@link logVerifiers}, and unless `anotherKey` if the log has keys already: who
 * is trusted with a second one can go on with the history of the first
 */
export function withTrustedKey(
  logs: readonly WatchedLog[],
  key: VerifierKey,
  { origin = key.name, anotherKey = false }: { readonly origin?: string; readonly anotherKey?: boolean },
): readonly WatchedLog[] {
  const known = logs.find((log) => log.origin === origin);
  const text = formatVerifierKey(key);
  if (known?.keys.some((one) => formatVerifierKey(one) === text)) return logs;
  if (known !== undefined && !anotherKey) {
    throw invalid(
      `log ${quoted(origin)} is watched already, with another key`,
      'if it announced this key itself, pass `--another-key`; two logs cannot share an origin',
    );
  }
  const changed =
    known === undefined
      ? [...logs, watchedLog(key, origin)]
      : logs.map((log) => (log === known ? { origin, keys: [...log.keys, key] } : log));
  logVerifiers(changed);
  return changed;
}

/**
 * Takes a key away, from every log that it signs for. What was cosigned stays remembered.
 * @throws {LedgerError} `not-found`
 */
export function withoutKey(logs: readonly WatchedLog[], key: VerifierKey): readonly WatchedLog[] {
  const text = formatVerifierKey(key);
  const left = logs.map(({ origin, keys }) => ({
    origin,
    keys: keys.filter((one) => formatVerifierKey(one) !== text),
  }));
  if (left.every(({ keys }, i) => keys.length === logs[i]?.keys.length)) {
    throw new LedgerError(
      'not-found',
      `key ${quoted(text)} is not trusted`,
      'see `witness.json` for those that are',
    );
  }
  return left.filter(({ keys }) => keys.length > 0);
}

function invalid(message: string, help: string): LedgerError {
  return new LedgerError('key-invalid', message, help);
}
