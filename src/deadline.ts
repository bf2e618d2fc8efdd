/** A deadline is a moment in epoch milliseconds. It can be passed on, and every wait derives from it. */

/**
 * Whole milliseconds left, never negative: `AbortSignal.timeout` refuses fractions, and newer versions of Node warn
 * of negative timers. A deadline that was computed as a share of another may be a fraction.
 */
export function remaining(deadline: number): number {
  return Math.max(0, Math.floor(deadline - Date.now()));
}

/** Waits for `promise` until the deadline, then rejects with what `error` makes. */
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
