import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { remaining, within } from '../../deadline.ts';
import type { Address } from '../../variables.ts';
import { type ApiVersion, apiVersionsRequest } from '../wire/api-versions.ts';
import { frame, type Request } from '../wire/request.ts';
import type { ClientOptions } from './client-options.ts';
import { FrameReader } from './frames.ts';
import { AuthenticationRefused, RequestFailed } from './request-failed.ts';
import { type Credentials, credentialsOf, logIn } from './sasl.ts';
import type { TokenCredentials } from './token-login.ts';

const KEEP_ALIVE_MS = 60_000;
/** As much as one TLS record holds. */
const READ_BYTES = 16 * 1024;
/** The longest timer there is. */
const NEVER = 2 ** 31 - 1;
/** The share of a login's lifetime after which it is renewed. */
const RENEW_LOGIN_AFTER = 0.8;
/**
 * The same where a session ends before its token should. Only another login shows whether the token is over by then,
 * and there must be time for a third one.
 */
const ASK_AGAIN_AFTER = 0.5;
/** Kafka refuses to renew a login twice within a second. */
const MIN_LOGIN_MS = 1_050;
/** A session ends with its token, give or take whole seconds in the token and the time on the way. */
const SAME_END_MS = 1_500;
const NOTHING = Buffer.alloc(0);

/** A request that has been sent. */
interface Pending {
  readonly request: Request<unknown>;
  readonly deadline: number;
  readonly sentAt: number;
  readonly resolve: (payload: Buffer) => void;
  readonly reject: (failure: RequestFailed) => void;
  timer?: NodeJS.Timeout;
}

/**
 * One authenticated connection to one broker. Every wait for the broker ends at its own deadline, whatever the broker
 * sends or leaves out.
 */
export class Session {
  /** When the broker was last heard, in epoch milliseconds. */
  heardAt = 0;
  /** Until when (epoch milliseconds) the broker asked not to be sent records over this connection. */
  throttledUntil = 0;
  readonly #options: ClientOptions;
  readonly #socket: Socket;
  readonly #frames = new FrameReader((bytes) => this.#answered(bytes));
  /** By correlation id. */
  readonly #pending = new Map<number, Pending>();
  readonly #highestVersions = new Map<number, number>();
  #correlationId = 0;
  #lost: Error | undefined;
  /** From when on (epoch milliseconds) the login is to be renewed, and when the broker ends the session. */
  #renewsAt = Number.POSITIVE_INFINITY;
  #endsAt = Number.POSITIVE_INFINITY;
  /** What the last login was made with, and when. */
  #credentials: Credentials | undefined;
  #loggedInAt = 0;
  #login: Promise<void> | undefined;

