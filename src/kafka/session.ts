import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import KafkajsConnection, { type KafkajsLogger } from 'kafkajs/src/network/connection.js';
import apiVersions from 'kafkajs/src/protocol/requests/apiVersions/index.js';
import { remaining } from '../deadline.ts';
import type { Log } from '../log.ts';
import type { Address } from '../variables.ts';
import type { ClientOptions } from './client-options.ts';
import { FrameReader } from './frames.ts';
import type { ApiVersion } from './wire/api-versions.ts';
import { frame, kafkajsRequest, type Request } from './wire/request.ts';

const KEEP_ALIVE_MS = 60_000;
/** As much as one TLS record holds. */
const READ_BYTES = 16 * 1024;
const SASL_AUTHENTICATE = 36;
/** kafkajs's own time-outs stay off: each request here ends with its own deadline. */
const NEVER = 2 ** 31 - 1;
/** The share of a session's lifetime after which kafkajs authenticates anew; its default of 10 s before
 * the end never lets a short session begin. */
const REAUTHENTICATE_AFTER = 0.8;

/** A request that did not get its answer. `sent`: the broker may have acted on it. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  readonly sent: boolean;
  readonly timedOut: boolean;

  constructor(message: string, { sent = false, timedOut = false, cause }: Partial<RequestFailed> = {}) {
    super(message, { cause });
    this.sent = sent;
    this.timedOut = timedOut;
  }
}

/** The cluster refused the credentials, or the mechanism, or SASL at all. */
export class AuthenticationRefused extends Error {
  override readonly name = 'AuthenticationRefused';
}

/** One authenticated connection: kafkajs's connection (framing, SASL) over a socket that is ours. */
export class Session {
  /** When the broker was last heard, in epoch milliseconds. */
  heardAt = 0;
  readonly #address: Address;
  readonly #connection: KafkajsConnection;
  #socket: Socket | undefined;
  #lost: Error | undefined;
  #highestVersions = new Map<number, number>();
  #inFlight = 0;
  readonly #frames = new FrameReader((frame) => this.#answered(frame));

