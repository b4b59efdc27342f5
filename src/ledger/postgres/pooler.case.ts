import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';

/**
 * A pooler in transaction mode, as small as it can be: clients share a few connections to the server, and get one for
 * a transaction at a time, never the one they had before if another is free. Whatever a client leaves behind in a
 * connection (settings, locks, prepared statements) is lost to it, and found by somebody else.
 */
export interface Pooler {
  readonly url: string;
  /** Times that a client got another connection than for its transaction before. */
  switches(): number;
  close(): void;
}

export async function startPooler(target: string, connections: number): Promise<Pooler> {
  const { hostname, port, username, password, pathname } = new URL(target);
  const upstream = await Promise.all(
    Array.from({ length: connections }, () =>
      login({ host: hostname, port: Number(port), user: username, password, database: pathname.slice(1) }),
    ),
  );
  const free = [...upstream];
  const waiting: (() => void)[] = [];
  const clients = new Set<Socket>();
  let switched = 0;

  const serve = (client: Socket): void => {
    clients.add(client);
    const fromClient = splitter();
    let greeted = false;
    let server: Socket | undefined;
    let last: Socket | undefined;
    let pending = 0;
    let held: Buffer[] = [];

    const assign = (): void => {
      if (server !== undefined || held.length === 0) return;
      const next = free.shift();
      if (next === undefined) {
        waiting.push(assign);
        return;
      }
      server = next;
      if (last !== undefined && last !== next) switched += 1;
      last = next;
      const fromServer = splitter();
      next.removeAllListeners('data');
      next.on('data', (bytes: Buffer) => {
        client.write(bytes);
        for (const { type, body } of fromServer(bytes)) {
          if (type !== 'Z') continue;
          pending -= 1;
          if (pending === 0 && body.toString() === 'I') release();
        }
      });
      next.write(Buffer.concat(held));
      held = [];
    };
    const release = (): void => {
      if (server === undefined) return;
      free.push(server);
      server = undefined;
      waiting.shift()?.();
      assign();
    };
    const forward = (bytes: Buffer): void => {
      for (const { type } of fromClient(bytes)) if (type === 'S' || type === 'Q') pending += 1;
      if (server !== undefined) server.write(bytes);
      else {
        held.push(bytes);
        assign();
      }
    };

    client.on('data', (bytes: Buffer) => {
      if (greeted) {
        // Goodbyes are for the pooler, not for the server behind it.
        if (bytes[0] !== 0x58) forward(bytes);
        return;
      }
      greeted = true;
      client.write(
        Buffer.concat([
          message('R', Buffer.alloc(4)),
          message('S', Buffer.from('client_encoding\0UTF8\0')),
          message('Z', Buffer.from('I')),
        ]),
      );
    });
    client.on('error', () => client.destroy());
    client.on('close', () => clients.delete(client));
  };

  const listener: Server = createServer(serve);
  await new Promise<void>((resolve) => {
    listener.listen(0, '127.0.0.1', resolve);
  });
  const address = listener.address();
  const own = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `postgres://${username}@127.0.0.1:${own}${pathname}`,
    switches: () => switched,
    close() {
      listener.close();
      for (const socket of [...clients, ...upstream]) socket.destroy();
    },
  };
}

interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** Opens a connection with a password in the clear, as a test server on this machine accepts it. */
function login({ host, port, user, password, database }: Login): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(port, host);
    const split = splitter();
    socket.once('error', reject);
    socket.on('connect', () => {
      const words = Buffer.from(`user\0${user}\0database\0${database}\0\0`);
      const head = Buffer.alloc(8);
      head.writeUInt32BE(8 + words.length, 0);
      head.writeUInt32BE(0x0003_0000, 4);
      socket.write(Buffer.concat([head, words]));
    });
    socket.on('data', (bytes: Buffer) => {
      for (const { type, body } of split(bytes)) {
        if (type === 'R' && body.readUInt32BE(0) === 3)
          socket.write(message('p', Buffer.from(`${password}\0`)));
        if (type === 'E') reject(new Error(body.toString()));
        if (type === 'Z') resolve(socket);
      }
    });
  });
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

/** Cuts a stream into messages of the PostgreSQL protocol. */
function splitter(): (bytes: Buffer) => { type: string; body: Buffer }[] {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const messages: { type: string; body: Buffer }[] = [];
    while (rest.length >= 5) {
      const end = 1 + rest.readUInt32BE(1);
      if (rest.length < end) break;
      messages.push({ type: rest.toString('latin1', 0, 1), body: rest.subarray(5, end) });
      rest = rest.subarray(end);
    }
    return messages;
  };
}