  private constructor(
    options: ClientOptions,
    createSocket: (onBytes: (bytes: Uint8Array) => void) => Socket,
  ) {
    this.#options = options;
    const socket = createSocket((bytes) => this.#received(bytes));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('error', (error) => this.destroy(error));
    for (const event of ['end', 'close']) {
      socket.once(event, () => this.destroy(new RequestFailed('the broker closed the connection')));
    }
    this.#socket = socket;
  }

  /** Connects and authenticates before the deadline, or until `signal` aborts; rejects with the reason. */
  static async open(
    address: Address,
    options: ClientOptions,
    { deadline, signal }: { deadline: number; signal: AbortSignal },
  ): Promise<Session> {
    const session = new Session(options, (onBytes) => dial(address, options.tls, onBytes));
    const abort = () => session.destroy(signal.reason);
    signal.addEventListener('abort', abort);
    try {
      return await session.#established(deadline, async () => {
        await session.#connected();
        await session.#negotiate(deadline);
        await session.#logIn(deadline);
      });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /**
   * Takes over a socket that is connected, and encrypted where wanted, and whose broker has listed its versions.
   * Authenticates before the deadline; rejects with the reason, as `open` does.
   */
  static async adopt(
    socket: Socket,
    apiVersions: readonly ApiVersion[],
    options: ClientOptions,
    deadline: number,
  ): Promise<Session> {
    const session = new Session(options, (onBytes) => socket.on('data', onBytes));
    session.#speaks(apiVersions);
    return session.#established(deadline, () => session.#logIn(deadline));
  }

  /** Undefined while the connection stands, else why it does not. */
  get lost(): Error | undefined {
    return this.#lost;
  }

  /** Whether a request on this connection still waits for its answer. */
  get isWaiting(): boolean {
    return this.#pending.size > 0;
  }

  /** Sends one request and reads its response. The deadline destroys the socket, so nothing stays under way. */
  async send<T>(request: Request<T>, deadline: number): Promise<T> {
    if (Date.now() >= this.#renewsAt) await this.renewLogin(deadline);
    return this.#ask(request, deadline);
  }

  /**
   * Renews the login where it is time to, once for all who wait: a request in the middle of a login would end the
   * connection.
   */
  async renewLogin(deadline: number): Promise<void> {
    if (Date.now() < this.#renewsAt) return;
    this.#login ??= this.#logInAgain(deadline).finally(() => {
      this.#login = undefined;
    });
    const late = () => new RequestFailed('the login was not renewed in time', { timedOut: true });
    await within(this.#login, deadline, late);
  }

  /** Ends the connection at once; every request that waits for its answer fails with `reason`. */
  destroy(reason: Error): void {
    this.#lost ??= reason;
    this.#socket.destroy();
    const { message } = this.#lost;
    const timedOut = this.#lost instanceof RequestFailed && this.#lost.timedOut;
    for (const correlationId of [...this.#pending.keys()]) {
      this.#take(correlationId)?.reject(
        new RequestFailed(message, { sent: true, timedOut, cause: this.#lost }),
      );
    }
  }

  /** Runs the steps that make a session usable. They end by the deadline, whatever they wait for. */
  async #established(deadline: number, steps: () => Promise<void>): Promise<Session> {
    try {
      await this.#inTime(steps(), deadline);
      this.heardAt = Date.now();
      this.#frames.trust();
      return this;
    } catch (error) {
      // The socket's own error says more than that of the request it broke.
      const reason = this.#lost ?? error;
      this.destroy(new RequestFailed('the connection could not be established'));
      throw reason;
    }
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once(this.#options.tls ? 'secureConnect' : 'connect', resolve);
      this.#socket.once('close', () => reject(this.#lost));
    });
  }

  #inTime(step: Promise<void>, deadline: number): Promise<void> {
    return within(step, deadline, () => {
      const late = new RequestFailed('the connection was not established in time', { timedOut: true });
      this.destroy(late);
      return late;
    });
  }

  async #negotiate(deadline: number): Promise<void> {
    const request = apiVersionsRequest();
    this.#highestVersions.set(request.apiKey, request.highestVersion);
    this.#speaks(await this.#ask(request, deadline));
  }

