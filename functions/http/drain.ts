import type { Server } from 'node:http';
import type { Log } from '../../src/log.ts';

/** Requests under way get this long to end; a publish takes 5 s at most. */
const DRAIN_MS = 10_000;
const CLOSE_IDLE_EVERY_MS = 20;

/**
 * On `signal` no connection is accepted any more, requests under way are answered, `close` is awaited, then the
 * process ends.
 */
export function drainOn(
  signal: NodeJS.Signals,
  server: Server,
  { log, close }: { log: Log; close: () => Promise<void> },
): void {
  process.once(signal, () => {
    log.info('draining', { signal });
    server.close(async () => {
      await close();
      log.info('drained');
      process.exit(0);
    });
    setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS).unref();
    setTimeout(() => {
      log.warn('not all requests ended in time', { withinMs: DRAIN_MS });
      process.exit(1);
    }, DRAIN_MS).unref();
  });
}
