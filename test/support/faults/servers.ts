/** Servers that are not the Kafka broker a client expects. Each listens on 127.0.0.1, at a free port. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { Worker } from 'node:worker_threads';

/** `close()` ends open connections as well. */
export interface TestServer {
  host: string;
  port: number;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/** Answers 200 to HTTP, and 400 to a Kafka frame. */
export function startHttpServer(): Promise<TestServer> {
  return start(createHttpServer((_request, response) => response.end('hello\n')));
}

/** Speaks first, as OpenSSH does. */
export function startSshServer(): Promise<TestServer> {
  return startBannerServer('SSH-2.0-OpenSSH_9.6\r\n');
}

/** Speaks first, as a mail server does. */
export function startSmtpServer(): Promise<TestServer> {
  return startBannerServer('220 mail.example.org ESMTP\r\n');
}

/** Sends `banner` to each client and reads what comes, without another word. */
export function startBannerServer(banner: string): Promise<TestServer> {
  return start(
    createServer((socket) => {
      socket.on('error', () => {});
      socket.resume().write(banner);
    }),
  );
}

/** Completes TLS handshakes with the given key and certificate and says nothing after them. */
export function startTlsServer(options: TlsOptions): Promise<TestServer> {
  const server = createTlsServer(options, (socket) => {
    socket.on('error', () => {});
    socket.resume();
  });
  return start(server);
}

/**
 * A listener whose accept queue is full: a further connect gets no answer, as behind a firewall that drops.
 * Linux only. A worker thread listens and then blocks, because Node.js would accept at once.
 */
export async function startFullListener(): Promise<TestServer> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer().listen({ port: 0, host: '${HOST}', backlog: 1 }, () => {
       parentPort.postMessage(server.address().port);
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
     });`,
    { eval: true, execArgv: [] },
  );
  const [port] = (await once(worker, 'message')) as [number];
  // Linux queues one connection more than the backlog says.
  const fillers = [connect(port, HOST), connect(port, HOST)];
  await Promise.all(fillers.map((filler) => once(filler, 'connect')));
  return {
    host: HOST,
    port,
    async close() {
      for (const filler of fillers) filler.on('error', () => {}).destroy();
      await worker.terminate();
    },
  };
}

/** A port on which nothing listens: connecting to it is refused. */
export async function unusedPort(): Promise<number> {
  const server = await start(createServer());
  await server.close();
  return server.port;
}

async function start(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  return {
    host: HOST,
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
