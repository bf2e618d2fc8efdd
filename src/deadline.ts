/** A deadline is a moment in epoch milliseconds: it can be handed on, and every wait below derives from it. */

/**
 * Whole milliseconds left, never negative: `AbortSignal.timeout` refuses a fraction, and a negative timer would
 * be warned of by newer versions of Node. Deadlines that are a part of another one have fractions.
 */
export function remaining(deadline: number): number {
  return Math.max(0, Math.floor(deadline - Date.now()));
}

/** Waits for `promise` until the deadline and not longer; then rejects with what `error` makes. */
export async function within<T>(promise: Promise<T>, deadline: number, error: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(error()), remaining(deadline));
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

export function sleep(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}
