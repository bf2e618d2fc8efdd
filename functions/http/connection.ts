import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Failure } from '../../src/errors.ts';

/** Requests that a connection may have sent ahead; one that sends more is ended. */
const MAX_AHEAD = 128;
/** How long an ended connection's input is read and thrown away. */
const LINGER_MS = 500;

const connections = new WeakMap<Socket, Connection>();

/**
 * The order of a client's connection (RFC 9112, section 9). Its requests are served one at a time: records are
 * published in the order in which they came, whatever each body needs before it is read, and nothing is published
 * behind the request that ends the connection.
 */
export class Connection {
  readonly socket: Socket;
  /** Why nothing more can be read from it. */
  failure: Failure | undefined;
  /** Called where the body that is being read has no end. */
  onFailure: (failure: Failure) => void = () => {};
  #latest: { message: IncomingMessage; response: ServerResponse } | undefined;
  #isBusy = false;
  #isOver = false;
  readonly #waiting: (() => void)[] = [];

  static of(socket: Socket): Connection {
    const known = connections.get(socket);
    if (known) return known;
    const connection = new Connection(socket);
    connections.set(socket, connection);
    return connection;
  }

  constructor(socket: Socket) {
    this.socket = socket;
    // Node calls it behind the last answer. Its own version resets a connection that still has input to be read,
    // and a reset can destroy the answer on its way.
    socket.destroySoon = () => this.endInStages();
  }

  /** Waits until all requests before this one are answered: for ever, where an answer has ended the connection. */
  async turnOf(message: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#latest = { message, response };
    await this.turn();
    response.on('close', () => {
      if (!response.shouldKeepAlive || this.#isOver || this.socket.destroyed) return;
      this.#isBusy = false;
      this.#waiting.shift()?.();
    });
  }

  async turn(): Promise<void> {
    if (this.#waiting.length === MAX_AHEAD) this.socket.destroy();
    if (this.#isBusy || this.#isOver) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isBusy = true;
  }

  /** True where the failure is the answer to no request that has come: it needs one of its own then. */
  fail(failure: Failure): boolean {
    if (this.failure) return false;
    this.failure = failure;
    const { message, response } = this.#latest ?? {};
    if (!message || !response || message.complete) return true;
    if (response.writableEnded) this.endInStages();
    else this.onFailure(failure);
    return false;
  }

  /** Ends it, unless its next request has come in the meantime: one that a busy server has not read yet. */
  async endIfSilent(): Promise<void> {
    const { bytesRead } = this.socket;
    await setImmediate();
    if (this.socket.bytesRead === bytesRead) this.endInStages();
  }

  /** Sends no more, and reads on until the client has ended its side, too, but not for long (RFC 9112, section 9.6). */
  endInStages(): void {
    this.#isOver = true;
    this.socket.end();
    this.socket.resume();
    const timer = setTimeout(() => this.socket.destroy(), LINGER_MS);
    this.socket.once('close', () => clearTimeout(timer));
  }
}
