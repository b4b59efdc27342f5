import type postgres from 'postgres';
import { LedgerError, quoted } from '../errors.ts';

export type Sql = postgres.Sql;

/**
 * Connects to a PostgreSQL server, or to a pooler in front of it. Nothing here lives longer than a transaction: no
 * prepared statements by name, no session locks, no session settings; so a pooler in transaction mode is safe.
 * @throws {LedgerError} `io-failed` when the optional package `postgres` is not installed
 */
export async function connect(url: string, connections = 4): Promise<Sql> {
  let module: typeof postgres;
  try {
    module = (await import('postgres')).default;
  } catch (cause) {
    throw new LedgerError(
      'io-failed',
      'package `postgres` is not installed',
      'run `npm install postgres`, or keep the log in files',
      { cause },
    );
  }
  return module(url, {
    max: connections,
    prepare: false,
    fetch_types: false,
    connect_timeout: 10,
    idle_timeout: 60,
    onnotice: () => undefined,
    // Sizes and times: exact as numbers up to 2^53, and refused beyond.
    types: {
      bigint: { to: 20, from: [20], serialize: String, parse: (text: string) => safeInteger(text) },
    },
  });
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  throw new LedgerError(
    'damaged',
    `number ${quoted(text)} in the database is too large`,
    'restore the database',
  );
}

/** SQLSTATE of a server's error. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export const UNIQUE_VIOLATION = '23505';

/** Errors after which the same statement may succeed on another connection: the server went away, or asks for it. */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error) ?? '';
  return (
    /^(08|57P0[123]|40001|40P01|53300)/.test(state) ||
    [
      'ECONNREFUSED',
      'ECONNRESET',
      'EPIPE',
      'ENOENT',
      'CONNECTION_CLOSED',
      'CONNECTION_ENDED',
      'CONNECTION_DESTROYED',
      'CONNECT_TIMEOUT',
    ].includes(state)
  );
}
