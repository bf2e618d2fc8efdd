import { remaining } from './deadline.ts';

/** Bytes that were taken of a budget, until they are given back. */
export interface Lease {
  release(): void;
}

/**
 * Memory that several share. Whoever wants more than is free waits for its turn; whoever wants more than there
 * is gets all of it, once nobody else has any.
 */
export class MemoryBudget {
  readonly #total: number;
  #taken = 0;
  readonly #waiting: { bytes: number; resolve: (lease: Lease | undefined) => void }[] = [];
  #isClosed = false;

  constructor(total: number) {
    this.#total = total;
  }

  /** Without waiting; undefined where there is not enough, or others wait already. */
  tryTake(bytes: number): Lease | undefined {
    return this.#waiting.length === 0 && this.#fits(bytes) ? this.#lease(bytes) : undefined;
  }

  /** Undefined once the budget is closed, or where the deadline (epoch milliseconds) comes first. */
  async take(bytes: number, deadline = Number.POSITIVE_INFINITY): Promise<Lease | undefined> {
    if (this.#isClosed) return undefined;
    return this.tryTake(bytes) ?? this.#turn(bytes, deadline);
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#isClosed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve(undefined);
  }

  #turn(bytes: number, deadline: number): Promise<Lease | undefined> {
    return new Promise((resolve) => {
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        resolve(undefined);
      };
      const timer = Number.isFinite(deadline) ? setTimeout(giveUp, remaining(deadline)) : undefined;
      const waiting = {
        bytes,
        resolve: (lease: Lease | undefined) => {
          clearTimeout(timer);
          resolve(lease);
        },
      };
      this.#waiting.push(waiting);
    });
  }

  #fits(bytes: number): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#total;
  }

  #lease(bytes: number): Lease {
    this.#taken += bytes;
    let isTaken = true;
    return {
      release: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#taken -= bytes;
        while (this.#waiting[0] && this.#fits(this.#waiting[0].bytes)) {
          const next = this.#waiting.shift();
          next?.resolve(this.#lease(next.bytes));
        }
      },
    };
  }
}
