import type { Server } from 'node:http';
import type { Log } from '../../src/log.ts';

/** How long requests under way may take to end. A publish takes at most 5 s. */
const DRAIN_MS = 10_000;
const CLOSE_IDLE_EVERY_MS = 20;

/** On `signal`, accepts no more connections, answers the requests under way, awaits `close`, and ends the process. */
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
