import type { Log } from '../../log.ts';
import { type Address, addressText } from '../../variables.ts';
import { apiVersionsRequest } from '../wire/api-versions.ts';
import type { Request } from '../wire/request.ts';
import type { ClientOptions } from './client-options.ts';
import { RequestFailed } from './request-failed.ts';
import { Session } from './session.ts';
import { SharedAttempt } from './shared-attempt.ts';

/**
 * After this long without a word from the broker, a connection proves itself before it is trusted with
 * a record: while a function is frozen, NAT and load balancers forget flows without telling either end.
 */
const PROOF_AFTER_MS = 1_000;
const PROOF_TIMEOUT_MS = 1_000;
/** A connection attempt ends after this long, even where its caller has more time. */
const CONNECTION_TIMEOUT_MS = 10_000;

/** One broker. The connection is opened when first needed, shared by all callers, and opened anew once lost. */
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

  /** Whether a request on this connection still waits for its response: another one would wait behind it. */
  get isWaiting(): boolean {
    return this.#session?.isWaiting ?? false;
  }

  /** Until when (epoch milliseconds) the broker asked not to be sent records; with its connection that ends. */
  get throttledUntil(): number {
    return this.isConnected ? (this.#session?.throttledUntil ?? 0) : 0;
  }

  throttle(ms: number): void {
    if (this.#session && ms > 0) this.#session.throttledUntil = Date.now() + ms;
  }

  /** Gives up an attempt at a connection, unless others wait for it as well. */
  abandon(): void {
    if (!this.isConnected && this.#opening.callers <= 1) this.close();
  }

  /** Resolves once there is a connection that has spoken within the last second. */
  async ready(deadline: number): Promise<void> {
    await this.#readySession(deadline);
  }

  /** Sends a request, over a new connection where needed, and reads the answer; else throws RequestFailed. */
  async send<T>(request: Request<T>, deadline: number): Promise<T> {
    const session = await this.#readySession(deadline).catch((cause: unknown) => {
      // Whatever was sent on the way to a connection, this request was not.
      const timedOut = cause instanceof RequestFailed && cause.timedOut;
      throw new RequestFailed('there is no connection', { timedOut, cause });
    });
    const limit = this.#options.requestTimeout;
    return session.send(request, limit === undefined ? deadline : Math.min(deadline, Date.now() + limit));
  }

  /** Ends the connection, or the attempt at one, at once. */
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
    this.#session = undefined;
    this.#session = await Session.open(this.address, this.#options, {
      deadline: Math.min(deadline, started + limit),
      signal,
    });
    this.#log.debug('connected', { broker: `${this}`, ms: Date.now() - started });
    return this.#session;
  }

  async #proves(session: Session, deadline: number): Promise<boolean> {
    try {
      await session.send(apiVersionsRequest(), Math.min(deadline, Date.now() + PROOF_TIMEOUT_MS));
      return true;
    } catch (error) {
      this.#log.debug('an idle connection turned out to be lost', { broker: `${this}`, error });
      return false;
    }
  }
}

/** A broker that owes an answer is silent for good reason, and that request has a deadline of its own. */
function isFresh(session: Session): boolean {
  if (session.isWaiting) return true;
  const silence = Date.now() - session.heardAt;
  return silence >= 0 && silence < PROOF_AFTER_MS;
}
