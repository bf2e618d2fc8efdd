/** One client's connection through the proxy, and what the proxy's present faults make of its bytes. */
import { connect, type Socket } from 'node:net';
import { DelayLine, FrameSplitter, toFrame } from './flow.ts';

/** A Kafka request. `payload` is the whole frame, header included, without the four length bytes. */
export interface KafkaRequest {
  apiKey: number;
  apiVersion: number;
  correlationId: number;
  payload: Buffer;
}

/** Rewrites a response frame (no length bytes), drops it, resets the connection, or lets it pass. */
export type ResponseRewriter = (
  frame: Buffer,
  request: KafkaRequest,
) => Buffer | 'swallow' | 'cut' | undefined;

/** Says what becomes of a request. Nothing means that it is forwarded. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only watches returns nothing.
export type RequestHook = (request: KafkaRequest) => 'forward' | 'swallow' | 'cut' | void;

/** The proxy's present state, shared by its connections. */
export interface Faults {
  target: { host: string; port: number } | undefined;
  delayMs: number;
  /** How many more chunks (frames, where frames are known) from the server are dropped. */
  swallow: number;
  /** How many more bytes from the server pass before the connection is reset. */
  cutAfter: number | undefined;
  onResponse: ResponseRewriter | undefined;
  onRequest: RequestHook | undefined;
}

/**
 * An RST throws away what has not left yet, and libuv reports data and an RST that it finds together as data
 * and a plain end. So the client gets the time to read its last bytes, and one in this process its turn of
 * the event loop, which lies between the timer and the immediate.
 */
const BEFORE_RESET_MS = 10;

/** The way to the target and back. */
interface Upstream {
  socket: Socket;
  toServer: DelayLine;
  toClient: DelayLine;
}