  #speaks(versions: readonly ApiVersion[]): void {
    for (const { apiKey, maxVersion } of versions) this.#highestVersions.set(apiKey, maxVersion);
  }

  async #logIn(deadline: number): Promise<void> {
    const credentials = await credentialsOf(this.#options, deadline);
    if (credentials) await this.#logInWith(credentials, deadline);
  }

  async #logInWith(credentials: Credentials, deadline: number): Promise<void> {
    const lifetimeMs = await logIn(credentials, (request) => this.#ask(request, deadline));
    const [last, loggedInAt] = [this.#credentials, this.#loggedInAt];
    const now = Date.now();
    this.#credentials = credentials;
    this.#loggedInAt = now;
    if (lifetimeMs === 0) return;
    const endsAt = now + lifetimeMs;
    // With the same token no later than before: so the session ends with the token, whatever its endpoint said.
    const isHeldUp = endsAt - this.#endsAt < (now - loggedInAt) / 2;
    if (isHeldUp && isSameToken(credentials, last)) credentials.tokens.endsAt(credentials.token, endsAt);
    this.#endsAt = endsAt;
    const share = endsBefore(credentials, endsAt) ? ASK_AGAIN_AFTER : RENEW_LOGIN_AFTER;
    this.#renewsAt = Math.min(endsAt, now + Math.max(lifetimeMs * share, MIN_LOGIN_MS));
  }

  async #logInAgain(deadline: number): Promise<void> {
    // Before the login begins: where no token can be had, the connection stays as it is.
    const credentials = await credentialsOf(this.#options, deadline);
    if (!credentials) return;
    if (isSameToken(credentials, this.#credentials) && !endsBefore(credentials, this.#endsAt)) {
      this.#renewsAt = Math.min(this.#endsAt, Date.now() + MIN_LOGIN_MS);
      return;
    }
    try {
      await this.#inTime(this.#logInWith(credentials, deadline), deadline);
    } catch (error) {
      const cause = this.#lost ?? error;
      // The next connection logs in with a new token, so this one is only lost.
      const isOver = cause instanceof AuthenticationRefused && cause.token === 'kept';
      const reason = isOver ? new RequestFailed('the token ended before its time') : cause;
      this.destroy(reason instanceof Error ? reason : new RequestFailed(String(reason)));
      throw reason;
    }
  }

  async #ask<T>(request: Request<T>, deadline: number): Promise<T> {
    const version = Math.min(request.highestVersion, this.#highestVersions.get(request.apiKey) ?? -1);
    if (version < (request.lowestVersion ?? 0)) {
      if (request.unspoken) return request.unspoken.answer;
      throw this.#senseless(new RequestFailed(`this broker does not speak ${request.apiName}`));
    }
    const payload = await this.#exchange(request, version, await request.encodeBody(version), deadline);
    try {
      return await request.decode(payload, version);
    } catch (cause) {
      const message = `the answer to ${request.apiName} cannot be read`;
      throw this.#senseless(new RequestFailed(message, { sent: true, cause }));
    }
  }

  /** This broker's response, or its list of versions, makes no sense: the next request connects again. */
  #senseless(failure: RequestFailed): RequestFailed {
    this.destroy(failure);
    return failure;
  }

  #exchange(
    request: Request<unknown>,
    version: number,
    body: readonly Buffer[],
    deadline: number,
  ): Promise<Buffer> {
    if (this.#lost) throw new RequestFailed('the connection was lost', { cause: this.#lost });
    if (remaining(deadline) === 0) throw new RequestFailed('no time was left to send', { timedOut: true });
    const correlationId = this.#correlationId;
    this.#correlationId = (correlationId + 1) % 2 ** 31;
    const { clientId } = this.#options;
    const parts = frame(request, { version, correlationId, clientId }, body);
    return new Promise((resolve, reject) => {
      this.#pending.set(correlationId, { request, deadline, sentAt: Date.now(), resolve, reject });
      this.#write(parts);
      if (!request.expectsResponse) {
        // The callback of an empty write tells when everything before it has left.
        this.#socket.write(NOTHING, (error) => {
          if (!error) this.#take(correlationId)?.resolve(NOTHING);
        });
      }
      this.#watch(correlationId);
    });
  }

  #write(parts: readonly Buffer[]): void {
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  /** Ends a request at its deadline, or once the broker has been silent for too long. */
  #watch(correlationId: number): void {
    const pending = this.#pending.get(correlationId);
    if (!pending) return;
    const { request, sentAt, deadline } = pending;
    const silentUntil = Math.max(this.heardAt, sentAt) + (request.maxSilenceMs ?? NEVER);
    const left = remaining(Math.min(deadline, silentUntil));
    if (left > 0) {
      pending.timer = setTimeout(() => this.#watch(correlationId), left);
      return;
    }
    const failure = new RequestFailed(`no answer to ${request.apiName} in time`, {
      sent: true,
      timedOut: true,
    });
    // A question may stay unanswered. The connection goes on for the other requests.
    if (request.isQuestion && this.#pending.size > 1) this.#take(correlationId)?.reject(failure);
    else this.destroy(failure);
  }

  #received(bytes: Uint8Array): void {
    this.heardAt = Date.now();
    try {
      this.#frames.push(bytes);
    } catch (cause) {
      this.destroy(new RequestFailed('what the broker sent cannot be read', { sent: true, cause }));
    }
  }

  /** The response to a question that was given up is dropped. */
  #answered(bytes: Buffer): void {
    this.#take(bytes.readInt32BE(4))?.resolve(bytes.subarray(8));
  }

  #take(correlationId: number): Pending | undefined {
    const pending = this.#pending.get(correlationId);
    this.#pending.delete(correlationId);
    clearTimeout(pending?.timer);
    return pending;
  }
}

/** Whether a session ends clearly before the token that it was begun with. */
function endsBefore(credentials: Credentials, endsAt: number): boolean {
  return 'token' in credentials && credentials.token.expiresAt >= endsAt + SAME_END_MS;
}

function isSameToken(
  credentials: Credentials,
  last: Credentials | undefined,
): credentials is TokenCredentials {
  return 'token' in credentials && last !== undefined && 'token' in last && credentials.token === last.token;
}

function dial(
  { host, port }: Address,
  tlsOptions: ClientOptions['tls'],
  onBytes: (bytes: Uint8Array) => void,
): Socket {
  // One buffer for all that comes. A stream of Node's would make a buffer and an event for every 16 KiB.
  const onread = {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (length: number, buffer: Uint8Array) => {
      onBytes(buffer.subarray(0, length));
      return true;
    },
  };
  const target = { host, port, onread };
  if (!tlsOptions) return net.connect(target);
  return tls.connect({ ...target, ...(net.isIP(host) ? {} : { servername: host }), ...tlsOptions });
}
