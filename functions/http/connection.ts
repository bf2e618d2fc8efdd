import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import type { Failure } from '../../src/errors.ts';

/** How many requests a connection may send ahead, before it is ended. */
const MAX_AHEAD = 128;
/** How long an ended connection's input is read and dropped. */
const LINGER_MS = 500;

const connections = new WeakMap<Socket, Connection>();

/**
 * Keeps the order of a client's connection (RFC 9112, section 9). Requests are served one at a time. So records are
 * published in the order in which they came, however long each body takes, and nothing is published after the request
 * that ends the connection.
 */
export class Connection {
  readonly socket: Socket;
  /** Why nothing more can be read from it. */
  failure: Failure | undefined;
  /** Called where the body that is being read will never end. */
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
    // Node calls it after the last response. Node's own version resets a connection that still has input, and a reset
    // can destroy the response on its way.
    socket.destroySoon = () => this.endInStages();
  }

  /** Waits until all requests before this one are answered, or for ever where a response has ended the connection. */
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

  /** True where no request waits for this failure, so that it needs a response of its own. */
  fail(failure: Failure): boolean {
    if (this.failure) return false;
    this.failure = failure;
    const { message, response } = this.#latest ?? {};
    if (!message || !response || message.complete) return true;
    if (response.writableEnded) this.endInStages();
    else this.onFailure(failure);
    return false;
  }

  /** Ends the connection, unless its next request has arrived and a busy server has not read it yet. */
  async endIfSilent(): Promise<void> {
    const { bytesRead } = this.socket;
    await setImmediate();
    if (this.socket.bytesRead === bytesRead) this.endInStages();
  }

  /** Sends no more, and reads on for a short time until the client has ended its side (RFC 9112, section 9.6). */
  endInStages(): void {
    this.#isOver = true;
    this.socket.end();
    this.socket.resume();
    const timer = setTimeout(() => this.socket.destroy(), LINGER_MS);
    this.socket.once('close', () => clearTimeout(timer));
  }
}
