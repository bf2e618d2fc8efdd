/**
 * How long to wait, in milliseconds, before the attempt after this one (from 1): twice as long each time, up to
 * `maxMs`, and a quarter more or less, so that those who failed together don't come again together.
 */
export function backoffMs(attempt: number, firstMs: number, maxMs = Number.POSITIVE_INFINITY): number {
  return Math.min(maxMs, firstMs * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2);
}
