import { remaining } from './deadline.ts';

/** An amount that was taken from a budget, until it is given back. */
export interface Lease {
  release(): void;
}

/**
 * Memory, or turns, that several callers share. A caller who wants more than is free waits for a turn. A caller who
 * wants more than the total gets all of it, once nobody else has any.
 */
export class Budget {
  readonly #total: number;
  #taken = 0;
  readonly #waiting: { amount: number; resolve: (lease: Lease | undefined) => void }[] = [];
  #isClosed = false;

  constructor(total: number) {
    this.#total = total;
  }

  /** Takes an amount without waiting; undefined where there is too little, or others wait already. */
  tryTake(amount: number): Lease | undefined {
    return this.#waiting.length === 0 && this.#fits(amount) ? this.#lease(amount) : undefined;
  }

  /** Waits for an amount; undefined once the budget is closed, or where the deadline (epoch milliseconds) comes first. */
  async take(amount: number, deadline = Number.POSITIVE_INFINITY): Promise<Lease | undefined> {
    if (this.#isClosed) return undefined;
    return this.tryTake(amount) ?? this.#turn(amount, deadline);
  }

  /** Ends all waits. */
  close(): void {
    this.#isClosed = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve(undefined);
  }

  #turn(amount: number, deadline: number): Promise<Lease | undefined> {
    return new Promise((resolve) => {
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        resolve(undefined);
      };
      const timer = Number.isFinite(deadline) ? setTimeout(giveUp, remaining(deadline)) : undefined;
      const waiting = {
        amount,
        resolve: (lease: Lease | undefined) => {
          clearTimeout(timer);
          resolve(lease);
        },
      };
      this.#waiting.push(waiting);
    });
  }

  #fits(amount: number): boolean {
    return this.#taken === 0 || this.#taken + amount <= this.#total;
  }

  #lease(amount: number): Lease {
    this.#taken += amount;
    let isTaken = true;
    return {
      release: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#taken -= amount;
        while (this.#waiting[0] && this.#fits(this.#waiting[0].amount)) {
          const next = this.#waiting.shift();
          next?.resolve(this.#lease(next.amount));
        }
      },
    };
  }
}
