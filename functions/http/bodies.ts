import type { IncomingMessage } from 'node:http';
import { Failure } from '../../src/errors.ts';
import type { Connection } from './connection.ts';
import { brokenOff } from './message.ts';

const MIB = 1024 * 1024;
/** The most that all requests together may hold of bodies, from the first byte until they are answered. */
const MAX_BYTES = 64 * MIB;
/** The part of it for bodies above `SMALL`; the rest is kept for small ones. */
const MAX_LARGE_BYTES = 56 * MIB;
/** The part of it for bodies from senders without a key, where keys are needed. */
const MAX_KEYLESS_BYTES = 16 * MIB;
/** The part of that for large bodies. */
const MAX_LARGE_KEYLESS_BYTES = 14 * MIB;
export const SMALL = 64 * 1024;
/** A slow body makes progress with each step of this size. */
const STEP = 64 * 1024;
/** After this long without progress, a body may be dropped in favour of others. */
const STALLED_MS = 1_000;
/** After this long without progress, a body is dropped in any case. An upload of 6 MiB takes at most 48 minutes. */
const PROGRESS_MS = 30_000;
/** How often its progress is checked in that time. */
const LOOKS = 10;
const EMPTY = Buffer.alloc(0);

export interface BodyRules {
  maxBytes: number;
  /** The sender has shown no key, although keys are configured. */
  isKeyless: boolean;
  connection: Connection;
  /** Asks a waiting sender for the body. */
  invite: () => void;
}

/** A received body. It takes room until it is released. */
export interface ReceivedBody {
  bytes: Buffer;
  release(): void;
}

/** The bodies of a server's requests, in bounded memory. */
export class Bodies {
  readonly #all = new Share(MAX_BYTES);
  readonly #large = new Share(MAX_LARGE_BYTES);
  readonly #keyless = new Share(MAX_KEYLESS_BYTES);
  readonly #largeKeyless = new Share(MAX_LARGE_KEYLESS_BYTES);

  readonly #progressMs: number;
  #clock: NodeJS.Timeout | undefined;

  constructor(progressMs = PROGRESS_MS) {
    this.#progressMs = progressMs;
  }

  /** Reads the whole body. Throws BODY_TOO_LARGE as soon as it is known to exceed the limit. */
  async receive(message: IncomingMessage, rules: BodyRules): Promise<ReceivedBody> {
    const { maxBytes, isKeyless, connection, invite } = rules;
    const tooLarge = () =>
      new Failure('BODY_TOO_LARGE', `the body exceeds PRODUCE_MAX_BODY_BYTES (${maxBytes} bytes)`);
    if (Number(message.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
    // The sender left while the request waited for its turn, and no event will say so again.
    if (message.destroyed) throw brokenOff();
    if (connection.failure && !message.complete) throw connection.failure;
    const body = new Body(isKeyless ? [this.#all, this.#keyless] : [this.#all]);
    this.#clock ??= setInterval(() => this.#dropSlow(), this.#progressMs / LOOKS).unref();
    try {
      await new Promise<void>((resolve, reject) => {
        body.letGo = reject;
        connection.onFailure = reject;
        message.on('data', (chunk: Buffer) => {
          if (body.size <= SMALL && body.size + chunk.length > SMALL) {
            body.join(this.#large);
            if (isKeyless) body.join(this.#largeKeyless);
          }
          if (body.size + chunk.length > maxBytes) reject(tooLarge());
          else body.add(chunk);
        });
        message.on('end', resolve);
        message.on('close', () => {
          if (!message.complete) reject(brokenOff());
        });
        invite();
      });
      return { bytes: body.complete(), release: () => body.leave() };
    } catch (error) {
      body.leave();
      // Further bytes are neither counted nor kept.
      message.removeAllListeners('data');
      throw error;
    }
  }

  /** Drops bodies that make no progress. One timer serves all of them, because one for each costs too much. */
  #dropSlow(): void {
    const pace = `${STEP / 1_024} KiB in ${this.#progressMs / 1_000} s`;
    for (const body of this.#all.stalledSince(Date.now() - this.#progressMs)) {
      body.letGo(new Failure('REQUEST_TIMEOUT', `the body comes too slowly, with less than ${pace}`));
    }
    if (this.#all.isEmpty) {
      clearInterval(this.#clock);
      this.#clock = undefined;
    }
  }
}

/** Bodies that share a limit. */
class Share {
  readonly #limit: number;
  readonly #coming = new Set<Body>();
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether no body is coming. */
  get isEmpty(): boolean {
    return this.#coming.size === 0;
  }

  /** Bodies that have made no progress since that moment (epoch milliseconds). */
  stalledSince(moment: number): Body[] {
    return [...this.#coming].filter(({ progressAt }) => progressAt < moment);
  }

  enter(body: Body): void {
    this.#coming.add(body);
    this.#held += body.size;
  }

  grow(bytes: number): void {
    this.#held += bytes;
  }

  /** Makes room by dropping the most stalled body, else the one that wants more. */
  makeRoom(body: Body): void {
    while (this.#held > this.#limit && this.#coming.has(body)) {
      const stalled = this.stalledSince(Date.now() - STALLED_MS).reduce(
        (oldest, one) => (one.progressAt < oldest.progressAt ? one : oldest),
        body,
      );
      stalled.leave();
      stalled.letGo(new Failure('QUEUE_FULL', 'too many request bodies are being received at this moment'));
    }
  }

  complete(body: Body): void {
    this.#coming.delete(body);
  }

  leave(body: Body): void {
    this.#coming.delete(body);
    this.#held -= body.size;
  }
}

class Body {
  size = 0;
  /** When it last completed a step, in epoch milliseconds. */
  progressAt = Date.now();
  letGo: (failure: Failure) => void = () => {};
  #chunks: Buffer[] = [];
  #shares: Share[] = [];

  constructor(shares: readonly Share[]) {
    for (const share of shares) this.join(share);
  }

  join(share: Share): void {
    this.#shares.push(share);
    share.enter(this);
  }

  add(chunk: Buffer): void {
    if (Math.floor((this.size + chunk.length) / STEP) > Math.floor(this.size / STEP)) {
      this.progressAt = Date.now();
    }
    this.#chunks.push(chunk);
    this.size += chunk.length;
    for (const share of this.#shares) share.grow(chunk.length);
    for (const share of this.#shares) share.makeRoom(this);
  }

  complete(): Buffer {
    for (const share of this.#shares) share.complete(this);
    const [first = EMPTY, ...rest] = this.#chunks.splice(0);
    return rest.length === 0 ? first : Buffer.concat([first, ...rest], this.size);
  }

  leave(): void {
    for (const share of this.#shares.splice(0)) share.leave(this);
    this.#chunks = [];
  }
}
