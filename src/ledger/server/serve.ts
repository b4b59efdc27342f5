import type { IncomingMessage } from 'node:http';
import { LedgerError } from '../errors.ts';
import type { Ledger } from '../ledger.ts';
import type { Log } from '../log/log.ts';
import { recordValidator } from '../record/validate.ts';
import { addReply, appendReply, refusalReply, type Sender } from './append.ts';
import { type ListenOptions, listen, type Reply, type Running, textReply } from './http.ts';
import { otlpReply } from './otlp.ts';
import { readReply } from './read.ts';
import type { Authenticate } from './writers.ts';

export interface LogServerOptions extends ListenOptions {
  readonly log: Log;
  /** Who may append. `'anybody'` is for a machine that only its owner reaches. */
  readonly writers: Authenticate | 'anybody';
  /** Who may read: everybody, or only writers. */
  readonly reads: 'public' | 'authenticated';
  /** Seals fields that come with records. Without it such records are refused: they must not be kept in the clear. */
  readonly sealing?: () => Promise<Pick<Ledger, 'prepare' | 'vault'>>;
}

type Append = (request: IncomingMessage, sender: Sender) => Promise<Reply>;

const APPENDS: Readonly<Record<string, Append>> = {
  '/add': addReply,
  '/v1/append': appendReply,
  '/v1/logs': (request, sender) => otlpReply(request, sender, 'logs'),
  '/v1/traces': (request, sender) => otlpReply(request, sender, 'traces'),
};

/**
 * Serves a log: reads by C2SP tlog-tiles, and appends as single entries (`/add`), batches (`/v1/append`), and OTLP
 * (`/v1/logs`, `/v1/traces`). Every append is answered only once it is durable.
 */
export function serveLog(options: LogServerOptions): Promise<Running> {
  const { log, writers, reads, sealing = noVault } = options;
  const { check } = recordValidator();
  const handle = async (request: IncomingMessage, path: string): Promise<Reply> => {
    const append = Object.hasOwn(APPENDS, path) ? APPENDS[path] : undefined;
    const writer = writers === 'anybody' ? undefined : writers(request.headers.authorization);
    const known = writers === 'anybody' || writer !== undefined;
    if (append !== undefined) {
      if (request.method !== 'POST') return textReply(405, 'use POST', { allow: 'POST' });
      if (!known) return unauthorized();
      return append(request, { log, check, producer: writer?.id, sealing });
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return textReply(405, 'use GET', { allow: 'GET, HEAD' });
    }
    if (reads === 'authenticated' && !known) return unauthorized();
    return (await readReply(log, path)) ?? textReply(404, 'not found');
  };
  return listen(async (request, path) => {
    try {
      return await handle(request, path);
    } catch (error) {
      const reply = error instanceof LedgerError ? refusalReply(error) : undefined;
      if (reply === undefined) throw error;
      return reply;
    }
  }, options);
}

async function noVault(): Promise<never> {
  throw new LedgerError(
    'record-invalid',
    'this log has no vault to seal fields into',
    'start it with one, or send records without `seal`',
  );
}

function unauthorized(): Reply {
  return textReply(401, 'send the token of a writer', { 'www-authenticate': 'Bearer' });
}
