import { remaining, within } from '../../deadline.ts';
import { RequestFailed } from './request-failed.ts';

/**
 * One attempt that any number of callers wait for, each until its own deadline. It ends with the deadline of the
 * caller that began it. A caller with more time then begins another attempt.
 */
export class SharedAttempt<T> {
  #attempt: { promise: Promise<T>; deadline: number } | undefined;

  /** How many callers wait now. */
  callers = 0;

  get isUnderWay(): boolean {
    return this.#attempt !== undefined;
  }

  /** Rejects as `begin` does, or with RequestFailed at the deadline. */
  async join(begin: (deadline: number) => Promise<T>, deadline: number): Promise<T> {
    for (;;) {
      const attempt = this.#attempt ?? this.#begin(begin, deadline);
      this.callers++;
      try {
        return await within(attempt.promise, deadline, late);
      } catch (error) {
        const endedByItsDeadline = remaining(attempt.deadline) === 0;
        if (!endedByItsDeadline || remaining(deadline) === 0) throw error;
      } finally {
        this.callers--;
      }
    }
  }

  #begin(begin: (deadline: number) => Promise<T>, deadline: number) {
    // An attempt that hangs must not hold up the next caller as well.
    const promise = within(begin(deadline), deadline, late).finally(() => {
      this.#attempt = undefined;
    });
    this.#attempt = { promise, deadline };
    return this.#attempt;
  }
}

function late(): RequestFailed {
  return new RequestFailed('no answer in time', { timedOut: true });
}
