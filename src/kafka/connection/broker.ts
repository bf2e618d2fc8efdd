import type { Log } from '../../log.ts';
import { type Address, addressText } from '../../variables.ts';
import { apiVersionsRequest } from '../wire/api-versions.ts';
import type { Request } from '../wire/request.ts';
import type { ClientOptions } from './client-options.ts';
import { AuthenticationRefused, RequestFailed } from './request-failed.ts';
import { Session } from './session.ts';
import { SharedAttempt } from './shared-attempt.ts';

/**
 * After this much silence from the broker, a connection must prove itself before it gets a record. While a function
 * is frozen, NAT and load balancers forget flows without telling either end.
 */
const PROOF_AFTER_MS = 1_000;
const PROOF_TIMEOUT_MS = 1_000;
/** A connection attempt ends after this long, even where its caller has more time. */
const CONNECTION_TIMEOUT_MS = 10_000;

/** One broker. Its connection is opened when needed, shared, and opened again once it is lost. */
export class Broker {
  readonly address: Address;
  #session: Session | undefined;
  readonly #opening = new SharedAttempt<Session>();
  #closing = new AbortController();
  readonly #options: ClientOptions;
  readonly #log: Log;

  constructor(address: Address, options: ClientOptions, log: Log) {
    this.address = address;
    this.#options = options;
    this.#log = log;
  }

  get isConnected(): boolean {
    return this.#session !== undefined && this.#session.lost === undefined;
  }

  /** Whether a request on this connection still waits for its response; the next request would wait behind it. */
  get isWaiting(): boolean {
    return this.#session?.isWaiting ?? false;
  }

  /** Until when (epoch milliseconds) the broker asked not to get records. A new connection starts without a limit. */
  get throttledUntil(): number {
    return this.isConnected ? (this.#session?.throttledUntil ?? 0) : 0;
  }

  throttle(ms: number): void {
    if (this.#session && ms > 0) this.#session.throttledUntil = Date.now() + ms;
  }

  /** Gives up connecting, unless others wait for the connection as well. */
  abandon(): void {
    if (!this.isConnected && this.#opening.callers <= 1) this.close();
  }

  /** Resolves once there is a connection on which the broker spoke within the last second. */
  async ready(deadline: number): Promise<void> {
    await this.#readySession(deadline);
  }

  /** Sends a request, over a new connection where needed, and reads the response; throws RequestFailed otherwise. */
  async send<T>(request: Request<T>, deadline: number): Promise<T> {
    const session = await this.#readySession(deadline).catch((cause: unknown) => {
      // Connecting may have sent something, but not this request.
      const timedOut = cause instanceof RequestFailed && cause.timedOut;
      throw new RequestFailed('there is no connection', { timedOut, cause });
    });
    const limit = this.#options.requestTimeout;
    return session.send(request, limit === undefined ? deadline : Math.min(deadline, Date.now() + limit));
  }

  /** Ends the connection, or the attempt to connect, at once. */
  close(): void {
    const reason = new RequestFailed('the connection was closed by this client', { sent: true });
    this.#closing.abort(reason);
    this.#closing = new AbortController();
    this.#session?.destroy(reason);
    this.#session = undefined;
  }

  toString(): string {
    return addressText(this.address);
  }

  async #readySession(deadline: number): Promise<Session> {
    if (this.#session && this.isConnected && isFresh(this.#session)) return this.#session;
    return this.#opening.join((until) => this.#proveOrOpen(until), deadline);
  }

  async #proveOrOpen(deadline: number): Promise<Session> {
    const { signal } = this.#closing;
    if (this.#session && this.isConnected && (await this.#proves(this.#session, deadline))) {
      return this.#session;
    }
    const started = Date.now();
    const limit = this.#options.connectionTimeout ?? CONNECTION_TIMEOUT_MS;
    const open = () =>
      Session.open(this.address, this.#options, { deadline: Math.min(deadline, started + limit), signal });
    this.#session = undefined;
    this.#session = await open().catch((error: unknown) => {
      // The token may have been revoked since it was fetched.
      if (error instanceof AuthenticationRefused && error.token === 'kept' && !signal.aborted) return open();
      throw error;
    });
    this.#log.debug('connected', { broker: `${this}`, ms: Date.now() - started });
    return this.#session;
  }

  async #proves(session: Session, deadline: number): Promise<boolean> {
    try {
      // A token may take longer than the broker may.
      await session.renewLogin(deadline);
      await session.send(apiVersionsRequest(), Math.min(deadline, Date.now() + PROOF_TIMEOUT_MS));
      return true;
    } catch (error) {
      this.#log.debug('an idle connection turned out to be lost', { broker: `${this}`, error });
      // It is given up in any case, also where only the time was too short.
      session.destroy(new RequestFailed('the connection was idle, and is given up'));
      return false;
    }
  }
}

/** A broker may be silent while it works on a request, and that request has its own deadline. */
function isFresh(session: Session): boolean {
  if (session.isWaiting) return true;
  const silence = Date.now() - session.heardAt;
  return silence >= 0 && silence < PROOF_AFTER_MS;
}
