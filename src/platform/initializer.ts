import { createLog } from '../log.ts';
import { type Call, callOf, type PlatformContext } from './context.ts';

/** The first request waits for the initializer, so it must not take longer than this. */
const MAX_TIME_MS = 10_000;

/**
 * Creates an initializer with the two parameters that the platform counts. It logs a failure instead of throwing it:
 * the first request tries again and reports its own failure.
 */
export function initializerOf(
  open: (call: Call) => Promise<unknown>,
): (context: PlatformContext, callback: unknown) => Promise<void> {
  return async (context, _callback) => {
    const call = callOf(context);
    try {
      await open({ ...call, deadline: Math.min(call.deadline, Date.now() + MAX_TIME_MS) });
    } catch (error) {
      createLog('info').warn('the initializer failed; the first request tries again', {
        requestId: call.requestId,
        error,
      });
    }
  };
}
