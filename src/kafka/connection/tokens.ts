import { remaining, sleep, within } from '../../deadline.ts';
import { Failure } from '../../errors.ts';
import type { Secret } from '../../secret.ts';
import type { TokenLogin } from './config.ts';
import { SharedAttempt } from './shared-attempt.ts';
import { lateAt, requestToken, type Step, TokenDenied, type TokenRequest } from './token-endpoint.ts';

/** A bearer token. Times are epoch milliseconds. */
export interface Token {
  value: Secret;
  fetchedAt: number;
  expiresAt: number;
}

const FETCH_WITHIN_MS = 10_000;
/** How long a call that has a good token waits for the next one. */
const PATIENCE_MS = 500;
/** The share of a token's lifetime after which it is renewed, as Java's `sasl.login.refresh.window.factor`. */
const RENEW_AFTER = 0.8;
/** With less left, a session would end sooner than Kafka takes another login, which is after a second. */
const MIN_LEFT_MS = 3_000;
/** So long after a failure the endpoint is left alone. */
const REST_MS = 1_000;
/** A token counts in whole seconds, and has to reach the broker. */
const NEARLY_OVER_MS = 1_500;
const MAX_SHARED = 8;

const shared = new Map<string, Tokens>();

/**
 * The current token of one login, for any number of connections. It is fetched when it is first needed, and again
 * after a share of its lifetime. As long as it is good, an endpoint that is down or slow fails nothing.
 */
export class Tokens {
  readonly #fetch: (request: TokenRequest) => Promise<Token>;
  readonly #fetching = new SharedAttempt<Token>();
  #token: Token | undefined;
  /** The last attempt's, while the endpoint is left alone; by a clock that nobody sets. */
  #failure: { error: unknown; until: number } | undefined;
  #step: Step = 'dns';

  constructor(fetch: (request: TokenRequest) => Promise<Token>) {
    this.#fetch = fetch;
  }

  /** Throws TokenDenied or TokenUnreachable. */
  async current(deadline: number): Promise<Token> {
    const now = Date.now();
    const known = this.#token;
    if (known && now < renewalOf(known)) return known;
    const isGood = () => known === this.#token && Date.now() < (known?.expiresAt ?? 0) - NEARLY_OVER_MS;
    const rest = this.#failure ? this.#failure.until - performance.now() : 0;
    if (this.#failure && rest > 0) {
      if (known && isGood()) return known;
      if (this.#failure.error instanceof TokenDenied || now + rest >= deadline) throw this.#failure.error;
      await sleep(rest);
      return this.current(deadline);
    }
    // Ends before the caller's time does, so that the endpoint is named and not the broker.
    const until = now + Math.min((deadline - now) * 0.9, FETCH_WITHIN_MS);
    const fetching = this.#fetching.join((last) => this.#renew(last), until);
    try {
      return await (isGood() ? within(fetching, now + PATIENCE_MS, () => new Error('late')) : fetching);
    } catch (error) {
      if (known && isGood()) return known;
      throw error instanceof Failure ? error : lateAt(this.#step);
    }
  }

  /** The token of the last fetch. */
  get known(): Token | undefined {
    return this.#token;
  }

  /** The brokers let it end sooner than the endpoint said. */
  endsAt(token: Token, expiresAt: number): void {
    token.expiresAt = Math.min(token.expiresAt, expiresAt);
  }

  /** The broker refused this token: the next login fetches another one. */
  drop(token: Token): void {
    if (this.#token === token) this.#token = undefined;
  }

  async #renew(deadline: number): Promise<Token> {
    try {
      const onStep = (step: Step) => {
        this.#step = step;
      };
      this.#token = await this.#fetch({ deadline, onStep });
      this.#failure = undefined;
      return this.#token;
    } catch (error) {
      // That one caller had too little time says nothing to the others.
      const isLate = remaining(deadline) === 0;
      this.#failure = isLate ? undefined : { error, until: performance.now() + REST_MS };
      throw error;
    }
  }
}

function renewalOf({ fetchedAt, expiresAt }: Token): number {
  return Math.min(fetchedAt + (expiresAt - fetchedAt) * RENEW_AFTER, expiresAt - MIN_LEFT_MS);
}

/** The tokens of a login, the same for all who have the same one in this process. */
export function tokensOf(login: TokenLogin): Tokens {
  const key = JSON.stringify({ ...login, clientSecret: login.clientSecret.reveal() });
  const known = shared.get(key);
  if (known) return known;
  for (const oldest of shared.keys()) if (shared.size >= MAX_SHARED) shared.delete(oldest);
  const tokens = new Tokens((request) => requestToken(login, request));
  shared.set(key, tokens);
  return tokens;
}
