/**
 * The wait, in milliseconds, before the attempt after this one (from 1). It doubles each time up to `maxMs`, plus or
 * minus a quarter, so that callers who failed together don't come back together.
 */
export function backoffMs(attempt: number, firstMs: number, maxMs = Number.POSITIVE_INFINITY): number {
  return Math.min(maxMs, firstMs * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2);
}
