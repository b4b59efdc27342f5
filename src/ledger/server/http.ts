import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An answer of one of our servers: text or bytes, never streamed. */
export interface Reply {
  readonly status: number;
  readonly body?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers one request. What it throws becomes a 500 without details. */
export type Handler = (request: IncomingMessage, path: string) => Promise<Reply> | Reply;

/** A server that runs. */
export interface Running {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  /** Stops accepting, lets requests under way finish for a moment, and closes. */
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Address to listen on. Default `127.0.0.1`: put a proxy that speaks TLS in front of it. */
  readonly host?: string;
  /** 0: the system chooses. */
  readonly port?: number;
  /** Connections at a time; more are turned away. Default 512. */
  readonly connections?: number;
  /** How long one request may take to arrive, in milliseconds. Default 15 000. */
  readonly requestMs?: number;
  /** Told of errors that are ours. */
  readonly onError?: (error: unknown) => void;
}

/** A body that is larger than it may be, or that did not arrive whole. */
export class BodyError extends Error {
  readonly status: 400 | 413;

  constructor(status: 400 | 413, message: string) {
    super(message);
    this.status = status;
  }
}

const TEXT = 'text/plain; charset=utf-8';

/** A reply of one line of text. */
export function textReply(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  return {
    status,
    body: text.endsWith('\n') ? text : `${text}\n`,
    headers: { 'content-type': TEXT, ...headers },
  };
}

/** The whole body. @throws {BodyError} beyond `limit` bytes, or if it ends before it is whole */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  const tooLarge = (): BodyError => new BodyError(413, `body is larger than ${limit} bytes`);
  if (announced > limit) return Promise.reject(tooLarge());
  // By events rather than by iteration: for small bodies that is most of what an append costs.
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) chunks.push(chunk);
      else {
        request.pause();
        reject(tooLarge());
      }
    });
    request.on('end', () => {
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
    });
    const cut = (): void => reject(new BodyError(400, 'body ended before it was whole'));
    request.on('error', cut);
    request.on('aborted', cut);
  });
}

/** Starts a server that answers with `handle`, within limits of time, size and number. */
export async function listen(handle: Handler, options: ListenOptions = {}): Promise<Running> {
  const { requestMs = 15_000 } = options;
  const server = createServer(
    {
      requestTimeout: requestMs,
      headersTimeout: Math.min(requestMs, 10_000),
      keepAliveTimeout: 30_000,
      maxHeaderSize: 16 * 1024,
      connectionsCheckingInterval: Math.ceil(requestMs / 4),
    },
    (request, response) => void answer(handle, request, response, options.onError ?? warn),
  );
  server.maxConnections = options.connections ?? 512;
  const { host = '127.0.0.1', port = 0 } = options;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return { url: `http://${name}:${address.port}`, close: () => stop(server) };
}

/** How long requests under way may take when a server stops, in milliseconds. */
const GRACE_MS = 2000;

function stop(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const hard = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  return closed.finally(() => clearTimeout(hard));
}

async function answer(
  handle: Handler,
  request: IncomingMessage,
  response: ServerResponse,
  onError: (error: unknown) => void,
): Promise<void> {
  let reply: Reply;
  try {
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    reply = await handle(request, path);
  } catch (error) {
    if (error instanceof BodyError) reply = textReply(error.status, error.message);
    else {
      onError(error);
      reply = textReply(500, 'internal error');
    }
  }
  if (response.destroyed) return;
  const body = typeof reply.body === 'string' ? Buffer.from(reply.body) : (reply.body ?? Buffer.alloc(0));
  // What was not read of a refused request would otherwise be taken for the next one.
  const leftover = !request.complete && request.method !== 'GET' && request.method !== 'HEAD';
  response.writeHead(reply.status, {
    ...reply.headers,
    'content-length': String(body.length),
    'x-content-type-options': 'nosniff',
    ...(leftover ? { connection: 'close' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function warn(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : String(error));
}
