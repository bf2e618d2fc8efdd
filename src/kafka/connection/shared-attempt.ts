import { remaining, within } from '../../deadline.ts';
import { RequestFailed } from './request-failed.ts';

/**
 * One attempt at something that any number of callers wait for, each until its own deadline. It ends with
 * the deadline of the caller that began it; whoever has more time begins another one then.
 */
export class SharedAttempt<T> {
  #attempt: { promise: Promise<T>; deadline: number } | undefined;

  /** How many wait for it at this moment. */
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
    // Whatever it waits for, the next caller must not wait for it as well.
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