  private constructor(address: Address, options: ClientOptions, log: Log, connected?: Socket) {
    this.#address = address;
    this.#connection = new KafkajsConnection({
      host: address.host,
      port: address.port,
      clientId: options.clientId,
      logger: kafkajsLogger(log),
      socketFactory: ({ onConnect }) => this.#createSocket(options, onConnect, connected),
      ssl: options.tls ?? null,
      sasl: options.sasl
        ? {
            mechanism: options.sasl.mechanism,
            username: options.sasl.username,
            password: options.sasl.password.reveal(),
          }
        : null,
      connectionTimeout: NEVER,
      requestTimeout: NEVER,
      enforceRequestTimeout: false,
      reauthenticationThreshold: 0,
    });
    this.#connection.processData = (bytes) => this.#received(bytes);
    // Nothing ever waits in that queue here, and its check sets a timer after every answer, with a
    // negative delay at that, of which newer versions of Node warn.
    this.#connection.requestQueue.scheduleCheckPendingRequests = () => {};
  }

  /** Connects and authenticates before the deadline, or until `signal` aborts; rejects with the reason. */
  static async open(
    address: Address,
    options: ClientOptions,
    { log, deadline, signal }: { log: Log; deadline: number; signal: AbortSignal },
  ): Promise<Session> {
    const session = new Session(address, options, log);
    const abort = () => session.destroy(signal.reason);
    signal.addEventListener('abort', abort);
    try {
      await session.#before(deadline, async () => {
        await session.#connection.connect();
        await session.#negotiate(deadline);
        if (options.sasl) await session.#authenticate();
      });
      session.heardAt = Date.now();
      return session;
    } catch (error) {
      // kafkajs's error has but the message of what the socket said.
      const reason = session.#lost ?? error;
      session.destroy(new Error('the connection could not be opened'));
      throw reason;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /**
   * A session over a socket that is connected, and encrypted where that is wanted, and whose broker has
   * said what it speaks. Authenticates before the deadline; rejects with the reason, as `open` does.
   */
  static async adopt(
    socket: Socket,
    { address, apiVersions }: { address: Address; apiVersions: readonly ApiVersion[] },
    options: ClientOptions,
    { log, deadline }: { log: Log; deadline: number },
  ): Promise<Session> {
    const session = new Session(address, options, log, socket);
    try {
      await session.#before(deadline, async () => {
        await session.#connection.connect();
        session.#speaks(apiVersions);
        if (options.sasl) await session.#authenticate();
      });
      session.heardAt = Date.now();
      return session;
    } catch (error) {
      const reason = session.#lost ?? error;
      session.destroy(new Error('the connection could not be adopted'));
      throw reason;
    }
  }

  /** Undefined while the connection stands, else why it does not. */
  get lost(): Error | undefined {
    return this.#lost;
  }

  /** Are there requests without their answers? */
  get isWaiting(): boolean {
    return this.#inFlight > 0;
  }

  /** Sends one request and reads its answer. At the deadline the socket is destroyed: nothing stays under way. */
  async send<T>(request: Request<T>, deadline: number): Promise<T> {
    if (this.#connection.sasl && !this.#connection.isAuthenticated()) {
      await this.#before(deadline, () => this.#authenticate());
    }
    const version = Math.min(request.highestVersion, this.#highestVersions.get(request.apiKey) ?? -1);
    if (version < 0) throw new RequestFailed(`this broker does not speak ${request.apiName}`);
    const body = await request.encodeBody(version);
    const payload = await this.#exchange(request, version, body, deadline);
    try {
      return await request.decode(payload, version);
    } catch (cause) {
      throw new RequestFailed(`the answer to ${request.apiName} cannot be read`, { sent: true, cause });
    }
  }

  /** Ends the connection at once; every request that waits for its answer fails with `reason`. */
  destroy(reason: Error): void {
    this.#lost ??= reason;
    this.#socket?.destroy(reason);
  }

  /** Runs a step of kafkajs's that has no time-out of its own; at the deadline the socket is destroyed. */
  async #before(deadline: number, step: () => Promise<void>): Promise<void> {
    const timer = setTimeout(() => {
      this.destroy(new RequestFailed('the connection was not established in time', { timedOut: true }));
    }, remaining(deadline));
    try {
      await step();
    } finally {
      clearTimeout(timer);
    }
  }

  #createSocket({ tls: tlsOptions }: ClientOptions, onConnect: () => void, connected?: Socket): Socket {
    if (connected) queueMicrotask(onConnect);
    const socket = connected ?? this.#dial(tlsOptions, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.once('error', (error) => {
      this.#lost ??= error;
    });
    socket.once('end', () => {
      this.#lost ??= new RequestFailed('the broker closed the connection');
    });
    this.#socket = socket;
    return socket;
  }

  #dial(tlsOptions: ClientOptions['tls'], onConnect: () => void): Socket {
    const { host, port } = this.#address;
    // One buffer for all that comes: a stream of Node's would make one, and an event, of every 16 KiB.
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length: number, buffer: Uint8Array) => {
        this.#received(buffer.subarray(0, length));
        return true;
      },
    };
    const target = { host, port, onread };
    if (!tlsOptions) return net.connect(target, onConnect);
    const serverName = net.isIP(host) ? {} : { servername: host };
    return tls.connect({ ...target, ...serverName, ...tlsOptions }, onConnect);
  }

  #received(bytes: Uint8Array): void {
    this.heardAt = Date.now();
    try {
      this.#frames.push(bytes);
    } catch (cause) {
      this.destroy(new RequestFailed('what the broker sent cannot be read', { sent: true, cause }));
    }
  }

  /** An answer belongs to kafkajs's SASL exchange, while one is under way, or to a request by its number. */
  #answered(frame: Buffer): void {
    const { authHandlers, requestQueue } = this.#connection;
    if (authHandlers) {
      authHandlers.onSuccess(frame);
      return;
    }
    const correlationId = frame.readInt32BE(4);
    requestQueue.fulfillRequest({ correlationId, payload: frame.subarray(8), size: frame.length - 4 });
  }

  async #negotiate(deadline: number): Promise<void> {
    const request = kafkajsRequest(apiVersions, undefined);
    const body = await request.encodeBody(request.highestVersion);
    const payload = await this.#exchange(request, request.highestVersion, body, deadline);
    const answer = await request.decode(payload, request.highestVersion);
    this.#speaks(answer.apiVersions);
  }

  #speaks(apiVersions: readonly ApiVersion[]): void {
    const versions: Record<number, { minVersion: number; maxVersion: number }> = {};
    for (const { apiKey, minVersion, maxVersion } of apiVersions) {
      versions[apiKey] = { minVersion, maxVersion };
      this.#highestVersions.set(apiKey, maxVersion);
    }
    this.#connection.setVersions(versions);
    this.#connection.setSupportAuthenticationProtocol(this.#highestVersions.has(SASL_AUTHENTICATE));
  }

  async #authenticate(): Promise<void> {
    try {
      await this.#connection.authenticate();
    } catch (error) {
      // kafkajs calls a connection that breaks in the middle of SASL a failed authentication, too.
      throw this.#lost ?? new AuthenticationRefused('SASL authentication failed', { cause: error });
    }
    const lifetime = this.#connection.sessionLifetime.toInt();
    this.#connection.reauthenticationThreshold = Math.floor(lifetime * (1 - REAUTHENTICATE_AFTER));
  }

  #exchange(
    request: Request<unknown>,
    version: number,
    body: readonly Buffer[],
    deadline: number,
  ): Promise<Buffer> {
    const socket = this.#socket;
    if (this.#lost || !socket) throw new RequestFailed('the connection was lost', { cause: this.#lost });
    if (remaining(deadline) === 0) throw new RequestFailed('no time was left to send', { timedOut: true });
    const connection = this.#connection;
    const correlationId = connection.nextCorrelationId();
    const parts = frame(request, { version, correlationId, clientId: connection.clientId }, body);
    const write = (written?: () => void) => {
      socket.cork();
      for (const part of parts) socket.write(part);
      // An empty write ends the frame, so that its callback tells when all of it has left.
      if (written) socket.write('', written);
      socket.uncork();
    };
    return new Promise((resolve, reject) => {
      this.#inFlight++;
      let isOver = false;
      const ended = () => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        socket.off('close', failed);
        this.#inFlight--;
      };
      const sentAt = Date.now();
      const untilTooLate = () =>
        Math.min(
          remaining(deadline),
          Math.max(this.heardAt, sentAt) + (request.maxSilenceMs ?? NEVER) - Date.now(),
        );
      const expire = () => {
        const left = untilTooLate();
        if (left > 0) {
          timer = setTimeout(expire, left);
          return;
        }
        const message = `no answer to ${request.apiName} in time`;
        const failure = new RequestFailed(message, { sent: true, timedOut: true });
        // A question may stay unanswered; the connection goes on to serve those who wait for more.
        if (!request.isQuestion || this.#inFlight === 1) this.destroy(failure);
        else failed(failure);
      };
      let timer = setTimeout(expire, untilTooLate());
      const answered = (payload: Buffer) => {
        ended();
        resolve(payload);
      };
      const failed = (error?: unknown) => {
        ended();
        const cause = this.#lost ?? error;
        const timedOut = cause instanceof RequestFailed && cause.timedOut;
        const message = cause instanceof Error ? cause.message : 'the connection was lost';
        reject(new RequestFailed(message, { sent: true, timedOut, cause }));
      };
      if (!request.expectsResponse) {
        socket.once('close', failed);
        write(() => answered(Buffer.alloc(0)));
        return;
      }
      connection.requestQueue.push({
        entry: {
          apiKey: request.apiKey,
          apiName: request.apiName,
          apiVersion: version,
          correlationId,
          resolve: ({ payload }) => answered(payload),
          reject: failed,
        },
        expectResponse: true,
        requestTimeout: null,
        sendRequest: write,
      });
    });
  }
}

/** kafkajs's own lines, in our format. Its errors are warnings here: whether they matter, the caller decides. */
function kafkajsLogger(log: Log): KafkajsLogger {
  const logger: KafkajsLogger = {
    namespace: () => logger,
    debug: () => {},
    info: (message, fields) => log.debug(message, fields),
    warn: (message, fields) => log.warn(message, fields),
    error: (message, fields) => log.debug(message, fields),
  };
  return logger;
}
