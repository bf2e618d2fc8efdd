/** A TCP proxy that misbehaves on demand: what networks, load balancers and brokers really do, without mocks. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Faults, ProxiedConnection, type RequestHook, type ResponseRewriter } from './connection.ts';

export type { KafkaRequest, RequestHook, ResponseRewriter } from './connection.ts';

/** The switches may be turned at any time and in any combination; `pass()` turns all of them back. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** Client connections that are open now. */
  readonly connections: number;
  /** Client connections accepted since the start, those reset or closed at once included. */
  readonly accepted: number;
  /** Normal forwarding, no hooks, listening or not as it is; what was forgotten or silent stays so. */
  pass(): void;
  /** Stops listening (ECONNREFUSED); open connections go on. */
  refuse(): Promise<void>;
  /** Listens again, on the same port. */
  accept(): Promise<void>;
  /** Accepts, reads, answers and forwards nothing; open connections become black holes as well. */
  silent(): void;
  /** Every open connection becomes a black hole both ways, without FIN or RST; new connections pass. */
  forget(): void;
  /** Drops what the server sends: everything, or the next `count` chunks (frames, where hooks are installed). Connections stay open. */
  swallowAnswers(count?: number): void;
  /** Passes this many more bytes of the server's, over all connections, then resets the one that reached it. Once. */
  cutAfter(bytes: number): void;
  /** New connections get a FIN at once. */
  closeOnAccept(): void;
  /** New connections get an RST at once. */
  resetOnAccept(): void;
  /** RST to every open connection, both sides. */
  resetAll(): void;
  /** Milliseconds added to each direction. */
  delay(ms: number): void;
  /** For plaintext listeners. Install it before the connections are made, or while they are idle: parsing starts at a frame's edge. */
  rewriteResponses(fn: ResponseRewriter): void;
  /** As `rewriteResponses`, for what the client sends. */
  onRequest(fn: RequestHook): void;
  /** Where new connections go. A proxy without a target resets them. */
  setTarget(host: string, port: number): void;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

/** Listens on 127.0.0.1. The target may be set later, as a broker that advertises the proxy's port needs. */
export async function startFaultProxy(options: {
  target: { host: string; port: number } | undefined;
  port?: number;
}): Promise<FaultProxy> {
  const faults: Faults = { target: options.target, ...noFaults() };
  const connections = new Set<ProxiedConnection>();
  const closing = new Set<Socket>();
  let onAccept: 'pass' | 'silent' | 'close' | 'reset' = 'pass';
  let accepted = 0;
  let server: Server | undefined = await listen(options.port ?? 0);
  const { port } = server.address() as AddressInfo;

  function welcome(client: Socket): void {
    accepted += 1;
    if (onAccept === 'reset') {
      client.resetAndDestroy();
      return;
    }
    if (onAccept === 'close') {
      sayGoodbye(client);
      return;
    }
    const connection = new ProxiedConnection(client, faults, onAccept, () => connections.delete(connection));
    connections.add(connection);
  }

  /** Reads on after the FIN: the client's first bytes would turn it into an RST otherwise. */
  function sayGoodbye(client: Socket): void {
    closing.add(client);
    client.on('close', () => closing.delete(client));
    client.on('error', () => {});
    client.on('end', () => client.destroy());
    client.resume().end();
  }

  async function listen(wanted: number): Promise<Server> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, welcome);
    listener.listen(wanted, HOST);
    await once(listener, 'listening');
    return listener;
  }

  function forgetAll(): void {
    for (const connection of connections) connection.forget();
  }

  return {
    host: HOST,
    port,
    get connections() {
      return [...connections].filter((connection) => connection.clientIsOpen).length;
    },
    get accepted() {
      return accepted;
    },
    pass() {
      onAccept = 'pass';
      Object.assign(faults, noFaults());
    },
    async refuse() {
      // Not awaited: its callback waits for the open connections, while the port is free at once.
      server?.close();
      server = undefined;
    },
    async accept() {
      server ??= await listen(port);
    },
    silent() {
      onAccept = 'silent';
      forgetAll();
    },
    forget: forgetAll,
    swallowAnswers(count = Number.POSITIVE_INFINITY) {
      faults.swallow = count;
    },
    cutAfter(bytes) {
      faults.cutAfter = bytes;
    },
    closeOnAccept() {
      onAccept = 'close';
    },
    resetOnAccept() {
      onAccept = 'reset';
    },
    resetAll() {
      for (const connection of connections) connection.reset();
    },
    delay(ms) {
      faults.delayMs = ms;
    },
    rewriteResponses(fn) {
      faults.onResponse = fn;
    },
    onRequest(fn) {
      faults.onRequest = fn;
    },
    setTarget(host, targetPort) {
      faults.target = { host, port: targetPort };
    },
    async close() {
      const closed = server && once(server, 'close');
      server?.close();
      server = undefined;
      for (const connection of connections) connection.reset();
      for (const client of closing) client.destroy();
      await closed;
    },
  };
}

function noFaults(): Omit<Faults, 'target'> {
  return { delayMs: 0, swallow: 0, cutAfter: undefined, onResponse: undefined, onRequest: undefined };
}