/** Forwards between `client` and the target, which it dials at once; in mode `silent` it never dials and drops everything. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #faults: Faults;
  readonly #upstream: Upstream | undefined;
  readonly #requests = new Map<number, KafkaRequest>();
  /** Undefined until a hook asks for frames. */
  #frames: { requests: FrameSplitter; responses: FrameSplitter } | undefined;
  #forgotten = false;

  /** `onClosed` comes when both sides are gone. */
  constructor(client: Socket, faults: Faults, mode: 'pass' | 'silent', onClosed: () => void) {
    this.#client = client;
    this.#faults = faults;
    client.on('data', (bytes) => this.#fromClient(bytes));
    client.on('end', () => this.#ended('client'));
    client.on('error', () => this.#failed());
    client.on('close', () => this.#isClosed() && onClosed());
    if (mode === 'pass' && faults.target) this.#upstream = this.#dial(faults.target, onClosed);
    if (mode === 'pass' && !faults.target) this.reset();
  }

  /** False once the client has ended its side, even where nobody answers that. */
  get clientIsOpen(): boolean {
    return !this.#client.destroyed && !this.#client.readableEnded;
  }

  /** A black hole both ways from now on, without FIN or RST to either side. */
  forget(): void {
    this.#forgotten = true;
    this.#upstream?.toServer.drop();
    this.#upstream?.toClient.drop();
    // A side that was paused for the other's sake would wait for ever, and hide the client's FIN.
    this.#client.resume();
    this.#upstream?.socket.resume();
  }

  /** RST to both sides. */
  reset(): void {
    this.forget();
    resetOrDestroy(this.#client);
    if (this.#upstream) resetOrDestroy(this.#upstream.socket);
  }

  #dial(target: { host: string; port: number }, onClosed: () => void): Upstream {
    const socket = connect({ ...target, allowHalfOpen: true, noDelay: true });
    socket.on('data', (bytes) => this.#fromServer(bytes));
    socket.on('end', () => this.#ended('server'));
    socket.on('error', () => this.#failed());
    socket.on('close', () => this.#isClosed() && onClosed());
    return {
      socket,
      toServer: new DelayLine(this.#client, socket, () => this.#faults.delayMs),
      toClient: new DelayLine(socket, this.#client, () => this.#faults.delayMs),
    };
  }

  #fromClient(bytes: Buffer): void {
    const { frames, raw } = this.#split('requests', bytes);
    for (const payload of frames) this.#request(payload);
    if (raw) this.#sendToServer(raw);
  }

  #request(payload: Buffer): void {
    if (this.#forgotten) return;
    const request = readRequest(payload);
    const verdict = request && this.#faults.onRequest?.(request);
    if (verdict === 'cut') this.reset();
    if (verdict === 'cut' || verdict === 'swallow') return;
    if (request) this.#requests.set(request.correlationId, request);
    this.#sendToServer(toFrame(payload));
  }

  #fromServer(bytes: Buffer): void {
    const { frames, raw } = this.#split('responses', bytes);
    for (const frame of frames) this.#response(frame);
    if (raw) this.#sendToClient(raw);
  }

  #response(frame: Buffer): void {
    if (this.#forgotten) return;
    const request = frame.length < 4 ? undefined : this.#requests.get(frame.readInt32BE(0));
    if (request) this.#requests.delete(request.correlationId);
    const verdict = request && this.#faults.onResponse?.(frame, request);
    if (verdict === 'cut') this.reset();
    if (verdict === 'cut' || verdict === 'swallow') return;
    this.#sendToClient(toFrame(verdict ?? frame));
  }

  #sendToServer(bytes: Buffer): void {
    if (!this.#forgotten) this.#upstream?.toServer.push({ bytes });
  }

  #sendToClient(bytes: Buffer): void {
    if (this.#forgotten) return;
    const faults = this.#faults;
    if (faults.swallow > 0) {
      faults.swallow -= 1;
    } else if (faults.cutAfter === undefined) {
      this.#upstream?.toClient.push({ bytes });
    } else if (bytes.length < faults.cutAfter) {
      faults.cutAfter -= bytes.length;
      this.#upstream?.toClient.push({ bytes });
    } else {
      const then = () => setTimeout(setImmediate, BEFORE_RESET_MS, () => this.reset());
      this.#upstream?.toClient.push({ bytes: bytes.subarray(0, faults.cutAfter), then });
      faults.cutAfter = undefined;
      this.#forgotten = true;
    }
  }

  #split(direction: 'requests' | 'responses', bytes: Buffer): { frames: Buffer[]; raw: Buffer | undefined } {
    if (!this.#frames && (this.#faults.onRequest || this.#faults.onResponse)) {
      this.#frames = { requests: new FrameSplitter(), responses: new FrameSplitter() };
    }
    return this.#frames?.[direction].push(bytes) ?? { frames: [], raw: bytes };
  }

  #ended(side: 'client' | 'server'): void {
    if (this.#forgotten || !this.#upstream) return;
    const { toServer, toClient } = this.#upstream;
    if (side === 'client') toServer.push('end');
    // Where all answers are swallowed the end of them is too: the connection stays open.
    else if (this.#faults.swallow !== Number.POSITIVE_INFINITY) toClient.push('end');
  }

  #failed(): void {
    if (!this.#forgotten) this.reset();
  }

  #isClosed(): boolean {
    return this.#client.destroyed && (this.#upstream?.socket.destroyed ?? true);
  }
}

function readRequest(payload: Buffer): KafkaRequest | undefined {
  if (payload.length < 8) return undefined;
  return {
    apiKey: payload.readInt16BE(0),
    apiVersion: payload.readInt16BE(2),
    correlationId: payload.readInt32BE(4),
    payload,
  };
}

/** libuv can't reset a socket that is just saying its FIN: such a handle is never closed, and the process never ends. */
function resetOrDestroy(socket: Socket): void {
  const isEnding = socket.writableEnded && !socket.writableFinished;
  if (socket.connecting || isEnding) socket.destroy();
  else socket.resetAndDestroy();
}
